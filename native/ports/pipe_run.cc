#include "ports/pipe_run.hh"

#include <cstddef>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace bricks {

namespace {

constexpr uint32_t kAhead = 12;  // slots: far enough to have a line by the time it is written

bool fits_slot(const Packet& packet) noexcept {
  return (packet.length <= kBufferPayload) & !(packet.flags & kPacketCut);
}

// One text, two builds: the copies become two stores a line where there are 32-byte registers.
#define BRICKS_COPY_LOOP                                                                 \
  uint32_t tail = run.tail, i = 0;                                                       \
  const uint32_t mask = run.mask;                                                        \
  PipeSent* const sent = run.sent;                                                       \
  netmap_slot* const slots = run.slots;                                                  \
  uint8_t* const buffers = run.buffers;                                                  \
  const bool padded = batch.padded;                                                      \
  for (; i < count; ++i) {                                                               \
    const Packet& packet = batch.packets[picks[i]];                                      \
    if (__builtin_expect(!fits_slot(packet), 0)) break;                                  \
    const uint32_t ahead = sent[(tail + kAhead) & mask].buffer & ~kForeignBuffer;        \
    __builtin_prefetch(buffers + uint64_t{ahead} * kBufferStride, 1);                    \
    const uint32_t buffer = sent[tail].buffer & ~kForeignBuffer, length = packet.length; \
    uint8_t* to = buffers + uint64_t{buffer} * kBufferStride;                            \
    const uint8_t* from = packet.data;                                                   \
    if (__builtin_expect(padded, 1)) {                                                   \
      std::memcpy(to, from, 64); /* whole lines: no branch on where the length ends */   \
      for (uint32_t at = 64; at < length; at += 64) std::memcpy(to + at, from + at, 64); \
    } else {                                                                             \
      std::memcpy(to, from, length);                                                     \
    }                                                                                    \
    const uint64_t word = buffer | uint64_t{length} << 32;                               \
    const uint64_t noted = word | kForeignBuffer | uint64_t{1} << 48;                    \
    std::memcpy(&sent[tail], &noted, sizeof noted);                                      \
    const uint64_t words[2] = {word, packet.timestamp};                                  \
    std::memcpy(&slots[tail], words, sizeof words);                                      \
    tail = (tail + 1) & mask;                                                            \
  }                                                                                      \
  run.tail = tail;                                                                       \
  return i;

#if defined(__x86_64__)
__attribute__((target("arch=x86-64-v3,prfchw"))) uint32_t copy_run_v3(
    PipeRun& run, const Batch& batch, const Index* picks,
    uint32_t count) noexcept {BRICKS_COPY_LOOP}
#endif

uint32_t
    copy_run_v2(PipeRun& run, const Batch& batch, const Index* picks, uint32_t count) noexcept {
  BRICKS_COPY_LOOP
}

}  // namespace

uint32_t copy_run(PipeRun& run, const Batch& batch, const Index* picks, uint32_t count) noexcept {
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("x86-64-v3");
  if (wide) return copy_run_v3(run, batch, picks, count);
#endif
  return copy_run_v2(run, batch, picks, count);
}

namespace {

// What a slot says of a packet: its first eight bytes are also what is noted in `sent`.
inline void write_slot(netmap_slot& slot, PipeSent& sent, const Packet& packet) noexcept {
  // The flag that tells the consumer of another buffer tells ourselves of a whole packet.
#if defined(__SSE2__)
  static_assert(offsetof(Packet, length) == 8 && offsetof(Packet, timestamp) == 16 &&
                offsetof(Packet, buffer) == 24);
  // data, length, hash; timestamp, buffer, network ...: buffer, length, timestamp of them.
  const __m128 first = _mm_loadu_ps(reinterpret_cast<const float*>(&packet));
  const __m128 second = _mm_loadu_ps(reinterpret_cast<const float*>(&packet) + 4);
  const __m128 joined = _mm_movelh_ps(_mm_unpackhi_ps(second, first), second);
  const __m128i words = _mm_or_si128(_mm_castps_si128(joined), _mm_set_epi32(0, 0, 1 << 16, 0));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(&sent), words);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&slot), words);
#else
  const uint64_t word = packet.buffer | uint64_t{packet.length} << 32 | uint64_t{1} << 48;
  const uint64_t words[2] = {word, packet.timestamp};
  std::memcpy(&sent, &word, sizeof word);
  std::memcpy(&slot, words, sizeof words);
#endif
}

template <bool kPlain>
uint32_t exchange(PipeRun& run, Batch& batch, const Index* picks, uint32_t count) noexcept {
  const uint32_t mask = run.mask;
  netmap_slot* const slots = run.slots;
  PipeSent* const sent = run.sent;
  uint32_t tail = run.tail, i = 0;
  for (; i < count; ++i) {
    Packet& packet = batch.packets[picks[i]];
    if (!kPlain && __builtin_expect(!fits_slot(packet), 0)) break;
    uint64_t old;
    std::memcpy(&old, &sent[tail], sizeof old);
    write_slot(slots[tail], sent[tail], packet);
    packet.buffer = static_cast<uint32_t>(old);
    packet.length = static_cast<uint16_t>(old >> 32);
    tail = (tail + 1) & mask;
  }
  run.tail = tail;
  return i;
}

}  // namespace

uint32_t exchange_run(PipeRun& run, Batch& batch, const Index* picks, uint32_t count) noexcept {
  return batch.plain ? exchange<true>(run, batch, picks, count)
                     : exchange<false>(run, batch, picks, count);
}

PipeTally tally_run(const PipeSent* sent, uint32_t from, uint32_t to) noexcept {
  PipeTally sum = {0, 0};
  while (from < to) {
    // Two slots at a time. Sixteen lengths of at most 2,048 bytes stay below the count of packets,
    // which begins at bit 16.
    static_assert(16 * kBufferPayload < 65536);
    using Two = uint64_t __attribute__((vector_size(16)));
    const uint32_t end = to - from > 32 ? from + 32 : to;
    Two both = {0, 0};
    for (; from + 1 < end; from += 2) {
      Two words;
      std::memcpy(&words, &sent[from], sizeof words);
      both += words >> 32;
    }
    if (from < end) {
      uint64_t word;
      std::memcpy(&word, &sent[from++], sizeof word);
      both[0] += word >> 32;
    }
    sum.packets += (both[0] >> 16) + (both[1] >> 16);
    sum.bytes += (both[0] & 0xffff) + (both[1] & 0xffff);
  }
  return sum;
}

}  // namespace bricks
