#include "wire/held_packets.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "wire/application.hh"

namespace bricks {
namespace {

// A frame's bytes in whole lines: outputs copy them so (Batch.padded).
constexpr uint64_t kBigStride = (kFrameMax + 63) / 64 * 64 + 64;
static_assert(kBigStride / 64 % 2 == 1);  // mem/limits.hh says why it is odd

}  // namespace

Status HeldPackets::create(const std::string& what, uint32_t packets,
                           std::unique_ptr<HeldPackets>* held) {
  std::unique_ptr<HeldPackets> made(new HeldPackets);
  const uint32_t big = std::max(packets / kHeldPerBig, 2 * kBatchMax);
  Status status = made->map(what, made->small_, 0, packets, kBufferStride);
  if (status.ok()) status = made->map(what, made->big_, packets, big, kBigStride);
  if (!status.ok()) return status;
  made->entries_.resize(packets + big);
  *held = std::move(made);
  return {};
}

Status HeldPackets::map(const std::string& what, Pool& pool, Place first, uint32_t count,
                        uint64_t stride) {
  void* memory = mmap(nullptr, stride * count, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return system_error(what + " cannot have " + std::to_string(stride * count >> 20) +
                            " MiB to hold packets; let it hold fewer",
                        errno);
  }
  pool.base = static_cast<uint8_t*>(memory);
  pool.stride = stride;
  pool.first = first;
  pool.count = count;
  pool.free.reserve(count);
  for (uint32_t i = count; i > 0; --i) pool.free.push_back(first + i - 1);
  return {};
}

HeldPackets::~HeldPackets() {
  for (Pool* pool : {&small_, &big_}) {
    if (pool->base) munmap(pool->base, pool->stride * pool->count);
  }
}

HeldPackets::Place HeldPackets::take(const Batch& batch, Index index, uint32_t cut) noexcept {
  const Packet& from = batch.packets[index];
  Pool* pool = from.length <= kBufferPayload && !small_.free.empty() ? &small_ : &big_;
  if (pool->free.empty()) return kNowhere;
  const Place place = pool->free.back();
  pool->free.pop_back();
  ++count_;
  Entry& entry = entries_[place];
  entry.packet = from;
  entry.packet.buffer = kNoBuffer;
  entry.packet.data = pool->base + pool->stride * (place - pool->first);
  std::memcpy(entry.packet.data, from.data, from.length);
  entry.wire_length = wire_length(batch, index);
  entry.digest = batch.digests[index];
  if (from.flags & kPacketLayers) entry.layers = batch.layers[index];
  entry.cut = cut;
  entry.source = batch.source;
  entry.link = batch.link;
  entry.decoded = batch.decoded;
  entry.application = application(batch, index);
  entry.next = kNowhere;
  return place;
}

void HeldPackets::begin(Batch& batch) noexcept {
  batch.count = 0;
  batch.not_ip = 0;
  batch.padded = true;
  batch.plain = true;
  batch.usual = false;
  batch.has_applications = true;
  batch.region = nullptr;
}

bool HeldPackets::give(Place place, Batch& batch) noexcept {
  const Entry& entry = entries_[place];
  if (batch.count == 0) {
    batch.link = entry.link;
    batch.decoded = entry.decoded;
  } else if (batch.count == kBatchMax || batch.link != entry.link ||
             batch.decoded != entry.decoded) {
    return false;
  }
  const uint32_t i = batch.count++;
  batch.packets[i] = entry.packet;
  batch.wire_lengths[i] = entry.wire_length;
  batch.digests[i] = entry.digest;
  batch.applications[i] = entry.application;
  if (entry.packet.flags & kPacketLayers) batch.layers[i] = entry.layers;
  batch.plain &= entry.packet.length <= kBufferPayload && !(entry.packet.flags & kPacketCut);
  batch.not_ip += entry.decoded && entry.packet.ip_version == 0;
  given_[given_count_++] = place;
  return true;
}

void HeldPackets::recycle() noexcept {
  for (uint32_t i = 0; i < given_count_; ++i) discard(given_[i]);
  given_count_ = 0;
}

void HeldPackets::discard(Place place) noexcept {
  Pool& pool = place < big_.first ? small_ : big_;
  pool.free.push_back(place);  // never beyond its first size: no allocation
  --count_;
}

}  // namespace bricks
