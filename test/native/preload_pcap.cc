// libbricks-pcap, called as a program would call libpcap: what is opened, read, filtered, waited
// for and broken off. The library is loaded beside libpcap; its functions are asked for by name.
#include <dlfcn.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <sys/wait.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {
namespace {

void* library() {
  static void* const loaded = [] {
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    void* opened = dlopen((folder / "libbricks-pcap.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!opened) std::printf("  %s\n", dlerror());
    return opened;
  }();
  return loaded;
}

// CALL(pcap_open_live)(...): the library's function of that name.
#define CALL(name) (reinterpret_cast<decltype(&name)>(dlsym(library(), #name)))

class Handle {
 public:
  explicit Handle(const char* device, int snaplen = 65535, int timeout_ms = 10)
      : pcap(CALL(pcap_open_live)(device, snaplen, 1, timeout_ms, error)) {}
  ~Handle() {
    if (pcap) CALL(pcap_close)(pcap);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  std::string fault() const { return CALL(pcap_geterr)(pcap); }

  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* const pcap;
};

struct Seen {
  uint64_t packets = 0, bytes = 0;
  pcap_t* stop_after_first = nullptr;
};

void count(u_char* user, const pcap_pkthdr* header, const u_char*) {
  Seen& seen = *reinterpret_cast<Seen*>(user);
  ++seen.packets;
  seen.bytes += header->caplen;
  if (seen.stop_after_first) CALL(pcap_breakloop)(seen.stop_after_first);
}

// An IPv4 UDP frame to `port`.
Bytes udp_frame(uint16_t port, size_t length) {
  Bytes frame(length);
  frame[12] = 8;
  frame[14] = 0x45;
  frame[16] = static_cast<uint8_t>((length - 14) >> 8);
  frame[17] = static_cast<uint8_t>(length - 14);
  frame[23] = 17;
  frame[36] = static_cast<uint8_t>(port >> 8);
  frame[37] = static_cast<uint8_t>(port);
  return frame;
}

struct Pipe : PipeHouse {
  Pipe() {
    CHECK(library() != nullptr);
    CHECK_EQ(serve().message, "");
    setenv("BRICKS_RUN_DIR", folder.path().c_str(), 1);
    CHECK_EQ(PipeOutput::open("p{0", 1024, nullptr, &directory, &output).message, "");
  }
  ~Pipe() { unsetenv("BRICKS_RUN_DIR"); }

  void send(const std::vector<Bytes>& frames, Nanos first = 1'700'000'000'123'456'789) {
    auto batch = std::make_unique<Batch>();
    for (const Bytes& frame : frames) {
      batch->count = 1;
      batch->packets[0] = {};
      batch->packets[0].data = const_cast<uint8_t*>(frame.data());
      batch->packets[0].length = static_cast<uint32_t>(frame.size());
      batch->packets[0].timestamp = first++;
      const Index pick = 0;
      ++cell.packets;
      output->transmit(*batch, &pick, 1, false, cell);
    }
    output->flush(1, cell);
  }
};

std::vector<Bytes> frames_to(uint16_t port, uint32_t count_of, size_t length = 100) {
  return std::vector<Bytes>(count_of, udp_frame(port, length));
}

}  // namespace

TEST(preload_pcap_reads_filters_and_cuts) {
  Pipe pipe;
  Handle handle("bricks:p}0", 60);
  CHECK_EQ(std::string(handle.error), "");
  if (!handle.pcap) return;
  CHECK_EQ(CALL(pcap_datalink)(handle.pcap), DLT_EN10MB);
  CHECK_EQ(CALL(pcap_snapshot)(handle.pcap), 60);
  bpf_program program;
  CHECK_EQ(CALL(pcap_compile)(handle.pcap, &program, "udp dst port 53", 1, PCAP_NETMASK_UNKNOWN),
           0);
  CHECK_EQ(CALL(pcap_setfilter)(handle.pcap, &program), 0);
  pcap_freecode(&program);
  CHECK(CALL(pcap_compile)(handle.pcap, &program, "no such thing", 1, 0) != 0);
  CHECK(handle.fault().find("syntax error") != std::string::npos);
  pipe.send(frames_to(53, 300));
  pipe.send(frames_to(80, 200));
  Seen seen;
  auto* user = reinterpret_cast<u_char*>(&seen);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, 100, count, user), 100);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), 200);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), 0);  // the timeout, 10 ms
  CHECK_EQ(seen.bytes, 300u * 60);
  pipe.send(frames_to(53, 2000, 62));
  pcap_stat stat;
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, 0, count, user), 1023);
  CHECK_EQ(CALL(pcap_stats)(handle.pcap, &stat), 0);
  CHECK_EQ(stat.ps_recv, 300u + 1023);
  CHECK_EQ(stat.ps_drop, 2000u - 1023);  // as the ledger has it
  CHECK_EQ(pipe.cell.dropped_total(), 2000u - 1023);
}

TEST(preload_pcap_next_times_and_dumps) {
  Pipe pipe;
  char error[PCAP_ERRBUF_SIZE] = "";
  pcap_t* handle = CALL(pcap_create)("netmap:p}0", error);
  CHECK(handle != nullptr);
  CHECK_EQ(CALL(pcap_datalink)(handle), PCAP_ERROR_NOT_ACTIVATED);
  CHECK_EQ(CALL(pcap_set_snaplen)(handle, 1000), 0);
  CHECK_EQ(CALL(pcap_set_promisc)(handle, 1), 0);
  CHECK_EQ(CALL(pcap_set_timeout)(handle, 1000), 0);
  CHECK_EQ(CALL(pcap_set_rfmon)(handle, 1), PCAP_ERROR_RFMON_NOTSUP);
  CHECK_EQ(CALL(pcap_set_tstamp_precision)(handle, PCAP_TSTAMP_PRECISION_NANO), 0);
  CHECK_EQ(CALL(pcap_activate)(handle), 0);
  CHECK_EQ(CALL(pcap_activate)(handle), PCAP_ERROR_ACTIVATED);
  CHECK_EQ(CALL(pcap_set_snaplen)(handle, 10), PCAP_ERROR_ACTIVATED);
  CHECK_EQ(CALL(pcap_get_tstamp_precision)(handle), PCAP_TSTAMP_PRECISION_NANO);
  int* list = nullptr;
  CHECK_EQ(CALL(pcap_list_datalinks)(handle, &list), 1);
  pcap_free_datalinks(list);
  CHECK_EQ(CALL(pcap_set_datalink)(handle, DLT_EN10MB), 0);
  CHECK_EQ(CALL(pcap_set_datalink)(handle, DLT_PPP), -1);
  pipe.send(frames_to(9, 3, 1500));
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  CHECK_EQ(CALL(pcap_next_ex)(handle, &header, &data), 1);
  CHECK_EQ(header->caplen, 1000u);
  CHECK_EQ(header->len, 1500u);
  CHECK_EQ(header->ts.tv_sec, 1'700'000'000);
  CHECK_EQ(header->ts.tv_usec, 123'456'789);
  const RunFolder folder;
  const std::string path = folder.path() + "/dump";
  pcap_dumper_t* dumper = CALL(pcap_dump_open)(handle, path.c_str());
  CHECK(dumper != nullptr);
  pcap_dump(reinterpret_cast<u_char*>(dumper), header, data);
  pcap_dump_close(dumper);
  pcap_t* file =
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, error);
  CHECK(file != nullptr);
  CHECK_EQ(pcap_snapshot(file), 1000);
  CHECK_EQ(CALL(pcap_next_ex)(file, &header, &data), 1);  // not ours: passed on
  CHECK_EQ(header->ts.tv_usec, 123'456'789);
  CALL(pcap_close)(file);
  unlink(path.c_str());
  pcap_pkthdr own;
  CHECK(CALL(pcap_next)(handle, &own) != nullptr);
  CHECK_EQ(own.len, 1500u);
  CALL(pcap_close)(handle);
}

// What is sent at p}0 is read at p{0, beside the direction that an engine fills.
TEST(preload_pcap_sends) {
  Pipe pipe;
  char error[PCAP_ERRBUF_SIZE] = "";
  Handle handle("bricks:p}0");
  CHECK_EQ(std::string(handle.error), "");
  if (!handle.pcap) return;
  const Bytes small = udp_frame(5, 60), large = udp_frame(6, 9000);
  CHECK_EQ(CALL(pcap_inject)(handle.pcap, small.data(), small.size()), 60);
  CHECK_EQ(CALL(pcap_sendpacket)(handle.pcap, large.data(), 9000), 0);
  bricks_consumer* consumer = nullptr;
  bricks_packet packet;
  CHECK_EQ(bricks_attach(&consumer, "p{0", nullptr, error, sizeof error), BRICKS_OK);
  CHECK_EQ(std::string(error), "");
  for (const Bytes* frame : {&small, &large}) {
    CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
    CHECK(Bytes(packet.data, packet.data + packet.captured) == *frame);
    CHECK_EQ(packet.link_type, 1u);
    CHECK(packet.timestamp_ns > 1'700'000'000'000'000'000);
  }
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK_EQ(CALL(pcap_inject)(handle.pcap, small.data(), 65536), PCAP_ERROR);
  CHECK(handle.fault().find("65535 bytes, not of 65536") != std::string::npos);
  CHECK_EQ(CALL(pcap_sendpacket)(handle.pcap, small.data(), -1), -1);
  CHECK_EQ(CALL(pcap_setnonblock)(handle.pcap, 1, error), 0);
  uint64_t sent = 0, read = 0;
  while (CALL(pcap_inject)(handle.pcap, small.data(), small.size()) == 60) ++sent;
  CHECK(handle.fault().find("full") != std::string::npos);
  // With patience it waits for the reader; a break ends that.
  CHECK_EQ(CALL(pcap_setnonblock)(handle.pcap, 0, error), 0);
  CALL(pcap_breakloop)(handle.pcap);
  CHECK_EQ(CALL(pcap_inject)(handle.pcap, small.data(), small.size()), PCAP_ERROR);
  CHECK(handle.fault().find("pcap_breakloop") != std::string::npos);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, nullptr), PCAP_ERROR_BREAK);
  std::thread reader([&] {
    while (read <= sent && bricks_wait(consumer, 20'000) == BRICKS_OK) {
      while (bricks_next(consumer, &packet) == BRICKS_OK) ++read;
    }
  });
  CHECK_EQ(CALL(pcap_inject)(handle.pcap, small.data(), small.size()), 60);
  reader.join();
  CHECK_EQ(read, sent + 1);
  bricks_detach(consumer);
}

// select() and nonblocking: readable for as long as packets may be left, and not longer.
TEST(preload_pcap_nonblocking_and_selectable) {
  Pipe pipe;
  Handle handle("bricks:p}0");
  CHECK_EQ(std::string(handle.error), "");
  if (!handle.pcap) return;
  char error[PCAP_ERRBUF_SIZE];
  CHECK_EQ(CALL(pcap_setnonblock)(handle.pcap, 1, error), 0);
  CHECK_EQ(CALL(pcap_getnonblock)(handle.pcap, error), 1);
  const int fd = CALL(pcap_get_selectable_fd)(handle.pcap);
  CHECK(fd >= 0);
  CHECK(CALL(pcap_get_required_select_timeout)(handle.pcap) == nullptr);
  const auto readable = [&](int ms) {
    pollfd wait{fd, POLLIN, 0};
    return poll(&wait, 1, ms) == 1;
  };
  Seen seen;
  auto* user = reinterpret_cast<u_char*>(&seen);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), 0);
  CHECK(!readable(0));
  pipe.send(frames_to(1, 10));
  CHECK(readable(5000));
  for (int i = 1; i <= 10; ++i) {
    CHECK(readable(0));
    CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, 1, count, user), 1);
  }
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, 1, count, user), 0);
  CHECK(!readable(0));
  pipe.output->finish(pipe.cell);
  CHECK(readable(5000));
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, 1, count, user), PCAP_ERROR_BREAK);
  CHECK(readable(0));  // and says so to whoever asks again
}

TEST(preload_pcap_breakloop) {
  Pipe pipe;
  Handle handle("bricks:p}0", 65535, 0);
  CHECK_EQ(std::string(handle.error), "");
  if (!handle.pcap) return;
  Seen seen;
  auto* user = reinterpret_cast<u_char*>(&seen);
  // From another thread, while the loop sleeps.
  std::atomic<bool> over{false};
  std::thread breaker([&] {
    while (!over) {
      CALL(pcap_breakloop)(handle.pcap);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  CHECK_EQ(CALL(pcap_loop)(handle.pcap, -1, count, user), PCAP_ERROR_BREAK);
  over = true;
  breaker.join();
  CALL(pcap_breakloop)(handle.pcap);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), PCAP_ERROR_BREAK);
  // From the callback: the packets before it are counted, the next call says it.
  pipe.send(frames_to(1, 10));
  seen.stop_after_first = handle.pcap;
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), 1);
  CHECK_EQ(CALL(pcap_dispatch)(handle.pcap, -1, count, user), PCAP_ERROR_BREAK);
  seen.stop_after_first = nullptr;
  CHECK_EQ(CALL(pcap_loop)(handle.pcap, 9, count, user), 0);
  CHECK_EQ(seen.packets, 10u);
}

TEST(preload_pcap_two_handles_and_refusals) {
  Pipe pipe;
  std::unique_ptr<PipeOutput> second;
  CHECK_EQ(PipeOutput::open("q{0", 1024, nullptr, &pipe.directory, &second).message, "");
  Handle a("bricks:p}0"), b("bricks:q}0"), busy("bricks:p}0"), none("bricks:r}0");
  CHECK(a.pcap && b.pcap && a.pcap != b.pcap);
  CHECK(!busy.pcap && std::string(busy.error).find("p}0") != std::string::npos);
  CHECK(!none.pcap && std::string(none.error).find("r}0") != std::string::npos);
  if (!a.pcap || !b.pcap) return;
  pipe.send(frames_to(1, 7));
  Seen of_a, of_b;
  CHECK_EQ(CALL(pcap_dispatch)(b.pcap, -1, count, reinterpret_cast<u_char*>(&of_b)), 0);
  CHECK_EQ(CALL(pcap_dispatch)(a.pcap, -1, count, reinterpret_cast<u_char*>(&of_a)), 7);
  pipe.output->finish(pipe.cell);
  CHECK_EQ(CALL(pcap_loop)(a.pcap, -1, count, reinterpret_cast<u_char*>(&of_a)), 0);
  second->close(pipe.cell);
}

TEST(preload_pcap_daemon_dies) {
  Pipe pipe;
  Handle handle("bricks:p}0");
  CHECK_EQ(std::string(handle.error), "");
  if (!handle.pcap) return;
  pipe.send(frames_to(1, 7));
  pipe.server.reset();  // the connection breaks; the memory says nothing
  Seen seen;
  auto* user = reinterpret_cast<u_char*>(&seen);
  CHECK_EQ(CALL(pcap_loop)(handle.pcap, -1, count, user), PCAP_ERROR);
  CHECK_EQ(seen.packets, 7u);
  CHECK(handle.fault().find("vanished") != std::string::npos);
}

}  // namespace bricks
