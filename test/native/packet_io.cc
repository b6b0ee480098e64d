// The packet IO library: every row of Stellar's table that is its, by the C calls.
#include <cstring>
#include <string>

#include "abi/bricks_packet_io.h"
#include "check.hh"
#include "pcap_bytes.hh"

namespace bricks {
namespace {

struct Io {
  packet_io* io;
  explicit Io(const char* mode, const char* config = nullptr, uint32_t packets = 0) {
    int error = 0;
    io = packet_io_create(mode, config, packets, &error);
    if (!io) std::printf("  %s\n", packet_io_error());
    CHECK(io != nullptr);
  }
  ~Io() { packet_io_destroy(io); }
  packet_io_device* open(const std::string& name, int direction, int wanted = BRICKS_DONE) {
    packet_io_device* device = nullptr;
    const int result = packet_io_open_device(io, name.c_str(), direction, -1, &device);
    if (result != wanted) std::printf("  %s\n", packet_io_error());
    CHECK_EQ(result, wanted);
    return device;
  }
};

packet_io_counts counts_of(packet_io_device* device) {
  packet_io_counts counts{};
  CHECK_EQ(packet_io_stats(device, &counts), BRICKS_DONE);
  return counts;
}

}  // namespace

TEST(packet_io_create_refuses_by_name) {
  int error = 0;
  CHECK(!packet_io_create("tokenring", nullptr, 0, &error));
  CHECK_EQ(error, BRICKS_EINVAL);
  CHECK(std::strstr(packet_io_error(), "af_packet"));
  CHECK(!packet_io_create(nullptr, nullptr, 0, nullptr));
  CHECK(!packet_io_create("vendor", nullptr, 0, &error));
  CHECK_EQ(error, BRICKS_ENOTSUP);
  CHECK(std::strstr(packet_io_error(), "vendor's data plane"));
  CHECK(!packet_io_create("pipe", nullptr, 0, &error));
  CHECK_EQ(error, BRICKS_EINVAL);
  CHECK(!packet_io_create("pcap-file", "x", 0, &error));
  CHECK_EQ(error, BRICKS_EINVAL);
  CHECK(!packet_io_create("pcap-file", nullptr, UINT32_MAX, &error));
  CHECK_EQ(error, BRICKS_EINVAL);
}

TEST(packet_io_open_says_what_is_wrong) {
  captures::Folder folder;
  Io files("pcap-file");
  files.open(folder.path("none.pcap"), PACKET_IO_RX, BRICKS_ENOENT);
  files.open("", PACKET_IO_RX, BRICKS_EINVAL);
  files.open("a.pcap", 0, BRICKS_EINVAL);
  files.open("a.pcap", PACKET_IO_RX | PACKET_IO_TX, BRICKS_EINVAL);
  files.open(folder.write("text.pcap", {'n', 'o'}), PACKET_IO_RX, BRICKS_EINVAL);
  const std::string good = folder.write("good.pcap", captures::pcap_file({}, {}));
  packet_io_device* first = files.open(good, PACKET_IO_RX);
  files.open(good, PACKET_IO_RX, BRICKS_EEXIST);
  // Another queue is another device.
  packet_io_device* second = nullptr;
  CHECK_EQ(packet_io_open_device(files.io, good.c_str(), PACKET_IO_RX, 1, &second), BRICKS_DONE);
  CHECK(second != first);
  CHECK_EQ(packet_io_close(first), BRICKS_DONE);
  files.open(good, PACKET_IO_RX);
  Io live("af_packet");
  live.open("no-such-if", PACKET_IO_RX, BRICKS_ENOENT);
  CHECK(std::strstr(packet_io_error(), "no-such-if"));
}

// All packets of a capture, in batches of any size, to another file: bytes, times, lengths.
TEST(packet_io_copies_a_capture) {
  captures::Folder folder;
  std::vector<conformance::Frame> frames;
  for (uint32_t i = 0; i < 1000; ++i) {
    conformance::Frame frame = conformance::make_frame(i, 60 + i % 1400);
    frame.timestamp = 1700000000000000000 + i * 1000;
    frame.wire_length = static_cast<uint32_t>(frame.bytes.size()) + (i % 3 == 0 ? 10 : 0);
    frames.push_back(std::move(frame));
  }
  const std::string in = folder.write("in.pcap", captures::pcap_file({}, frames));
  for (const int size : {1, 7, 256, 1000}) {
    const std::string out = folder.path("out" + std::to_string(size) + ".pcap");
    Io io("pcap-file");
    packet_io_device* from = io.open(in, PACKET_IO_RX);
    packet_io_device* to = io.open(out, PACKET_IO_TX);
    std::vector<struct packet*> packets(static_cast<size_t>(size));
    uint64_t sent = 0;
    for (;;) {
      const int got = packet_io_rx(from, packets.data(), size);
      if (got == BRICKS_EEOF) break;
      CHECK(got >= 0 && got <= size);
      for (int done = 0; done < got;) {
        const int accepted = packet_io_tx(to, packets.data() + done, got - done);
        CHECK(accepted >= 0);
        if (accepted < 0) return;
        done += accepted;
      }
      sent += static_cast<uint64_t>(got);
    }
    CHECK_EQ(sent, 1000u);
    CHECK_EQ(counts_of(from).received, 1000u);
    CHECK_EQ(packet_io_rx(from, packets.data(), 1), BRICKS_EEOF);
    CHECK_EQ(packet_io_close(to), BRICKS_DONE);
    CHECK_EQ(counts_of(to).sent, 1000u);
    const captures::Reading back = captures::read_port("pcap:" + out);
    CHECK_EQ(back.frames.size(), frames.size());
    for (size_t i = 0; i < std::min(back.frames.size(), frames.size()); ++i) {
      CHECK(back.frames[i].bytes == frames[i].bytes);
      CHECK_EQ(back.frames[i].timestamp, frames[i].timestamp);
      CHECK_EQ(back.frames[i].wire_length, frames[i].wire_length);
    }
  }
}

// Who owns a packet: nothing is sent or freed twice, nothing that is not the caller's.
TEST(packet_io_ownership) {
  Io io("synthetic", nullptr, 100);
  packet_io_device* from = io.open("60?flows=10&count=250", PACKET_IO_RX);
  packet_io_device* to = io.open("", PACKET_IO_TX);
  struct packet* packets[300];
  CHECK_EQ(packet_io_rx(from, packets, 0), BRICKS_EINVAL);
  CHECK_EQ(packet_io_rx(from, packets, -1), BRICKS_EINVAL);
  CHECK_EQ(packet_io_tx(from, packets, 0), BRICKS_EINVAL);
  int got = 0;
  while (got < 100) {
    const int more = packet_io_rx(from, packets + got, 300 - got);
    CHECK(more > 0);
    if (more <= 0) return;
    got += more;
  }
  CHECK_EQ(got, 100);  // as many as may be
  CHECK_EQ(packet_io_rx(from, packets + 100, 1), 0);
  CHECK(packet_io_make(io.io, 60) == nullptr);
  struct packet* twice[] = {packets[0], packets[1], packets[0]};
  CHECK_EQ(packet_io_free(io.io, twice, 3), BRICKS_EINVAL);
  CHECK_EQ(packet_io_free(io.io, twice, 2), BRICKS_DONE);
  CHECK_EQ(packet_io_free(io.io, twice, 1), BRICKS_EINVAL);
  struct packet own {};
  struct packet* foreign[] = {&own};
  CHECK_EQ(packet_io_free(io.io, foreign, 1), BRICKS_EINVAL);
  struct packet* made = packet_io_make(io.io, 9000);
  CHECK(made && made->length == 9000 && made->link_type == 1);
  CHECK(packet_io_make(io.io, 0) == nullptr);
  CHECK(packet_io_make(io.io, 70000) == nullptr);
  // A packet outlives its device.
  CHECK_EQ(packet_io_close(from), BRICKS_DONE);
  CHECK_EQ(packet_io_close(from), BRICKS_ESTATE);
  CHECK_EQ(packet_io_rx(from, packets, 1), BRICKS_ESTATE);
  CHECK_EQ(packets[50]->length, 60u);
  packets[50]->data[0] = 1;
  CHECK_EQ(packet_io_tx(to, packets + 2, 48), 48);
  CHECK_EQ(packet_io_tx(to, packets + 2, 1), BRICKS_EINVAL);
  CHECK_EQ(counts_of(to).sent, 48u);
  CHECK_EQ(packet_io_free(io.io, packets + 50, 50), BRICKS_DONE);
}

TEST(packet_io_destroy_is_once) {
  int error = 0;
  packet_io* io = packet_io_create("synthetic", nullptr, 0, &error);
  packet_io_device* device = nullptr;
  CHECK_EQ(packet_io_open_device(io, "60?count=5", PACKET_IO_RX, -1, &device), BRICKS_DONE);
  struct packet* packets[5];
  CHECK_EQ(packet_io_rx(device, packets, 5), 5);
  CHECK_EQ(packet_io_destroy(io), BRICKS_DONE);
  CHECK_EQ(packet_io_destroy(io), BRICKS_ESTATE);
  CHECK_EQ(packet_io_close(device), BRICKS_ESTATE);
  CHECK_EQ(packet_io_rx(device, packets, 5), BRICKS_ESTATE);
  CHECK_EQ(packet_io_tx(device, packets, 0), BRICKS_ESTATE);
  CHECK_EQ(packet_io_rx(nullptr, packets, 5), BRICKS_ESTATE);
  packet_io_device* other = nullptr;
  CHECK_EQ(packet_io_open_device(io, "60", PACKET_IO_RX, -1, &other), BRICKS_ESTATE);
}

// A pipe that nobody reads takes what fits; the rest stays with the caller.
TEST(packet_io_partial_tx) {
  captures::Folder folder;
  Io io("pipe", folder.path("").c_str());
  packet_io_device* pipe = io.open("io{0?slots=64", PACKET_IO_TX);
  struct packet* packets[100];
  for (auto& packet : packets) packet = packet_io_make(io.io, 60);
  const int accepted = packet_io_tx(pipe, packets, 100);
  CHECK(accepted > 0 && accepted < 100);
  CHECK_EQ(counts_of(pipe).waiting, static_cast<uint64_t>(accepted));
  CHECK_EQ(packet_io_tx(pipe, packets + accepted, 100 - accepted), 0);
  // Its other end gives them back, as another device or another program would read them.
  packet_io_device* end = io.open("io}0", PACKET_IO_RX);
  struct packet* read[100];
  const int got = packet_io_rx(end, read, 100);
  CHECK_EQ(got, accepted);
  const int more = packet_io_tx(pipe, packets + accepted, 100 - accepted);
  CHECK_EQ(more, 100 - accepted);
}

}  // namespace bricks
