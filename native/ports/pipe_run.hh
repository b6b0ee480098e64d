// The two inner loops of a pipe's writer: a run of packets into consecutive slots of its ring, by
// exchanging buffers or by copying. Stateless; the caller owns ring, bookkeeping and bounds.
#pragma once

#include <cstdint>

#include "abi/netmap.h"
#include "mem/limits.hh"
#include "wire/packet.hh"

namespace bricks {

// What is in slot k, as the writer knows it: never read back from shared memory. The same eight
// bytes as the first eight of a netmap_slot.
struct PipeSent {
  uint32_t buffer;  // with kForeignBuffer when it was copied to, or never filled
  uint16_t length;
  uint16_t last;  // 1: a packet ends here
};
static_assert(sizeof(PipeSent) == 8 && BRICKS_SLOT_CHANGED == 1);

struct PipeRun {
  netmap_slot* slots;
  PipeSent* sent;
  uint32_t mask;     // slots - 1
  uint32_t tail;     // first slot to fill; moved on
  uint8_t* buffers;  // buffer 0
};

// Both take packets that fit one slot (up to kBufferPayload bytes, not cut), stop at the first that
// does not, and return how many they took; there is room for `count`.
uint32_t exchange_run(PipeRun& run, Batch& batch, const Index* picks, uint32_t count) noexcept;
uint32_t copy_run(PipeRun& run, const Batch& batch, const Index* picks, uint32_t count) noexcept;

struct PipeTally {
  uint64_t packets, bytes;
};

// What slots [from, to) hold; no wrap.
PipeTally tally_run(const PipeSent* sent, uint32_t from, uint32_t to) noexcept;

}  // namespace bricks
