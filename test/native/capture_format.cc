// pcapng for those who can read it: interface names, descriptions, drop counts.
#include "ports/capture_format.hh"

#include "check.hh"
#include "pcap_bytes.hh"
#include "ports/port_registry.hh"

using namespace bricks;

TEST(capture_format_names_and_counts) {
  const captures::Folder folder;
  PortContext context;
  context.owner = "engine-7";
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output("pcap:" + folder.path("a") + "?ng=1", context, &output).message, "");
  LedgerCell cell;
  std::vector<conformance::Frame> frames;
  for (uint32_t i = 0; i < 300; ++i) frames.push_back(conformance::make_frame(i, 60 + i));
  conformance::send(*output, frames, 100, cell);
  cell.packets += 5;  // as if these had found the writer busy
  cell.drop(Drop::writer_busy, 5);
  output->close(cell);
  CHECK(captures::read_port("pcap:" + folder.path("a")).frames == frames);
  const captures::Bytes bytes = folder.read("a");
  CHECK(bytes.find("engine-7") != std::string::npos);
  // The last block: interface statistics, with isb_ifrecv (4) and isb_ifdrop (5).
  const captures::Bytes end = bytes.substr(bytes.rfind("counted by bricks"));
  const auto count = [&](uint16_t option, uint64_t value) {
    return captures::number({}, option, 2) + captures::number({}, 8, 2) +
           captures::number({}, value, 8);
  };
  CHECK(end.find(count(4, 305) + count(5, 5)) != std::string::npos);
}

TEST(capture_format_refuses_a_65th_link_type) {
  CaptureEncoder encoder({.ng = true, .name = std::string(1000, 'n'), .description = {}});
  uint8_t block[kCaptureHeadMax];
  CHECK(encoder.begin(block, LinkType::ethernet) % 4 == 0);
  for (uint32_t i = 0; i < kCaptureLinksMax; ++i) {
    CHECK(encoder.holds(static_cast<LinkType>(i)));
    const uint32_t bytes = encoder.describe(block, static_cast<LinkType>(i));
    CHECK(bytes > kNameMax && bytes % 4 == 0 && bytes < kCaptureHeadMax);
    CHECK_EQ(encoder.describe(block, static_cast<LinkType>(i)), 0u);
  }
  CHECK(!encoder.holds(static_cast<LinkType>(kCaptureLinksMax)));
  CHECK_EQ(encoder.describe(block, static_cast<LinkType>(kCaptureLinksMax)), 0u);
  // A frame without a byte is still a whole block.
  const FrameRecord record{1, 0, 60, 0, 0};
  CHECK_EQ(encoder.record(block, record), 32u);
  CHECK_EQ(captures::Bytes(reinterpret_cast<char*>(block) + 24, 4), captures::number({}, 60, 4));
}
