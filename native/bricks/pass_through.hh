// Merge, PcapWriter and Dummy do the same with a packet and differ in what they are for.
#pragma once

#include "bricks/brick.hh"

namespace bricks {

class PassThrough final : public Brick {
 public:
  void push(Batch&, Picks in, Outlets& out) noexcept override { out.put_all(0, in); }
};

inline Status make_pass_through(const Options&, const BrickPlace&, std::unique_ptr<Brick>* brick) {
  *brick = std::make_unique<PassThrough>();
  return {};
}

}  // namespace bricks
