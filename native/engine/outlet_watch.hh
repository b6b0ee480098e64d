// Between a plan's bricks and the consumers behind their outlets: what bricks are told of these,
// and what outputs are told of the bricks before them.
#pragma once

#include <memory>
#include <vector>

#include "engine/slots.hh"

namespace bricks {

class SpillPool;  // ports/spill_pool.hh

class OutletWatch {
 public:
  // Control thread, while the plan is built. `pool`: what the output may spill to; null: nothing.
  void add_output(OutputSlot* output, std::shared_ptr<SpillPool> pool);
  // `behind`: numbers of outputs, in the order they were added.
  void add_outlet(BrickSlot* brick, uint32_t outlet, std::vector<uint32_t> behind);

  // Looks at every consumer, and tells bricks when the state behind an outlet has changed. Engine's
  // thread, between breaths; `now` is monotonic.
  void look(Nanos now) noexcept;

 private:
  struct Leaf {
    OutputSlot* output;
    std::shared_ptr<SpillPool> pool;
  };
  struct Outlet {
    BrickSlot* brick;
    uint32_t number;
    std::vector<uint32_t> behind;
  };
  std::vector<Leaf> outputs_;
  std::vector<Outlet> outlets_;
  bool told_pools_ = false;
};

}  // namespace bricks
