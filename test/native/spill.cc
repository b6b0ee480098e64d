// Overflow queues: order, conservation, exhaustion, and that the longest backlog gives way.
#include <sys/mman.h>

#include "check.hh"
#include "pipe_fixture.hh"
#include "ports/port_registry.hh"
#include "ports/spill_output.hh"

namespace bricks {
namespace {

constexpr uint32_t kSlots = 16;  // of each ring: 15 can be filled

// A pipe that spills, and the consumer's side of its ring in the same process.
struct Spilling {
  std::shared_ptr<PipeShare> share;
  std::unique_ptr<SpillOutput> output;
  LedgerCell cell;
  uint8_t* memory = nullptr;
  netmap_ring* ring = nullptr;

  Spilling(const std::string& name, const std::shared_ptr<SpillPool>& pool,
           const SpillPolicy& policy = {}, PipeDirectory* directory = nullptr) {
    std::unique_ptr<PipeOutput> pipe;
    CHECK(PipeOutput::open(name, kSlots, nullptr, directory, &pipe).ok());
    share = pipe->share();
    output = std::make_unique<SpillOutput>(std::move(pipe), pool, policy);
    memory = static_cast<uint8_t*>(mmap(nullptr, share->region_bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED, share->memory_fd, 0));
    const auto* header = reinterpret_cast<const bricks_pipe*>(memory + share->pipe_offset);
    ring = reinterpret_cast<netmap_ring*>(memory + header->ring_offset);
  }
  ~Spilling() { munmap(memory, share->region_bytes); }
  Spilling(const Spilling&) = delete;

  void put(uint64_t number, uint32_t length = 60, LinkType link = LinkType::ethernet) {
    static Batch batch;
    Bytes frame = make_frame(number, length);
    const Index pick = 0;
    batch.count = 1;
    batch.link = link;
    batch.packets[0] = {};
    batch.packets[0].data = frame.data();
    batch.packets[0].length = length;
    batch.packets[0].timestamp = number;
    ++cell.packets;
    output->transmit(batch, &pick, 1, false, cell);
  }
  // Up to `most` packets out of the ring: their numbers. Their bytes are checked.
  std::vector<uint64_t> take(uint32_t most) {
    std::vector<uint64_t> numbers;
    Bytes frame;
    while (ring->head != ring->tail && numbers.size() < most) {
      const netmap_slot& slot = ring->slot[ring->head];
      const uint8_t* data = reinterpret_cast<const uint8_t*>(ring) + ring->buf_ofs +
                            uint64_t{slot.buf_idx} * ring->nr_buf_size;
      frame.insert(frame.end(), data, data + slot.len);
      ring->head = ring->cur = (ring->head + 1) % kSlots;
      if (slot.flags & BRICKS_SLOT_MOREFRAG) continue;
      uint64_t number = 0;
      std::memcpy(&number, frame.data(), sizeof number);
      CHECK(frame == make_frame(number, frame.size()));
      numbers.push_back(number);
      frame.clear();
    }
    return numbers;
  }
  bool balanced() {
    output->flush(1, cell);
    return cell.packets == cell.delivered + cell.dropped_total() + cell.held;
  }
};

std::shared_ptr<SpillPool> pool_of(uint32_t buffers) {
  std::shared_ptr<SpillPool> pool;
  CHECK(SpillPool::create("e0", buffers, &pool).ok());
  return pool;
}

uint64_t gave_way(const Spilling& pipe) {
  return pipe.cell.dropped[static_cast<uint32_t>(Drop::gave_way)];
}

TEST(spill_keeps_order_and_loses_nothing) {
  const auto pool = pool_of(100);
  Spilling pipe("a{0", pool);
  for (uint64_t i = 0; i < 80; ++i) pipe.put(i);
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.cell.held, 80u);
  CHECK_EQ(pipe.cell.spilled, 65u);
  CHECK_EQ(pool->free_buffers(), 35u);
  CHECK(pipe.output->awaits_room());
  std::vector<uint64_t> got;
  for (uint64_t next = 80; got.size() < 120;) {
    for (const uint64_t number : pipe.take(7)) got.push_back(number);
    if (next < 120) pipe.put(next++);
    CHECK(pipe.balanced());
  }
  for (uint64_t i = 0; i < got.size(); ++i) CHECK_EQ(got[i], i);
  CHECK_EQ(pipe.cell.dropped_total(), 0u);
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.cell.delivered, 120u);
  CHECK_EQ(pool->free_buffers(), 100u);
  CHECK(!pipe.output->awaits_room());
}

TEST(spill_exhausted_oldest_give_way) {
  const auto pool = pool_of(200);
  Spilling pipe("a{0", pool);
  for (uint64_t i = 0; i < 215; ++i) pipe.put(i);  // 15 in the ring, 200 in the queue
  CHECK_EQ(gave_way(pipe), 0u);
  CHECK_EQ(pool->free_buffers(), 0u);
  pipe.put(215);
  CHECK_EQ(gave_way(pipe), 150u);
  CHECK(pipe.balanced());
  std::vector<uint64_t> got;
  while (got.size() < 66) {
    for (const uint64_t number : pipe.take(100)) got.push_back(number);
    CHECK(pipe.balanced());
  }
  for (uint64_t i = 0; i < 66; ++i) CHECK_EQ(got[i], i < 15 ? i : i + 150);
  CHECK_EQ(pool->free_buffers(), 200u);
}

TEST(spill_longest_queue_gives_way) {
  const auto pool = pool_of(300);
  Spilling stalled("a{0", pool), slow("b{0", pool);
  for (uint64_t i = 0; i < 15 + 250; ++i) stalled.put(i);
  for (uint64_t i = 0; i < 15 + 100; ++i) slow.put(i);
  CHECK_EQ(gave_way(stalled), 150u);
  CHECK_EQ(gave_way(slow), 0u);
  CHECK(stalled.balanced() && slow.balanced());
  CHECK_EQ(stalled.cell.spilled, 100u);
  CHECK_EQ(slow.cell.spilled, 100u);
}

TEST(spill_frames_of_several_buffers_and_link_types) {
  const auto pool = pool_of(128);
  Spilling pipe("a{0", pool);
  const std::vector<uint32_t> lengths = {60, 2048, 2049, 9000, 1514, 16000, 64};
  for (uint64_t i = 0; i < 21; ++i) {
    pipe.put(i, lengths[i % 7], i % 3 ? LinkType::ethernet : LinkType::raw);
  }
  CHECK(pipe.balanced());
  std::vector<uint64_t> got;
  for (int turn = 0; turn < 200 && got.size() < 21; ++turn) {
    for (const uint64_t number : pipe.take(1)) got.push_back(number);
    CHECK(pipe.balanced());
  }
  CHECK_EQ(got.size(), 21u);
  for (uint64_t i = 0; i < got.size(); ++i) CHECK_EQ(got[i], i);
  CHECK_EQ(pool->free_buffers(), 128u);
}

TEST(spill_random_traffic_balances) {
  const uint64_t seed = 20260611;
  std::printf("  seed %llu\n", static_cast<unsigned long long>(seed));
  Random random{seed};
  const auto pool = pool_of(64);
  Spilling a("a{0", pool), b("b{0", pool), c("c{0", pool);
  Spilling* const pipes[] = {&a, &b, &c};
  uint64_t next[3] = {}, last[3] = {};
  for (int turn = 0; turn < 20000; ++turn) {
    const uint32_t which = random.below(3);
    Spilling& pipe = *pipes[which];
    const uint32_t burst = random.below(12);
    for (uint32_t i = 0; i < burst; ++i) {
      pipe.put(next[which]++, 60 + random.below(random.below(20) ? 1500 : 9000));
    }
    for (const uint64_t number : pipe.take(random.below(which == 0 ? 3 : 12))) {
      CHECK(number >= last[which]);  // some gave way, none overtakes
      last[which] = number + 1;
    }
    for (Spilling* each : pipes) CHECK(each->balanced());
    CHECK_EQ(pool->buffers() >= pool->free_buffers(), true);
  }
  CHECK(gave_way(a) > gave_way(c));
}

TEST(spill_close_returns_buffers) {
  const auto pool = pool_of(50);
  {
    Spilling pipe("a{0", pool);
    for (uint64_t i = 0; i < 40; ++i) pipe.put(i);
    CHECK_EQ(pool->free_buffers(), 25u);
    pipe.output->close(pipe.cell);
    CHECK_EQ(pipe.cell.held, 0u);
    CHECK_EQ(pipe.cell.dropped[static_cast<uint32_t>(Drop::unread)], 40u);
    CHECK_EQ(pool->free_buffers(), 50u);
  }
  Spilling other("b{0", pool);
  for (uint64_t i = 0; i < 20; ++i) other.put(i);
  other.output.reset();  // without close: its buffers come back all the same
  CHECK_EQ(pool->free_buffers(), 50u);
}

TEST(spill_end_of_input_waits_for_the_queue) {
  const auto pool = pool_of(50);
  Spilling pipe("a{0", pool);
  for (uint64_t i = 0; i < 20; ++i) pipe.put(i);
  const auto* header = reinterpret_cast<bricks_pipe*>(pipe.memory + pipe.share->pipe_offset);
  pipe.output->flush(1, pipe.cell);
  pipe.output->finish(pipe.cell);
  CHECK_EQ(header->producer_state, uint32_t{BRICKS_PRODUCER_LIVE});
  CHECK_EQ(pipe.take(100).size(), 15u);
  pipe.output->flush(1, pipe.cell);
  CHECK_EQ(header->producer_state, uint32_t{BRICKS_PRODUCER_FINISHED});
  CHECK_EQ(pipe.take(100).size(), 5u);
  CHECK(pipe.balanced());
}

uint64_t dropped(const Spilling& pipe, Drop reason) {
  return pipe.cell.dropped[static_cast<uint32_t>(reason)];
}

TEST(spill_waits_for_a_consumer_that_reloads) {
  const auto pool = pool_of(100);
  PipeDirectory directory;
  Spilling pipe("a{0", pool, {.always = false, .buffers = 0, .restart_ms = 3600000}, &directory);
  for (uint64_t i = 0; i < 20; ++i) pipe.put(i);  // nobody has ever been there: none is waited for
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 5u);
  std::shared_ptr<PipeShare> held;
  CHECK(directory.attach("a}0", 1, &held).ok());
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.take(100).size(), 15u);
  for (uint64_t i = 80; i < 100; ++i) pipe.put(i);  // it has stopped reading, and is about to go
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.take(100).size(), 15u);
  directory.detach(held);
  for (uint64_t i = 100; i < 175; ++i) pipe.put(i);
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.cell.held, 80u);
  pipe.output->look(1, pipe.cell);
  CHECK(pipe.output->ready());
  CHECK(directory.attach("a}0", 2, &held).ok());
  std::vector<uint64_t> got;
  for (uint64_t next = 175; got.size() < 105;) {  // what comes meanwhile queues up behind
    for (const uint64_t number : pipe.take(7)) got.push_back(number);
    if (next < 200) pipe.put(next++);
    CHECK(pipe.balanced());
  }
  for (uint64_t i = 0; i < got.size(); ++i) CHECK_EQ(got[i], 95 + i);
  CHECK_EQ(pipe.cell.dropped_total(), 5u);
  CHECK_EQ(pool->free_buffers(), 100u);
}

TEST(spill_gives_up_a_consumer_that_does_not_come_back) {
  const auto pool = pool_of(100);
  PipeDirectory directory;
  Spilling pipe("a{0", pool, {.always = false, .buffers = 30, .restart_ms = 300}, &directory);
  std::shared_ptr<PipeShare> held;
  CHECK(directory.attach("a}0", 1, &held).ok());
  directory.detach(held);
  for (uint64_t i = 0; i < 60; ++i) pipe.put(i);
  CHECK_EQ(pipe.cell.held, 45u);  // 15 in the ring, 30 are the most it may have
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 15u);
  CHECK(eventually([&] {
    pipe.output->look(1, pipe.cell);
    return !pipe.output->ready();
  }));
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.cell.held, 15u);
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 45u);
  CHECK_EQ(pool->free_buffers(), 100u);
  pipe.put(60);
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 46u);
  CHECK(directory.attach("a}0", 1, &held).ok());
  const std::vector<uint64_t> got = pipe.take(100);
  CHECK_EQ(got.size(), 15u);
  CHECK_EQ(got.back(), 14u);
  CHECK(pipe.balanced());
}

TEST(spill_when_told_and_until_told_otherwise) {
  const auto pool = pool_of(100);
  Spilling pipe("a{0", nullptr, {.always = false});
  for (uint64_t i = 0; i < 20; ++i) pipe.put(i);
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 5u);
  pipe.output->spill_to(pool);
  for (uint64_t i = 15; i < 25; ++i) pipe.put(i);
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.cell.spilled, 10u);
  pipe.output->spill_to(nullptr);
  pipe.put(25);  // behind those that wait: no gap while they do
  CHECK_EQ(pipe.cell.spilled, 11u);
  CHECK_EQ(pipe.take(100).size(), 15u);
  CHECK(pipe.balanced());
  CHECK_EQ(pipe.take(100).size(), 11u);
  CHECK(pipe.balanced());
  for (uint64_t i = 0; i < 20; ++i) pipe.put(i);
  CHECK_EQ(dropped(pipe, Drop::no_consumer), 10u);
  CHECK(pipe.balanced());
}

TEST(spill_sizes_are_bounded) {
  std::shared_ptr<SpillPool> pool;
  CHECK_EQ(SpillPool::create("e0", 0, &pool).code, Code::invalid_argument);
  const Status status = SpillPool::create("e0", kSpillBuffersMax + 1, &pool);
  CHECK(status.message.find("spill is 4194305 buffers, it must be 1 to 4194304") !=
        std::string::npos);
}

}  // namespace
}  // namespace bricks
