#include "ports/spill_pool.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <thread>

namespace bricks {

namespace {

constexpr uint32_t kGiveWay = 150;  // packets a queue gives up at a time, as netmap's lb has it

constexpr uint32_t buffers_needed(uint32_t length) noexcept {
  return length <= kBufferPayload ? 1 : (length + kBufferPayload - 1) / kBufferPayload;
}

}  // namespace

Status SpillPool::create(const std::string& owner, uint32_t buffers,
                         std::shared_ptr<SpillPool>* pool) {
  if (buffers == 0 || buffers > kSpillBuffersMax) {
    return {Code::invalid_argument, "engine " + owner + ": spill is " + std::to_string(buffers) +
                                        " buffers, it must be 1 to " +
                                        std::to_string(kSpillBuffersMax)};
  }
  std::shared_ptr<SpillPool> made(new SpillPool);
  made->bytes_ = uint64_t{buffers} * kBufferStride;
  void* memory = mmap(nullptr, made->bytes_, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return system_error("cannot get " + std::to_string(buffers) + " spill buffers for " + owner,
                        errno);
  }
  made->memory_ = static_cast<uint8_t*>(memory);
  made->buffers_ = buffers;
  made->entries_.resize(buffers);
  for (uint32_t i = 0; i < buffers; ++i) {
    made->entries_[i].next_buffer = i + 1 < buffers ? i + 1 : kSpillNone;
  }
  made->free_head_ = 0;
  made->free_.store(buffers);
  made->assembled_.resize((kFrameMax + 63) / 64 * 64);
  *pool = std::move(made);
  return {};
}

SpillPool::~SpillPool() {
  if (memory_) munmap(memory_, bytes_);
}

Status SpillSource::get(std::shared_ptr<SpillPool>* pool) {
  if (!pool_) {
    if (Status status = SpillPool::create(owner_, buffers_, &pool_); !status.ok()) return status;
  }
  *pool = pool_;
  return {};
}

void SpillPool::hold() noexcept {
  while (!try_hold()) std::this_thread::yield();
}

void SpillPool::enter(SpillQueue& queue) noexcept {
  queue.head = queue.tail = kSpillNone;
  queue.next = queues_;
  queues_ = &queue;
}

void SpillPool::leave(SpillQueue& queue) noexcept {
  for (SpillQueue** at = &queues_; *at; at = &(*at)->next) {
    if (*at != &queue) continue;
    *at = queue.next;
    return;
  }
}

uint32_t SpillPool::take_buffer() noexcept {
  const uint32_t buffer = free_head_;
  free_head_ = entries_[buffer].next_buffer;
  free_.store(free_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  return buffer;
}

bool SpillPool::make_room(uint32_t buffers) noexcept {
  while (free_buffers() < buffers) {
    SpillQueue* longest = nullptr;
    for (SpillQueue* queue = queues_; queue; queue = queue->next) {
      if (queue->packets && (!longest || queue->buffers > longest->buffers)) longest = queue;
    }
    if (!longest) return false;
    const uint32_t packets = std::min(longest->packets, kGiveWay);
    pop(*longest, packets);
    longest->cell->drop(Drop::gave_way, packets);
    longest->cell->held -= std::min<uint64_t>(longest->cell->held, packets);
    longest->cell->spilled = longest->packets;
  }
  return true;
}

bool SpillPool::push(SpillQueue& queue, const Batch& batch, Index pick) noexcept {
  const Packet& packet = batch.packets[pick];
  assert(packet.length <= kFrameMax);
  const uint32_t need = buffers_needed(packet.length);
  if (need > buffers_ || !make_room(need)) return false;
  const uint32_t first = take_buffer();
  uint32_t buffer = first;
  for (uint32_t at = 0;;) {
    const uint32_t part = std::min(packet.length - at, kBufferPayload);
    std::memcpy(data(buffer), packet.data + at, part);
    at += part;
    if (at == packet.length) break;
    const uint32_t more = take_buffer();
    entries_[buffer].next_buffer = more;
    buffer = more;
  }
  entries_[buffer].next_buffer = kSpillNone;
  Entry& entry = entries_[first];
  entry.timestamp = packet.timestamp;
  entry.length = packet.length;
  entry.wire_length = wire_length(batch, pick);
  entry.next_packet = kSpillNone;
  entry.link = batch.link;
  entry.flags = packet.flags;
  if (queue.packets++) {
    entries_[queue.tail].next_packet = first;
  } else {
    queue.head = first;
  }
  queue.tail = first;
  queue.buffers += need;
  return true;
}

void SpillPool::gather(uint32_t first) noexcept {
  const uint32_t length = entries_[first].length;
  uint32_t at = 0;
  for (uint32_t buffer = first; at < length; buffer = entries_[buffer].next_buffer) {
    const uint32_t part = std::min(length - at, kBufferPayload);
    std::memcpy(assembled_.data() + at, data(buffer), part);
    at += part;
  }
}

Batch& SpillPool::front(const SpillQueue& queue) noexcept {
  batch_.count = 0;
  batch_.padded = true;
  batch_.region = nullptr;
  uint32_t at = queue.head;
  for (uint32_t left = queue.packets; left && batch_.count < kBatchMax; --left) {
    const Entry& entry = entries_[at];
    const bool single = entry.length <= kBufferPayload;
    if (batch_.count && (!single || entry.link != batch_.link)) break;
    batch_.link = entry.link;
    if (!single) gather(at);
    batch_.wire_lengths[batch_.count] = entry.wire_length;
    Packet& packet = batch_.packets[batch_.count++];
    packet = {};
    packet.data = single ? data(at) : assembled_.data();
    packet.length = entry.length;
    packet.timestamp = entry.timestamp;
    packet.flags = entry.flags;
    if (!single) break;
    at = entry.next_packet;
  }
  return batch_;
}

void SpillPool::pop(SpillQueue& queue, uint32_t packets) noexcept {
  assert(packets <= queue.packets);
  uint32_t freed = 0;
  for (uint32_t i = 0; i < packets; ++i) {
    const uint32_t first = queue.head;
    queue.head = entries_[first].next_packet;
    for (uint32_t buffer = first; buffer != kSpillNone; ++freed) {
      const uint32_t more = entries_[buffer].next_buffer;
      entries_[buffer].next_buffer = free_head_;
      free_head_ = buffer;
      buffer = more;
    }
  }
  queue.packets -= packets;
  queue.buffers -= freed;
  if (queue.packets == 0) queue.head = queue.tail = kSpillNone;
  free_.store(free_buffers() + freed, std::memory_order_relaxed);
}

}  // namespace bricks
