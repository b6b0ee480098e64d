// Duplicator: every packet to every output.
#include "bricks/brick.hh"

namespace bricks {

namespace {

class Duplicator final : public Brick {
 public:
  void push(Batch&, Picks in, Outlets& out) noexcept override {
    for (uint32_t i = 0; i < out.count(); ++i) out.put_all(i, in);
    out.cell().copies += in.size() * (out.count() - 1);
  }
};

Status make(const Options&, const BrickPlace&, std::unique_ptr<Brick>* brick) {
  *brick = std::make_unique<Duplicator>();
  return {};
}

}  // namespace

extern const BrickType kDuplicator = {
    .name = "Duplicator",
    .summary = "gives every packet to every output",
    .details =
        "Each output gets all packets, intact under any chain behind it. A slow output loses "
        "its own packets only.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = true,
    .reads_flows = false,
    .cuts = false,
    .options = {},
    .make = make,
};

}  // namespace bricks
