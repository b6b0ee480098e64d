#include "plugins/script_ring.hh"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "abi/bricks_error.h"
#include "plugins/protocol_records.hh"
#include "plugins/script_wait.hh"

namespace bricks {

namespace {

constexpr uint32_t kPositionBytes = 64;
constexpr uint32_t kAhead = 8;           // events whose memory is on its way while one is copied
constexpr uint32_t kSpinsPerLook = 256;  // of whoever waits for an answer, between looks

// Both digests, both versions.
constexpr uint32_t kScriptDigests = 16;
void copy_conflict(const bricks_event& event, uint8_t* to) noexcept {
  const auto& conflict = *static_cast<const bricks_conflict*>(event.data);
  std::memcpy(to, &conflict.before_digest, 8);
  std::memcpy(to + 8, &conflict.now_digest, 8);
  std::memcpy(to + kScriptDigests, conflict.before, event.length);
  std::memcpy(to + kScriptDigests + event.length, conflict.now, event.length);
}

}  // namespace

void futex_wait(std::atomic<uint32_t>& word, uint32_t value, uint64_t nanoseconds) noexcept {
  const timespec time{static_cast<time_t>(nanoseconds / 1000000000),
                      static_cast<long>(nanoseconds % 1000000000)};
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, &time, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word) noexcept {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

std::shared_ptr<ScriptRing> ScriptRing::create(uint32_t records, uint32_t bytes) {
  std::shared_ptr<ScriptRing> made(new ScriptRing);
  const size_t size =
      kPositionBytes + size_t{records} * sizeof(ScriptRecord) + kScriptCallBytes + bytes;
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  made->shared_ = static_cast<uint8_t*>(memory);
  made->shared_bytes_ = size;
  made->records_ = reinterpret_cast<ScriptRecord*>(made->shared_ + kPositionBytes);
  made->call_ = made->shared_ + kPositionBytes + size_t{records} * sizeof(ScriptRecord);
  made->data_ = made->call_ + kScriptCallBytes;
  made->mask_ = records - 1;
  made->data_bytes_ = bytes;
  made->data_end_.resize(records);
  made->control_ = std::make_unique<Control>();
  return made;
}

ScriptRing::~ScriptRing() {
  if (shared_) munmap(shared_, shared_bytes_);
}

void ScriptRing::reset(uint32_t epoch) noexcept {
  posted_ = done_ = data_head_ = data_tail_ = last_ = 0;
  control_->posted.store(0, std::memory_order_relaxed);
  control_->result.store(0, std::memory_order_relaxed);
  control_->asked.store(0, std::memory_order_relaxed);
  control_->epoch.store(epoch, std::memory_order_release);
}

bool ScriptRing::reserve(uint32_t bytes, uint32_t* at) noexcept {
  const uint32_t place = static_cast<uint32_t>(data_head_ % data_bytes_);
  const uint32_t skipped = place + bytes > data_bytes_ ? data_bytes_ - place : 0;
  if (data_head_ - data_tail_ + skipped + bytes > data_bytes_) return false;
  *at = skipped ? 0 : place;
  data_head_ += skipped + ((bytes + 7) & ~7u);  // data_bytes_ is a multiple of 8, too
  return true;
}

void ScriptRing::copy(const bricks_event& event, const uint8_t* from, uint32_t at, uint32_t bytes,
                      uint8_t flags) noexcept {
  const uint32_t slot = static_cast<uint32_t>(posted_) & mask_;
  ScriptRecord& record = records_[slot];
  std::memcpy(static_cast<void*>(&record), event.session, offsetof(bricks_session, owner_));
  record.zero = 0;
  record.flow = *event.session->flow;
  record.zeros[0] = record.zeros[1] = 0;
  record.offset = event.offset;
  record.length = event.length;
  record.type = event.type;
  record.direction = event.direction;
  record.reason = event.reason;
  record.protocol = event.protocol;
  record.kind = event.kind;
  record.data_at = at;
  record.data_bytes = bytes;
  record.context = 0;
  record.verdict = 0;
  if (event.packet) {
    const bricks_packet_view& packet = *event.packet;
    record.timestamp = packet.timestamp;
    record.packet_length = packet.length;
    record.wire_length = packet.wire_length;
    record.network = packet.network;
    record.transport = packet.transport;
    record.payload = packet.payload;
    record.payload_length = packet.payload_length;
    record.tcp_flags = packet.tcp_flags;
    record.packet_protocol = packet.protocol;
    record.packet_direction = packet.direction;
    flags |= kScriptPacket;
    if (packet.dropped) flags |= kScriptDropped;
    if (packet.fragment) flags |= kScriptFragment;
    if (packet.duplicate) flags |= kScriptDuplicate;
    if (packet.stale) flags |= kScriptStale;
    if (packet.ip_version == 4) flags |= kScriptIp4;
    if (packet.ip_version == 6) flags |= kScriptIp6;
  } else {
    std::memset(&record.timestamp, 0, sizeof record - offsetof(ScriptRecord, timestamp));
  }
  record.flags = flags;
  if (from) std::memcpy(data_ + at, from, bytes);
  data_end_[slot] = data_head_;
  ++posted_;
}

uint32_t ScriptRing::post(std::span<const bricks_event> events, const ScriptWants& wants) noexcept {
  if (posted_ == done_) data_head_ = data_tail_ = 0;  // the same memory again: it is in a cache
  uint32_t count = 0;
  for (; count < events.size() && posted_ - done_ <= mask_; ++count) {
    if (count + kAhead < events.size()) {
      auto* record = reinterpret_cast<uint8_t*>(&records_[(posted_ + kAhead) & mask_]);
      __builtin_prefetch(events[count + kAhead].session);
      __builtin_prefetch(events[count + kAhead / 2].session->flow);
      __builtin_prefetch(record, 1);
      __builtin_prefetch(record + 64, 1);
      __builtin_prefetch(record + 128, 1);
    }
    const bricks_event& event = events[count];
    const uint8_t* from = static_cast<const uint8_t*>(event.data);
    uint32_t bytes = 0, at = 0;
    uint8_t flags = 0;
    if (event.type == BRICKS_EVENT_PROTOCOL) {
      bytes = packed_record_bytes(event.kind, event.data);
      if (!reserve(bytes, &at)) break;
      pack_record(event.kind, event.data, data_ + at, bytes);
      from = nullptr;
    } else if (event.type == BRICKS_EVENT_CONFLICT) {
      bytes = kScriptDigests + 2 * event.length;  // of 2,048 each at most
      if (!reserve(bytes, &at)) break;
      copy_conflict(event, data_ + at);
      from = nullptr;
    } else {
      if (event.type == BRICKS_EVENT_PAYLOAD) {
        bytes = std::min(event.length, kScriptEventBytes);
      } else if (event.packet && wants.frame && event.type != BRICKS_EVENT_GAP) {
        from = event.packet->data;
        bytes = std::min({event.packet->length, wants.frame, kScriptEventBytes});
        flags = kScriptFrame;
      } else if (event.type == BRICKS_EVENT_PACKET && from) {
        bytes = std::min({event.length, wants.payload, kScriptEventBytes});
      }
      if (bytes && !reserve(bytes, &at)) break;
      if (!bytes) from = nullptr;
    }
    copy(event, from, at, bytes, flags);
  }
  return count;
}

bool ScriptRing::progress(uint32_t* done, bool* failed) noexcept {
  const uint64_t result = control_->result.load(std::memory_order_acquire);
  *done = 0;
  *failed = false;
  if (result == last_) return true;
  last_ = result;
  const uint64_t now = result >> 1;
  if (now < done_ || now > posted_) return false;
  *done = static_cast<uint32_t>(now - done_);
  *failed = (result & 1) && now < posted_;
  done_ = *failed ? posted_ : now;
  if (done_ == posted_) {
    data_tail_ = data_head_;
  } else if (done_) {
    data_tail_ = std::max(data_tail_, data_end_[(done_ - 1) & mask_]);
  }
  return true;
}

uint32_t ScriptRing::position() const noexcept {
  const uint32_t claimed =
      std::atomic_ref(*reinterpret_cast<uint32_t*>(shared_)).load(std::memory_order_relaxed);
  return std::min(claimed, waiting() ? waiting() - 1 : 0);
}

bool ScriptRing::asked(ScriptRequest* request) const noexcept {
  if (control_->asked.load(std::memory_order_acquire) != 1) return false;
  *request = control_->request;
  return true;
}

void ScriptRing::answer(const ScriptRequest& request) noexcept {
  control_->request = request;
  control_->asked.store(2, std::memory_order_release);
}

void ScriptRing::sleep(uint64_t nanoseconds) noexcept {
  const uint32_t bell = control_->bell.load(std::memory_order_relaxed);
  control_->waits.store(1, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (control_->asked.load(std::memory_order_acquire) != 1 &&
      control_->result.load(std::memory_order_acquire) == last_) {
    futex_wait(control_->bell, bell, nanoseconds);
  }
  control_->waits.store(0, std::memory_order_relaxed);
}

void ScriptRing::ring() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!control_->waits.load(std::memory_order_relaxed)) return;
  control_->bell.fetch_add(1, std::memory_order_release);
  futex_wake(control_->bell);
}

ScriptRing::Run ScriptRing::take() noexcept {
  if (seen_epoch_ != epoch()) {
    seen_epoch_ = epoch();
    cursor_ = 0;
    taken_ = 0;
  }
  const uint64_t posted = control_->posted.load(std::memory_order_acquire);
  if (posted <= cursor_) return {0, 0};
  const uint32_t first = static_cast<uint32_t>(cursor_) & mask_;
  std::atomic_ref(*reinterpret_cast<uint32_t*>(shared_)).store(0, std::memory_order_relaxed);
  taken_ = static_cast<uint32_t>(std::min<uint64_t>(posted - cursor_, mask_ + 1 - first));
  return {first, taken_};
}

void ScriptRing::finish(uint32_t done, bool failed) noexcept {
  if (!taken_) return;
  cursor_ += std::min(done, taken_);
  const uint64_t result = cursor_ << 1 | (failed ? 1 : 0);
  // What is behind a failed event is posted anew, if it is to be looked at.
  if (failed) cursor_ = control_->posted.load(std::memory_order_relaxed);
  taken_ = 0;
  control_->result.store(result, std::memory_order_release);
  ring();
}

void ScriptRing::ask(ScriptRequest* request, const std::atomic<uint32_t>& running) noexcept {
  control_->request = *request;
  control_->asked.store(1, std::memory_order_release);
  ring();
  for (uint32_t spins = 0; control_->asked.load(std::memory_order_acquire) != 2; ++spins) {
    relax();
    if (spins % kSpinsPerLook) continue;
    if (running.load(std::memory_order_acquire) != seen_epoch_) {
      request->code = BRICKS_ENOCTX;
      return;
    }
    if (spins > kSpinsPerLook * 64) sched_yield();
  }
  *request = control_->request;
  control_->asked.store(0, std::memory_order_relaxed);
}

}  // namespace bricks
