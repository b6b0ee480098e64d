// Every variant of the capture formats, damage at every byte, and files that are no captures.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "check.hh"
#include "pcap_bytes.hh"
#include "ports/capture_parser.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using namespace captures;
using conformance::Frame;
using conformance::make_frame;

namespace {

std::vector<Frame> some(uint32_t count, LinkType link = LinkType::ethernet) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(make_frame(i, 60 + i % 7));
  for (Frame& frame : frames) frame.link = link;
  if (count > 2) frames[2].wire_length = 9000;  // cut
  return frames;
}

uint64_t micros(const Frame& frame) { return frame.timestamp / 1000; }

void check_same(const Reading& reading, const std::vector<Frame>& expected) {
  CHECK_EQ(reading.status.message, "");
  CHECK_EQ(reading.warning, "");
  CHECK_EQ(reading.frames.size(), expected.size());
  CHECK(reading.frames == expected);
}

Bytes ng_file(const Style& style, const std::vector<Frame>& frames) {
  Bytes file = section(style) + interface(style, 1, 0, {});
  for (const Frame& frame : frames) file += packet_block(style, 0, micros(frame), frame);
  return file;
}

}  // namespace

TEST(pcap_input_reads_every_classic_variant) {
  const Folder folder;
  for (bool big : {false, true}) {
    for (uint32_t magic : {0xa1b2c3d4u, 0xa1b23c4du, 0xa1b2cd34u}) {
      for (uint16_t minor : {uint16_t{4}, uint16_t{2}}) {
        const Style style{big, magic, minor};
        std::vector<Frame> frames = some(20);
        if (magic == 0xa1b23c4d) frames[3].timestamp += 7;
        folder.write("a.pcap", pcap_file(style, frames));
        check_same(read_port("pcap:" + folder.path("a.pcap")), frames);
        check_same(read_port("pcap:" + folder.path("a.pcap"), 3), frames);
      }
    }
  }
}

TEST(pcap_input_carries_any_link_type) {
  const Folder folder;
  for (int link : {0, 1, 12, 101, 113, 228, 276, 147, 65535}) {
    const std::vector<Frame> frames = some(3, static_cast<LinkType>(link));
    folder.write("a.pcap", pcap_file({}, frames));
    check_same(read_port("pcap:" + folder.path("a.pcap")), frames);
  }
}

TEST(pcap_input_reads_every_block_of_pcapng) {
  const Folder folder;
  for (bool big : {false, true}) {
    const Style style{.big_endian = big}, other{.big_endian = !big};
    std::vector<Frame> frames = some(9);
    frames[3].link = LinkType::raw;
    frames[5].timestamp = 0;
    frames[6].timestamp = 0;
    frames[6].wire_length = 9000;
    frames[6].bytes.resize(32);
    const Bytes comment = option(style, 1, "hello") + number(style, 0, 4);
    Bytes file = section(style) + interface(style, 1, 0, {}) + block(style, 0x80000001, "unknown") +
                 interface(style, 101, 0, {}) +
                 packet_block(style, 0, micros(frames[0]), frames[0]) +
                 packet_block(style, 0, micros(frames[1]), frames[1], comment) +
                 packet_block(style, 0, micros(frames[2]), frames[2]) +
                 packet_block(style, 1, micros(frames[3]), frames[3]) +
                 old_packet_block(style, 0, micros(frames[4]), frames[4]) +
                 simple_block(style, frames[5]) + block(style, 5, Bytes(600'000, 'x')) +
                 section(other) + interface(other, 1, 32, {}) + simple_block(other, frames[6]) +
                 section(style) + interface(style, 1, 0, option(style, 9, "\x09")) +
                 packet_block(style, 0, frames[7].timestamp, frames[7]) + block(style, 4, {}) +
                 packet_block(style, 0, frames[8].timestamp, frames[8]);
    folder.write("a.pcapng", file);
    check_same(read_port("pcap:" + folder.path("a.pcapng")), frames);
    check_same(read_port("pcap:" + folder.path("a.pcapng"), 1), frames);
  }
}

TEST(pcap_input_knows_resolutions_and_offsets) {
  const Folder folder;
  const Style style{.big_endian = true};
  struct Case {
    uint8_t resolution;
    int64_t offset;
    uint64_t ticks, nanos;
  };
  for (const Case& c : std::initializer_list<Case>{
           {6, 0, 1'700'000'000'123'456, 1'700'000'000'123'456'000},
           {9, 0, 1'700'000'000'123'456'789, 1'700'000'000'123'456'789},
           {3, 0, 1'700'000'000'123, 1'700'000'000'123'000'000},
           {0, 0, 1'700'000'000, 1'700'000'000'000'000'000},
           {12, 0, 1'700'000'000'123'456, 1'700'000'000'123},
           {0x80 | 20, 0, uint64_t{1'700'000'000} << 20 | 1 << 19, 1'700'000'000'500'000'000},
           {0x80 | 32, 0, 1ull << 31, 500'000'000},
           {0xff, 0, 12345, 0},
           {0x7f, 0, 12345, 0},
           {6, 1'700'000'000, 5, 1'700'000'000'000'005'000},
           {6, -10, 1'700'000'010'000'000, 1'700'000'000'000'000'000}}) {
    Frame frame = make_frame(1, 60);
    Bytes options =
        option(style, 2, "eth0") + option(style, 9, Bytes(1, static_cast<char>(c.resolution)));
    if (c.offset) options += option(style, 14, number(style, static_cast<uint64_t>(c.offset), 8));
    folder.write("a.pcapng", section(style) + interface(style, 1, 0, options) +
                                 packet_block(style, 0, c.ticks, frame));
    frame.timestamp = c.nanos;
    check_same(read_port("pcap:" + folder.path("a.pcapng")), {frame});
  }
}

TEST(pcap_input_counts_what_cannot_be_a_packet) {
  const Folder folder;
  const Frame good = make_frame(1, 60), big = make_frame(2, 70'000);
  folder.write("a.pcap", pcap_file({}, {good, big, good}));
  Reading reading = read_port("pcap:" + folder.path("a.pcap"));
  CHECK_EQ(reading.frames.size(), 2u);
  CHECK_EQ(reading.cell.dropped[static_cast<int>(Drop::oversize)], 1u);
  CHECK_EQ(reading.warning, "");

  Frame absurd = good;
  Bytes file = pcap_file({}, {good, good});
  file.replace(24 + 76 + 8, 4, number({}, 0x7fffffff, 4));
  folder.write("b.pcap", file);
  reading = read_port("pcap:" + folder.path("b.pcap"));
  CHECK_EQ(reading.frames.size(), 1u);
  CHECK_EQ(reading.cell.dropped[static_cast<int>(Drop::malformed)], 1u);
  CHECK(reading.warning.find("is damaged at byte 100") != std::string::npos);

  const Style style;
  Bytes lying = packet_block(style, 0, 0, good);
  lying.replace(20, 4, number(style, 61 + 4, 4));  // more than the block holds
  folder.write("c.pcapng", section(style) + interface(style, 1, 0, {}) +
                               packet_block(style, 7, 0, good) + lying +
                               packet_block(style, 0, 0, big) +
                               packet_block(style, 0, 0, make_frame(3, 600'000)) +
                               packet_block(style, 0, micros(good), good));
  reading = read_port("pcap:" + folder.path("c.pcapng"));
  CHECK(reading.frames == std::vector<Frame>{good});
  CHECK_EQ(reading.cell.dropped[static_cast<int>(Drop::malformed)], 2u);
  CHECK_EQ(reading.cell.dropped[static_cast<int>(Drop::oversize)], 2u);
  CHECK_EQ(reading.warning, "");
}

TEST(pcap_input_delivers_what_is_whole) {
  const Folder folder;
  const std::vector<Frame> frames = some(4);
  for (const bool ng : {false, true}) {
    const Bytes file = ng ? ng_file({}, frames) : pcap_file({}, frames);
    for (size_t size = 0; size < file.size(); ++size) {
      folder.write("cut", file.substr(0, size));
      const Reading reading = read_port("pcap:" + folder.path("cut"));
      if (size < (ng ? 28u : 24u)) {
        CHECK(reading.status.code == Code::not_a_capture);
        continue;
      }
      size_t whole = 0;
      const std::vector<Frame>& got = reading.frames;
      for (; whole < got.size(); ++whole) CHECK(got[whole] == frames[whole]);
      // Whole is what a file cut right behind it would give, too.
      size_t at = ng ? 28 + 20 : 24, expected = 0;
      bool between = size == at || (ng && size == 28);
      for (const Frame& frame : frames) {
        at += ng ? packet_block({}, 0, 0, frame).size() : 16 + frame.bytes.size();
        if (at > size) break;
        ++expected;
        between = at == size;
      }
      CHECK_EQ(whole, expected);
      CHECK_EQ(reading.warning.empty(), between);
      if (!between) CHECK(reading.warning.find("is truncated") != std::string::npos);
    }
  }
}

TEST(pcap_input_survives_garbage) {
  const Folder folder;
  for (uint32_t seed = 1; seed <= 400; ++seed) {
    std::mt19937 random(seed);
    std::vector<Frame> frames = some(30);
    const Style style{.big_endian = seed % 2 == 0};
    Bytes file = seed % 4 < 2 ? pcap_file(style, frames) : ng_file(style, frames);
    const auto hits = static_cast<uint32_t>(1 + random() % 40);
    for (uint32_t i = 0; i < hits; ++i)
      file[8 + random() % (file.size() - 8)] = static_cast<char>(random());
    folder.write("garbage", file);
    const int before = check::failures;
    const Reading reading = read_port("pcap:" + folder.path("garbage"), 1 + seed % 100);
    for (const Frame& frame : reading.frames) CHECK(frame.bytes.size() <= kFrameMax);
    if (check::failures != before) std::printf("  (seed %u)\n", seed);
  }
}

TEST(pcap_input_says_what_is_no_capture) {
  const Folder folder;
  folder.write("empty", "");
  folder.write("text", "this is not a capture at all, it is text");
  folder.write("gz", "\x1f\x8b\x08 and so on and on and on and on");
  folder.write("old", pcap_header({}, 1).replace(4, 2, number({}, 1, 2)));
  folder.write("link", pcap_header({}, 0x01ff0001));
  const auto code = [&](const std::string& name) {
    return read_port("pcap:" + folder.path(name)).status.code;
  };
  CHECK(code("empty") == Code::not_a_capture);
  CHECK(code("text") == Code::not_a_capture);
  CHECK(code("gz") == Code::not_a_capture);
  CHECK(code("old") == Code::not_a_capture);
  CHECK(code("link") == Code::not_a_capture);
  CHECK(read_port("pcap:" + folder.path("gz")).status.message.find("gunzip") != std::string::npos);
  CHECK(code("missing") == Code::no_such_file);
  folder.write("good", pcap_file({}, some(2)));
  CHECK(code("good," + folder.path("missing")) == Code::no_such_file);
  CHECK(code("good," + folder.path("text")) == Code::not_a_capture);
  CHECK(code("good,") == Code::no_such_file);
  CHECK(code("*.none") == Code::no_such_file);
  CHECK(code("good?speed=0") == Code::invalid_argument);
  CHECK(code("good?speed=fast") == Code::invalid_argument);
  CHECK(code("good?loop=-1") == Code::invalid_argument);
  CHECK(code("good?ng=1") == Code::invalid_argument);
}

TEST(pcap_input_needs_permission) {
  const Folder folder;
  folder.write("secret", pcap_file({}, some(1)));
  chmod(folder.path("secret").c_str(), 0);
  if (geteuid() == 0) {
    // root reads anything; nobody does not, but must be able to reach the file.
    chmod(folder.path(".").c_str(), 0755);
    CHECK_EQ(seteuid(65534), 0);
    const Reading reading = read_port("pcap:" + folder.path("secret"));
    CHECK_EQ(seteuid(0), 0);
    CHECK(reading.status.code == Code::permission_denied);
  } else {
    CHECK(read_port("pcap:" + folder.path("secret")).status.code == Code::permission_denied);
  }
}

TEST(pcap_input_reads_lists_folders_and_patterns) {
  const Folder folder;
  std::vector<Frame> all;
  for (uint32_t i = 0; i < 3; ++i) {
    const std::vector<Frame> one = {make_frame(i * 10, 60), make_frame(i * 10 + 1, 61)};
    all.insert(all.end(), one.begin(), one.end());
    const std::string name = std::to_string(i) + (i == 1 ? ".pcapng" : ".pcap");
    folder.write(name, i == 1 ? ng_file({}, one) : pcap_file({}, one));
  }
  folder.write("notes.txt", "no capture");
  check_same(read_port("pcap:" + folder.path("")), all);
  check_same(read_port("pcap:" + folder.path("*.pcap*")), all);
  check_same(read_port("pcap:" + folder.path("0.pcap") + "," + folder.path("1.pcapng") + "," +
                       folder.path("2.pcap")),
             all);
  folder.write("a,b.pcap", pcap_file({}, {all[0]}));
  check_same(read_port("pcap:" + folder.path("a,b.pcap")), {all[0]});
  std::vector<Frame> twice = {all[0], all[0]};
  check_same(read_port("pcap:" + folder.path("a,b.pcap?loop=2")), twice);
}

TEST(pcap_input_ends_though_it_loops_over_nothing) {
  const Folder folder;
  folder.write("none.pcap", pcap_file({}, {}));
  check_same(read_port("pcap:" + folder.path("none.pcap?loop=0")), {});
}

TEST(pcap_input_names_every_file_that_is_cut) {
  const Folder folder;
  const Bytes file = pcap_file({}, some(2));
  for (uint32_t i = 0; i < 25; ++i) {
    folder.write(std::to_string(100 + i) + ".pcap", file.substr(0, file.size() - 1));
  }
  const Reading reading = read_port("pcap:" + folder.path("?loop=2"));
  CHECK_EQ(reading.frames.size(), 50u);
  CHECK(reading.warning.find("100.pcap is truncated: the record at byte 100 needs 77 bytes, the "
                             "file has 76 more") != std::string::npos);
  CHECK(reading.warning.find("and 5 files more") != std::string::npos);
}

TEST(pcap_input_goes_on_over_the_windows_edge) {
  const Folder folder;
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < 200; ++i) frames.push_back(make_frame(i, 65535 - i * 13 % 3000));
  for (uint32_t i = 0; i < 40'000; ++i) frames.push_back(make_frame(i, 40 + i % 90));
  folder.write("a", pcap_file({}, frames));
  check_same(read_port("pcap:" + folder.path("a"), 128), frames);
  folder.write("b", ng_file({}, frames));
  check_same(read_port("pcap:" + folder.path("b"), 128), frames);
}

TEST(pcap_input_keeps_the_captures_pace) {
  const Folder folder;
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < 4; ++i) frames.push_back(make_frame(0, 60 + i));
  frames[1].timestamp += 1'000'000;
  frames[2].timestamp += 3'000'000;
  frames[3].timestamp -= 5'000'000;  // out of order: at once
  folder.write("a", pcap_file({}, frames));
  std::unique_ptr<Input> input;
  CHECK(open_input("pcap:" + folder.path("a?speed=0.5&loop=2"), {}, &input).ok());
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  Nanos now = 50'000'000;
  for (int loop = 0; loop < 2; ++loop) {
    CHECK_EQ(input->receive(*batch, 256, now, cell), 1u);
    CHECK_EQ(input->receive(*batch, 256, now, cell), 0u);
    CHECK_EQ(input->wake_at(), now + 2'000'000);
    CHECK_EQ(input->receive(*batch, 256, now + 1'999'999, cell), 0u);
    CHECK_EQ(input->receive(*batch, 256, now + 2'000'000, cell), 1u);
    CHECK_EQ(batch->packets[0].length, 61u);
    CHECK_EQ(input->receive(*batch, 256, now + 6'000'000, cell), 2u);
    CHECK_EQ(batch->packets[1].length, 63u);
    now += 7'000'000;
  }
  CHECK_EQ(cell.packets, 8u);
  CHECK_EQ(input->receive(*batch, 256, now, cell), 0u);
  CHECK(input->finished());
}

TEST(pcap_input_reads_standard_input) {
  const std::vector<Frame> frames = some(3);
  const Bytes file = pcap_file({}, frames);
  int ends[2];
  CHECK_EQ(pipe(ends), 0);
  CHECK_EQ(write(ends[1], file.data(), file.size()), static_cast<ssize_t>(file.size()));
  close(ends[1]);
  const int before = dup(STDIN_FILENO);
  dup2(ends[0], STDIN_FILENO);
  check_same(read_port("pcap:-"), frames);
  if (before >= 0) dup2(before, STDIN_FILENO), close(before);
  close(ends[0]);
}

TEST(pcap_input_reads_a_fifo_as_it_fills) {
  const Folder folder;
  const std::string path = folder.path("fifo");
  CHECK_EQ(mkfifo(path.c_str(), 0600), 0);
  CHECK(read_port("pcap:" + path + "?loop=2").status.code == Code::invalid_argument);
  std::unique_ptr<Input> input;
  CHECK(open_input("pcap:" + path, {}, &input).ok());
  const auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  CHECK_EQ(input->receive(*batch, 256, 1, cell), 0u);
  CHECK(input->wait_fd() >= 0 && !input->finished());
  const std::vector<Frame> frames = some(2);
  const Bytes file = pcap_file({}, frames);
  const int writer = open(path.c_str(), O_WRONLY);
  uint32_t got = 0;
  for (char byte : file) {
    CHECK_EQ(write(writer, &byte, 1), 1);
    got += input->receive(*batch, 256, 1, cell);
  }
  CHECK_EQ(got, 2u);
  CHECK(!input->finished());
  close(writer);
  CHECK_EQ(input->receive(*batch, 256, 1, cell), 0u);
  CHECK(input->finished());
  CHECK_EQ(input->take_warning(), "");
}
