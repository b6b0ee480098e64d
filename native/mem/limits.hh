// Every bound of the data plane, by name. A value out of range is refused with the range.
#pragma once

#include <cstdint>

namespace bricks {

inline constexpr uint32_t kBatchMax = 256;            // packets a batch can hold
inline constexpr uint32_t kBatchDefault = 128;        // measured best (docs/performance.md)
inline constexpr uint32_t kFrameMax = 65535;          // bytes of one frame, anywhere
inline constexpr uint32_t kNameMax = 255;             // bytes of a name: port, engine, pipe
inline constexpr uint32_t kPortParametersMax = 4096;  // bytes of what a port's name has after '?'
inline constexpr uint32_t kOutletsMax = 4096;         // outputs of one brick
inline constexpr uint32_t kInletsMax = 1024;          // inputs of one engine
inline constexpr uint32_t kBricksMax = 4096;          // bricks of one engine
inline constexpr uint32_t kEnginesMax = 256;          // engines of one process
inline constexpr uint32_t kPipeSlotsDefault = 1024;   // netmap's default, too
inline constexpr uint32_t kPipeSlotsMin = 16;         // slots of a pipe's ring: at least
inline constexpr uint32_t kPipeSlotsMax = 65536;      // and at most
// Of a pipe that a program asks for: programs that sleep pass on a ring for every two wake-ups.
inline constexpr uint32_t kPipePairSlots = 2048;
// 33 cache lines: an odd number spreads headers over all sets of every cache. 2048 puts them into
// one set in 32 and costs a factor of 2.6 (docs/performance.md).
inline constexpr uint32_t kBufferStride = 2112;
inline constexpr uint32_t kBufferTrailer = 16;  // bytes at a buffer's end: abi/pipe.h
inline constexpr uint32_t kBufferPayload = kBufferStride - 64;  // 2048: bytes of a frame per buffer
// Buffers the longest frame takes.
inline constexpr uint32_t kFrameBuffersMax = (kFrameMax + kBufferPayload - 1) / kBufferPayload;
inline constexpr uint32_t kSharedRegionBuffers = 1u << 18;  // sparse: what is touched is memory
inline constexpr uint32_t kPipePairsMax = 4096;             // pipes that programs have asked for
inline constexpr uint32_t kPipeArenaBuffers = 1u << 18;  // of such a pipe's memory, for more pipes
inline constexpr uint32_t kPipeArenaControlBytes = 32u << 20;  // and their rings; both sparse
inline constexpr uint32_t kPipeExtraBuffersMax = 1u << 20;     // a netmap program's extra buffers
inline constexpr uint32_t kSpillBuffersMax = 1u << 22;  // an engine's overflow queues; sparse, too
inline constexpr uint32_t kSpillBuffersDefault = 1u << 16;  // where an output asks and none is set
inline constexpr uint32_t kHeartbeatMs = 5000;  // a consumer silent for so long counts as hung
inline constexpr uint32_t kHeartbeatMaxMs = 3600000;  // and the most that can be asked for
inline constexpr uint32_t kOutputFullMs = 1000;  // an output that loses packets so long is full
inline constexpr uint32_t kOutputLookMs = 100;   // how often an engine looks at its consumers
inline constexpr uint32_t kRestartBufferMaxMs = 3600000;  // longest that a reload is waited for
inline constexpr uint32_t kLosslessStallMs = 5000;  // a consumer that reads nothing so long stalls
inline constexpr uint32_t kFragmentDatagrams = 8192;  // of an engine that are remembered at a time
inline constexpr uint32_t kFragmentPackets = 2048;    // of an engine that wait for their first one
inline constexpr uint32_t kFragmentHoldMs = 1000;     // and for how long
inline constexpr uint32_t kFragmentKnownMs = 5000;    // later its id stands for another datagram
inline constexpr uint32_t kHeldPerBig = 16;  // held packets: one in so many may exceed a buffer
inline constexpr uint32_t kMergePacketsMax = 1u << 20;  // that one Merge may hold
inline constexpr uint32_t kDuplicatesMax = 1u << 24;    // packets that one Deduplicator remembers
inline constexpr uint32_t kMergeClockBackMs = 1000;     // further back: the clock was set
inline constexpr uint32_t kDrainLiveMs = 200;  // a reader of a live engine that makes no progress
inline constexpr uint32_t kConsumersWaitingMax = 1024;    // attach requests for pipes yet to come
inline constexpr uint32_t kPortConnectionsMax = 8192;     // consumers connected to ports.sock
inline constexpr uint32_t kPortConnectionsPerUser = 256;  // of a user who is not the daemon's
inline constexpr uint32_t kPortRequestMs = 5000;  // a connection that asks nothing so long is shut
inline constexpr uint32_t kTcpBacklog = 16;       // connections that wait to be accepted, at a time
inline constexpr uint32_t kTcpNewcomersMax = 64;  // connections that have not said what they want
inline constexpr uint32_t kTcpSilenceMs = 200;    // who has not begun by then gets the first output
inline constexpr uint32_t kTcpLineMs = 2000;      // for a line that was begun
inline constexpr uint32_t kTcpSelectMax = 64;     // bytes of an output's name there
inline constexpr uint64_t kRecordBytesMin = 4u << 20;     // of a recorder: 32 chunks, 128 KiB each
inline constexpr uint64_t kRecordBytesMax = 64ull << 30;  // and the most; sparse
inline constexpr uint32_t kRecordSecondsMax = 86400;      // that it keeps
inline constexpr uint32_t kListedMax = 65536;             // rows of a list of what can be read
inline constexpr uint32_t kTapsPerUser = 16;  // copies of links for one who is not the daemon's
inline constexpr uint32_t kGuestExpressionMax = 512;    // bytes of such a copy's filter
inline constexpr uint32_t kRulesMax = 1u << 20;         // rules of one Filter
inline constexpr uint32_t kRuleMasksMax = 512;          // different masks of a Filter's rules
inline constexpr uint32_t kRuleExpressionsMax = 256;    // of them, rules with a libpcap expression
inline constexpr uint32_t kRuleSameMatchMax = 256;      // rules that match the very same packets
inline constexpr uint32_t kRuleListsMax = 65536;        // Filters with rules in one process
inline constexpr uint32_t kSessionsDefault = 1u << 20;  // live flows of an engine; sparse memory
inline constexpr uint32_t kSessionsMax = 16000000;      // that an engine can be asked to remember
inline constexpr uint32_t kSessionsKept = 4096;     // that have ended and whose owners still say so
inline constexpr uint32_t kSessionPinsMax = 61439;  // outputs of one brick with live sessions
inline constexpr uint32_t kSessionScopesMax = 8192;     // bricks and rules with live sessions
inline constexpr uint32_t kInspectorBytes = 768;        // of a session whose payload is decoded
inline constexpr uint32_t kDecodeBufferBytes = 16384;   // of a message that is split: the longest
inline constexpr uint32_t kIdentifyBytes = 8192;        // of a stream that may tell its protocol
inline constexpr uint32_t kIdentifyDatagrams = 16;      // of a session that may
inline constexpr uint32_t kHelloPassedMax = 1u << 16;   // bytes of TLS between its hellos
inline constexpr uint32_t kQuicPackets = 8;             // of a datagram that are read
inline constexpr uint32_t kXdpQueuesMax = 256;          // of an interface that AF_XDP serves
inline constexpr uint32_t kXdpRingMax = 1u << 16;       // packets of an AF_XDP ring
inline constexpr uint32_t kNetmapRingsMax = 1024;       // of a netmap port, in one direction
inline constexpr uint32_t kNetmapSlotsMax = 1u << 16;   // of one of its rings
inline constexpr uint32_t kNetmapBufferMax = 1u << 16;  // bytes of one of its buffers
inline constexpr uint32_t kNetmapPartsMax = 64;         // buffers of one packet: NETMAP_MAX_FRAGS
inline constexpr uint32_t kNetmapExtraMax = 1u << 20;   // extra buffers of one port
inline constexpr uint32_t kPluginsMax = 64;             // of one list
inline constexpr uint32_t kPluginListsMax = 65536;      // lists of plugins in one process
inline constexpr uint32_t kPluginGenerationsMax = 128;  // of a list, with live sessions
inline constexpr uint32_t kPluginFiguresMax = 16;       // figures of one plugin's own
inline constexpr uint32_t kPluginFileBytes = 1u << 22;  // lines that wait for a plugin's file
inline constexpr uint32_t kPluginLineMax = 1u << 16;    // bytes of one of them
inline constexpr uint32_t kPluginWarningsMax = 1000;    // of a list that wait to be said
inline constexpr uint32_t kSessionLockMs = 1000;  // a plugin may hold a session's lock so long
inline constexpr uint32_t kSessionGroupsMax = 4;  // rate groups of one session
inline constexpr uint32_t kSessionChildrenMax = 65536;  // live children of a worker's sessions
inline constexpr uint32_t kMetadataKeyMax = 63;         // bytes of a key
inline constexpr uint32_t kMetadataEntriesMax = 32;     // of one session
inline constexpr uint32_t kMetadataBytesMax = 16384;    // of one session's values that are copied
inline constexpr uint32_t kMetadataMemory = 1u << 30;   // of a worker; sparse
inline constexpr uint32_t kSessionsPerTick = 64;     // sessions a breath looks at whether they end
inline constexpr uint32_t kLuaSourceMax = 1u << 20;  // bytes of one file of a Lua plugin
inline constexpr uint32_t kLuaLoopsDefault = 1000000;    // loops and calls of a Lua plugin's event
inline constexpr uint32_t kLuaLoopsMax = 1000000000;     // and the most that its file can ask for
inline constexpr uint32_t kLuaLoopsAtStart = 100000000;  // while it is read, and of init and exit
inline constexpr uint32_t kLuaMemoryMbDefault = 64;      // of one worker of a Lua plugin
inline constexpr uint32_t kLuaMemoryMbMax = 16384;       // and the most that its file can ask for
inline constexpr uint32_t kLuaMessageMax = 500;          // bytes of an error that are kept
inline constexpr uint32_t kLuaStepsOfLoop = 8;     // of matching a pattern that count as one loop
inline constexpr uint32_t kLuaBytesOfLoop = 256;   // that are searched or copied, likewise
inline constexpr uint32_t kLuaCapturesMax = 32;    // of a pattern, as in LuaJIT
inline constexpr uint32_t kLuaPatternDepth = 200;  // of its recursion, as in LuaJIT

// Plugins in TypeScript (docs/plugins-typescript.md).
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

// Queue groups, of a process; the last of them of one packet.
inline constexpr uint32_t kQueueGroupsMax = 4096;        // that there are at a time
inline constexpr uint64_t kQueueRateMax = 125000000000;  // bytes a second: 1 Tbit/s
inline constexpr uint32_t kQueueBurstMin = 1500;        // bytes of a bucket: the usual MTU at least
inline constexpr uint32_t kQueueBurstMax = 4000000000;  // and the most
inline constexpr uint32_t kQueuePacketsMax = 1u << 20;  // that wait in a group, or in a worker
inline constexpr uint32_t kQueueFlowsMax = 4096;        // of FQ-CoDel, in a group and worker
inline constexpr uint32_t kQueueLeaseMs = 10;        // of a leased rate: what a worker has at most
inline constexpr uint32_t kQueueGroupsOfPacket = 4;  // that it may belong to
inline constexpr uint32_t kStreamConnectionsMax = 1u << 24;  // TCP connections put together
inline constexpr uint64_t kStreamBytesMin = 1u << 20;        // of a worker's streams that wait
inline constexpr uint64_t kStreamBytesMax = 64ull << 30;     // and the most; sparse
inline constexpr uint32_t kStreamEvidenceMax = 1u << 20;     // given-out bytes that are remembered
inline constexpr uint32_t kStreamSegmentsMax = 1u << 20;     // that wait in one direction
// Waiting segments that one may lie over; it counts as over the cap where there are more.
inline constexpr uint32_t kStreamOverlapsMax = 256;

static_assert(kBatchDefault <= kBatchMax);
static_assert((kBufferStride / 64) % 2 == 1 && kBufferStride % 64 == 0);
static_assert(kBufferPayload + kBufferTrailer <= kBufferStride);
static_assert(kFrameBuffersMax < kPipeSlotsMin * 4);

}  // namespace bricks
