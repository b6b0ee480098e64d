#include "ports/pipe_input.hh"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cassert>
#include <cerrno>

#include "abi/pipe_packets.h"
#include "ports/pipe_directory.hh"

namespace bricks {
namespace {

class PipeInput final : public Input {
 public:
  static Status open(const std::string& name, const PortContext& context,
                     std::unique_ptr<Input>* input) {
    std::unique_ptr<PipeInput> made(new PipeInput(*context.pipes));
    Status s = context.pipes->attach_or_make(name, getpid(), &made->pipe_);
    if (!s.ok()) return s;
    const PipeShare& pipe = *made->pipe_;
    void* memory =
        mmap(nullptr, pipe.region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pipe.memory_fd, 0);
    if (memory == MAP_FAILED) return system_error("cannot map the memory of " + name, errno);
    made->memory_ = static_cast<uint8_t*>(memory);
    const char* fault =
        bricks_reader_open(&made->reader_, made->memory_, pipe.region_bytes, pipe.pipe_offset);
    if (fault) return {Code::failed, name + " cannot be read: " + fault};
    bricks_reader_disarm(&made->reader_);
    // Copies may run in whole cache lines where buffers consist of such.
    made->padded_ = made->reader_.stride % 64 == 0;
    *input = std::move(made);
    return {};
  }

  ~PipeInput() override {
    if (reader_.ring) bricks_reader_disarm(&reader_);
    if (memory_) munmap(memory_, pipe_->region_bytes);
    if (pipe_) directory_.detach(pipe_);
  }

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override {
    assert(max <= kBatchMax);
    batch.count = 0;
    batch.padded = padded_;
    batch.region = nullptr;
    if (reader_.broken) return 0;
    if (reader_.cursor == reader_.tail && !refill()) {
      if (reader_.broken) broken_.store(true, std::memory_order_relaxed);
      return 0;
    }
    const uint32_t there = bricks_reader_distance(&reader_, reader_.cursor, reader_.tail);
    fill(batch, there < max ? there : max);
    if (reader_.unstamped) {
      for (uint32_t i = 0; i < batch.count; ++i) batch.packets[i].timestamp = now;
    }
    for (uint32_t i = 0; i < batch.count; ++i) cell.bytes += batch.packets[i].length;
    cell.packets += batch.count;
    if (reader_.broken) broken_.store(true, std::memory_order_relaxed);
    return batch.count;
  }

  void release(Batch& batch) noexcept override {
    batch.count = 0;
    if (bricks_reader_give_back(&reader_)) eventfd_write(pipe_->space_event, 1);
  }

  bool finished() const noexcept override {
    if (reader_.broken) return true;
    return reader_.cursor == reader_.tail && reader_.state != BRICKS_PRODUCER_LIVE;
  }

  int wait_fd() const noexcept override { return pipe_->data_event; }

  std::string take_warning() override {
    if (warned_ || !broken_.load(std::memory_order_relaxed)) return {};
    warned_ = true;
    return "the ring of " + pipe_->consumer_name +
           " holds what cannot be: some program has written over it; reading it has ended";
  }

  std::string describe() const override {
    const int32_t writer = pipe_->producer_pid.load();
    return "pipe, " + std::to_string(reader_.slots) + " slots" +
           (writer ? ", filled by process " + std::to_string(writer) : "");
  }

 private:
  explicit PipeInput(PipeDirectory& directory) : directory_(directory) {}

  // True when there are packets; else the event is armed, so that it may be slept on.
  bool refill() noexcept {
    if (!bricks_reader_look(&reader_)) {
      if (signalled_) {
        eventfd_t count;
        eventfd_read(pipe_->data_event, &count);
      }
      bricks_reader_arm(&reader_);
      armed_ = signalled_ = true;
      if (!bricks_reader_look(&reader_)) return false;
    }
    if (armed_) bricks_reader_disarm(&reader_);
    armed_ = false;
    return true;
  }

  void fill(Batch& batch, uint32_t most) noexcept {
    bricks_view view{};
    uint32_t link = 0;
    while (batch.count < most && bricks_reader_slot(&reader_, reader_.cursor, &view)) {
      if (batch.count == 0) link = view.link_type;
      if (view.link_type != link) break;
      const bool gathered = view.more;
      if (gathered) {
        if (!bricks_reader_gather(&reader_, &view, frame_)) break;
      } else {
        reader_.cursor = bricks_reader_after(&reader_, reader_.cursor);
      }
      const uint32_t i = batch.count++;
      Packet& packet = batch.packets[i];
      // Input memory is never written to by anybody but the engine that fills the pipe.
      packet.data = const_cast<uint8_t*>(view.data);
      packet.length = view.length;
      packet.timestamp = view.timestamp;
      packet.buffer = kNoBuffer;
      packet.flags = view.wire_length > view.length ? kPacketCut : 0;
      batch.wire_lengths[i] = view.wire_length;
      if (gathered) break;  // frame_ holds one
    }
    batch.link = static_cast<LinkType>(link);
  }

  PipeDirectory& directory_;
  std::shared_ptr<PipeShare> pipe_;
  uint8_t* memory_ = nullptr;
  bricks_reader reader_{};
  bool padded_ = false, armed_ = false;
  bool signalled_ =
      true;  // the event may hold a count; whoever read the pipe before may have left one
  std::atomic<bool> broken_{false};  // for the control thread
  bool warned_ = false;
  alignas(64) uint8_t frame_[kFrameMax + 65];  // a packet of several buffers, and a line beyond it
};

}  // namespace

Status open_pipe_input(const std::string& name, const PortContext& context,
                       std::unique_ptr<Input>* input) {
  assert(context.pipes);
  return PipeInput::open(name, context, input);
}

}  // namespace bricks
