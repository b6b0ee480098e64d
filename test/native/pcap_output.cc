// What the capture files look like that pcap: writes, and what happens when they cannot be written.
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.hh"
#include "pcap_bytes.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using namespace captures;
using conformance::Frame;
using conformance::make_frame;
using conformance::send;

namespace {

std::unique_ptr<Output> open_port(const std::string& port) {
  std::unique_ptr<Output> output;
  const Status status = open_output(port, {}, &output);
  CHECK_EQ(status.message, "");
  return output;
}

LedgerCell write_all(const std::string& port, const std::vector<Frame>& frames,
                     std::string* warning = nullptr) {
  LedgerCell cell;
  std::unique_ptr<Output> output = open_port(port);
  if (!output) return cell;
  send(*output, frames, 100, cell);
  output->close(cell);
  CHECK_EQ(cell.held, 0u);
  CHECK(conformance::balanced(cell));
  const std::string said = output->take_warning();
  if (warning)
    *warning = said;
  else
    CHECK_EQ(said, "");
  return cell;
}

std::vector<Frame> some(uint32_t count) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(make_frame(i, 60 + i % 70));
  return frames;
}

}  // namespace

TEST(pcap_output_is_the_input_byte_for_byte) {
  const Folder folder;
  for (uint32_t magic : {0xa1b2c3d4u, 0xa1b23c4du}) {
    std::vector<Frame> frames = some(500);
    frames[7].wire_length = 5000;
    if (magic == 0xa1b23c4d) frames[1].timestamp += 1;
    Bytes expected = pcap_file({.magic = magic}, frames);
    expected.replace(16, 4, number({}, 262144, 4));  // the snap length is ours
    write_all("pcap:" + folder.path("a.pcap"), frames);
    CHECK(folder.read("a.pcap") == expected);
    write_all("pcap:" + folder.path("b.pcap?ns=" + std::string(magic == 0xa1b23c4d ? "1" : "0")),
              frames);
    CHECK(folder.read("b.pcap") == expected);
  }
}

TEST(pcap_output_tells_of_digits_it_loses) {
  const Folder folder;
  std::vector<Frame> frames = some(300);
  frames[200].timestamp += 1;  // too late to choose nanoseconds
  std::string warning;
  write_all("pcap:" + folder.path("a.pcap"), frames, &warning);
  CHECK(warning.find("?ns=1") != std::string::npos);
}

TEST(pcap_output_without_packets_is_a_capture) {
  const Folder folder;
  for (const char* kind : {"a.pcap", "a.pcapng?ng=1"}) {
    write_all("pcap:" + folder.path(kind), {});
    const Reading reading = read_port("pcap:" + folder.path(std::string(kind).substr(0, 8).substr(
                                                    0, std::string(kind).find('?'))));
    CHECK_EQ(reading.status.message, "");
    CHECK_EQ(reading.frames.size(), 0u);
  }
  CHECK_EQ(folder.read("a.pcap").size(), 24u);
  CHECK_EQ(folder.read("a.pcap")[20], 1);
}

TEST(pcap_output_has_one_link_type_and_pcapng_many) {
  const Folder folder;
  std::vector<Frame> frames = some(9);
  for (uint32_t i = 3; i < 6; ++i) frames[i].link = LinkType::raw;
  std::string warning;
  LedgerCell cell = write_all("pcap:" + folder.path("a.pcap"), frames, &warning);
  CHECK_EQ(cell.delivered, 6u);
  CHECK_EQ(cell.dropped[static_cast<int>(Drop::link_type)], 3u);
  CHECK(warning.find("?ng=1") != std::string::npos);
  frames[1].timestamp += 3;
  frames[2].wire_length = 4000;
  cell = write_all("pcap:" + folder.path("a.pcapng?ng=1"), frames);
  CHECK_EQ(cell.delivered, 9u);
  const Reading reading = read_port("pcap:" + folder.path("a.pcapng"));
  CHECK(reading.frames == frames);
}

TEST(pcap_output_waits_for_its_writer_or_drops) {
  const Folder folder;
  const std::vector<Frame> big(400, make_frame(1, 65535));  // 26 MB through 1 MiB
  const LedgerCell cell = write_all("pcap:" + folder.path("a.pcap?buffer=1"), big);
  CHECK_EQ(cell.delivered, big.size());
  CHECK_EQ(cell.dropped_total(), 0u);
  CHECK_EQ(folder.read("a.pcap").size(), 24 + big.size() * (16 + 65535));

  std::unique_ptr<Output> output = open_port("pcap:" + folder.path("b.pcap?buffer=1"));
  const auto batch = std::make_unique<Batch>();
  std::vector<uint8_t> memory(65536);
  Index picks[kBatchMax];
  for (uint32_t i = 0; i < kBatchMax; ++i) {
    picks[i] = static_cast<Index>(i);
    batch->packets[i] = {memory.data(), 65535, 0, 1, kNoBuffer, 0, 0, 0};
  }
  batch->count = kBatchMax;
  LedgerCell lossy;
  lossy.packets = kBatchMax;
  output->transmit(*batch, picks, kBatchMax, false, lossy);
  CHECK(conformance::balanced(lossy));
  CHECK(lossy.dropped[static_cast<int>(Drop::writer_busy)] > 200);
  output->close(lossy);
  CHECK(conformance::balanced(lossy));
  CHECK_EQ(lossy.delivered + lossy.dropped_total(), kBatchMax);
  CHECK_EQ(read_port("pcap:" + folder.path("b.pcap")).frames.size(), lossy.delivered);
}

TEST(pcap_output_counts_what_the_disk_refuses) {
  if (access("/dev/full", W_OK) != 0) SKIP("there is no /dev/full to write to");
  std::string warning;
  const LedgerCell cell = write_all("pcap:/dev/full", some(5000), &warning);
  CHECK_EQ(cell.dropped[static_cast<int>(Drop::write_failed)], 5000u);
  CHECK(warning.find("No space left") != std::string::npos);
}

TEST(pcap_output_does_not_wait_for_a_dead_reader) {
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  const std::string path = "/dev/fd/" + std::to_string(ends[1]);
  std::unique_ptr<Output> output = open_port("pcap:" + path);
  close(ends[0]);
  close(ends[1]);
  LedgerCell cell;
  send(*output, some(5000), 100, cell);
  output->close(cell);
  CHECK(conformance::balanced(cell));
  CHECK_EQ(cell.dropped[static_cast<int>(Drop::write_failed)], 5000u);
  CHECK(output->take_warning().find("Broken pipe") != std::string::npos);
}

TEST(pcap_output_that_cannot_be_opened) {
  const Folder folder;
  std::unique_ptr<Output> output;
  const auto code = [&](const std::string& port) { return open_output(port, {}, &output).code; };
  CHECK(code("pcap:" + folder.path("no/such/folder.pcap")) == Code::no_such_file);
  CHECK(code("pcap:" + folder.path("")) == Code::failed);
  CHECK(code("pcap:" + folder.path("x?speed=1")) == Code::invalid_argument);
  CHECK(code("pcap:" + folder.path("x?buffer=0")) == Code::invalid_argument);
  CHECK_EQ(mkfifo(folder.path("fifo").c_str(), 0600), 0);
  CHECK(code("pcap:" + folder.path("fifo")) == Code::failed);
  CHECK(output == nullptr);
}

TEST(pcap_output_empties_no_capture_in_use) {
  const Folder folder;
  write_all("pcap:" + folder.path("a"), some(3));
  const Bytes before = folder.read("a");
  std::unique_ptr<Input> input;
  CHECK(open_input("pcap:" + folder.path("a"), {}, &input).ok());
  std::unique_ptr<Output> output, second;
  CHECK(open_output("pcap:" + folder.path("a"), {}, &output).code == Code::busy);
  CHECK(folder.read("a") == before);
  input.reset();
  CHECK(open_output("pcap:" + folder.path("a"), {}, &output).ok());
  CHECK(open_output("pcap:" + folder.path("a"), {}, &second).code == Code::busy);
  LedgerCell cell;
  output->close(cell);
  CHECK(open_output("pcap:" + folder.path("a"), {}, &second).ok());
  second->close(cell);
}

TEST(pcap_output_settles_while_idle) {
  const Folder folder;
  std::unique_ptr<Output> output = open_port("pcap:" + folder.path("a.pcap"));
  LedgerCell cell;
  send(*output, some(10), 10, cell);
  output->finish(cell);
  for (uint32_t waits = 0; cell.held > 0 && waits < 1'000'000; ++waits) {
    usleep(100);
    output->flush(1, cell);
  }
  CHECK_EQ(cell.delivered, 10u);
  CHECK_EQ(read_port("pcap:" + folder.path("a.pcap")).frames.size(), 10u);  // it is still open
  output->close(cell);
}
