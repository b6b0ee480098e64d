#include "engine/outlet_watch.hh"

#include <algorithm>
#include <utility>

namespace bricks {

void OutletWatch::add_output(OutputSlot* output, std::shared_ptr<SpillPool> pool) {
  outputs_.push_back({output, std::move(pool)});
}

void OutletWatch::add_outlet(BrickSlot* brick, uint32_t outlet, std::vector<uint32_t> behind) {
  // A brick that is kept knows what it was told; a new one, that all are ready.
  if (brick->told.size() <= outlet) brick->told.resize(outlet + 1, OutletState::ready);
  outlets_.push_back({brick, outlet, std::move(behind)});
}

void OutletWatch::look(Nanos now) noexcept {
  for (const Leaf& leaf : outputs_) {
    if (!told_pools_) leaf.output->port->spill_to(leaf.pool);
    leaf.output->port->look(now, leaf.output->cell);
  }
  told_pools_ = true;
  for (const Outlet& outlet : outlets_) {
    const bool ready =
        outlet.behind.empty() ||
        std::any_of(outlet.behind.begin(), outlet.behind.end(),
                    [this](uint32_t output) { return outputs_[output].output->port->ready(); });
    const OutletState state = ready ? OutletState::ready : OutletState::lost;
    OutletState& told = outlet.brick->told[outlet.number];
    if (state == told) continue;
    told = state;
    outlet.brick->brick->outlet_changed(outlet.number, state);
  }
}

}  // namespace bricks
