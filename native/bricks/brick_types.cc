// The one place to add a line for a new brick.
#include "bricks/brick.hh"

namespace bricks {

extern const BrickType kLoadBalancer, kDuplicator, kPcapWriter, kMerge, kFilter, kPcapReader,
    kDummy, kDeduplicator, kSession, kQueue;

std::span<const BrickType* const> brick_types() noexcept {
  static const BrickType* const all[] = {&kLoadBalancer, &kDuplicator, &kPcapWriter, &kMerge,
                                         &kFilter,       &kPcapReader, &kDummy,      &kDeduplicator,
                                         &kSession,      &kQueue};
  return all;
}

Decision Brick::explain(const Batch&, Index, uint32_t outlets) const {
  Decision all;
  for (uint32_t i = 0; i < outlets; ++i) all.outlets.push_back(i);
  all.why = outlets == 1 ? "its only output" : "every output gets it";
  return all;
}

const BrickType* find_brick_type(const std::string& name) noexcept {
  for (const BrickType* type : brick_types()) {
    if (name == type->name) return type;
  }
  return nullptr;
}

}  // namespace bricks
