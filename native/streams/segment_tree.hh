// The segments that wait in one direction, by sequence number: a treap with each subtree's highest
// end, so that those which overlap a range are found without looking at the others. Nodes are from
// one array for all directions of a worker. Priorities are drawn with a seed that nobody outside
// knows: no order of arrival makes a tree deep.
//
// Bounds are sequence numbers modulo 2^32; all of one tree lie within 2^31 of each other.
#pragma once

#include <cstdint>

namespace bricks::streams {

inline constexpr uint32_t kNoSegment = 0;

struct SegmentNode {
  uint32_t start, end;  // as the segment came, whatever of it is its own
  uint32_t highest;     // end in this subtree
  uint32_t left, right;
  uint32_t priority;  // free nodes: the next one
};
static_assert(sizeof(SegmentNode) == 24);

class SegmentNodes {
 public:
  // `memory`: of count + 1 nodes, zeros.
  void init(SegmentNode* memory, uint32_t count, uint64_t seed) noexcept;

  uint32_t free() const noexcept { return count_ - used_; }
  uint32_t used() const noexcept { return used_; }
  const SegmentNode& at(uint32_t node) const noexcept { return nodes_[node]; }

  // free() is not 0, and no segment of the tree has the same two bounds. The node's number.
  uint32_t insert(uint32_t* root, uint32_t start, uint32_t end) noexcept;
  void remove(uint32_t* root, uint32_t node) noexcept;
  uint32_t first(uint32_t root) const noexcept;  // the lowest start
  // Those that have bytes of [start, end), by start; at most `most`, more than that: most + 1.
  uint32_t overlaps(uint32_t root, uint32_t start, uint32_t end, uint32_t* found,
                    uint32_t most) const noexcept;

 private:
  bool before(uint32_t start, uint32_t end, const SegmentNode& node) const noexcept {
    const auto by_start = static_cast<int32_t>(start - node.start);
    return by_start < 0 || (by_start == 0 && static_cast<int32_t>(end - node.end) < 0);
  }
  void settle(uint32_t node) noexcept;
  void split(uint32_t tree, const SegmentNode& at, uint32_t* left, uint32_t* right) noexcept;
  uint32_t join(uint32_t left, uint32_t right) noexcept;
  uint32_t add(uint32_t tree, uint32_t node) noexcept;
  uint32_t cut(uint32_t tree, uint32_t node) noexcept;
  uint32_t collect(uint32_t tree, uint32_t start, uint32_t end, uint32_t* found, uint32_t count,
                   uint32_t most) const noexcept;

  SegmentNode* nodes_ = nullptr;
  uint32_t count_ = 0, used_ = 0;
  uint32_t free_ = kNoSegment, fresh_ = 1;
  uint64_t random_ = 1;
};

}  // namespace bricks::streams
