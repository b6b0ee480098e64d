// Outputs that get no new flows: which they are, since when, and how many flows they still have.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/plan.hh"

namespace bricks {

// An outlet that a brick's option `drain` names.
struct DrainRow {
  std::string brick, outlet;
  int64_t since;     // seconds since 1970
  int64_t sessions;  // live flows that stay with it; -1: the brick does not know
};

class DrainList {
 public:
  // What drains in `plan` from now on; what did before keeps its time. Control thread.
  void update(const Plan& plan);
  // Fills in the sessions. Engine's thread, between breaths.
  void count() noexcept;
  const std::vector<DrainRow>& rows() const noexcept { return rows_; }

 private:
  struct Where {
    std::shared_ptr<BrickSlot> brick;
    uint32_t outlet;
  };
  std::vector<Where> where_;
  std::vector<DrainRow> rows_;
};

}  // namespace bricks
