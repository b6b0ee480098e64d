// When a lossless replay gives a consumer up: only if it has read nothing for so long.
#include <sys/mman.h>

#include "abi/pipe.h"
#include "check.hh"
#include "pipe_fixture.hh"
#include "ports/pipe_output.hh"

namespace bricks {
namespace {

constexpr uint32_t kSlots = 16;
constexpr Nanos kSecond = 1'000'000'000;

struct Ring {
  std::unique_ptr<PipeOutput> output;
  std::shared_ptr<PipeShare> share;
  LedgerCell cell;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  Bytes frame = make_frame(1, 60);
  uint8_t* memory = nullptr;
  netmap_ring* ring = nullptr;

  Ring() {
    CHECK(PipeOutput::open("s{0", kSlots, nullptr, nullptr, &output).ok());
    share = output->share();
    share->attachments = 1;
    memory = static_cast<uint8_t*>(mmap(nullptr, share->region_bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED, share->memory_fd, 0));
    const auto* header = reinterpret_cast<const bricks_pipe*>(memory + share->pipe_offset);
    ring = reinterpret_cast<netmap_ring*>(memory + header->ring_offset);
  }
  ~Ring() { munmap(memory, share->region_bytes); }

  uint32_t room() {
    const Index pick = 0;
    return output->room(*batch, &pick, 1);
  }
  void put(uint32_t count) {
    const Index pick = 0;
    batch->count = 1;
    batch->packets[0] = {};
    batch->packets[0].data = frame.data();
    batch->packets[0].length = static_cast<uint32_t>(frame.size());
    for (uint32_t i = 0; i < count; ++i) {
      ++cell.packets;
      output->transmit(*batch, &pick, 1, false, cell);
    }
  }
  void read(uint32_t count) { ring->head = (ring->head + count) % kSlots; }
};

}  // namespace

TEST(pipe_stalls_after_nothing_was_read_for_long) {
  Ring pipe;
  pipe.put(kSlots - 1);
  pipe.output->flush(1 * kSecond, pipe.cell);
  pipe.output->flush(6 * kSecond, pipe.cell);
  CHECK_EQ(pipe.room(), 0u);
  pipe.output->flush(6 * kSecond + 1, pipe.cell);
  CHECK_EQ(pipe.room(), 1u);  // is dropped
  pipe.put(1);
  CHECK_EQ(pipe.cell.dropped[static_cast<uint32_t>(Drop::stalled)], 1u);
  pipe.read(1);
  pipe.output->flush(7 * kSecond, pipe.cell);
  pipe.put(1);
  CHECK_EQ(pipe.room(), 0u);
  CHECK_EQ(pipe.cell.dropped_total(), 1u);
}

// Of two looks within a breath the second may have the older time.
TEST(pipe_stalls_not_when_time_goes_back) {
  Ring pipe;
  pipe.put(kSlots - 1);
  pipe.output->flush(100 * kSecond, pipe.cell);
  pipe.output->flush(100 * kSecond - 1, pipe.cell);
  CHECK_EQ(pipe.room(), 0u);
  pipe.output->flush(106 * kSecond, pipe.cell);
  CHECK_EQ(pipe.room(), 1u);
}

// transmit may be the first to see that the consumer has read: that counts as well.
TEST(pipe_stalls_for_no_consumer_that_reads) {
  Ring pipe;
  pipe.put(kSlots - 1);
  pipe.output->flush(1 * kSecond, pipe.cell);
  pipe.read(3);
  pipe.put(3);
  pipe.output->flush(7 * kSecond, pipe.cell);
  CHECK_EQ(pipe.room(), 0u);
  CHECK_EQ(pipe.cell.delivered, 3u);
}

}  // namespace bricks
