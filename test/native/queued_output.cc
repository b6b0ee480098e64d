// How long an output that closes waits for its far end: from the close on, however long its writer
// had slept before.
#include "ports/queued_output.hh"

#include <atomic>
#include <chrono>
#include <thread>

#include "check.hh"
#include "eventually.hh"
#include "port_conformance.hh"

using namespace bricks;

namespace {

struct Seen {
  std::atomic<uint32_t> sleeps{0}, looks_closing{0};
};

// A far end that takes nothing before the second look of the output's closing.
class LateSink final : public FrameSink {
 public:
  explicit LateSink(Seen* seen) : seen_(seen) {}
  bool work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept override {
    if (!news.stopping || seen_->looks_closing++ == 0) return false;
    const uint64_t before = at_;
    while (const FrameRecord* record = queue.at(&at_)) {
      tally.deliver(1, record->length);
      at_ += FrameQueue::size_of(record->length);
    }
    queue.release(at_);
    return at_ != before;
  }
  int sleep_on(std::vector<pollfd>&) noexcept override {
    ++seen_->sleeps;
    return -1;
  }
  void end(FrameQueue& queue, FrameTally& tally) noexcept override {
    for (; const FrameRecord* record = queue.at(&at_); at_ += FrameQueue::size_of(record->length)) {
      tally.drop(Drop::unread, 1);
    }
    queue.release(at_);
  }
  std::string describe() const override { return "late"; }

 private:
  Seen* const seen_;
  uint64_t at_ = 0;
};

}  // namespace

TEST(queued_output_that_closes_is_patient_however_long_it_slept) {
  Seen seen;
  std::unique_ptr<Output> output;
  CHECK(QueuedOutput::open(std::make_unique<LateSink>(&seen), "late", 1 << 20, &output).ok());
  LedgerCell cell;
  conformance::send(*output, std::vector(10, conformance::make_frame(1, 60)), 10, cell);
  CHECK(eventually([&] { return seen.sleeps > 0; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // longer than its patience
  output->close(cell);
  CHECK(seen.looks_closing > 1);
  CHECK_EQ(cell.delivered, 10u);
  CHECK_EQ(cell.dropped_total(), 0u);
}
