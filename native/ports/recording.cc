#include "ports/recording.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace bricks {

namespace {

struct Record {  // before each packet, which is padded to whole records' alignment
  Nanos came;    // wall clock: a replayed packet's own time may be years ago
  Nanos timestamp;
  uint32_t length, wire_length;
  uint32_t link;
  uint32_t zero;
};
static_assert(sizeof(Record) == 32);

constexpr uint32_t padded(uint32_t length) { return (length + 7u) & ~7u; }

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

}  // namespace

Status Recording::create(const std::string& link, uint64_t bytes, uint32_t seconds,
                         std::shared_ptr<Recording>* recording) {
  if (bytes < kRecordBytesMin || bytes > kRecordBytesMax || seconds == 0 ||
      seconds > kRecordSecondsMax) {
    return {Code::invalid_argument, "a recorder of '" + link + "' keeps 1 to " +
                                        std::to_string(kRecordSecondsMax) + " seconds in " +
                                        std::to_string(kRecordBytesMin >> 20) + " to " +
                                        std::to_string(kRecordBytesMax >> 20) + " MiB"};
  }
  std::shared_ptr<Recording> made(new Recording);
  made->link_ = link;
  made->seconds_ = seconds;
  made->chunk_bytes_ = bytes / kChunks / 4096 * 4096;
  void* memory = mmap(nullptr, made->bytes(), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return system_error("no memory to record '" + link + "'", errno);
  made->memory_ = static_cast<uint8_t*>(memory);
  for (uint32_t i = 0; i < kChunks; ++i) {
    made->chunks_[i].data = made->memory_ + i * made->chunk_bytes_;
  }
  *recording = std::move(made);
  return {};
}

Recording::~Recording() {
  if (memory_) munmap(memory_, bytes());
}

// The oldest chunk that nobody looks at, made new.
bool Recording::begin_chunk() noexcept {
  const uint64_t number = last_chunk_.load(std::memory_order_relaxed) + 1;
  uint64_t oldest = 0;
  for (uint32_t turn = 0; turn < kChunks; ++turn) {
    Chunk* chosen = nullptr;
    uint64_t age = UINT64_MAX;
    for (Chunk& chunk : chunks_) {
      const uint64_t its = chunk.number.load(std::memory_order_relaxed);
      if (&chunk == current_ || its < oldest || its >= age) continue;
      chosen = &chunk;
      age = its;
    }
    if (!chosen) return false;
    int32_t free = 0;
    if (!chosen->pins.compare_exchange_strong(free, kTaken, std::memory_order_acq_rel)) {
      oldest = age + 1;
      continue;
    }
    overwritten_.fetch_add(chosen->packets, std::memory_order_relaxed);
    chosen->packets = 0;
    chosen->used.store(0, std::memory_order_relaxed);
    chosen->first.store(added_, std::memory_order_relaxed);
    chosen->number.store(number, std::memory_order_release);
    chosen->pins.store(0, std::memory_order_release);
    current_ = chosen;
    last_chunk_.store(number, std::memory_order_release);
    return true;
  }
  return false;
}

uint32_t Recording::add(const Batch& batch, const Index* picks, uint32_t count,
                        uint64_t* bytes) noexcept {
  uint32_t used = current_ ? current_->used.load(std::memory_order_relaxed) : 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Packet& packet = batch.packets[picks[i]];
    const uint32_t room = static_cast<uint32_t>(sizeof(Record)) + padded(packet.length);
    if (!current_ || used + room > chunk_bytes_) {
      if (current_) current_->used.store(used, std::memory_order_release);
      if (!begin_chunk()) return i;
      used = 0;
    }
    const Record record = {batch.now,
                           packet.timestamp,
                           packet.length,
                           wire_length(batch, picks[i]),
                           static_cast<uint32_t>(batch.link),
                           0};
    std::memcpy(current_->data + used, &record, sizeof record);
    std::memcpy(current_->data + used + sizeof record, packet.data, packet.length);
    used += room;
    *bytes += packet.length;
    ++current_->packets;
    ++added_;
  }
  if (current_) current_->used.store(used, std::memory_order_release);
  return count;
}

void Recording::set_finished(bool over) noexcept {
  finished_.store(over, std::memory_order_release);
}

void Recording::close() noexcept { closed_.store(true, std::memory_order_release); }

Recording::Reader::Reader(std::shared_ptr<Recording> recording, Nanos since)
    : recording_(std::move(recording)) {
  ends_.reserve(kBatchMax);
  const Nanos kept = static_cast<Nanos>(recording_->seconds_) * 1000000000;
  since_ = std::max({since, wall_clock() - kept, Nanos{1}});
}

// To the next chunk there is: false when ours is the one that is written to, or there is none.
bool Recording::Reader::step() noexcept {
  if (chunk_ >= recording_->last_chunk_.load(std::memory_order_acquire)) return false;
  uint64_t oldest = UINT64_MAX;
  for (const Chunk& chunk : recording_->chunks_) {
    const uint64_t number = chunk.number.load(std::memory_order_acquire);
    if (number > chunk_ && number < oldest) oldest = number;
  }
  if (oldest == UINT64_MAX) return false;
  chunk_ = oldest;
  offset_ = 0;
  fresh_ = true;
  return true;
}

// Our chunk stays as it is until release(): false when it has been made new already.
bool Recording::Reader::pin(uint64_t* lost) noexcept {
  for (uint32_t i = 0; i < kChunks; ++i) {
    Chunk& chunk = recording_->chunks_[i];
    if (chunk.number.load(std::memory_order_acquire) != chunk_) continue;
    int32_t pins = chunk.pins.load(std::memory_order_relaxed);
    do {
      if (pins == kTaken) return false;
    } while (!chunk.pins.compare_exchange_weak(pins, pins + 1, std::memory_order_acq_rel));
    pinned_ = static_cast<int32_t>(i);
    if (chunk.number.load(std::memory_order_acquire) != chunk_) {
      release();
      return false;
    }
    if (fresh_) {
      const uint64_t first = chunk.first.load(std::memory_order_relaxed);
      if (since_ == 0) *lost += first - next_;
      next_ = first;
      fresh_ = false;
    }
    return true;
  }
  return false;
}

// From the pinned chunk; 0: nothing more in it.
uint32_t Recording::Reader::fill(Batch& batch) noexcept {
  const Chunk& chunk = recording_->chunks_[pinned_];
  const uint32_t used = chunk.used.load(std::memory_order_acquire);
  Record record;
  while (since_ != 0 && offset_ < used) {
    std::memcpy(&record, chunk.data + offset_, sizeof record);
    if (record.came >= since_) {
      since_ = 0;
      break;
    }
    offset_ += static_cast<uint32_t>(sizeof record) + padded(record.length);
    ++next_;
  }
  for (uint32_t at = offset_; at < used && batch.count < kBatchMax;) {
    std::memcpy(&record, chunk.data + at, sizeof record);
    const LinkType link{static_cast<uint16_t>(record.link)};
    if (batch.count == 0) batch.link = link;
    if (link != batch.link) break;
    Packet& packet = batch.packets[batch.count];
    packet = {};
    packet.data = chunk.data + at + sizeof record;
    packet.length = record.length;
    packet.timestamp = record.timestamp;
    packet.flags = record.wire_length > record.length ? kPacketCut : 0;
    batch.wire_lengths[batch.count++] = record.wire_length;
    at += static_cast<uint32_t>(sizeof record) + padded(record.length);
    ends_.push_back(at);
  }
  return batch.count;
}

uint32_t Recording::Reader::look(Batch& batch, uint64_t* lost) noexcept {
  release();
  batch.count = 0;
  if (chunk_ == 0 && !step()) return 0;
  for (;;) {
    if (pin(lost)) {
      // Whether it is full, then how much is in it: in this order nothing is passed over.
      const bool full = recording_->last_chunk_.load(std::memory_order_acquire) > chunk_;
      if (fill(batch)) return batch.count;
      release();
      if (!full) return 0;
    }
    if (!step()) return 0;
  }
}

void Recording::Reader::release(uint32_t count) noexcept {
  if (count) {
    offset_ = ends_[count - 1];
    next_ += count;
  }
  ends_.clear();
  if (pinned_ < 0) return;
  recording_->chunks_[pinned_].pins.fetch_sub(1, std::memory_order_release);
  pinned_ = -1;
}

}  // namespace bricks
