// What is counted for a plugin: by its workers, read by everybody. The names are those of status,
// metrics and docs/plugins.md.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "mem/ledger.hh"
#include "mem/limits.hh"

namespace bricks {

#define BRICKS_PLUGIN_COUNTS(X)                                                            \
  X(calls, "calls of its callbacks, of which each may have many events")                   \
  X(events, "events it was given")                                                         \
  X(errors, "events it failed at: an error, an exception, over its budget")                \
  X(detached, "sessions it left, or was made to leave")                                    \
  X(takeovers, "sessions it took over")                                                    \
  X(orphans, "sessions it took over and left: nobody looks after them")                    \
  X(closing_calls, "ends of sessions it was told of")                                      \
  X(ctx_leaks, "contexts it had not freed by itself")                                      \
  X(locks_lost, "locks of sessions that were taken from it: time-out, error, detachment")  \
  X(lost_lines, "lines it wrote faster than its file took them, or that the disk refused") \
  X(ns, "nanoseconds in its callbacks: one call in 32 is measured, and counted 32 times")

enum class PluginCount : uint8_t {
#define X(name, text) name,
  BRICKS_PLUGIN_COUNTS(X)
#undef X
};

inline constexpr FigureDescriptor kPluginCounts[] = {
#define X(name, text) {#name, FigureKind::counter, text},
    BRICKS_PLUGIN_COUNTS(X)
#undef X
};
inline constexpr uint32_t kPluginCountsSize = sizeof kPluginCounts / sizeof kPluginCounts[0];

struct alignas(64) PluginCounts {
  std::array<std::atomic<uint64_t>, kPluginCountsSize> count{};
  std::array<std::atomic<int64_t>, kPluginFiguresMax> figure{};  // the plugin's own

  void add(PluginCount which, uint64_t more = 1) noexcept {
    count[static_cast<uint32_t>(which)].fetch_add(more, std::memory_order_relaxed);
  }
  uint64_t get(PluginCount which) const noexcept {
    return count[static_cast<uint32_t>(which)].load(std::memory_order_relaxed);
  }
};

}  // namespace bricks
