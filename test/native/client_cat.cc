// bricks-cat as its users see it: what it writes, and how it ends. The program stands beside this
// one.
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "check.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

std::string cat_path() {
  char self[4096];
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  const std::string path(self, n > 0 ? static_cast<size_t>(n) : 0);
  return path.substr(0, path.rfind('/') + 1) + "bricks-cat";
}

bool cat_is_there() { return access(cat_path().c_str(), X_OK) == 0; }
constexpr const char* kNoCat = "bricks-cat is not built beside this program (make core_test)";

std::string read_to_end(int fd) {
  std::string text;
  char part[4096];
  ssize_t n;
  while ((n = read(fd, part, sizeof part)) > 0) text.append(part, static_cast<size_t>(n));
  return text;
}

// A running bricks-cat; stdout and stderr are pipes to us.
struct Cat {
  int out = -1, err = -1;
  std::unique_ptr<Child> child;
  Cat(const PipeHouse& house, const std::vector<std::string>& words) {
    int outs[2], errs[2];
    if (pipe2(outs, O_CLOEXEC) || pipe2(errs, O_CLOEXEC)) std::abort();
    child = std::make_unique<Child>([&] {
      dup2(outs[1], 1);
      dup2(errs[1], 2);
      return exec(house, words);
    });
    close(outs[1]);
    close(errs[1]);
    out = outs[0];
    err = errs[0];
  }
  ~Cat() {
    close(out);
    close(err);
  }
  static int exec(const PipeHouse& house, const std::vector<std::string>& words) {
    setenv("BRICKS_RUN_DIR", house.folder.path().c_str(), 1);
    setenv("TZ", "UTC", 1);
    const std::string path = cat_path();
    std::vector<char*> arguments{const_cast<char*>("bricks-cat")};
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    execv(path.c_str(), arguments.data());
    return 99;
  }
};

struct Outcome {
  int code;
  std::string out, err;
};

Outcome finish(Cat& cat) {
  Outcome outcome{0, read_to_end(cat.out), read_to_end(cat.err)};
  outcome.code = cat.child->wait();
  return outcome;
}

Outcome run(const PipeHouse& house, const std::vector<std::string>& words) {
  Cat cat(house, words);
  return finish(cat);
}

void word(std::string* file, uint32_t value) {
  file->append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string pcap_header(bool nanoseconds, uint32_t link) {
  std::string file;
  for (uint32_t value :
       {nanoseconds ? 0xa1b23c4du : 0xa1b2c3d4u, 0x00040002u, 0u, 0u, 262144u, link}) {
    word(&file, value);
  }
  return file;
}

std::string pcap_record(const Bytes& frame, uint32_t seconds, uint32_t fraction,
                        uint32_t wire = 0) {
  std::string record;
  const auto length = static_cast<uint32_t>(frame.size());
  for (uint32_t value : {seconds, fraction, length, wire ? wire : length}) word(&record, value);
  return record.append(frame.begin(), frame.end());
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

constexpr uint64_t kSecond = 1000000000;

}  // namespace

TEST(cat_writes_classic_pcap_byte_for_byte) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 1024).ok());
  std::string expected = pcap_header(false, 1);
  for (uint32_t n = 0; n < 100; ++n) {
    const Bytes frame = make_frame(n, 14 + n * 100);
    house.send(frame, n * kSecond + n * 1000, n % 3 ? 0 : 20000);
    expected += pcap_record(frame, n, n, n % 3 ? 0 : 20000);
  }
  house.output->finish(house.cell);
  const Outcome outcome = run(house, {"netmap:x}0"});
  CHECK_EQ(outcome.code, 0);
  CHECK(outcome.out == expected);
  CHECK(outcome.err.find("100 packets, ") == 0);
}

TEST(cat_writes_nanoseconds_when_the_packets_have_them) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  house.send(make_frame(1, 60), 5 * kSecond + 1000, 0, LinkType::raw);
  house.send(make_frame(2, 60), 5 * kSecond + 1001, 0, LinkType::raw);
  house.output->finish(house.cell);
  const Outcome outcome = run(house, {"x}0", "-q", "-w", "-"});
  CHECK_EQ(outcome.code, 0);
  CHECK(outcome.out == pcap_header(true, 101) + pcap_record(make_frame(1, 60), 5, 1000) +
                           pcap_record(make_frame(2, 60), 5, 1001));
  CHECK(outcome.err.empty());
}

TEST(cat_writes_a_valid_capture_without_packets) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  Outcome outcome = run(house, {"x}0", "--timeout", "0.05"});  // no daemon
  CHECK_EQ(outcome.code, 124);
  CHECK(outcome.out == pcap_header(false, 1));
  CHECK(house.serve().ok());
  outcome = run(house, {"x}0", "--timeout", "0.05"});  // no pipe
  CHECK_EQ(outcome.code, 124);
  CHECK(outcome.err.find("no pipe") != std::string::npos);
  CHECK(house.open("x{0", 64).ok());
  outcome = run(house, {"x}0", "--timeout", "0.05"});  // nobody feeds it
  CHECK_EQ(outcome.code, 124);
  CHECK(outcome.out == pcap_header(false, 1));
  house.output->finish(house.cell);
  outcome = run(house, {"x}0"});
  CHECK_EQ(outcome.code, 0);
  CHECK(outcome.out == pcap_header(false, 1));
}

TEST(cat_holds_one_link_type_in_pcap_and_several_in_pcapng) {
  if (!cat_is_there()) SKIP(kNoCat);
  for (const bool ng : {false, true}) {
    PipeHouse house;
    CHECK(house.serve().ok());
    CHECK(house.open("x{0", 64).ok());
    house.send(make_frame(1, 61), 1000);
    house.send(make_frame(2, 62), 2001, 0, LinkType::raw);
    house.send(make_frame(3, 63), 3000);
    house.output->finish(house.cell);
    const Outcome outcome = ng ? run(house, {"x}0", "--ng"}) : run(house, {"x}0"});
    if (ng) {
      CHECK_EQ(outcome.code, 0);
      std::vector<uint32_t> types, links;
      size_t at = 0;
      while (at + 12 <= outcome.out.size()) {
        uint32_t block[3];
        std::memcpy(block, outcome.out.data() + at, sizeof block);
        types.push_back(block[0]);
        if (block[0] == 1) links.push_back(block[2]);
        uint32_t last;
        std::memcpy(&last, outcome.out.data() + at + block[1] - 4, sizeof last);
        CHECK_EQ(last, block[1]);
        at += block[1];
      }
      CHECK_EQ(at, outcome.out.size());
      // Two interfaces, three packets, and at the end how many were received and lost.
      CHECK((types == std::vector<uint32_t>{0x0a0d0d0a, 1, 6, 1, 6, 6, 5}));
      CHECK(outcome.out.find("x}0") != std::string::npos);
      CHECK((links == std::vector<uint32_t>{1, 101}));
    } else {
      CHECK_EQ(outcome.code, 1);
      CHECK(outcome.err.find("--ng") != std::string::npos);
      // what was whole is there, in nanoseconds: the first batch had them
      CHECK(outcome.out == pcap_header(true, 1) + pcap_record(make_frame(1, 61), 0, 1000));
    }
  }
}

TEST(cat_stops_after_count_and_leaves_the_rest) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  for (uint32_t n = 0; n < 10; ++n) house.send(make_frame(n, 60), n * 1000);
  Outcome outcome = run(house, {"x}0", "-c", "3"});
  CHECK_EQ(outcome.code, 0);
  CHECK_EQ(outcome.out.size(), size_t{24 + 3 * 76});
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() == 0; }));
  house.output->finish(house.cell);
  outcome = run(house, {"x}0"});
  CHECK_EQ(outcome.out.size(), size_t{24 + 7 * 76});
  house.output->flush(0, house.cell);
  CHECK_EQ(house.cell.delivered, uint64_t{10});
}

TEST(cat_interrupted_completes_its_file) {
  if (!cat_is_there()) SKIP(kNoCat);
  for (const int number : {SIGINT, SIGTERM}) {
    PipeHouse house;
    CHECK(house.serve().ok());
    CHECK(house.open("x{0", 64).ok());
    Cat cat(house, {"x}0"});
    house.send(make_frame(1, 60), 1000);
    char record[24 + 76];
    size_t got = 0;  // packets are written without waiting for more
    while (got < sizeof record) {
      const ssize_t n = read(cat.out, record + got, sizeof record - got);
      if (n <= 0) break;
      got += static_cast<size_t>(n);
    }
    CHECK_EQ(got, sizeof record);
    kill(cat.child->pid(), number);
    const Outcome outcome = finish(cat);
    CHECK_EQ(outcome.code, 128 + number);
    CHECK(outcome.out.empty());
  }
}

TEST(cat_ends_quietly_when_its_reader_leaves) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  Cat cat(house, {"x}0", "-q"});
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() != 0; }));
  close(cat.out);
  cat.out = open("/dev/null", O_RDONLY | O_CLOEXEC);
  house.send(make_frame(1, 60), 1000);
  const Outcome outcome = finish(cat);
  CHECK_EQ(outcome.code, 0);
  CHECK(outcome.err.empty());
}

TEST(cat_refuses_what_makes_no_sense) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{}, Words{"x{"}, Words{"x}0", "y}0"}, Words{"x}0", "-c", "0"},
                             Words{"x}0", "-c", "1x"}, Words{"x}0", "-c", "99999999999999999999"},
                             Words{"x}0", "--timeout", "-1"}, Words{"x}0", "--timeout", "1e3"},
                             Words{"x}0", "--timeout", ""}, Words{"x}0", "-w"},
                             Words{"x}0", "-w", ""}, Words{"x}0", "--nonsense"}}) {
    const Outcome outcome = run(house, words);
    CHECK_EQ(outcome.code, 2);
    CHECK(outcome.out.empty() && !outcome.err.empty());
  }
  const Outcome help = run(house, {"-h"});
  CHECK_EQ(help.code, 0);
  CHECK(help.out.find("usage: bricks cat") == 0 && help.err.empty());
  CHECK_EQ(run(house, {"x}0", "-w", house.folder.path() + "/no/such"}).code, 6);
}

TEST(cat_that_finds_the_pipe_busy_leaves_the_file_alone) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "x}0"), BRICKS_OK);
  const std::string there = house.folder.path() + "/there", fresh = house.folder.path() + "/fresh";
  std::ofstream(there) << "precious";
  CHECK_EQ(run(house, {"x}0", "-w", there}).code, 7);
  CHECK_EQ(contents(there), std::string("precious"));
  CHECK_EQ(run(house, {"x}0", "-w", fresh}).code, 7);
  CHECK_EQ(access(fresh.c_str(), F_OK), -1);
  bricks_detach(consumer);
  house.output->finish(house.cell);
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() == 0; }));
  CHECK_EQ(run(house, {"x}0", "-w", there}).code, 0);
  CHECK(contents(there) == pcap_header(false, 1));
  unlink(there.c_str());
}

TEST(cat_tells_a_daemon_that_vanished_and_follows_a_new_one) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  {
    Cat cat(house, {"x}0"});
    CHECK(eventually([&] { return house.output->share()->consumer_pid.load() != 0; }));
    house.server.reset();
    const Outcome outcome = finish(cat);
    CHECK_EQ(outcome.code, 4);
    CHECK(outcome.out == pcap_header(false, 1));
  }
  CHECK(house.serve().ok());
  Cat cat(house, {"x}0", "--follow", "-c", "2", "-q"});
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() != 0; }));
  house.send(make_frame(1, 60), 1000);
  CHECK(eventually([&] {
    house.output->flush(0, house.cell);
    return house.cell.delivered == 1;
  }));
  house.output->close(house.cell);
  house.output.reset();
  house.server.reset();
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  house.send(make_frame(2, 60), 2000);
  const Outcome outcome = finish(cat);
  CHECK_EQ(outcome.code, 0);
  CHECK(outcome.out == pcap_header(false, 1) + pcap_record(make_frame(1, 60), 0, 1) +
                           pcap_record(make_frame(2, 60), 0, 2));
}

TEST(cat_shows_a_line_per_packet_on_a_terminal) {
  if (!cat_is_there()) SKIP(kNoCat);
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  Bytes tcp(60, 0);
  const uint8_t header[] = {2,    0, 0,   0,  0, 1,   2, 0, 0,  0, 0, 2, 0x81, 0, 0,    7,    8, 0,
                            0x45, 0, 0,   42, 0, 0,   0, 0, 64, 6, 0, 0, 10,   0, 0,    1,    1, 2,
                            3,    4, 156, 64, 1, 187, 0, 0, 0,  9, 0, 0, 0,    7, 0x50, 0x12, 1, 0};
  std::memcpy(tcp.data(), header, sizeof header);
  house.send(tcp, 3661 * kSecond + 25000);
  for (size_t length = 1; length < 60; ++length) {  // cut anywhere: still a line each
    house.send(Bytes(tcp.begin(), tcp.begin() + static_cast<ptrdiff_t>(length)), 0, 60);
    house.output->flush(0, house.cell);
  }
  house.output->finish(house.cell);
  int terminal = -1;
  std::fflush(nullptr);
  const pid_t pid = forkpty(&terminal, nullptr, nullptr, nullptr);
  if (pid == 0) _exit(Cat::exec(house, {"x}0", "-q"}));
  const std::string text = read_to_end(terminal);
  int status = 0;
  waitpid(pid, &status, 0);
  close(terminal);
  CHECK_EQ(status, 0);
  CHECK(text.find("01:01:01.000025 vlan 7, IP 10.0.0.1.40000 > 1.2.3.4.443: Flags [S.], seq 9, "
                  "ack 7, win 256, length 2\r\n") == 0);
  CHECK_EQ(std::count(text.begin(), text.end(), '\n'), ptrdiff_t{60});
}
