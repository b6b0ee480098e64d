#include "pcap_bytes.hh"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "check.hh"
#include "ports/port_registry.hh"

namespace captures {

using conformance::Frame;

Bytes number(const Style& style, uint64_t value, uint32_t bytes) {
  Bytes text;
  for (uint32_t i = 0; i < bytes; ++i) {
    const uint32_t shift = (style.big_endian ? bytes - 1 - i : i) * 8;
    text += static_cast<char>(value >> shift);
  }
  return text;
}

static Bytes body_of(const Frame& frame) { return {frame.bytes.begin(), frame.bytes.end()}; }

static Bytes padded(Bytes text) {
  text.resize((text.size() + 3) / 4 * 4);
  return text;
}

Bytes pcap_header(const Style& style, uint32_t link) {
  return number(style, style.magic, 4) + number(style, 2, 2) + number(style, style.minor, 2) +
         number(style, 0, 8) + number(style, 65535, 4) + number(style, link, 4);
}

Bytes pcap_record(const Style& style, const Frame& frame) {
  const uint64_t fraction = frame.timestamp % 1'000'000'000;
  uint64_t first = frame.bytes.size(), second = frame.wire_length;
  if (style.minor < 3) std::swap(first, second);
  Bytes text = number(style, frame.timestamp / 1'000'000'000, 4) +
               number(style, style.magic == 0xa1b23c4d ? fraction : fraction / 1000, 4) +
               number(style, first, 4) + number(style, second, 4);
  if (style.magic == 0xa1b2cd34) text += number(style, 0x1122334455667788, 8);
  return text + body_of(frame);
}

Bytes pcap_file(const Style& style, const std::vector<Frame>& frames) {
  const uint32_t link = frames.empty() ? 1 : static_cast<uint32_t>(frames[0].link);
  Bytes text = pcap_header(style, link);
  for (const Frame& frame : frames) text += pcap_record(style, frame);
  return text;
}

Bytes block(const Style& style, uint32_t type, const Bytes& body) {
  const Bytes inside = padded(body);
  const Bytes length = number(style, inside.size() + 12, 4);
  return number(style, type, 4) + length + inside + length;
}

Bytes section(const Style& style) {
  return block(style, 0x0a0d0d0a,
               number(style, 0x1a2b3c4d, 4) + number(style, 1, 2) + number(style, 0, 2) +
                   number(style, UINT64_MAX, 8));
}

Bytes option(const Style& style, uint16_t code, const Bytes& value) {
  return number(style, code, 2) + number(style, value.size(), 2) + padded(value);
}

Bytes interface(const Style& style, uint16_t link, uint32_t snap_length, const Bytes& options) {
  return block(style, 1,
               number(style, link, 2) + number(style, 0, 2) + number(style, snap_length, 4) +
                   options + (options.empty() ? Bytes() : number(style, 0, 4)));
}

Bytes packet_block(const Style& style, uint32_t interface, uint64_t ticks, const Frame& frame,
                   const Bytes& options) {
  return block(style, 6,
               number(style, interface, 4) + number(style, ticks >> 32, 4) +
                   number(style, ticks & 0xffffffff, 4) + number(style, frame.bytes.size(), 4) +
                   number(style, frame.wire_length, 4) + padded(body_of(frame)) + options);
}

Bytes old_packet_block(const Style& style, uint16_t interface, uint64_t ticks, const Frame& frame) {
  return block(style, 2,
               number(style, interface, 2) + number(style, 7, 2) + number(style, ticks >> 32, 4) +
                   number(style, ticks & 0xffffffff, 4) + number(style, frame.bytes.size(), 4) +
                   number(style, frame.wire_length, 4) + body_of(frame));
}

Bytes simple_block(const Style& style, const Frame& frame) {
  return block(style, 3, number(style, frame.wire_length, 4) + body_of(frame));
}

Folder::Folder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "bricks-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) std::perror("mkdtemp"), std::abort();
  path_ = pattern;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Folder::write(const std::string& name, const Bytes& bytes) const {
  std::filesystem::remove(path(name));  // a file cut and written anew is flushed to disk: slow
  std::ofstream(path(name), std::ios::binary) << bytes;
  return path(name);
}

Bytes Folder::read(const std::string& name) const {
  std::ifstream file(path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Reading read_port(const std::string& port, uint32_t batch) {
  Reading reading;
  std::unique_ptr<bricks::Input> input;
  reading.status = bricks::open_input(port, {}, &input);
  CHECK(reading.status.ok() == (input != nullptr));
  if (!input) return reading;
  reading.frames = conformance::take(*input, batch, reading.cell);
  CHECK(input->finished());
  CHECK_EQ(reading.cell.packets, reading.frames.size() + reading.cell.dropped_total());
  reading.warning = input->take_warning();
  CHECK(input->take_warning().empty());
  return reading;
}

}  // namespace captures
