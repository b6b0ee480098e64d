// The table of Novak and Sturges ("Target-Based TCP Stream Reassembly", 2007), as facts.
#include "streams/overlap_policy.hh"

namespace bricks::streams {
namespace {

struct Row {
  const char* name;
  // N: the new segment's bytes are taken, o: the earlier one's stay. By start (begins where the
  // earlier one does, before it, behind it), and within each by end (before its end, there, behind
  // it).
  char answers[10];
};

constexpr Row kRows[kOverlapPolicyCount] = {
    {"first", "ooooooooo"},  {"last", "NNNNNNNNN"},      {"bsd", "oooNNNooo"},
    {"linux", "ooNNNNooo"},  {"old-linux", "oNNNNNooo"}, {"solaris", "oNNoNNooN"},
    {"hpux10", "oooNNNooo"}, {"hpux11", "oNNoNNooN"},    {"irix", "oooNNNooo"},
    {"macos", "oooNNNooo"},  {"windows", "oooNNNooo"},   {"windows2k3", "oooNNNooo"},
    {"vista", "ooooooooo"},
};

}  // namespace

const char* policy_name(OverlapPolicy policy) noexcept {
  return kRows[static_cast<uint32_t>(policy)].name;
}

bool policy_from_name(std::string_view name, OverlapPolicy* policy) noexcept {
  for (uint32_t i = 0; i < kOverlapPolicyCount; ++i) {
    if (name != kRows[i].name) continue;
    *policy = static_cast<OverlapPolicy>(i);
    return true;
  }
  return false;
}

bool takes_new(OverlapPolicy policy, int32_t start, int32_t end) noexcept {
  const uint32_t row = start == 0 ? 0 : start < 0 ? 3 : 6;
  const uint32_t column = end < 0 ? 0 : end == 0 ? 1 : 2;
  return kRows[static_cast<uint32_t>(policy)].answers[row + column] == 'N';
}

}  // namespace bricks::streams
