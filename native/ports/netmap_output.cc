#include "ports/netmap_output.hh"

#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <thread>

namespace bricks {
namespace {

constexpr uint32_t kEthernetBytes = 14;
constexpr uint32_t kTagBytes = 4;
constexpr uint16_t kReport = 2;  // NS_REPORT: say when this one is sent

bool is_tagged(const uint8_t* frame) noexcept {
  return (frame[12] == 0x81 && frame[13] == 0x00) || (frame[12] == 0x88 && frame[13] == 0xa8);
}

// A descriptor that is readable when the port can be written to; -1: the engine has to ask. Only
// the kernel's own device can be watched inside of another set: what stands in for it cannot know.
int watch(int device) {
  struct stat status {};
  if (fstat(device, &status) != 0 || !S_ISCHR(status.st_mode)) return -1;
  const int all = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLOUT;
  if (all < 0 || epoll_ctl(all, EPOLL_CTL_ADD, device, &event) == 0) return all;
  ::close(all);
  return -1;
}

}  // namespace

NetmapOutput::NetmapOutput(std::unique_ptr<NetmapDevice> device,
                           const NetmapOutputSettings& settings, const std::string& note)
    : device_(std::move(device)), settings_(settings), note_(note) {
  // Whoever had the port before may have left slots that were never given to the kernel, and a
  // tail that is out of date.
  if (const int error = device_->sync(); error != 0) gone_.store(error);
  for (const NetmapRing& is : device_->rings) {
    Ring ring;
    ring.is = is;
    ring.sent.resize(is.slots);
    const uint32_t head = __atomic_load_n(&is.shared->head, __ATOMIC_ACQUIRE), tail = is.tail();
    ring.next = head < is.slots ? head : 0;
    ring.tail = tail < is.slots ? tail : ring.next;
    rings_.push_back(std::move(ring));
  }
  waiting_.resize(device_->extra.size());
  wait_ = watch(device_->fd());
}

NetmapOutput::~NetmapOutput() {
  for (; queued_ > 0; --queued_) {
    device_->extra.push_back(waiting_[first_waiting_].buffer);
    first_waiting_ = first_waiting_ + 1 == waiting_.size() ? 0 : first_waiting_ + 1;
  }
  if (wait_ >= 0) ::close(wait_);
}

uint32_t NetmapOutput::ring_for(const Batch& batch, const Packet& packet) const noexcept {
  if (rings_.size() == 1 || !batch.decoded) return 0;
  return static_cast<uint32_t>(uint64_t{packet.hash} * rings_.size() >> 32);
}

uint32_t NetmapOutput::slots_for(const Ring& ring, uint32_t length) const noexcept {
  return length <= ring.is.stride ? 1 : (length + ring.is.stride - 1) / ring.is.stride;
}

bool NetmapOutput::fits(const Ring& ring, const Packet& packet) const noexcept {
  const bool tag = settings_.tagged && packet.length >= kEthernetBytes && is_tagged(packet.data);
  if (packet.length == 0 || packet.length > settings_.frame_max + (tag ? kTagBytes : 0)) {
    return false;
  }
  return slots_for(ring, packet.length) <= std::min(kNetmapPartsMax, ring.is.slots - 1);
}

uint32_t NetmapOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  if (gone_.load(std::memory_order_relaxed)) return count;  // transmit drops them
  const uint32_t fit = fitting(batch, picks, count);
  if (fit == count || (queued_ == 0 && idle())) return fit;
  send();  // what was sent meanwhile has made room
  return fitting(batch, picks, count);
}

uint32_t NetmapOutput::fitting(const Batch& batch, const Index* picks,
                               uint32_t count) const noexcept {
  auto spare = static_cast<uint32_t>(device_->extra.size());
  bool queueing = queued_ > 0;    // whatever comes after what waits, waits too
  uint32_t used[kBatchMax] = {};  // slots of each ring by the picks before; rings beyond share
  for (uint32_t i = 0; i < count; ++i) {
    const Packet& packet = batch.packets[picks[i]];
    const uint32_t number = ring_for(batch, packet);
    const Ring& ring = rings_[number];
    if (!fits(ring, packet)) continue;  // transmit drops it
    uint32_t& before = used[number % kBatchMax];
    const uint32_t needed = slots_for(ring, packet.length);
    if (!queueing && before + needed <= ring.room()) {
      before += needed;
    } else if (needed == 1 && spare > 0) {
      queueing = true;
      --spare;
    } else {
      return i;
    }
  }
  return count;
}

// The buffer in the next slot; kNoBuffer when what stands there cannot be one.
uint32_t NetmapOutput::slot_buffer(Ring& ring) noexcept {
  const uint32_t index = ring.is.read(ring.next).buf_idx;
  if (ring.is.is_buffer(index)) return index;
  faults_.fetch_add(1, std::memory_order_relaxed);
  return kNoBuffer;
}

void NetmapOutput::fill(Ring& ring, uint32_t buffer, uint32_t length, uint32_t flags) noexcept {
  netmap_slot& slot = ring.is.shared->slot[ring.next];
  const auto bytes = static_cast<uint16_t>(length);
  slot.buf_idx = buffer;
  slot.len = bytes;
  slot.flags = static_cast<uint16_t>(flags);
  if (ring.is.offsets) slot.ptr &= ~ring.is.offsets;
  ring.sent[ring.next] = {bytes, (flags & BRICKS_SLOT_MOREFRAG) == 0};
  ring.next = ring.is.after(ring.next);
  ring.fresh = true;
}

// Into the ring, which has room. False: the ring is not what it should be.
bool NetmapOutput::put(Ring& ring, Batch& batch, Packet& packet, bool exchange) noexcept {
  const uint32_t parts = slots_for(ring, packet.length);
  if (parts > 1) return put_parts(ring, packet, parts);
  const uint32_t buffer = slot_buffer(ring);
  if (buffer == kNoBuffer) return false;
  if (exchange && packet.buffer < ring.is.limit) {
    fill(ring, packet.buffer, packet.length, BRICKS_SLOT_CHANGED);
    packet.buffer = buffer | kForeignBuffer;
    return true;
  }
  uint8_t* to = ring.is.buffer(buffer);
  if (batch.padded && ring.is.stride % 64 == 0) {
    std::memcpy(to, packet.data, 64);
    for (uint32_t at = 64; at < packet.length; at += 64) std::memcpy(to + at, packet.data + at, 64);
  } else {
    std::memcpy(to, packet.data, packet.length);
  }
  fill(ring, buffer, packet.length, 0);
  return true;
}

bool NetmapOutput::put_parts(Ring& ring, const Packet& packet, uint32_t parts) noexcept {
  const uint32_t begin = ring.next;
  uint32_t at = 0;
  for (uint32_t i = 0; i < parts; ++i) {
    const uint32_t part = std::min(packet.length - at, ring.is.stride);
    const uint32_t buffer = slot_buffer(ring);
    if (buffer == kNoBuffer) {
      ring.next = begin;  // what is half written is not sent
      return false;
    }
    std::memcpy(ring.is.buffer(buffer), packet.data + at, part);
    fill(ring, buffer, part, i + 1 < parts ? uint32_t{BRICKS_SLOT_MOREFRAG} : 0);
    at += part;
  }
  return true;
}

// Behind a full ring, in an extra buffer.
bool NetmapOutput::queue(uint32_t number, Packet& packet, bool exchange) noexcept {
  const NetmapRing& ring = rings_[number].is;
  if (device_->extra.empty() || packet.length > ring.stride) return false;
  uint32_t buffer = device_->extra.back();
  device_->extra.pop_back();
  if (exchange && packet.buffer < ring.limit) {
    std::swap(buffer, packet.buffer);
    packet.buffer |= kForeignBuffer;
  } else {
    std::memcpy(ring.buffer(buffer), packet.data, packet.length);
  }
  const auto size = static_cast<uint32_t>(waiting_.size());
  const uint32_t last = first_waiting_ + queued_;
  waiting_[last < size ? last : last - size] = {buffer, number,
                                                static_cast<uint16_t>(packet.length)};
  ++queued_;
  return true;
}

// From the queue into the rings, in order, as far as there is room.
void NetmapOutput::unqueue() noexcept {
  while (queued_ > 0) {
    const Waiting& first = waiting_[first_waiting_];
    Ring& ring = rings_[first.ring];
    if (ring.room() == 0) return;
    const uint32_t buffer = slot_buffer(ring);
    if (buffer == kNoBuffer) return;
    fill(ring, first.buffer, first.length, BRICKS_SLOT_CHANGED);
    device_->extra.push_back(buffer);
    first_waiting_ = first_waiting_ + 1 == waiting_.size() ? 0 : first_waiting_ + 1;
    --queued_;
  }
}

void NetmapOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                            LedgerCell& cell) noexcept {
  if (batch.link != LinkType::ethernet) return cell.drop(Drop::link_type, count);
  if (gone_.load(std::memory_order_relaxed)) return cell.drop(Drop::transmit_failed, count);
  const bool shared = exclusive && batch.region && batch.region == device_->region();
  for (uint32_t i = 0; i < count; ++i) {
    Packet& packet = batch.packets[picks[i]];
    const uint32_t number = ring_for(batch, packet);
    Ring& ring = rings_[number];
    if (!fits(ring, packet)) {
      cell.drop(Drop::oversize);
      continue;
    }
    const bool exchange = shared && packet.buffer >= BRICKS_NETMAP_FIRST_BUFFER;
    // What waits goes first: a flow stays in order.
    const bool has_room = queued_ == 0 && ring.room() >= slots_for(ring, packet.length);
    if (has_room && put(ring, batch, packet, exchange)) {
      ++held_;
    } else if (!has_room && queue(number, packet, exchange)) {
      ++held_;
    } else {
      cell.drop(has_room ? Drop::transmit_failed : Drop::transmit_full);
    }
  }
  tell(cell);
}

bool NetmapOutput::idle() const noexcept {
  return std::none_of(rings_.begin(), rings_.end(),
                      [](const Ring& ring) { return ring.fresh || ring.in_flight() > 0; });
}

// What the kernel has given back since: slots up to its tail.
void NetmapOutput::settle(Ring& ring) noexcept {
  const uint32_t tail = ring.is.tail();
  if (tail == ring.tail) return;
  if (tail >= ring.is.slots || ring.is.distance(ring.tail, tail) > ring.in_flight()) {
    faults_.fetch_add(1, std::memory_order_relaxed);  // as if it had not moved
    return;
  }
  while (ring.tail != tail) {
    ring.tail = ring.is.after(ring.tail);
    Sent& sent = ring.sent[ring.tail];
    sent_bytes_ += sent.length;
    sent_packets_ += sent.last;
    sent = {};
  }
}

// One system call: what is fresh goes out, what was sent comes back.
void NetmapOutput::send() noexcept {
  for (Ring& ring : rings_) {
    if (!ring.fresh) continue;
    const uint32_t last = ring.next == 0 ? ring.is.slots - 1 : ring.next - 1;
    ring.is.shared->slot[last].flags |= kReport;
    ring.is.advance(ring.next);
    ring.fresh = false;
  }
  if (const int error = device_->sync(); error != 0) gone_.store(error);
  for (Ring& ring : rings_) settle(ring);
  if (queued_ > 0) unqueue();
}

// What was sent since, into the ledger.
void NetmapOutput::tell(LedgerCell& cell) noexcept {
  cell.delivered += sent_packets_;
  cell.delivered_bytes += sent_bytes_;
  held_ -= sent_packets_;
  sent_packets_ = sent_bytes_ = 0;
  cell.held = held_;
  cell.spilled = queued_;
}

void NetmapOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  (void)now;
  if (!gone_.load(std::memory_order_relaxed) && (queued_ > 0 || !idle())) send();
  tell(cell);
}

void NetmapOutput::look(Nanos now, LedgerCell& cell) noexcept { flush(now, cell); }

void NetmapOutput::close(LedgerCell& cell) {
  constexpr int kPatience = 100;  // rounds of 2 ms without progress
  for (int idle_rounds = 0; held_ > 0 && idle_rounds < kPatience && !gone_; ++idle_rounds) {
    const uint64_t before = cell.delivered;
    send();
    tell(cell);
    if (cell.delivered != before) idle_rounds = 0;
    if (held_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  tell(cell);
  cell.drop(settings_.pipe ? Drop::unread : Drop::transmit_failed, held_);
  held_ = 0;
  cell.held = cell.spilled = 0;
}

std::string NetmapOutput::take_warning() {
  std::string text;
  std::swap(text, warning_);
  const auto say = [&text](const std::string& words) {
    text += (text.empty() ? "" : "; ") + words;
  };
  if (faults_.load(std::memory_order_relaxed) != 0 && !faults_told_) {
    faults_told_ = true;
    say("the transmit rings hold words that cannot be: another program writes into this memory, "
        "or the module is of another version");
  }
  if (const int error = gone_.load(std::memory_order_relaxed); error != 0 && !gone_told_) {
    gone_told_ = true;
    say("the port takes no more packets (" + std::string(std::strerror(error)) +
        "): was its interface removed? When it is back, link the engine again");
  }
  return text;
}

std::string NetmapOutput::describe() const { return device_->describe() + note_; }

}  // namespace bricks
