// netmap-spin, netmap-sleep: a netmap program sends, another receives, both unmodified, by
// libbricks-netmap; 60-byte frames, 512 slots a turn, as pkt-gen does it. The limit beside the
// first: two processes that write and read the slots of a ring of their own, and nothing else.
// cores: how long a cache line takes from one core to the other and back, on which all figures of
// two cores depend; a hypervisor may move them apart from one minute to the next.
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "abi/netmap.h"
#include "figure.hh"
#include "mem/limits.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_server.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kSlots = kPipePairSlots, kTurn = 512;
constexpr uint64_t kSpinning = 30'000'000, kSleeping = 5'000'000;

// Each side has a core of its own, where there are two.
void stay_on(unsigned cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

std::string own_folder() {
  char path[PATH_MAX] = "";
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0) std::abort();
  const std::string exe = path;
  return exe.substr(0, exe.rfind('/'));
}

// netmap-traffic in a process of its own; `output`: where it says what it saw, or -1.
pid_t start(const char* verb, const char* port, const std::string& count, const char* spin_us,
            int output) {
  const pid_t child = fork();
  if (child != 0) return child;
  stay_on(output >= 0 ? 0 : 1);
  const std::string folder = own_folder(), program = folder + "/netmap-traffic";
  setenv("LD_PRELOAD", (folder + "/libbricks-netmap.so").c_str(), 1);
  setenv("BRICKS_SPIN_US", spin_us, 1);
  if (output >= 0) dup2(output, STDOUT_FILENO);
  execl(program.c_str(), program.c_str(), verb, port, count.c_str(), "bare", nullptr);
  _exit(127);
}

// Mpps of one run; 0: it failed, and has said why.
double run_once(uint64_t packets, const char* spin_us) {
  int told[2];
  if (pipe(told) != 0) std::abort();
  const std::string count = std::to_string(packets);
  const pid_t receiver = start("rx", "bench}0", count, spin_us, told[1]);
  const pid_t sender = start("tx", "bench{0", count, spin_us, -1);
  close(told[1]);
  char text[256] = "";
  const ssize_t got = read(told[0], text, sizeof text - 1);
  close(told[0]);
  waitpid(receiver, nullptr, 0);
  waitpid(sender, nullptr, 0);
  unsigned long long seen = 0, wrong = 0, bytes = 0;
  double seconds = 0;
  if (got <= 0 || std::sscanf(text, "packets %llu wrong %llu bytes %llu seconds %lf", &seen, &wrong,
                              &bytes, &seconds) != 4) {
    return 0;
  }
  return static_cast<double>(seen) / seconds / 1e6;
}

// Memory of both processes.
template <typename T>
class Common {
 public:
  Common() {
    void* memory =
        mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    object_ = new (memory) T;
  }
  ~Common() { munmap(object_, sizeof(T)); }
  Common(const Common&) = delete;
  Common& operator=(const Common&) = delete;
  T& operator*() const noexcept { return *object_; }

 private:
  T* object_;
};

// `other` in a process of its own on core 1, `own` here on core 0; until both have returned.
template <typename Other, typename Own>
void on_two_cores(Other other, Own own) {
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    stay_on(1);
    other();
    _exit(0);
  }
  cpu_set_t before;
  sched_getaffinity(0, sizeof before, &before);
  stay_on(0);
  own();
  waitpid(child, nullptr, 0);
  sched_setaffinity(0, sizeof before, &before);
}

struct BareRing {
  alignas(128) std::atomic<uint32_t> head;
  alignas(128) std::atomic<uint32_t> tail;
  alignas(128) netmap_slot slots[kSlots];
};

// Looks until the other side's index is not `seen` any more; on a busy machine it may need our
// turn.
uint32_t wait_for(const std::atomic<uint32_t>& index, uint32_t seen) {
  for (uint32_t looks = 1;; ++looks) {
    const uint32_t now = index.load(std::memory_order_acquire);
    if (now != seen) return now;
    if (looks % 4096 == 0) sched_yield();
  }
}

void send_bare(BareRing& ring, uint64_t packets) {
  uint32_t at = 0, head = 0;
  for (uint64_t sent = 0; sent < packets;) {
    uint32_t room = (head - at - 1) & (kSlots - 1);
    if (room == 0) {
      head = wait_for(ring.head, head);
      continue;
    }
    room = static_cast<uint32_t>(std::min<uint64_t>({room, kTurn, packets - sent}));
    for (uint32_t i = 0; i < room; ++i, at = (at + 1) & (kSlots - 1)) {
      ring.slots[at].len = 60;
      ring.slots[at].flags = 0;
    }
    sent += room;
    ring.tail.store(at, std::memory_order_release);
    head = ring.head.load(std::memory_order_acquire);
  }
}

uint64_t receive_bare(BareRing& ring, uint64_t packets, double* seconds) {
  double begin = 0;
  uint64_t bytes = 0;
  uint32_t at = 0;
  for (uint64_t got = 0; got < packets;) {
    const uint32_t tail = wait_for(ring.tail, at);
    if (got == 0) begin = seconds_now();
    for (; at != tail; at = (at + 1) & (kSlots - 1), ++got) bytes += ring.slots[at].len;
    ring.head.store(at, std::memory_order_release);
  }
  *seconds = seconds_now() - begin;
  return bytes;
}

double run_bare(uint64_t packets) {
  const Common<BareRing> ring;
  uint64_t bytes = 0;
  double seconds = 0;
  on_two_cores([&] { send_bare(*ring, packets); },
               [&] { bytes = receive_bare(*ring, packets, &seconds); });
  return bytes == packets * 60 ? static_cast<double>(packets) / seconds / 1e6 : 0;
}

struct Ball {
  alignas(128) std::atomic<uint32_t> served{0};
  alignas(128) std::atomic<uint32_t> returned{0};
};

// Nanoseconds of a round trip, kRuns times.
Spread play_between_cores() {
  constexpr uint32_t kRounds = 100'000;
  const Common<Ball> common;
  Ball& ball = *common;
  std::vector<double> nanos;
  const auto give_back = [&] {
    for (uint32_t seen = 0; seen < kRounds * kRuns;) {
      ball.returned.store(seen = wait_for(ball.served, seen), std::memory_order_release);
    }
  };
  const auto serve = [&] {
    for (uint32_t at = 0; at < kRounds * kRuns;) {
      const double begin = seconds_now();
      for (uint32_t end = at + kRounds; at < end; ++at) {
        ball.served.store(at + 1, std::memory_order_release);
        wait_for(ball.returned, at);
      }
      nanos.push_back((seconds_now() - begin) / kRounds * 1e9);
    }
  };
  on_two_cores(give_back, serve);
  return spread(nanos);
}

}  // namespace

void measure_netmap_pipe(const Wanted& wanted, Figures& figures) {
  const bool spins = wanted("netmap-spin"), sleeps = wanted("netmap-sleep");
  if (wanted("cores")) {
    figures.push_back({"cores", "a line, there and back", "ns", play_between_cores(), 0});
  }
  if (!spins && !sleeps) return;
  char folder[] = "/dev/shm/bricks-bench-XXXXXX";
  if (!mkdtemp(folder)) std::abort();
  const std::string run_dir = folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  const Status status = PipeServer::open(run_dir + "/ports.sock", directory, &server);
  if (!status.ok()) {
    std::fprintf(stderr, "bench: %s\n", status.message.c_str());
    std::exit(1);
  }
  setenv("BRICKS_RUN_DIR", folder, 1);
  std::vector<double> spinning, bare, sleeping;
  for (int run = 0; run < kRuns; ++run) {  // in turns, so that the machine's mood meets all
    if (spins) bare.push_back(run_bare(kSpinning));
    if (spins) spinning.push_back(run_once(kSpinning, "100"));
    if (sleeps) sleeping.push_back(run_once(kSleeping, "0"));
  }
  unsetenv("BRICKS_RUN_DIR");
  server.reset();
  rmdir(folder);
  const std::string input = "60 B, " + std::to_string(kSlots) + " slots, 2 processes";
  if (spins) {
    figures.push_back({"netmap-spin", input, "Mpps", spread(spinning), spread(bare).median});
  }
  if (sleeps) figures.push_back({"netmap-sleep", input, "Mpps", spread(sleeping), 0});
}

}  // namespace bench
