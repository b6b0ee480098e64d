// The netmap: port on a real /dev/netmap: the kernel module's, or that of libbricks-netmap when it
// is preloaded (test/e2e/netmap.test.ts does that; scripts/dev/netmap-check runs this on a machine
// that has the module). Interfaces to use: BRICKS_NETMAP_IFS="a b", two ends of one wire.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <thread>

#include "abi/netmap_requests.h"
#include "check.hh"
#include "port_conformance.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using conformance::Frame;

namespace {

#define NEED_DEVICE()                                                \
  do {                                                               \
    const int device = open(NETMAP_DEVICE, O_RDWR | O_CLOEXEC);      \
    if (device < 0) SKIP("there is no /dev/netmap on this machine"); \
    close(device);                                                   \
  } while (0)

std::string pipe_name(const char* end) {
  return "netmap:bt" + std::to_string(getpid() % 100000) + end + "?kernel";
}

std::unique_ptr<Input> input_of(const std::string& name) {
  std::unique_ptr<Input> input;
  CHECK_EQ(open_input(name, {}, &input).message, "");
  return input;
}

std::unique_ptr<Output> output_of(const std::string& name) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(name, {}, &output).message, "");
  return output;
}

// What the input has now.
std::vector<Frame> drain(Input& input) {
  const auto batch = std::make_unique<Batch>();
  std::vector<Frame> frames;
  LedgerCell cell;
  while (input.receive(*batch, kBatchMax, 1, cell) > 0) {
    for (uint32_t i = 0; i < batch->count; ++i) {
      const Packet& packet = batch->packets[i];
      frames.push_back({std::vector<uint8_t>(packet.data, packet.data + packet.length),
                        packet.timestamp, packet.length, batch->link});
    }
    input.release(*batch);
  }
  return frames;
}

std::vector<Frame> some_frames(uint32_t count, uint32_t length) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(conformance::make_frame(i, length));
  return frames;
}

std::string number_behind(const std::string& text, const std::string& word) {
  const size_t at = text.find(word);
  if (at == std::string::npos) return "";
  const size_t end = text.find_first_not_of("0123456789", at + word.size());
  return text.substr(at + word.size(), end - at - word.size());
}

}  // namespace

TEST(netmap_device_pipe_conforms) {
  NEED_DEVICE();
  std::unique_ptr<Input> far;
  conformance::PortPair pair{.name = "netmap: pipe as output"};
  pair.open_output = [&] {
    far.reset();  // the pipe goes with its last end: each output begins anew
    auto output = output_of(pipe_name("{0"));
    far = input_of(pipe_name("}0"));
    return output;
  };
  pair.arrived = [&](bool) { return drain(*far); };
  pair.cannot["timestamps"] = "netmap's slots have none";
  pair.cannot["wire_length"] = "netmap's slots have none";
  check_port(pair);
  far.reset();

  conformance::PortPair back{.name = "netmap: pipe as input"};
  std::unique_ptr<Output> near;
  back.open_input = [&](const std::vector<Frame>& frames) {
    near.reset();
    auto input = input_of(pipe_name("}0"));
    near = output_of(pipe_name("{0"));
    LedgerCell cell;
    conformance::send(*near, frames, kBatchMax, cell, [] {});
    return input;
  };
  back.frame_max = 9000;  // all that is sent must fit into the ring
  back.cannot["timestamps"] = "the time is that of the breath";
  back.cannot["wire_length"] = "netmap's slots have none";
  back.cannot["finishes"] = "a device has no end";
  check_port(back);
}

// Two threads, one end each, and the reader slower than the writer at times: nothing is lost.
TEST(netmap_device_pipe_loses_nothing) {
  NEED_DEVICE();
  constexpr uint32_t kPackets = 50'000;
  auto output = output_of(pipe_name("}7"));
  auto input = input_of(pipe_name("{7"));
  std::atomic<uint64_t> wrong{0};
  std::thread reader([&] {
    LedgerCell cell;
    const std::vector<Frame> got = conformance::take(*input, 100, cell, kPackets);
    wrong += got.size() != kPackets;
    for (uint32_t i = 0; i < got.size(); ++i) {
      wrong += got[i].bytes != conformance::make_frame(i % 1000, 60).bytes;
    }
    wrong += !drain(*input).empty();  // and gives the last slots back
  });
  LedgerCell cell;
  const std::vector<Frame> frames = some_frames(1000, 60);
  for (uint32_t sent = 0; sent < kPackets; sent += 1000) {
    conformance::send(*output, frames, 64, cell, [] { std::this_thread::yield(); });
  }
  reader.join();
  CHECK_EQ(wrong.load(), 0u);
  output->close(cell);
  CHECK(conformance::balanced(cell));
  CHECK_EQ(cell.delivered, kPackets);
}

// A pipe in the memory of another: packets go on in the buffers they came in.
TEST(netmap_device_exchanges_buffers) {
  NEED_DEVICE();
  auto input = input_of(pipe_name("}1"));
  const std::string memory = number_behind(input->describe(), "memory ");
  CHECK(!memory.empty());
  auto output = output_of(pipe_name("{2") + "&memory=" + memory);
  auto end = input_of(pipe_name("}2"));
  auto source = output_of(pipe_name("{1"));
  CHECK_EQ(number_behind(output->describe(), "memory "), memory);
  const auto batch = std::make_unique<Batch>();
  std::vector<Index> picks(kBatchMax);
  for (uint32_t i = 0; i < kBatchMax; ++i) picks[i] = static_cast<Index>(i);
  LedgerCell fed, received, sent;
  const std::vector<Frame> frames = some_frames(100, 200);
  for (int round = 0; round < 60; ++round) {
    conformance::send(*source, frames, 100, fed, [] {});
    uint32_t through = 0;
    while (through < 100) {
      const uint32_t count = input->receive(*batch, kBatchMax, 1, received);
      if (count == 0) break;
      sent.packets += count;
      output->transmit(*batch, picks.data(), count, true, sent);
      for (uint32_t i = 0; i < count; ++i) {
        CHECK((batch->packets[i].buffer & kForeignBuffer) != 0);
      }
      output->flush(1, sent);
      input->release(*batch);
      through += count;
    }
    const std::vector<Frame> got = drain(*end);
    CHECK_EQ(got.size(), frames.size());
    for (size_t i = 0; i < got.size(); ++i) CHECK(got[i].bytes == frames[i].bytes);
    output->flush(1, sent);
  }
  CHECK_EQ(sent.dropped_total(), 0u);
}

TEST(netmap_device_refuses) {
  NEED_DEVICE();
  std::unique_ptr<Input> input, second;
  CHECK_EQ(open_input(pipe_name("}3") + "&exclusive", {}, &input).message, "");
  const Status busy = open_input(pipe_name("}3"), {}, &second);
  CHECK(busy.code == Code::busy);
  CHECK(busy.message.find("another program") != std::string::npos);
  CHECK(open_input("netmap:no-such-if", {}, &second).code == Code::no_such_interface);
}

TEST(netmap_device_vale) {
  NEED_DEVICE();
  std::unique_ptr<Input> input;
  if (!open_input("vale_bt:a", {}, &input).ok()) SKIP("this /dev/netmap has no VALE switch");
  auto output = output_of("vale_bt:b");
  std::vector<Frame> frames = some_frames(100, 100);
  for (Frame& frame : frames) std::fill(frame.bytes.begin(), frame.bytes.begin() + 6, 0xff);
  LedgerCell cell, received;
  conformance::send(*output, frames, 50, cell, [] {});
  const std::vector<Frame> got = conformance::take(*input, 64, received, frames.size());
  CHECK_EQ(got.size(), frames.size());
  for (size_t i = 0; i < got.size(); ++i) CHECK(got[i].bytes == frames[i].bytes);
}

TEST(netmap_device_interfaces) {
  NEED_DEVICE();
  const char* names = std::getenv("BRICKS_NETMAP_IFS");
  if (!names) SKIP("BRICKS_NETMAP_IFS names no two interfaces to use");
  const std::string both = names;
  const std::string from = both.substr(0, both.find(' ')), to = both.substr(both.find(' ') + 1);
  auto input = input_of("netmap:" + to);
  auto output = output_of("netmap:" + from);
  const std::vector<Frame> frames = some_frames(5000, 600);
  LedgerCell cell, received;
  size_t seen = 0;
  for (size_t at = 0; at < frames.size(); at += 250) {
    const std::vector<Frame> some(frames.begin() + static_cast<long>(at),
                                  frames.begin() + static_cast<long>(at) + 250);
    conformance::send(*output, some, 50, cell, [] { std::this_thread::yield(); });
    const std::vector<Frame> got = conformance::take(*input, 64, received, some.size());
    CHECK_EQ(got.size(), some.size());
    for (size_t i = 0; i < got.size(); ++i) seen += got[i].bytes == some[i].bytes;
  }
  CHECK_EQ(seen, frames.size());
  output->close(cell);
  CHECK(conformance::balanced(cell));
}
