// libbricks-netmap: descriptors that one thread closes while another is in a call on them.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "netmap_program.hh"

namespace bricks {
namespace {

// Whether somebody sleeps until packets come, in either direction of the pipe.
bool sleeps(const NetmapPort& port) {
  for (uint64_t at = 0; at + sizeof(bricks_pipe) <= port.bytes; at += 64) {
    const auto* pipe = reinterpret_cast<const bricks_pipe*>(port.memory + at);
    if (pipe->magic != BRICKS_PIPE_MAGIC) continue;
    if (__atomic_load_n(&pipe->consumer_waits, __ATOMIC_SEQ_CST) == 1) return true;
  }
  return false;
}

bool is_free(const std::string& name) {
  Wish alone;
  alone.flags = NR_EXCLUSIVE;
  return NetmapPort(name, alone).error == 0;
}

struct Unspun {
  Unspun() { setenv("BRICKS_SPIN_US", "0", 1); }
  ~Unspun() { unsetenv("BRICKS_SPIN_US"); }
};

}  // namespace

TEST(preload_netmap_poll_goes_on_with_a_port_that_another_thread_closes) {
  NetmapHouse house;
  const Unspun unspun;
  NetmapPort a("x{0"), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  std::thread reader([fd = b.fd] {
    pollfd one{fd, POLLIN, 0};
    CHECK_EQ(NETMAP(poll)(&one, 1, 20000), 1);
    CHECK_EQ(one.revents, POLLIN);  // of what it was called for
  });
  CHECK(eventually([&] { return sleeps(a); }));
  const int other = eventfd(1, EFD_CLOEXEC), number = b.fd;
  NETMAP(close)(number);
  CHECK_EQ(dup2(other, number), number);  // readable, and of nobody's interest
  CHECK(!is_free("x}0"));
  NetmapPort::put(a.tx(), 1);
  CHECK_EQ(a.sync_tx(), 0);
  reader.join();
  CHECK(eventually([] { return is_free("x}0"); }));
  close(number);
  close(other);
  b.fd = -1;
}

TEST(preload_netmap_epoll_forgets_a_port_that_another_thread_closes) {
  NetmapHouse house;
  const Unspun unspun;
  NetmapPort a("x{0"), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  const int set = epoll_create1(EPOLL_CLOEXEC), stop = eventfd(0, EFD_CLOEXEC);
  epoll_event wanted{EPOLLIN, {.u64 = 1}}, last{EPOLLIN, {.u64 = 2}};
  CHECK_EQ(NETMAP(epoll_ctl)(set, EPOLL_CTL_ADD, b.fd, &wanted), 0);
  CHECK_EQ(NETMAP(epoll_ctl)(set, EPOLL_CTL_ADD, stop, &last), 0);
  std::thread reader([set] {
    epoll_event got[4];
    CHECK_EQ(NETMAP(epoll_wait)(set, got, 4, 20000), 1);
    CHECK_EQ(got[0].data.u64, 2u);
  });
  CHECK(eventually([&] { return sleeps(a); }));
  NETMAP(close)(b.fd);
  b.fd = -1;
  NetmapPort::put(a.tx(), 1);
  CHECK_EQ(a.sync_tx(), 0);  // wakes it, and nothing is reported
  CHECK(eventually([] { return is_free("x}0"); }));
  eventfd_write(stop, 1);
  reader.join();
  NETMAP(close)(set);
  close(stop);
}

TEST(preload_netmap_fork_holds_nothing_for_its_parents_calls) {
  NetmapHouse house;
  const Unspun unspun;
  NetmapPort a("x{0"), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  std::thread reader([&] { CHECK_EQ(b.poll_for(POLLIN, 20000), POLLIN); });
  CHECK(eventually([&] { return sleeps(a); }));
  int end[2];
  CHECK_EQ(pipe2(end, O_CLOEXEC), 0);
  Child child([&] {
    NETMAP(close)(b.fd);
    close(end[1]);
    char none;
    return static_cast<int>(read(end[0], &none, 1));  // lives on until we let it go
  });
  NetmapPort::put(a.tx(), 1);
  CHECK_EQ(a.sync_tx(), 0);
  reader.join();
  b.leave();
  CHECK(eventually([] { return is_free("x}0"); }));
  close(end[1]);
  CHECK_EQ(child.wait(), 0);
  close(end[0]);
}

TEST(preload_netmap_calls_race_with_closes) {
  NetmapHouse house;
  NetmapPort a("x{0");
  if (!a.is_open()) return;
  std::atomic<int> fd{-1};
  std::atomic<bool> done{false};
  const auto run = [&](const std::function<void(int)>& call) {
    while (!done.load()) {
      if (const int now = fd.load(); now >= 0) call(now);
    }
  };
  std::thread poller([&] {
    run([](int now) {
      pollfd one{now, POLLIN | POLLOUT, 0};
      NETMAP(poll)(&one, 1, 0);
    });
  });
  std::thread syncer([&] { run([](int now) { NETMAP(ioctl)(now, NIOCRXSYNC, nullptr); }); });
  for (int round = 0; round < 300; ++round) {
    NetmapPort b("x}0");
    CHECK_EQ(b.error, 0);
    fd.store(b.fd);
    if (NetmapPort::space(a.tx())) NetmapPort::put(a.tx(), 1);
    CHECK_EQ(a.sync_tx(), 0);
  }
  done.store(true);
  poller.join();
  syncer.join();
  CHECK(eventually([] { return is_free("x}0"); }));
}

}  // namespace bricks
