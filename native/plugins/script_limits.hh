// Bounds of plugins in TypeScript (docs/plugins-typescript.md).
#pragma once

#include "mem/limits.hh"

namespace bricks {

inline constexpr uint32_t kScriptRecordsSync = kBatchMax;  // events of one call
inline constexpr uint32_t kScriptRecordsAsync = 8192;      // that wait for a plugin that is not
inline constexpr uint32_t kScriptRingBytes = 2u << 20;     // of copied bytes; sparse
inline constexpr uint32_t kScriptEventBytes = 512 * 1024;  // of one event
inline constexpr uint32_t kScriptCallBytes = 64 * 1024;    // a key and a value of metadata
inline constexpr uint32_t kScriptContextsMax = 1u << 24;   // of one plugin
inline constexpr uint32_t kScriptWorkersMax = 256;         // engines that one plugin serves
inline constexpr uint32_t kScriptLaterMax = 4096;     // calls that wait for a session's next packet
inline constexpr uint32_t kScriptChildrenMax = 4096;  // sessions that one plugin has opened
inline constexpr uint32_t kScriptRestartsMax = 8;     // of a plugin's thread, within the next
inline constexpr uint32_t kScriptRestartWindowMs = 60000;  // so that a broken one does not go on
inline constexpr uint32_t kScriptStartMs = 15000;  // until a plugin's file is loaded and started
inline constexpr uint32_t kScriptTimeoutMaxMs = 10000;  // that a call may be given

}  // namespace bricks
