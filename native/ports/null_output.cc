// null: counts packets and forgets them. The end of a chain whose counters are all one wants.
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

class NullOutput final : public Output {
 public:
  void transmit(Batch& batch, const Index* picks, uint32_t count, bool /*exclusive*/,
                LedgerCell& cell) noexcept override {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; ++i) bytes += batch.packets[picks[i]].length;
    cell.delivered += count;
    cell.delivered_bytes += bytes;
  }
  std::string describe() const override { return "counts and forgets"; }
};

Status open(const PortName&, const Options&, const PortContext&, std::unique_ptr<Output>* output) {
  *output = std::make_unique<NullOutput>();
  return {};
}

}  // namespace

const PortScheme kNullScheme = {
    .scheme = "null",
    .example = "null:",
    .as_input = nullptr,
    .as_output = "counts and forgets; null:0, null:1 are two of them",
    .options = {},
    .open_input = nullptr,
    .open_output = open,
};

}  // namespace bricks
