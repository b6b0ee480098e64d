// xdp-drv, xdp-skb: packets of a veth pair through AF_XDP (copied by the kernel, its program in
// veth's driver or behind it) and a LoadBalancer, beside a bare receive loop on the same pair in
// the same run. One core sends as fast as it can; the kernel's share of receiving is on that core,
// too.
#include <linux/if_xdp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xdp/xsk.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "engine/engine.hh"
#include "figure.hh"
#include "flood.hh"
#include "must.hh"
#include "ports/pipe_directory.hh"
#include "ports/xdp_program.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr double kSeconds = 0.2;
constexpr int kTurns = 15;  // the sender's pace changes by half from one to the next
constexpr uint32_t kRing = 4096;
constexpr uint32_t kChunk = 2048;
constexpr uint32_t kAtOnce = 64;

void must_be_zero(int error, const char* what) {
  if (error == 0) return;
  std::fprintf(stderr, "bench: %s fails with %d\n", what, error);
  std::exit(1);
}

// What any program must at least do: take descriptors, read the frame's first line, give the chunk
// back. Nothing is counted but packets.
class BareLoop {
 public:
  explicit BareLoop(XdpAttach attach) {
    must(find_xdp_interface("far", &interface_));
    must(XdpProgram::get(interface_, attach, &program_));
    bytes_ = size_t{2} * kRing * kChunk;
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    xsk_umem_config memory{};
    memory.fill_size = memory.comp_size = 2 * kRing;
    memory.frame_size = kChunk;
    must_be_zero(xsk_umem__create(&umem_, memory_, bytes_, &fill_, &completed_, &memory), "UMEM");
    xsk_socket_config socket{};
    socket.rx_size = kRing;
    socket.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;
    socket.bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP;
    int error = -1;  // the queue may be taken for a moment after the engine left it
    for (int i = 0; i < 100 && error; ++i, usleep(5000))
      error = xsk_socket__create(&socket_, "far", 0, umem_, &received_, nullptr, &socket);
    must_be_zero(error, "an AF_XDP socket");
    uint32_t at = 0;
    xsk_ring_prod__reserve(&fill_, 2 * kRing, &at);
    for (uint32_t i = 0; i < 2 * kRing; ++i)
      *xsk_ring_prod__fill_addr(&fill_, at + i) = uint64_t{i} * kChunk;
    xsk_ring_prod__submit(&fill_, 2 * kRing);
    must(program_->steer(0, xsk_socket__fd(socket_)));
  }
  ~BareLoop() {
    program_->leave(0);
    xsk_socket__delete(socket_);
    (void)xsk_umem__delete(umem_);
    munmap(memory_, bytes_);
  }

  double measure() {
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(0, &core);
    pthread_setaffinity_np(pthread_self(), sizeof core, &core);
    uint64_t packets = 0, sum = 0;
    const double begin = seconds_now();
    double end = begin;
    while ((end = seconds_now()) - begin < kSeconds) {
      for (int i = 0; i < 64; ++i) packets += take(&sum);
    }
    if (sum == 1) std::fprintf(stderr, " ");  // so that reading it is not left out
    return static_cast<double>(packets) / (end - begin) / 1e6;
  }

 private:
  uint32_t take(uint64_t* sum) {
    uint32_t from = 0, to = 0;
    const uint32_t count = xsk_ring_cons__peek(&received_, kAtOnce, &from);
    if (count == 0 || xsk_ring_prod__reserve(&fill_, count, &to) != count) return 0;
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t address = xsk_ring_cons__rx_desc(&received_, from + i)->addr;
      *sum += *static_cast<const uint8_t*>(xsk_umem__get_data(memory_, address));
      *xsk_ring_prod__fill_addr(&fill_, to + i) = address;
    }
    xsk_ring_prod__submit(&fill_, count);
    xsk_ring_cons__release(&received_, count);
    return count;
  }

  Interface interface_;
  std::shared_ptr<XdpProgram> program_;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  xsk_umem* umem_ = nullptr;
  xsk_socket* socket_ = nullptr;
  xsk_ring_cons received_{}, completed_{};
  xsk_ring_prod fill_{};
};

// Everything that came in must have been delivered or dropped by the kernel.
double measure_engine(const std::string& input) {
  PipeDirectory pipes;
  EngineOptions options;
  options.cpu = 0;
  std::shared_ptr<Engine> engine;
  must(Engine::create("bench", options, &pipes, &engine));
  Graph graph;
  graph.inlets = {{input, 0}};
  Graph::Node& node = graph.bricks.emplace_back();
  node.id = node.kind = "LoadBalancer";
  for (int i = 0; i < 4; ++i) node.outlets.push_back({"null:" + std::to_string(i), -1});
  must(engine->apply(graph));
  must(engine->start());
  const auto delivered = [&] {
    const EngineSnapshot now = engine->snapshot();
    const LedgerCell& in = now.inputs.at(0).cell;
    uint64_t sum = 0;
    for (const auto& output : now.outputs) sum += output.cell.delivered;
    if (in.packets - in.dropped_total() != sum) {
      std::fprintf(stderr, "bench: the ledger does not balance\n");
      std::exit(1);
    }
    return sum;
  };
  usleep(50000);
  const uint64_t before = delivered();
  const double begin = seconds_now();
  usleep(static_cast<useconds_t>(kSeconds * 1e6));
  const uint64_t packets = delivered() - before;
  return static_cast<double>(packets) / (seconds_now() - begin) / 1e6;
}

// In a network namespace of this thread's own.
void measure(const char* name, XdpAttach attach, Figures& figures) {
  if (unshare(CLONE_NEWNET) != 0 ||
      std::system("ip link add near type veth peer name far && ip link set near up && "
                  "ip link set far up") != 0) {
    std::fprintf(stderr, "bench: %s left out: making a veth pair takes root and iproute2\n", name);
    return;
  }
  const std::string option = attach == XdpAttach::driver ? "drv" : "skb";
  std::vector<double> ours, bare;
  const Flood flood;
  for (int run = -1; run < kTurns; ++run) {
    double limit = 0;
    std::thread([&] { limit = BareLoop(attach).measure(); }).join();
    const double value = measure_engine("xdp:far?mode=copy&attach=" + option);
    if (run < 0) continue;
    bare.push_back(limit);
    ours.push_back(value);
  }
  figures.push_back({name, "60 B, one sender", "Mpps", spread(ours), spread(bare).median});
}

}  // namespace

void measure_xdp(const Wanted& wanted, Figures& figures) {
  if (wanted("xdp-drv"))
    std::thread([&] { measure("xdp-drv", XdpAttach::driver, figures); }).join();
  if (wanted("xdp-skb"))
    std::thread([&] { measure("xdp-skb", XdpAttach::generic, figures); }).join();
}

}  // namespace bench
