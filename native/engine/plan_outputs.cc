// What bricks are told of the outputs behind them, and outputs of the bricks before them.
#include <algorithm>

#include "engine/plan.hh"
#include "ports/spill_pool.hh"

namespace bricks {

void Plan::find_watches() {
  for (const Node& node : nodes_) {
    // A brick that is kept knows of its outlets what it was told; a new one, that all are ready.
    node.slot->told.resize(node.targets.size(), OutletState::ready);
    for (uint32_t o = 0; o < node.targets.size(); ++o) {
      Watch& watch = watches_.emplace_back(Watch{node.slot, o, {}});
      if (node.targets[o].is_output) {
        watch.leaves.push_back(node.targets[o].index);
        continue;
      }
      std::vector<bool> seen(leaves_.size(), false);
      mark_leaves(node.targets[o], seen);
      for (uint32_t leaf = 0; leaf < seen.size(); ++leaf) {
        if (seen[leaf]) watch.leaves.push_back(leaf);
      }
    }
  }
}

// Outputs behind a brick that spills get the engine's pool, which is made if there is none yet.
Status Plan::find_spills(const PortContext& context) {
  for (const Node& node : nodes_) {
    if (!node.slot->brick->spills()) continue;
    std::shared_ptr<SpillPool> pool;
    if (Status status = context.spills->get(&pool); !status.ok()) return status;
    std::vector<bool> seen(leaves_.size(), false);
    for (const Target& target : node.targets) mark_leaves(target, seen);
    for (uint32_t leaf = 0; leaf < seen.size(); ++leaf) {
      if (seen[leaf]) leaves_[leaf].spill = pool;
    }
  }
  return {};
}

void Plan::look(Nanos now) noexcept {
  for (Leaf& leaf : leaves_) {
    if (!spills_told_) leaf.slot->port->spill_to(leaf.spill);
    leaf.slot->port->look(now, leaf.slot->cell);
  }
  spills_told_ = true;
  for (const Watch& watch : watches_) {
    const bool ready = std::any_of(watch.leaves.begin(), watch.leaves.end(), [this](uint32_t leaf) {
      return leaves_[leaf].slot->port->ready();
    });
    const OutletState state =
        ready || watch.leaves.empty() ? OutletState::ready : OutletState::lost;
    OutletState& told = watch.brick->told[watch.outlet];
    if (state == told) continue;
    told = state;
    watch.brick->brick->outlet_changed(watch.outlet, state);
  }
}

}  // namespace bricks
