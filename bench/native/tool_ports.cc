// tap: packets a second into a TAP interface, beside a loop that does nothing but write() to
// another in the same run. fifo: a capture through a named pipe into tcpdump, beside what `cat` and
// a shell's pipe reach into the same tcpdump in the same run.
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.hh"
#include "figure.hh"
#include "must.hh"
#include "ports/packet_builder.hh"
#include "ports/pipe_directory.hh"
#include "ports/tap_device.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kPackets = 4'000'000;
constexpr uint32_t kLength = 60;
constexpr double kTapSeconds = 0.7;
constexpr uint32_t kWrites = 300'000;

// One input straight to one output.
class Passing {
 public:
  Passing(const std::string& input, const std::string& output) {
    must(Engine::create("tools", {}, &pipes_, &engine_));
    Graph graph;
    graph.inlets = {{input, 0}};
    Graph::Node& node = graph.bricks.emplace_back();
    node.id = node.kind = "Dummy";
    node.outlets.push_back({output, -1});
    must(engine_->apply(graph));
    must(engine_->start());
  }
  uint64_t delivered() { return engine_->snapshot().outputs.at(0).cell.delivered; }

 private:
  PipeDirectory pipes_;
  std::shared_ptr<Engine> engine_;
};

// Nanoseconds the thread of that name has been running on a core. It names itself once it runs.
double busy_nanos(const std::string& thread) {
  for (int tries = 0; tries < 1000; ++tries, usleep(1000)) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::ifstream(task.path() / "comm") >> name;
      if (name != thread) continue;
      double nanos = 0;
      std::ifstream(task.path() / "schedstat") >> nanos;
      return nanos;
    }
  }
  std::fprintf(stderr, "bench: there is no thread %s\n", thread.c_str());
  std::exit(1);
}

// Mpps of this thread's time on a core.
double write_one_by_one(const TapDevice& device) {
  const TrafficPlan plan{.length = kLength, .flows = 1000, .seed = 1, .mix = false};
  std::vector<uint8_t> frames(1000 * size_t{kLength});
  for (uint32_t i = 0; i < 1000; ++i) build_packet(plan, i, &frames[i * size_t{kLength}]);
  timespec begin, end;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  for (uint32_t i = 0; i < kWrites; ++i) {
    if (write(device.fd(), &frames[i % 1000 * size_t{kLength}], kLength) != kLength) return 0;
  }
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  const auto nanos = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                     static_cast<double>(end.tv_nsec - begin.tv_nsec);
  return kWrites / nanos * 1e3;
}

// In a network namespace of this thread's own. By the time that the writer's thread, which makes
// the system calls, has had a core.
void measure_tap(Figures& figures) {
  if (unshare(CLONE_NEWNET) != 0 || access("/dev/net/tun", W_OK) != 0) {
    std::fprintf(stderr, "bench: tap left out: it takes root and /dev/net/tun\n");
    return;
  }
  Passing engine("gen:60?flows=1000", "tap:bench0");
  TapDevice bare;
  must(bare.open("bench1", {}));
  std::vector<double> rates, limits;
  for (int run = -1; run < kRuns; ++run) {
    const double limit = write_one_by_one(bare);
    const uint64_t before = engine.delivered();
    const double begin = busy_nanos("tap-writer");
    usleep(static_cast<useconds_t>(kTapSeconds * 1e6));
    const auto packets = static_cast<double>(engine.delivered() - before);
    if (run < 0) continue;
    rates.push_back(packets / (busy_nanos("tap-writer") - begin) * 1e3);
    limits.push_back(limit);
  }
  figures.push_back(
      {"tap", "60 B, 1 k flows", "Mpps of its core's time", spread(rates), spread(limits).median});
}

std::string write_capture(const std::string& path) {
  const TrafficPlan plan{.length = kLength, .flows = 1000, .seed = 1, .mix = false};
  std::vector<uint8_t> bytes = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
                                0,    0,    0,    0,    0, 0, 4, 0, 1, 0, 0, 0};
  bytes.resize(24 + size_t{kPackets} * (16 + kLength));
  uint8_t* at = bytes.data() + 24;
  for (uint32_t i = 0; i < kPackets; ++i, at += 16 + kLength) {
    const uint32_t header[4] = {1'700'000'000 + i / 1'000'000, i % 1'000'000, kLength, kLength};
    std::memcpy(at, header, sizeof header);
    build_packet(plan, i, at + 16);
  }
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return path;
}

// Mpps of a program from its start to its end; 0: it failed.
double timed(const std::string& command) {
  const double begin = seconds_now();
  const bool fine = std::system((command + " 2>/dev/null").c_str()) == 0;
  return fine ? kPackets / (seconds_now() - begin) / 1e6 : 0;
}

void measure_fifo(Figures& figures) {
  std::string folder = std::filesystem::temp_directory_path() / "bricks-bench-XXXXXX";
  if (std::system("tcpdump --version >/dev/null 2>&1") != 0 || !mkdtemp(folder.data())) {
    std::fprintf(stderr, "bench: fifo left out: no tcpdump, or no place for a capture\n");
    return;
  }
  const std::string capture = write_capture(folder + "/in.pcap"), fifo = folder + "/fifo";
  std::vector<double> ours, theirs;
  for (int run = -1; run < kRuns; ++run) {
    const double limit = timed("cat " + capture + " | tcpdump -w /dev/null -r -");
    Passing engine("pcap:" + capture, "fifo:" + fifo);
    const double value = timed("tcpdump -w /dev/null -r " + fifo);
    if (engine.delivered() != kPackets) {
      std::fprintf(stderr, "bench: fifo: tcpdump was not given every packet\n");
      std::exit(1);
    }
    if (run < 0) continue;
    theirs.push_back(limit);
    ours.push_back(value);
  }
  std::filesystem::remove_all(folder);
  figures.push_back({"fifo", "60 B to tcpdump -r", "Mpps", spread(ours), spread(theirs).median});
}

}  // namespace

void measure_tool_ports(const Wanted& wanted, Figures& figures) {
  if (wanted("tap")) std::thread([&] { measure_tap(figures); }).join();
  if (wanted("fifo")) measure_fifo(figures);
}

}  // namespace bench
