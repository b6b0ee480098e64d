// One engine reading what another fills.
#include "ports/pipe_input.hh"

#include <poll.h>

#include "check.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {
bool readable(const Input& input) {
  pollfd fd{input.wait_fd(), POLLIN, 0};
  return poll(&fd, 1, 0) == 1;
}
}  // namespace

TEST(pipe_input_hands_out_what_was_put_in_and_gives_it_back) {
  PipeHouse house;
  PortContext context;
  context.pipes = &house.directory;
  std::unique_ptr<Input> input, second;
  CHECK_EQ(open_pipe_input("x", context, &input).code, Code::invalid_argument);
  CHECK(house.open("x{0", 64).ok());
  CHECK(open_pipe_input("x}0", context, &input).ok());
  CHECK_EQ(open_pipe_input("x}0", context, &second).code, Code::busy);
  LedgerCell read;
  auto batch = std::make_unique<Batch>();
  CHECK_EQ(input->receive(*batch, kBatchMax, 0, read), 0u);
  CHECK(!readable(*input));
  uint64_t number = 0, sent = 0, bytes = 0;
  for (int round = 0; round < 3000; ++round) {
    ++sent;
    Bytes frame = make_frame(sent, 20 + sent * 37 % 5000);
    bytes += frame.size();
    const bool raw = sent % 7 == 0, cut = sent % 5 == 0;
    house.send(frame, sent, cut ? 9999 : 0, raw ? LinkType::raw : LinkType::ethernet);
    if (round % 5) continue;
    CHECK(readable(*input));
    while (input->receive(*batch, 3, 0, read)) {
      for (uint32_t i = 0; i < batch->count; ++i) {
        const Packet& packet = batch->packets[i];
        ++number;
        const Bytes expected = make_frame(number, 20 + number * 37 % 5000);
        CHECK_EQ(packet.length, static_cast<uint32_t>(expected.size()));
        CHECK_EQ(packet.timestamp, number);
        CHECK_EQ(std::memcmp(packet.data, expected.data(), expected.size()), 0);
        CHECK_EQ(wire_length(*batch, i),
                 number % 5 == 0 ? 9999u : static_cast<uint32_t>(expected.size()));
        CHECK(batch->link == (number % 7 == 0 ? LinkType::raw : LinkType::ethernet));
      }
      input->release(*batch);
    }
    CHECK(!input->finished());
  }
  house.output->finish(house.cell);
  while (input->receive(*batch, 3, 0, read)) input->release(*batch);
  CHECK(input->finished());
  house.output->flush(0, house.cell);
  CHECK_EQ(read.packets, sent);
  CHECK_EQ(read.bytes, bytes);
  CHECK_EQ(house.cell.delivered, sent);
  input.reset();
  CHECK_EQ(house.output->share()->consumer_pid.load(), 0);
  CHECK(open_pipe_input("x}0", context, &input).ok());
}

TEST(pipe_input_ends_with_a_warning_when_its_ring_is_nonsense) {
  PipeHouse house;
  PortContext context;
  context.pipes = &house.directory;
  CHECK(house.open("x{0", 64).ok());
  std::unique_ptr<Input> input;
  CHECK(open_pipe_input("x}0", context, &input).ok());
  LedgerCell cell;
  auto batch = std::make_unique<Batch>();
  CHECK(input->take_warning().empty());
  const PipeShare& share = *house.output->share();
  std::vector<uint8_t> noise(8192, 0xee);
  const off_t behind_the_header = static_cast<off_t>(share.pipe_offset + sizeof(bricks_pipe));
  CHECK(pwrite(share.memory_fd, noise.data(), 1024, behind_the_header) == 1024);
  CHECK_EQ(input->receive(*batch, kBatchMax, 0, cell), 0u);
  CHECK(input->finished());
  CHECK(!input->take_warning().empty());
  CHECK(input->take_warning().empty());
  CHECK_EQ(cell.packets, uint64_t{0});
}
