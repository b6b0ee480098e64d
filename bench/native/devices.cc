// pcap-lb4: a capture in the page cache through a LoadBalancer. packet-veth: packets of a veth pair
// that one core fills as fast as it can. Both go by the time that the engine's thread has had a
// core (neither waits for a disk), so that other programs of the machine count less.
#include <sched.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "engine/engine.hh"
#include "figure.hh"
#include "flood.hh"
#include "must.hh"
#include "ports/packet_builder.hh"
#include "ports/pipe_directory.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kRecords = 2'000'000;
constexpr uint32_t kFrame = 60;
constexpr double kVethSeconds = 1.0;

bool run(const std::string& command) { return std::system(command.c_str()) == 0; }

// An engine with a LoadBalancer from `input` to four outputs that count and forget.
class Balancing {
 public:
  Balancing(const std::string& input, int32_t cpu) {
    EngineOptions options;
    options.cpu = cpu;
    must(Engine::create("bench", options, &pipes_, &engine_));
    Graph graph;
    graph.inlets = {{input, 0}};
    Graph::Node& node = graph.bricks.emplace_back();
    node.id = node.kind = "LoadBalancer";
    for (int i = 0; i < 4; ++i) node.outlets.push_back({"null:" + std::to_string(i), -1});
    must(engine_->apply(graph));
    must(engine_->start());
  }

  EngineSnapshot look() { return engine_->snapshot(); }

  // What came in, kernel drops left out. Everything must have been delivered.
  uint64_t packets() {
    const EngineSnapshot now = look();
    const LedgerCell& in = now.inputs.at(0).cell;
    uint64_t delivered = 0;
    for (const auto& output : now.outputs) delivered += output.cell.delivered;
    if (in.packets - in.dropped_total() != delivered) {
      std::fprintf(stderr, "bench: the ledger does not balance\n");
      std::exit(1);
    }
    return delivered;
  }

  // Nanoseconds the engine's thread has been running on a core.
  static double busy_nanos() {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
      std::string name;
      std::ifstream(task.path() / "comm") >> name;
      if (name != "br:bench") continue;
      double nanos = 0;
      std::ifstream(task.path() / "schedstat") >> nanos;
      return nanos;
    }
    std::fprintf(stderr, "bench: the engine's thread is not there\n");
    std::exit(1);
  }

 private:
  PipeDirectory pipes_;
  std::shared_ptr<Engine> engine_;
};

void write_capture(const std::string& path) {
  const TrafficPlan plan{.length = kFrame, .flows = 1000, .seed = 1, .mix = false};
  std::vector<uint8_t> bytes = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
                                0,    0,    0,    0,    0, 0, 1, 0, 1, 0, 0, 0};
  bytes.resize(24 + size_t{kRecords} * (16 + kFrame));
  uint8_t* at = bytes.data() + 24;
  for (uint32_t i = 0; i < kRecords; ++i, at += 16 + kFrame) {
    const uint32_t header[4] = {1'700'000'000 + i / 1'000'000, i % 1'000'000, kFrame, kFrame};
    std::memcpy(at, header, sizeof header);
    build_packet(plan, i, at + 16);
  }
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) {
    std::fprintf(stderr, "bench: cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

void measure_pcap(Figures& figures) {
  std::string path = std::filesystem::temp_directory_path() / "bricks-bench-XXXXXX";
  const int fd = mkstemp(path.data());
  if (fd < 0) {
    std::fprintf(stderr, "bench: pcap-lb4 left out: no place for a temporary file\n");
    return;
  }
  close(fd);
  write_capture(path);
  std::vector<double> runs;
  {
    Balancing engine("pcap:" + path + "?loop=0", -1);
    for (int run = -1; run < kRuns; ++run) {
      const uint64_t before = engine.packets();
      const double begin = Balancing::busy_nanos();
      usleep(static_cast<useconds_t>(kRunSeconds * 1e6));
      const uint64_t packets = engine.packets() - before;
      const double seconds = (Balancing::busy_nanos() - begin) * 1e-9;
      if (run >= 0) runs.push_back(static_cast<double>(packets) / seconds / 1e6);
    }
  }
  unlink(path.c_str());
  figures.push_back({"pcap-lb4", "60 B, 1 k flows", "Mpps of its core's time", spread(runs), 0});
}

// In a network namespace of this thread's own.
void measure_veth(Figures& figures) {
  if (unshare(CLONE_NEWNET) != 0 ||
      !run("ip link add near type veth peer name far && ip link set near up && "
           "ip link set far up")) {
    std::fprintf(stderr,
                 "bench: packet-veth left out: making a veth pair takes root and iproute2\n");
    return;
  }
  std::vector<double> cost, rate;
  Balancing engine("packet:far?ring=32", 0);
  const Flood flood;
  for (int run = -1; run < kRuns; ++run) {
    const uint64_t before = engine.packets();
    const double busy = Balancing::busy_nanos(), begin = seconds_now();
    usleep(static_cast<useconds_t>(kVethSeconds * 1e6));
    const double used = Balancing::busy_nanos() - busy, seconds = seconds_now() - begin;
    const auto packets = static_cast<double>(engine.packets() - before);
    if (run < 0) continue;
    cost.push_back(used / packets);
    rate.push_back(packets / seconds / 1e6);
  }
  char input[40];
  std::snprintf(input, sizeof input, "60 B at %.2g Mpps", spread(rate).median);
  figures.push_back({"packet-veth", input, "ns of CPU a packet", spread(cost), 0});
}

}  // namespace

void measure_files_and_devices(const Wanted& wanted, Figures& figures) {
  if (wanted("pcap-lb4")) measure_pcap(figures);
  if (wanted("packet-veth")) std::thread([&] { measure_veth(figures); }).join();
}

}  // namespace bench
