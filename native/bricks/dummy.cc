// Dummy: passes everything on, for measuring.
#include "bricks/pass_through.hh"

namespace bricks {

extern const BrickType kDummy = {
    .name = "Dummy",
    .summary = "passes every packet on to its output",
    .details = "Does nothing else; for measurements and as a place to link things to.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = false,
    .cuts = false,
    .options = {},
    .make = make_pass_through,
};

}  // namespace bricks
