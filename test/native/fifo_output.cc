// fifo: readers that come, go, are slow and lie; every byte they see, and where every packet ended.
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "check.hh"
#include "engine/engine.hh"
#include "eventually.hh"
#include "pcap_bytes.hh"
#include "ports/pipe_directory.hh"
#include "ports/port_registry.hh"

using namespace bricks;
using captures::Bytes;
using conformance::Frame;
using conformance::PortPair;

namespace {

std::unique_ptr<Output> open_port(const std::string& port) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output(port, {}, &output).message, "");
  return output;
}

uint64_t dropped(const LedgerCell& cell, Drop reason) {
  return cell.dropped[static_cast<uint32_t>(reason)];
}

// A program that has the named pipe open for reading.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    fd_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fd_ >= 0);
  }
  ~Reader() { leave(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  void leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  // What is there now.
  void look(size_t most = SIZE_MAX) {
    char bytes[65536];
    for (ssize_t n; most && (n = read(fd_, bytes, std::min(most, sizeof bytes))) > 0;) {
      seen_.append(bytes, static_cast<size_t>(n));
      most -= static_cast<size_t>(n);
    }
  }
  bool read_until(size_t bytes) {
    return eventually([&] { return look(bytes - seen_.size()), seen_.size() >= bytes; });
  }
  bool read_to_end() {
    return eventually([&] {
      look();
      pollfd end{fd_, POLLIN, 0};
      return poll(&end, 1, 0) > 0 && (end.revents & POLLHUP) && !(end.revents & POLLIN);
    });
  }
  const Bytes& seen() const { return seen_; }
  // The frames of what was seen, which must be a whole capture.
  captures::Reading frames(const captures::Folder& folder) const {
    return captures::read_port("pcap:" + folder.write("seen.pcap", seen_));
  }

 private:
  const std::string path_;
  int fd_;
  Bytes seen_;
};

std::vector<Frame> some_frames(uint32_t first, uint32_t count, uint32_t length = 60) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(conformance::make_frame(first + i, length));
  return frames;
}

// As a device's packets come: nobody asks for room.
void push(Output& output, const std::vector<Frame>& frames, LedgerCell& cell) {
  const auto batch = std::make_unique<Batch>();
  for (size_t at = 0; at < frames.size(); at += batch->count) {
    Index picks[kBatchMax];
    batch->count = static_cast<uint32_t>(std::min<size_t>(kBatchMax, frames.size() - at));
    batch->link = frames[at].link;
    for (uint32_t i = 0; i < batch->count; ++i) {
      const Frame& frame = frames[at + i];
      batch->packets[i] = {const_cast<uint8_t*>(frame.bytes.data()),
                           static_cast<uint32_t>(frame.bytes.size()),
                           0,
                           frame.timestamp,
                           kNoBuffer,
                           0,
                           0,
                           0};
      picks[i] = static_cast<Index>(i);
    }
    cell.packets += batch->count;
    output.transmit(*batch, picks, batch->count, false, cell);
    output.flush(1, cell);
  }
}

void check_fifo(const std::string& parameters) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  std::unique_ptr<Reader> reader;
  size_t given = 0;
  PortPair pair{.name = "fifo:" + parameters};
  pair.open_output = [&] {
    reader.reset();
    auto output = open_port("fifo:" + path + parameters);
    reader = std::make_unique<Reader>(path);
    given = 0;
    return output;
  };
  pair.arrived = [&](bool closed) {
    reader->look();
    if (!closed) return std::vector<Frame>();
    CHECK(reader->read_to_end());
    captures::Reading reading = reader->frames(folder);
    CHECK_EQ(reading.status.message, "");
    CHECK_EQ(reading.warning, "");
    return reading.frames;
  };
  conformance::check_port(pair);
}

}  // namespace

TEST(port_conformance_fifo) {
  check_fifo("");
  check_fifo("?ng=1");
  check_fifo("?ns=1&buffer=1");
}

TEST(fifo_readers_come_and_go) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  auto output = open_port("fifo:" + path);
  LedgerCell cell;
  push(*output, some_frames(0, 100), cell);  // nobody reads
  CHECK_EQ(dropped(cell, Drop::no_consumer), 100u);
  for (uint32_t round = 1; round <= 20; ++round) {
    Reader reader(path);
    CHECK(eventually([&] { return output->ready(); }));
    const auto frames = some_frames(round * 1000, 300, 60 + round * 40);
    push(*output, frames, cell);
    CHECK(reader.read_until(24 + 300 * (16 + 60 + round * 40)));
    const auto reading = reader.frames(folder);
    CHECK_EQ(reading.warning, "");
    CHECK(reading.frames == frames);
    reader.leave();
    CHECK(eventually([&] { return !output->ready(); }));
    push(*output, some_frames(round * 1000 + 500, 10), cell);
  }
  output->flush(1, cell);
  CHECK_EQ(cell.delivered, 6000u);
  CHECK_EQ(dropped(cell, Drop::no_consumer), 100u + 20 * 10);
  CHECK(conformance::balanced(cell));
  output->close(cell);
  CHECK_EQ(cell.held, 0u);
  CHECK(conformance::balanced(cell));
  CHECK(output->describe().find("20 readers") != std::string::npos);
  output.reset();
  CHECK(access(path.c_str(), F_OK) != 0);  // we made it
}

// A reader that leaves in the middle: what it took is delivered, to the packet; the rest is not.
TEST(fifo_reader_leaves_in_the_middle) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  for (const char* parameters : {"", "?ng=1"}) {
    auto output = open_port("fifo:" + path + parameters);
    LedgerCell cell;
    Reader reader(path);
    CHECK(eventually([&] { return output->ready(); }));
    const auto frames = some_frames(0, 20'000, 100);
    push(*output, frames, cell);
    CHECK_EQ(cell.dropped_total(), 0u);
    CHECK(reader.read_until(200'001));
    reader.leave();
    CHECK(eventually([&] { return output->flush(1, cell), cell.held == 0; }));
    CHECK_EQ(cell.delivered, reader.frames(folder).frames.size());
    CHECK(cell.delivered > 1400);
    CHECK_EQ(dropped(cell, Drop::unread) + dropped(cell, Drop::no_consumer),
             20'000 - cell.delivered);
    CHECK(conformance::balanced(cell));
    output->close(cell);
  }
}

// Another opens it before we have seen that the first has left: it is told to come again rather
// than given the middle of a stream; the next one has a capture from its beginning.
TEST(fifo_reader_changes_at_once) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  auto output = open_port("fifo:" + path);
  LedgerCell cell;
  Reader first(path);
  CHECK(eventually([&] { return output->ready(); }));
  push(*output, some_frames(0, 10), cell);
  CHECK(first.read_until(24 + 10 * 76));
  Reader second(path);
  first.leave();
  CHECK(second.read_to_end());
  CHECK_EQ(second.seen().size(), 0u);
  push(*output, some_frames(0, 10), cell);
  second.leave();
  Reader third(path);
  CHECK(eventually([&] { return output->ready(); }));
  push(*output, some_frames(50, 10), cell);
  CHECK(third.read_until(24 + 10 * 76));
  CHECK(third.frames(folder).frames == some_frames(50, 10));
  output->close(cell);
  CHECK_EQ(cell.delivered, 20u);
  CHECK_EQ(dropped(cell, Drop::no_consumer), 10u);
}

// A device's packets do not wait; a reader that is slow loses the newest.
TEST(fifo_slow_reader_loses_its_own) {
  const captures::Folder folder;
  const std::string path = folder.path("a");
  auto output = open_port("fifo:" + path + "?buffer=1");
  LedgerCell cell;
  Reader reader(path);
  CHECK(eventually([&] { return output->ready(); }));
  const auto frames = some_frames(0, 10'000, 1000);
  push(*output, frames, cell);
  CHECK(dropped(cell, Drop::ring_full) > 1000);
  std::thread late([&] { CHECK(reader.read_to_end()); });
  CHECK(eventually([&] { return output->flush(1, cell), cell.held == 0; }));
  output->close(cell);
  late.join();
  const auto seen = reader.frames(folder);
  CHECK_EQ(seen.warning, "");
  CHECK_EQ(seen.frames.size(), cell.delivered);
  CHECK(conformance::balanced(cell));
}

TEST(fifo_refusals) {
  const captures::Folder folder;
  std::unique_ptr<Output> output, second;
  const std::string file = folder.write("file", "hello");
  CHECK(open_output("fifo:" + file, {}, &output).code == Code::invalid_argument);
  CHECK_EQ(folder.read("file"), "hello");
  CHECK(open_output("fifo:" + folder.path("no/such"), {}, &output).code == Code::no_such_file);
  CHECK(open_output("fifo:" + folder.path("a") + "?mode=9", {}, &output).code ==
        Code::invalid_argument);
  CHECK(access(folder.path("a").c_str(), F_OK) != 0);
  CHECK(mkfifo(folder.path("a").c_str(), 0644) == 0);
  CHECK_EQ(open_output("fifo:" + folder.path("a"), {}, &output).message, "");
  CHECK(open_output("fifo:" + folder.path("a"), {}, &second).code == Code::busy);
  CHECK(!second);
  // Something else in its place is never written to; in one step, or its absence is said first.
  CHECK(rename(folder.write("other", "mine").c_str(), folder.path("a").c_str()) == 0);
  std::string warning;
  CHECK(eventually([&] { return !(warning = output->take_warning()).empty(); }));
  CHECK(warning.find("not the named pipe any more") != std::string::npos);
  LedgerCell cell;
  output->close(cell);
  output.reset();
  CHECK_EQ(folder.read("a"), "mine");
  std::unique_ptr<Input> input;
  CHECK(open_input("fifo:" + folder.path("a"), {}, &input).code == Code::invalid_port_name);
}

// Programs themselves, one after the other, on a replay that waits for them.
TEST(fifo_feeds_programs) {
  if (system("tcpdump --version >/dev/null 2>&1") != 0) SKIP("tcpdump is not installed");
  const captures::Folder folder;
  const std::string path = folder.path("a");
  PipeDirectory pipes;
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", {}, &pipes, &engine).ok());
  Graph graph;
  graph.inlets = {
      {"pcap:" + folder.write("in", captures::pcap_file({}, some_frames(0, 50'000))), 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "Dummy";
  node.outlets.push_back({"fifo:" + path, -1});
  CHECK_EQ(engine->apply(graph).message, "");
  CHECK(engine->start().ok());
  const std::string out = folder.path("out");
  CHECK(system(("tcpdump -r " + path + " -w " + out + " 2>/dev/null").c_str()) == 0);
  CHECK_EQ(captures::read_port("pcap:" + out).frames.size(), 50'000u);
  CHECK(eventually([&] { return engine->snapshot().outputs.at(0).cell.held == 0; }));
  CHECK_EQ(engine->snapshot().outputs.at(0).cell.delivered, 50'000u);
  // Who comes after the end gets an empty capture, not silence.
  CHECK(system(("test $(timeout 10 tcpdump -r " + path + " 2>/dev/null | wc -l) = 0").c_str()) ==
        0);
  CHECK(engine->stop().ok());
}
