// Recursion goes as deep as the tree, which is a few times the logarithm of what waits.
#include "streams/segment_tree.hh"

namespace bricks::streams {
namespace {

bool is_before(uint32_t a, uint32_t b) noexcept { return static_cast<int32_t>(a - b) < 0; }

}  // namespace

void SegmentNodes::init(SegmentNode* memory, uint32_t count, uint64_t seed) noexcept {
  nodes_ = memory;
  count_ = count;
  random_ = seed | 1;
}

void SegmentNodes::settle(uint32_t node) noexcept {
  SegmentNode& here = nodes_[node];
  here.highest = here.end;
  const uint32_t sides[] = {here.left, here.right};
  for (const uint32_t below : sides) {
    if (below && is_before(here.highest, nodes_[below].highest)) {
      here.highest = nodes_[below].highest;
    }
  }
}

// Into what is before `at` and what is behind it.
void SegmentNodes::split(uint32_t tree, const SegmentNode& at, uint32_t* left,
                         uint32_t* right) noexcept {
  if (!tree) {
    *left = *right = kNoSegment;
    return;
  }
  if (before(at.start, at.end, nodes_[tree])) {
    split(nodes_[tree].left, at, left, &nodes_[tree].left);
    *right = tree;
  } else {
    split(nodes_[tree].right, at, &nodes_[tree].right, right);
    *left = tree;
  }
  settle(tree);
}

uint32_t SegmentNodes::join(uint32_t left, uint32_t right) noexcept {
  if (!left || !right) return left ? left : right;
  const bool left_is_up = nodes_[left].priority > nodes_[right].priority;
  const uint32_t up = left_is_up ? left : right;
  if (left_is_up) {
    nodes_[up].right = join(nodes_[left].right, right);
  } else {
    nodes_[up].left = join(left, nodes_[right].left);
  }
  settle(up);
  return up;
}

uint32_t SegmentNodes::add(uint32_t tree, uint32_t node) noexcept {
  SegmentNode& added = nodes_[node];
  if (!tree || added.priority > nodes_[tree].priority) {
    split(tree, added, &added.left, &added.right);
    settle(node);
    return node;
  }
  SegmentNode& here = nodes_[tree];
  if (before(added.start, added.end, here)) {
    here.left = add(here.left, node);
  } else {
    here.right = add(here.right, node);
  }
  settle(tree);
  return tree;
}

uint32_t SegmentNodes::insert(uint32_t* root, uint32_t start, uint32_t end) noexcept {
  uint32_t node = free_;
  if (node) {
    free_ = nodes_[node].priority;
  } else {
    node = fresh_++;
  }
  ++used_;
  random_ ^= random_ << 13;  // xorshift64 (Marsaglia, 2003)
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  nodes_[node] = {start, end, end, kNoSegment, kNoSegment, static_cast<uint32_t>(random_ >> 32)};
  *root = add(*root, node);
  return node;
}

uint32_t SegmentNodes::cut(uint32_t tree, uint32_t node) noexcept {
  if (tree == node) return join(nodes_[tree].left, nodes_[tree].right);
  SegmentNode& here = nodes_[tree];
  if (before(nodes_[node].start, nodes_[node].end, here)) {
    here.left = cut(here.left, node);
  } else {
    here.right = cut(here.right, node);
  }
  settle(tree);
  return tree;
}

void SegmentNodes::remove(uint32_t* root, uint32_t node) noexcept {
  *root = cut(*root, node);
  nodes_[node].priority = free_;
  free_ = node;
  --used_;
}

uint32_t SegmentNodes::first(uint32_t root) const noexcept {
  while (nodes_[root].left) root = nodes_[root].left;
  return root;
}

uint32_t SegmentNodes::collect(uint32_t tree, uint32_t start, uint32_t end, uint32_t* found,
                               uint32_t count, uint32_t most) const noexcept {
  const SegmentNode& here = nodes_[tree];
  if (!tree || count > most || !is_before(start, here.highest)) return count;
  count = collect(here.left, start, end, found, count, most);
  if (count > most || !is_before(here.start, end)) return count;
  if (is_before(start, here.end)) {
    if (count < most) found[count] = tree;
    ++count;
  }
  return collect(here.right, start, end, found, count, most);
}

uint32_t SegmentNodes::overlaps(uint32_t root, uint32_t start, uint32_t end, uint32_t* found,
                                uint32_t most) const noexcept {
  return collect(root, start, end, found, 0, most);
}

}  // namespace bricks::streams
