#include "port_conformance.hh"

#include <poll.h>

#include <algorithm>
#include <cstring>

#include "check.hh"

namespace conformance {
namespace {

using namespace bricks;

constexpr Nanos kStart = 1'700'000'000'000'000'000;
constexpr int kPatienceMs = 10'000;
constexpr uint32_t kIdleRoundsMax = 1'000'000;

bool can(const PortPair& pair, const char* name) { return !pair.cannot.contains(name); }

// The frames as this port may hand them on.
std::vector<Frame> as_carried(const PortPair& pair, std::vector<Frame> frames) {
  for (Frame& frame : frames) {
    if (!can(pair, "timestamps")) frame.timestamp = 0;
    if (!can(pair, "wire_length")) frame.wire_length = static_cast<uint32_t>(frame.bytes.size());
  }
  return frames;
}

std::vector<Frame> some_frames(uint32_t count, uint32_t length) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(make_frame(i, length));
  return frames;
}

void append(std::vector<Frame>* all, std::vector<Frame> more) {
  all->insert(all->end(), std::make_move_iterator(more.begin()),
              std::make_move_iterator(more.end()));
}

// Through the output, to the far end, with every sum checked.
void check_through(const PortPair& pair, const std::vector<Frame>& frames, uint32_t batch) {
  std::unique_ptr<Output> output = pair.open_output();
  CHECK(output != nullptr);
  if (!output) return;
  LedgerCell cell;
  std::vector<Frame> arrived;
  const auto look = [&] {
    if (pair.arrived) append(&arrived, pair.arrived(false));
  };
  send(*output, frames, batch, cell, look);
  output->finish(cell);
  look();
  output->flush(kStart, cell);
  CHECK(balanced(cell));
  output->close(cell);
  if (pair.arrived) append(&arrived, pair.arrived(true));
  CHECK_EQ(cell.held, 0u);
  CHECK(balanced(cell));
  CHECK_EQ(cell.packets, frames.size());
  if (!can(pair, "keeps_all")) return;
  CHECK_EQ(cell.delivered, frames.size());
  uint64_t bytes = 0;
  for (const Frame& frame : frames) bytes += frame.bytes.size();
  CHECK_EQ(cell.delivered_bytes, bytes);
  if (!pair.arrived) return;
  const std::vector<Frame> expected = as_carried(pair, frames);
  arrived = as_carried(pair, std::move(arrived));
  CHECK_EQ(arrived.size(), expected.size());
  for (size_t i = 0; i < std::min(arrived.size(), expected.size()); ++i) {
    if (arrived[i] == expected[i]) continue;
    std::printf("  %s: frame %zu of %zu is another\n", pair.name.c_str(), i, expected.size());
    CHECK(arrived[i].bytes == expected[i].bytes);
    CHECK_EQ(arrived[i].timestamp, expected[i].timestamp);
    CHECK_EQ(arrived[i].wire_length, expected[i].wire_length);
    CHECK(arrived[i].link == expected[i].link);
    break;
  }
}

void check_sizes(const PortPair& pair) {
  std::vector<Frame> frames;
  for (uint32_t length : {1u, 60u, 1514u, 65535u, 2047u, 2048u, 2049u, 64u})
    if (length <= pair.frame_max) frames.push_back(make_frame(length, length));
  check_through(pair, frames, kBatchMax);
  check_through(pair, frames, 1);
}

void check_cut(const PortPair& pair) {
  std::vector<Frame> frames = some_frames(3, 60);
  frames[1].wire_length = 1514;
  if (pair.frame_max == kFrameMax) {
    frames.push_back(make_frame(9, 4000));
    frames.back().wire_length = 9000;
  }
  check_through(pair, frames, 2);
}

void check_empty(const PortPair& pair) {
  std::unique_ptr<Output> output = pair.open_output();
  LedgerCell cell;
  const auto batch = std::make_unique<Batch>();
  CHECK_EQ(output->room(*batch, nullptr, 0), 0u);
  output->transmit(*batch, nullptr, 0, false, cell);
  output->transmit(*batch, nullptr, 0, true, cell);
  output->flush(kStart, cell);
  output->arm_wait();
  output->finish(cell);
  output->close(cell);
  CHECK(balanced(cell));
  CHECK_EQ(cell.delivered + cell.dropped_total() + cell.held, 0u);
  CHECK(!output->describe().empty());
  CHECK(output->take_warning().empty());
  if (pair.arrived) CHECK(pair.arrived(true).empty());
}

void check_unclosed_hold(const PortPair& pair) {
  std::unique_ptr<Output> output = pair.open_output();
  LedgerCell cell;
  send(*output, some_frames(10, 60), 10, cell);
  output->close(cell);  // nobody looked, nobody finished
  if (pair.arrived) pair.arrived(true);
  CHECK_EQ(cell.held, 0u);
  CHECK_EQ(cell.delivered + cell.dropped_total(), 10u);
}

void check_input(const PortPair& pair, const std::vector<Frame>& frames, uint32_t batch) {
  std::unique_ptr<Input> input = pair.open_input(frames);
  CHECK(input != nullptr);
  if (!input) return;
  CHECK(!input->describe().empty());
  LedgerCell cell;
  const bool given = can(pair, "given_frames");
  const size_t limit = can(pair, "finishes") ? SIZE_MAX : frames.size();
  std::vector<Frame> got = take(*input, batch, cell, limit);
  CHECK_EQ(cell.packets, got.size() + cell.dropped_total());
  uint64_t bytes = 0;
  for (const Frame& frame : got) bytes += frame.bytes.size();
  CHECK_EQ(cell.bytes, bytes);
  CHECK_EQ(got.size(), frames.size());
  if (given) CHECK(as_carried(pair, std::move(got)) == as_carried(pair, frames));
  if (!can(pair, "finishes")) return;
  CHECK(input->finished());
  const auto more = std::make_unique<Batch>();
  CHECK_EQ(input->receive(*more, kBatchMax, kStart, cell), 0u);
  CHECK(input->take_warning().empty());
}

}  // namespace

Frame make_frame(uint32_t number, uint32_t length) {
  Frame frame;
  frame.bytes.resize(length);
  for (uint32_t i = 0; i < length; ++i)
    frame.bytes[i] = static_cast<uint8_t>(number >> i % 4 * 8) ^ static_cast<uint8_t>(i / 4 * 7);
  frame.timestamp = kStart + Nanos{number} * 1'003'000;
  frame.wire_length = length;
  return frame;
}

bool balanced(const LedgerCell& cell) {
  return cell.packets == cell.delivered + cell.dropped_total() + cell.held;
}

void send(Output& output, const std::vector<Frame>& frames, uint32_t batch_size, LedgerCell& cell,
          const std::function<void()>& make_room) {
  const auto batch = std::make_unique<Batch>();
  std::vector<Index> picks(kBatchMax);
  // The batch says padded; ASan sees to it that no more than that is read.
  std::vector<std::vector<uint8_t>> memory(kBatchMax);
  for (size_t next = 0; next < frames.size();) {
    batch->count = 0;
    batch->padded = true;
    batch->link = frames[next].link;
    while (batch->count < batch_size && next < frames.size() && frames[next].link == batch->link) {
      const Frame& frame = frames[next++];
      const uint32_t i = batch->count++;
      const auto length = static_cast<uint32_t>(frame.bytes.size());
      memory[i].assign((length + 63) / 64 * 64, 0xee);
      std::copy(frame.bytes.begin(), frame.bytes.end(), memory[i].begin());
      batch->packets[i] = {memory[i].data(), length, 0, frame.timestamp, kNoBuffer, 0, 0, 0};
      if (frame.wire_length != length) batch->packets[i].flags = kPacketCut;
      batch->wire_lengths[i] = frame.wire_length;
      picks[i] = static_cast<Index>(i);
      cell.packets++;
      cell.bytes += length;
    }
    uint32_t idle = 0;
    for (uint32_t done = 0; done < batch->count && idle < kIdleRoundsMax;) {
      const uint32_t room = output.room(*batch, picks.data() + done, batch->count - done);
      output.transmit(*batch, picks.data() + done, room, false, cell);
      done += room;
      output.flush(kStart, cell);
      if (room > 0 || done == batch->count) continue;
      ++idle;
      if (make_room) make_room();
      output.arm_wait();
      pollfd waits{output.wait_fd(), POLLIN, 0};
      if (!make_room && poll(&waits, 1, kPatienceMs) == 0)
        CHECK(!"the output has no room any more");
    }
    CHECK(idle < kIdleRoundsMax);
    CHECK(balanced(cell));
  }
}

std::vector<Frame> take(Input& input, uint32_t batch_size, LedgerCell& cell, size_t limit) {
  const auto batch = std::make_unique<Batch>();
  std::vector<Frame> frames;
  volatile uint8_t seen = 0;
  for (uint32_t idle = 0; !input.finished() && frames.size() < limit && idle < kIdleRoundsMax;) {
    const auto wanted = static_cast<uint32_t>(std::min<size_t>(batch_size, limit - frames.size()));
    const uint32_t count = input.receive(*batch, wanted, kStart, cell);
    CHECK_EQ(count, batch->count);
    CHECK(count <= wanted);
    idle = count ? 0 : idle + 1;
    for (uint32_t i = 0; i < count; ++i) {
      const Packet& packet = batch->packets[i];
      const uint32_t readable = batch->padded ? (packet.length + 63) / 64 * 64 : packet.length;
      for (uint32_t k = 0; k < readable; ++k) seen = seen ^ packet.data[k];
      frames.push_back({std::vector<uint8_t>(packet.data, packet.data + packet.length),
                        packet.timestamp, wire_length(*batch, i), batch->link});
    }
    input.release(*batch);
    if (count == 0 && input.wait_fd() >= 0) {
      pollfd waits{input.wait_fd(), POLLIN, 0};
      if (poll(&waits, 1, kPatienceMs) == 0) CHECK(!"the input has nothing any more");
    }
  }
  return frames;
}

void check_port(const PortPair& pair) {
  const int before = check::failures;
  if (pair.open_output) {
    check_empty(pair);
    check_through(pair, some_frames(kBatchMax, 60), kBatchMax);
    check_through(pair, some_frames(5000, 60), 100);
    check_through(pair, some_frames(1, 60), 1);
    check_sizes(pair);
    check_cut(pair);
    check_unclosed_hold(pair);
  }
  if (pair.open_input) {
    for (uint32_t batch : {1u, 100u, kBatchMax}) check_input(pair, some_frames(1000, 60), batch);
    check_input(pair, some_frames(100, std::min(pair.frame_max, 1514u)), kBatchMax);
    check_input(pair, {make_frame(1, 60)}, kBatchMax);
    if (can(pair, "given_frames") && pair.frame_max == kFrameMax) {
      check_input(pair, some_frames(40, kFrameMax), kBatchMax);
    }
  }
  if (check::failures != before) std::printf("  (port: %s)\n", pair.name.c_str());
}

}  // namespace conformance
