// Who owns the bytes that two segments both have, as the receiving system would have it: Novak and
// Sturges' target-based reassembly. Each policy is a row of nine answers, one for each way in which
// a new segment can lie over one that was accepted before; the bounds compared are those that the
// segments came with, not what was left of them. A byte is the new segment's when every earlier
// segment that has it gives it away.
//
// The names say whose classic stack the row is of; systems of today differ (Pyrolyse, DIMVA 2025).
#pragma once

#include <cstdint>
#include <string_view>

namespace bricks::streams {

enum class OverlapPolicy : uint8_t {
  first,
  last,
  bsd,
  linux_classic,  // called "linux"
  old_linux,
  solaris,
  hpux10,
  hpux11,
  irix,
  macos,
  windows,
  windows2k3,
  vista,
};
inline constexpr uint32_t kOverlapPolicyCount = 13;

// Names as options have them ("old-linux"). from_name: false when there is none of that name.
const char* policy_name(OverlapPolicy policy) noexcept;
bool policy_from_name(std::string_view name, OverlapPolicy* policy) noexcept;

// Is the new segment's byte taken? `start` and `end`: the sign of the new segment's bound less the
// earlier one's.
bool takes_new(OverlapPolicy policy, int32_t start, int32_t end) noexcept;

}  // namespace bricks::streams
