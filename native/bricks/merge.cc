// Merge: all inputs into one output; the engine has already put packets of one batch into order.
#include "bricks/pass_through.hh"

namespace bricks {

extern const BrickType kMerge = {
    .name = "Merge",
    .summary = "brings several inputs together in one output",
    .details =
        "Inputs are ports or links of other bricks. Packets that came in together leave in the "
        "order they came; inputs take turns, a batch each.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = false,
    .cuts = false,
    .options = {},
    .make = make_pass_through,
};

}  // namespace bricks
