#include "ports/netmap_input.hh"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace bricks {
namespace {

constexpr uint32_t kGiveBackShare = 4;  // a fourth of a ring that is read goes back
constexpr uint32_t kAhead = 8;  // slots whose packets are fetched before they are handed out

}  // namespace

NetmapInput::NetmapInput(std::unique_ptr<NetmapDevice> device, const std::string& note)
    : device_(std::move(device)), note_(note) {
  for (const NetmapRing& is : device_->rings) {
    Ring ring{is, 0, 0};
    // Where whoever had the port before left off; what is no slot counts as the beginning.
    const uint32_t head = __atomic_load_n(&is.shared->head, __ATOMIC_ACQUIRE);
    ring.cursor = ring.given = head < is.slots ? head : 0;
    rings_.push_back(ring);
    padded_ &= is.stride % 64 == 0 && is.offsets == 0;
    plain_ &= is.stride <= kBufferPayload;
  }
}

// Slots go back with the next system call: without a last one, whoever has the port next would get
// packets that have been read.
NetmapInput::~NetmapInput() {
  if (released_ != 0 && gone_.load(std::memory_order_relaxed) == 0) (void)device_->sync();
}

// Copies the packet that begins at the cursor and has several buffers. False when its end is not
// there yet, or it cannot be: then the cursor is behind what was looked at.
bool NetmapInput::gather(Ring& ring, uint32_t tail, Packet& packet) noexcept {
  uint32_t at = ring.cursor, length = 0;
  for (uint32_t parts = 1; at != tail; ++parts) {
    const netmap_slot slot = ring.is.read(at);
    const uint64_t offset = slot.ptr & ring.is.offsets;
    at = ring.is.after(at);
    if (!ring.is.is_buffer(slot.buf_idx) || offset > ring.is.stride ||
        slot.len > ring.is.stride - offset || slot.len > kFrameMax - length ||
        parts > kNetmapPartsMax) {
      ring.cursor = at;
      return false;
    }
    std::memcpy(frame_ + length, ring.is.buffer(slot.buf_idx) + offset, slot.len);
    length += slot.len;
    if (slot.flags & BRICKS_SLOT_MOREFRAG) continue;
    packet.data = frame_;
    packet.length = length;
    packet.buffer = kNoBuffer;
    ring.cursor = at;
    return length > 0;
  }
  // The module publishes whole packets only; a ring that is full of one will never have its end.
  if (ring.is.distance(ring.cursor, tail) + 1 == ring.is.slots) ring.cursor = tail;
  return false;
}

// What the ring has, up to `max` packets in the batch. False: no more of this batch, since the
// last packet is in frame_.
bool NetmapInput::take(Ring& ring, Batch& batch, uint32_t max, Nanos now,
                       LedgerCell& cell) noexcept {
  const uint32_t tail = ring.is.tail();
  if (tail >= ring.is.slots) {
    fault();
    return true;
  }
  while (ring.cursor != tail && batch.count < max) {
    const uint32_t at = ring.cursor;
    const netmap_slot slot = ring.is.read(at);
    const uint64_t offset = slot.ptr & ring.is.offsets;
    const uint32_t ahead = at + kAhead < ring.is.slots ? at + kAhead : at;
    const uint32_t later = __atomic_load_n(&ring.is.shared->slot[ahead].buf_idx, __ATOMIC_RELAXED);
    if (ring.is.is_buffer(later)) __builtin_prefetch(ring.is.buffer(later));
    Packet& packet = batch.packets[batch.count];
    packet.timestamp = now;
    packet.flags = 0;
    if (slot.flags & BRICKS_SLOT_MOREFRAG) [[unlikely]] {
      const bool whole = gather(ring, tail, packet);
      if (!whole && ring.cursor == at) return true;
      ++cell.packets;
      if (!whole) {
        cell.drop(Drop::malformed);
        fault();
        continue;
      }
      cell.bytes += packet.length;
      batch.plain = false;
      ++batch.count;
      return false;
    }
    ring.cursor = ring.is.after(at);
    ++cell.packets;
    if (!ring.is.is_buffer(slot.buf_idx) || offset > ring.is.stride ||
        slot.len > ring.is.stride - offset || slot.len == 0) [[unlikely]] {
      cell.drop(Drop::malformed);
      fault();
      continue;
    }
    packet.data = ring.is.buffer(slot.buf_idx) + offset;
    packet.length = slot.len;
    // Only a packet at its buffer's beginning can be sent from there by another ring.
    packet.buffer = offset == 0 ? slot.buf_idx : kNoBuffer;
    taken_[batch.count] = {static_cast<uint32_t>(&ring - rings_.data()), at, slot.buf_idx};
    cell.bytes += slot.len;
    ++batch.count;
  }
  return true;
}

uint32_t NetmapInput::receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept {
  assert(max <= kBatchMax);
  batch.count = 0;
  batch.link = LinkType::ethernet;
  batch.padded = padded_;
  batch.plain = plain_;
  batch.region = device_->region();
  const auto count = static_cast<uint32_t>(rings_.size());
  // What is there first; the system call when nothing is, or when the kernel runs out of slots to
  // receive into, for it also gives slots back.
  const bool early = released_ >= rings_[0].is.slots / kGiveBackShare;
  for (int round = early ? 1 : 0;
       round < 2 && batch.count == 0 && !gone_.load(std::memory_order_relaxed); ++round) {
    if (round == 1) {
      if (const int error = device_->sync(); error != 0) gone_.store(error);
      released_ = 0;
    }
    for (uint32_t turn = 0; turn < count && batch.count < max; ++turn) {
      const uint32_t i = next_ + turn < count ? next_ + turn : next_ + turn - count;
      if (!take(rings_[i], batch, max, now, cell)) break;
    }
  }
  next_ = next_ + 1 < count ? next_ + 1 : 0;
  // Slots that held nothing usable are ours alone: they go back at once.
  if (batch.count == 0) release(batch);
  return batch.count;
}

void NetmapInput::release(Batch& batch) noexcept {
  for (uint32_t i = 0; i < batch.count; ++i) {
    const Packet& packet = batch.packets[i];
    const uint32_t buffer = packet.buffer & ~kForeignBuffer;
    if (buffer == kNoBuffer || buffer == taken_[i].buffer) continue;
    netmap_slot& slot = rings_[taken_[i].ring].is.shared->slot[taken_[i].slot];
    __atomic_store_n(&slot.buf_idx, buffer, __ATOMIC_RELAXED);
    __atomic_store_n(&slot.flags, uint16_t{BRICKS_SLOT_CHANGED}, __ATOMIC_RELAXED);
  }
  batch.count = 0;
  for (Ring& ring : rings_) {
    if (ring.given == ring.cursor) continue;
    released_ += ring.is.distance(ring.given, ring.cursor);
    ring.given = ring.cursor;
    ring.is.advance(ring.cursor);
  }
}

std::string NetmapInput::take_warning() {
  std::string text;
  std::swap(text, warning_);
  const auto say = [&text](const std::string& words) {
    text += (text.empty() ? "" : "; ") + words;
  };
  const uint64_t faults = faults_.load(std::memory_order_relaxed);
  if (faults != faults_told_ && faults_told_ == 0) {
    say("the rings hold slots that cannot be: another program writes into this memory, or the "
        "module is of another version; their packets count as malformed");
  }
  faults_told_ = faults;
  if (const int error = gone_.load(std::memory_order_relaxed); error != 0 && !gone_told_) {
    gone_told_ = true;
    say("the port gives no more packets (" + std::string(std::strerror(error)) +
        "): was its interface removed? When it is back, link the engine again");
  }
  return text;
}

std::string NetmapInput::describe() const { return device_->describe() + note_; }

}  // namespace bricks
