#include "ports/pipe_output.hh"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <thread>

#include "ports/port_registry.hh"

namespace bricks {

namespace {

template <typename T>
std::atomic_ref<T> shared(T& word) noexcept {
  return std::atomic_ref<T>(word);
}

uint32_t slots_needed(uint32_t length) noexcept {
  return length <= kBufferPayload ? 1 : (length + kBufferPayload - 1) / kBufferPayload;
}

}  // namespace

Status PipeOutput::open(const std::string& name, uint32_t slots, std::shared_ptr<Region> region,
                        PipeDirectory* directory, std::unique_ptr<PipeOutput>* output,
                        const PipeSettings& settings) {
  if (!std::has_single_bit(slots) || slots < kPipeSlotsMin || slots > kPipeSlotsMax) {
    return {Code::invalid_argument, "pipe " + name + ": slots is " + std::to_string(slots) +
                                        ", it must be a power of two from " +
                                        std::to_string(kPipeSlotsMin) + " to " +
                                        std::to_string(kPipeSlotsMax)};
  }
  std::unique_ptr<PipeOutput> made(new PipeOutput);
  made->name_ = name;
  made->settings_ = settings;
  made->own_region_ = !region;
  made->region_ = std::move(region);
  if (Status status = made->lay_out(slots, slots); !status.ok()) return status;
  if (directory) {
    if (Status status = directory->add(made->share_); !status.ok()) return status;
    made->directory_ = directory;
  }
  *output = std::move(made);
  return {};
}

Status PipeOutput::lay_out(uint32_t slots, uint32_t pipe_buffers) {
  const uint64_t if_bytes = sizeof(netmap_if) + 8 * sizeof(int64_t);
  const uint64_t ring_bytes = sizeof(netmap_ring) + uint64_t{slots} * sizeof(netmap_slot);
  control_bytes_ = sizeof(bricks_pipe) + if_bytes + ring_bytes + 128;
  if (own_region_) {
    Status status =
        Region::create(name_, control_bytes_, pipe_buffers + BRICKS_NETMAP_FIRST_BUFFER, &region_);
    if (!status.ok()) return status;
  }
  std::vector<uint32_t> buffers;
  if (Status status = region_->allocate_buffers(pipe_buffers, &buffers); !status.ok()) {
    return status;
  }
  if (Status status = region_->allocate_control(control_bytes_, &control_offset_); !status.ok()) {
    region_->release_buffers(buffers);
    return status;
  }
  mask_ = slots - 1;
  sent_.resize(slots);
  for (uint32_t i = 0; i < slots; ++i) sent_[i].buffer = buffers[i] | kForeignBuffer;
  share_ = std::make_shared<PipeShare>();
  share_->consumer_name = flip_pipe_name(name_);
  share_->access = settings_.access;
  share_->doorbell = settings_.doorbell;
  share_->memory_fd = dup(region_->fd());
  share_->data_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  share_->space_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (share_->memory_fd < 0 || share_->data_event < 0 || share_->space_event < 0) {
    return system_error("cannot open pipe " + name_, errno);
  }
  share_->pipe_offset = control_offset_;
  share_->region_bytes = region_->bytes();
  pipe_ = reinterpret_cast<bricks_pipe*>(region_->base() + control_offset_);
  ring_ = reinterpret_cast<netmap_ring*>(region_->base() + control_offset_ + sizeof(bricks_pipe) +
                                         (if_bytes + 127) / 128 * 128);
  write_header();
  for (uint32_t i = 0; i < slots; ++i) ring_->slot[i] = {buffers[i], 0, 0, 0};
  // With nobody attached: constants as they were; a head that makes sense is kept, another is not.
  share_->restore = [this] {
    const uint32_t head = shared(ring_->head).load(std::memory_order_acquire);
    const uint32_t seen = head_seen_.load(), end = published_.load();
    const bool sane = head <= mask_ && ((head - seen) & mask_) <= ((end - seen) & mask_);
    write_header();
    shared(pipe_->consumer_beat).store(0, std::memory_order_relaxed);
    for (uint32_t k = sane ? head : seen; k != end; k = (k + 1) & mask_) restore_slot(k);
    shared(ring_->head).store(sane ? head : seen, std::memory_order_release);
    shared(ring_->cur).store(sane ? head : seen, std::memory_order_release);
  };
  return {};
}

void PipeOutput::write_header() noexcept {
  const uint64_t if_offset = control_offset_ + sizeof(bricks_pipe);
  const auto ring_offset =
      static_cast<uint64_t>(reinterpret_cast<uint8_t*>(ring_) - region_->base());
  pipe_->magic = BRICKS_PIPE_MAGIC;
  pipe_->version = BRICKS_PIPE_VERSION;
  pipe_->slots = mask_ + 1;
  pipe_->region_bytes = region_->bytes();
  pipe_->if_offset = if_offset;
  pipe_->ring_offset = ring_offset;
  pipe_->buffer_offset = region_->buffer_offset();
  pipe_->buffer_bytes = kBufferStride;
  pipe_->buffers = region_->buffer_count();
  shared(pipe_->link_type).store(link_seen_.load(), std::memory_order_relaxed);
  std::snprintf(pipe_->name, sizeof pipe_->name, "%s", share_->consumer_name.c_str());

  auto* nifp = reinterpret_cast<netmap_if*>(region_->base() + if_offset);
  std::snprintf(nifp->ni_name, sizeof nifp->ni_name, "%s", share_->consumer_name.c_str());
  nifp->ni_flags = own_region_ ? 1 : 0;  // NI_PRIV_MEM
  nifp->ni_tx_rings = nifp->ni_rx_rings = 1;
  nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;
  nifp->ring_ofs[0] = nifp->ring_ofs[1] = nifp->ring_ofs[3] = 0;  // no transmit, no host rings
  nifp->ring_ofs[2] = static_cast<int64_t>(ring_offset) - static_cast<int64_t>(if_offset);

  ring_->buf_ofs = static_cast<int64_t>(region_->buffer_offset() - ring_offset);
  ring_->num_slots = mask_ + 1;
  ring_->nr_buf_size = kBufferStride;
  ring_->ringid = 0;
  ring_->dir = 0;
  ring_->flags = 0;
  uint32_t tail;  // the engine may publish meanwhile: its word is the last
  do {
    tail = published_.load();
    shared(ring_->tail).store(tail, std::memory_order_seq_cst);
  } while (tail != published_.load());
}

// A slot in flight that is not as it was sent: only its receive time cannot be had back.
void PipeOutput::restore_slot(uint32_t k) noexcept {
  netmap_slot& slot = ring_->slot[k];
  const PipeSent& sent = sent_[k];
  const uint32_t buffer = sent.buffer & ~kForeignBuffer;
  if (slot.buf_idx == buffer && slot.len == sent.length &&
      ((slot.flags & BRICKS_SLOT_MOREFRAG) == 0) == (sent.last == 1)) {
    return;
  }
  const auto flags = static_cast<uint16_t>(sent.last ? 0 : BRICKS_SLOT_MOREFRAG);
  slot = {buffer, sent.length, flags, slot.ptr};
}

PipeOutput::~PipeOutput() {
  if (directory_) directory_->remove(share_->consumer_name);
  if (!own_region_ && ring_) {
    std::vector<uint32_t> buffers;
    for (const PipeSent& sent : sent_) buffers.push_back(sent.buffer & ~kForeignBuffer);
    region_->release_buffers(buffers);
    region_->release_control(control_offset_, control_bytes_);
  }
}

// Reads what the consumer has given back since, and counts it as delivered.
void PipeOutput::settle(LedgerCell& cell) noexcept {
  const uint32_t head = shared(ring_->head).load(std::memory_order_acquire);
  const uint32_t published = published_.load(std::memory_order_relaxed);
  if (head > mask_ || ((head - head_) & mask_) > ((published - head_) & mask_)) {
    ++faults_;  // not between what it had and what it may have: as if it had not moved
  } else {
    const bool wraps = head < head_;
    const PipeTally old = wraps ? tally_run(sent_.data(), head_, mask_ + 1) : PipeTally{0, 0};
    const PipeTally fresh = tally_run(sent_.data(), wraps ? 0 : head_, head);
    const uint64_t packets = old.packets + fresh.packets;
    cell.delivered += packets;
    cell.delivered_bytes += old.bytes + fresh.bytes;
    packets_read_ += packets;
    if (head != head_) {  // it reads, whoever noticed first
      stalled_ = false;
      full_since_ = 0;
    }
    head_ = head;
    head_seen_.store(head, std::memory_order_relaxed);
  }
  cell.held = packets_ - packets_read_;
}

uint32_t PipeOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  return stalled_ ? count : count_fitting(batch, picks, count);  // transmit drops the rest
}

// Without a consumer, or with one that has stalled, packets are dropped for that reason: nothing is
// to wait for it.
uint32_t PipeOutput::free_packets(LedgerCell& cell) noexcept {
  if (stalled_ || !attached()) return UINT32_MAX;
  if (free_slots() < kBatchMax * widest_) settle(cell);
  return free_slots() / widest_;
}

uint32_t PipeOutput::fitting(const Batch& batch, const Index* picks, uint32_t count,
                             LedgerCell& cell) noexcept {
  if (free_slots() < count) settle(cell);
  return count_fitting(batch, picks, count);
}

uint32_t PipeOutput::count_fitting(const Batch& batch, const Index* picks,
                                   uint32_t count) const noexcept {
  uint32_t free = free_slots();
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t need = slots_needed(batch.packets[picks[i]].length);
    if (need > free) return i;
    free -= need;
  }
  return count;
}

// All at once, so that the misses overlap: the stores that follow would wait for one after another.
// To be written: processors that do not know prefetchw take it for nothing.
#if defined(__x86_64__)
__attribute__((target("prfchw")))
#endif
void PipeOutput::prefetch_slots(uint32_t count) const noexcept {
  constexpr uint32_t kSlotsPerLine = 64 / sizeof(netmap_slot);
  for (uint32_t i = 0; i < count + kSlotsPerLine; i += kSlotsPerLine) {
    const uint32_t slot = (tail_ + i) & mask_;
    __builtin_prefetch(&ring_->slot[slot], 1);
    __builtin_prefetch(&sent_[slot], 1);
  }
}

// Observers throw away what they copied out of a slot that may have been written since.
void PipeOutput::tell_begun(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  uint32_t slots = count;
  for (uint32_t i = 0; !batch.plain && i < count; ++i) {
    slots += slots_needed(batch.packets[picks[i]].length) - 1;
  }
  const uint32_t unpublished = (tail_ - published_.load(std::memory_order_relaxed)) & mask_;
  const uint64_t begun = slots_total_ + unpublished + std::min(slots, free_slots());
  shared(pipe_->slots_begun).store(begun, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);  // before any of those slots
}

void PipeOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                          LedgerCell& cell) noexcept {
  if (!started_ && count) {
    started_ = true;
    link_ = batch.link;
    link_seen_.store(static_cast<uint32_t>(link_));
    shared(pipe_->link_type).store(static_cast<uint32_t>(link_), std::memory_order_relaxed);
  }
  const bool stalled = stalled_;  // what room() went by
  if (free_slots() < count) settle(cell);
  prefetch_slots(count);
  tell_begun(batch, picks, count);
  const bool exchange = exclusive && batch.region && batch.region == region_.get();
  const bool padded = batch.padded;
  batch.padded = padded && !settings_.exact;
  const bool same_link = batch.link == link_;
  uint32_t done = 0;
  while (done < count) {
    const uint32_t run = same_link ? std::min(count - done, free_slots()) : 0;
    PipeRun into = {ring_->slot, sent_.data(), mask_, tail_, region_->buffer(0)};
    const uint32_t wrote = exchange ? exchange_run(into, batch, picks + done, run)
                                    : copy_run(into, batch, picks + done, run);
    tail_ = into.tail;
    packets_ += wrote;
    done += wrote;
    if (done == count || free_slots() == 0) break;
    if (wrote == run && same_link) continue;
    if (!write_general(batch, picks[done])) break;
    ++done;
  }
  batch.padded = padded;
  if (done < count) {
    const bool attached = share_->consumer_pid.load(std::memory_order_relaxed) != 0;
    const Drop reason = attached ? Drop::ring_full : Drop::no_consumer;
    cell.drop(stalled ? Drop::stalled : reason, count - done);
    tell_lost(cell.dropped_total());
  }
}

// Several slots, a cut packet, or another link type. False when there is no room for all of it.
bool PipeOutput::write_general(const Batch& batch, Index pick) noexcept {
  const Packet& packet = batch.packets[pick];
  assert(packet.length <= kFrameMax);
  const uint32_t need = slots_needed(packet.length);
  widest_ = std::max(widest_, need);
  if (need > free_slots()) return false;
  uint16_t flags = 0;
  if ((packet.flags & kPacketCut) || batch.link != link_) {
    const bricks_trailer trailer = {wire_length(batch, pick), static_cast<uint16_t>(batch.link), 0,
                                    0};
    uint8_t* first = region_->buffer(sent_[tail_].buffer & ~kForeignBuffer);
    std::memcpy(first + kBufferStride - sizeof trailer, &trailer, sizeof trailer);
    flags = BRICKS_SLOT_TRAILER;
  }
  uint32_t at = 0;
  for (uint32_t i = 0; i < need; ++i) {
    const uint32_t part = std::min(packet.length - at, kBufferPayload);
    const bool last = i + 1 == need;
    PipeSent& sent = sent_[tail_];
    const uint32_t buffer = sent.buffer & ~kForeignBuffer;
    if (part) std::memcpy(region_->buffer(buffer), packet.data + at, part);
    const auto more = static_cast<uint16_t>(last ? 0 : BRICKS_SLOT_MOREFRAG);
    ring_->slot[tail_] = {buffer, static_cast<uint16_t>(part), static_cast<uint16_t>(flags | more),
                          packet.timestamp};
    sent = {buffer | kForeignBuffer, static_cast<uint16_t>(part), static_cast<uint16_t>(last)};
    flags = 0;
    at += part;
    tail_ = (tail_ + 1) & mask_;
  }
  ++packets_;
  return true;
}

void PipeOutput::tell_lost(uint64_t packets) noexcept {
  shared(pipe_->lost).store(packets, std::memory_order_relaxed);
}

// After a fence: tail first, then the look.
void PipeOutput::wake_consumer() noexcept {
  unwoken_ = false;
  if (shared(pipe_->consumer_waits).load(std::memory_order_relaxed) == 0) return;
  shared(pipe_->consumer_waits).store(0, std::memory_order_relaxed);
  const uint64_t one = 1;
  // A full counter means the consumer is awake, or scribbles; either way there is nothing to do.
  [[maybe_unused]] const ssize_t ignored = write(share_->data_event, &one, sizeof one);
}

void PipeOutput::publish(Nanos now) noexcept {
  const uint32_t fresh = (tail_ - published_.load(std::memory_order_relaxed)) & mask_;
  if (fresh == 0) return;
  if (shared(pipe_->producer_state).load(std::memory_order_relaxed) != BRICKS_PRODUCER_LIVE) {
    shared(pipe_->producer_state).store(BRICKS_PRODUCER_LIVE, std::memory_order_relaxed);
  }
  ring_->ts[0] = static_cast<int64_t>(now / 1000000000);
  ring_->ts[1] = static_cast<int64_t>(now % 1000000000 / 1000);
  slots_total_ += fresh;
  published_.store(tail_, std::memory_order_release);
  shared(pipe_->slots_published).store(slots_total_, std::memory_order_release);
  shared(ring_->tail).store(tail_, std::memory_order_release);
  unwoken_ = true;
  prefetch_slots(fresh);  // as many will come next time
}

void PipeOutput::flush(Nanos now, LedgerCell& cell) noexcept {
  if (tail_ != published_.load(std::memory_order_relaxed)) {
    publish(now);
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  if (unwoken_) wake_consumer();
  const uint32_t head = head_;
  settle(cell);
  if (head == head_ && free_slots() < kFrameBuffersMax) watch_stall(now);
}

void PipeOutput::finish(LedgerCell& cell) noexcept {
  shared(pipe_->producer_state).store(BRICKS_PRODUCER_FINISHED, std::memory_order_release);
  shared(pipe_->consumer_waits).store(1, std::memory_order_relaxed);  // wake it in any case
  wake_consumer();
  settle(cell);
}

// A consumer that is reading gets the rest; one that is not does not hold us up.
void PipeOutput::close(LedgerCell& cell) {
  constexpr int kPatience = 100;  // rounds of 2 ms without progress
  flush(0, cell);
  finish(cell);
  for (int idle = 0; cell.held && share_->consumer_pid.load() && idle < kPatience; ++idle) {
    const uint64_t before = cell.delivered;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    settle(cell);
    if (cell.delivered != before) idle = 0;
  }
  shared(pipe_->producer_state).store(BRICKS_PRODUCER_CLOSED, std::memory_order_release);
  settle(cell);
  cell.drop(Drop::unread, cell.held);
  cell.held = 0;
  shared(pipe_->consumer_waits).store(1, std::memory_order_relaxed);
  wake_consumer();
  if (directory_) directory_->remove(share_->consumer_name);
  directory_ = nullptr;
}

void PipeOutput::arm_wait() noexcept {
  uint64_t ignored;
  [[maybe_unused]] const ssize_t got = read(share_->space_event, &ignored, sizeof ignored);
  shared(pipe_->producer_waits).store(1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

std::string PipeOutput::describe() const {
  std::string text = "pipe, " + std::to_string(slots()) + " slots, ";
  text += own_region_ ? "memory of its own" : "shared region";
  const int32_t pid = share_->consumer_pid.load();
  if (settings_.access.shared) text += ", for " + settings_.access.describe();
  return text + (pid ? ", read by process " + std::to_string(pid) : ", nobody attached");
}

}  // namespace bricks
