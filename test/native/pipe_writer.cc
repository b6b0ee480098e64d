// Programs that fill pipes: libbricks' writer to an engine's input and to a consumer, both ways.
#include <sys/mman.h>

#include "abi/bricks_writer.h"
#include "check.hh"
#include "pipe_fixture.hh"
#include "ports/pipe_input.hh"

using namespace bricks;

namespace {

bricks_result attach_writer(PipeHouse& house, bricks_writer** writer, const char* name) {
  bricks_options options{};
  options.run_dir = house.folder.path().c_str();
  return bricks_attach_writer(writer, name, &options, house.why, sizeof house.why);
}

bricks_packet packet_of(const Bytes& frame, uint64_t timestamp) {
  bricks_packet packet{};
  packet.data = frame.data();
  packet.captured = static_cast<uint32_t>(frame.size());
  packet.timestamp_ns = timestamp;
  return packet;
}

// Reads what is there, checks that it is packets (next, ...] in order; how many.
uint64_t read_engine(Input& input, Batch& batch, uint64_t next, size_t most_bytes) {
  LedgerCell cell;
  const uint64_t first = next;
  while (input.receive(batch, kBatchMax, 5, cell)) {
    for (uint32_t i = 0; i < batch.count; ++i, ++next) {
      const Bytes expected = make_frame(next, 20 + next * 37 % most_bytes);
      CHECK_EQ(batch.packets[i].length, static_cast<uint32_t>(expected.size()));
      CHECK_EQ(std::memcmp(batch.packets[i].data, expected.data(), expected.size()), 0);
      CHECK_EQ(batch.packets[i].timestamp, next);
    }
    input.release(batch);
  }
  return next - first;
}

}  // namespace

TEST(pipe_writer_fills_an_engines_input_in_both_directions) {
  for (const char* end : {"x}0", "x{0"}) {
    PipeHouse house;
    CHECK(house.serve().ok());
    PortContext context;
    context.pipes = &house.directory;
    std::unique_ptr<Input> input;
    auto batch = std::make_unique<Batch>();
    const std::string read_at = flip_pipe_name(end);
    CHECK(open_pipe_input(read_at, context, &input).ok());
    bricks_writer *writer = nullptr, *second = nullptr;
    CHECK_EQ(attach_writer(house, &writer, end), BRICKS_OK);
    CHECK_EQ(attach_writer(house, &second, end), BRICKS_BUSY);
    uint64_t sent = 0, read = 0;
    bool was_full = false;
    while (sent < 5000) {
      const Bytes frame = make_frame(sent + 1, 20 + (sent + 1) * 37 % 5000);
      const bricks_packet packet = packet_of(frame, sent + 1);
      const bricks_result result = bricks_send(writer, &packet);
      if (result == BRICKS_OK) {
        ++sent;
        continue;
      }
      CHECK_EQ(result, BRICKS_FULL);
      was_full = true;
      read += read_engine(*input, *batch, read + 1, 5000);
      CHECK_EQ(bricks_writer_wait(writer, 0), BRICKS_OK);
    }
    CHECK(was_full);
    CHECK(!input->finished());
    bricks_finish(writer);
    read += read_engine(*input, *batch, read + 1, 5000);
    CHECK_EQ(read, sent);
    CHECK(input->finished());
    CHECK_EQ(bricks_writer_pending(writer), 0u);
    bricks_writer_detach(writer);
  }
}

TEST(pipe_writer_contents_survive_while_one_end_is_open_and_no_longer) {
  PipeHouse house;
  CHECK(house.serve().ok());
  bricks_writer* writer = nullptr;
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "y{3"), BRICKS_NOT_FOUND);
  CHECK_EQ(attach_writer(house, &writer, "y}3"), BRICKS_OK);
  CHECK_EQ(house.attach(&consumer, "y{3"), BRICKS_OK);
  Bytes frame = make_frame(1, 60);
  bricks_packet packet = packet_of(frame, 7);
  CHECK_EQ(bricks_send(writer, &packet), BRICKS_OK);
  uint8_t* room = nullptr;
  CHECK_EQ(bricks_reserve(writer, 60, &room), BRICKS_OK);
  std::memset(room, 0x5a, 60);
  CHECK_EQ(bricks_commit(writer, 50, 8), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);  // not flushed
  bricks_writer_detach(writer);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(packet.timestamp_ns, 7u);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(packet.captured, 50u);
  CHECK_EQ(packet.data[49], 0x5a);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK_EQ(attach_writer(house, &writer, "y}3"), BRICKS_OK);  // the next one goes on
  packet = packet_of(frame, 9);
  CHECK_EQ(bricks_send(writer, &packet), BRICKS_OK);
  bricks_flush(writer);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(packet.timestamp_ns, 9u);
  bricks_writer_detach(writer);
  bricks_detach(consumer);
  CHECK(eventually([&] { return house.attach(&consumer, "y{3") == BRICKS_NOT_FOUND; }));
}

TEST(pipe_writer_gives_way_to_nobody_and_tells_who_is_there) {
  PipeHouse house;
  CHECK(house.serve().ok());
  bricks_writer *writer = nullptr, *other = nullptr;
  CHECK(house.open("x{0", 64).ok());
  CHECK_EQ(attach_writer(house, &writer, "x{0"), BRICKS_BUSY);  // the engine fills it
  CHECK_EQ(attach_writer(house, &writer, "x}0"), BRICKS_OK);    // the way back is free
  CHECK_EQ(attach_writer(house, &other, "z{1"), BRICKS_OK);
  std::unique_ptr<PipeOutput> output;
  const Status status = PipeOutput::open("z{1", 64, nullptr, &house.directory, &output);
  CHECK_EQ(status.code, Code::busy);
  CHECK(status.message.find(std::to_string(getpid())) != std::string::npos);
  bricks_writer_detach(other);
  CHECK(eventually(
      [&] { return PipeOutput::open("z{1", 64, nullptr, &house.directory, &output).ok(); }));
  bricks_writer_detach(writer);
}

TEST(pipe_writer_that_is_killed_leaves_its_end_to_the_next) {
  PipeHouse house;
  CHECK(house.serve().ok());
  PortContext context;
  context.pipes = &house.directory;
  std::unique_ptr<Input> input;
  CHECK(open_pipe_input("k{0", context, &input).ok());
  auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  {
    Child child([&] {
      bricks_writer* writer = nullptr;
      if (attach_writer(house, &writer, "k}0") != BRICKS_OK) return 1;
      const Bytes frame = make_frame(1, 60);
      const bricks_packet packet = packet_of(frame, 1);
      if (bricks_send(writer, &packet) != BRICKS_OK) return 2;
      bricks_flush(writer);
      pause();
      return 3;
    });
    uint32_t got = 0;
    CHECK(eventually([&] { return (got = input->receive(*batch, 8, 1, cell)) != 0; }));
    CHECK_EQ(got, 1u);
    input->release(*batch);
  }  // SIGKILL
  bricks_writer* writer = nullptr;
  CHECK(eventually([&] { return attach_writer(house, &writer, "k}0") == BRICKS_OK; }));
  const Bytes frame = make_frame(2, 60);
  const bricks_packet packet = packet_of(frame, 2);
  CHECK_EQ(bricks_send(writer, &packet), BRICKS_OK);
  bricks_flush(writer);
  CHECK_EQ(input->receive(*batch, 8, 1, cell), 1u);
  bricks_writer_detach(writer);
}

TEST(pipe_writer_bounds_what_a_hostile_consumer_writes) {
  PipeHouse house;
  CHECK(house.serve().ok());
  bricks_writer* writer = nullptr;
  CHECK_EQ(attach_writer(house, &writer, "h}0"), BRICKS_OK);
  std::shared_ptr<PipeShare> share;
  CHECK(house.directory.attach("h{0", getpid(), &share).ok());
  void* memory =
      mmap(nullptr, share->region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, share->memory_fd, 0);
  CHECK(memory != MAP_FAILED);
  auto* base = static_cast<uint8_t*>(memory) + share->pipe_offset;
  auto* ring = reinterpret_cast<netmap_ring*>(base + sizeof(bricks_pipe));
  const Bytes frame = make_frame(1, 60);
  const bricks_packet packet = packet_of(frame, 1);
  Random random{20261121};
  for (int round = 0; round < 2000; ++round) {  // no head gives room that is not there
    ring->head = round % 2 ? static_cast<uint32_t>(random.next()) : random.below(1024);
    if (bricks_send(writer, &packet) != BRICKS_OK) break;
    if (round % 8 == 0) bricks_flush(writer);
    CHECK(bricks_writer_pending(writer) < 1024);
  }
  for (uint32_t k = 0; k < ring->num_slots && k < 1024; ++k) ring->slot[k].buf_idx = 0x7fffffff;
  bricks_result result = BRICKS_OK;
  ring->head = ring->tail;
  for (int i = 0; i < 1100 && result == BRICKS_OK; ++i) result = bricks_send(writer, &packet);
  CHECK(result == BRICKS_FAILED || result == BRICKS_FULL);
  munmap(memory, share->region_bytes);
  bricks_writer_detach(writer);
  house.directory.detach(share);
}
