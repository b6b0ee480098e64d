// libbricks-netmap: poll, select and epoll, also through duplicates of the descriptor and in forked
// children.
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "netmap_program.hh"

namespace bricks {
namespace {

// Waits in `wait` while another process sends; what it sends in a second syscall is there then.
void sleeps_until_sent(NetmapPort& b, const std::function<int(int)>& wait) {
  CHECK_EQ(wait(0), 0);
  Child sender([] {
    NetmapPort a("x{0");
    if (a.error) return 1;
    for (int i = 0; i < 3; ++i) {
      NetmapPort::put(a.tx(), 7);
      if (a.sync_tx() != 0) return 2;
      // until the receiver has given it back: it must be woken for each
      while (NetmapPort::space(a.tx()) != a.tx()->num_slots - 1) {
        a.tx()->cur = a.tx()->tail;
        if (a.poll_for(POLLOUT, 10000) != POLLOUT) return 3;
        a.tx()->cur = a.tx()->head;
      }
    }
    return 0;
  });
  for (int i = 0; i < 3; ++i) {
    CHECK_EQ(wait(10000), 1);
    CHECK_EQ(wait(10000), 1);  // level-triggered: as long as it is not looked at
    CHECK_EQ(NetmapPort::space(b.rx()), 1u);
    CHECK(NetmapPort::take(b.rx(), 7));
    CHECK_EQ(b.sync_rx(), 0);
  }
  CHECK_EQ(sender.wait(), 0);
  CHECK_EQ(wait(0), 0);
}

int select_on(int fd, int other, int timeout_ms) {
  fd_set in;
  FD_ZERO(&in);
  FD_SET(fd, &in);
  FD_SET(other, &in);
  timeval left{timeout_ms / 1000, timeout_ms % 1000 * 1000};
  const int n = NETMAP(select)(std::max(fd, other) + 1, &in, nullptr, nullptr, &left);
  CHECK_EQ(FD_ISSET(fd, &in) != 0, n == 1);
  return n;
}

struct Epoll {
  Epoll(int fd, uint32_t events) : set(epoll_create1(EPOLL_CLOEXEC)) {
    epoll_event wanted{events, {.u64 = 4711}};
    CHECK_EQ(NETMAP(epoll_ctl)(set, EPOLL_CTL_ADD, fd, &wanted), 0);
  }
  ~Epoll() { NETMAP(close)(set); }
  int wait(int timeout_ms) const {
    epoll_event got[4];
    const int n = NETMAP(epoll_wait)(set, got, 4, timeout_ms);
    if (n == 1) CHECK_EQ(got[0].data.u64, 4711u);
    return n;
  }
  const int set;
};

}  // namespace

TEST(preload_netmap_wakes_who_sleeps_in_poll_select_and_epoll) {
  for (const char* spin : {"0", "50"}) {
    NetmapHouse house;
    setenv("BRICKS_SPIN_US", spin, 1);
    NetmapPort b("x}0");
    if (!b.is_open()) return;
    const int other = eventfd(0, 0);
    sleeps_until_sent(b, [&](int ms) { return b.poll_for(POLLIN, ms) == POLLIN; });
    sleeps_until_sent(b, [&](int ms) { return select_on(b.fd, other, ms); });
    const Epoll epoll(b.fd, EPOLLIN);
    sleeps_until_sent(b, [&](int ms) { return epoll.wait(ms); });
    close(other);
    unsetenv("BRICKS_SPIN_US");
  }
}

TEST(preload_netmap_serves_duplicates_and_forked_children) {
  NetmapHouse house;
  NetmapPort b("x}0");
  if (!b.is_open()) return;
  const int first = b.fd, copy = NETMAP(dup)(b.fd);
  const int third = NETMAP(fcntl)(copy, F_DUPFD_CLOEXEC, 100);
  CHECK(copy >= 0 && third >= 100);
  const int fourth = NETMAP(dup2)(copy, third + 1);
  CHECK_EQ(fourth, third + 1);
  NETMAP(close)(first);
  NETMAP(close)(copy);
  NETMAP(close)(third);
  b.fd = fourth;
  sleeps_until_sent(b, [&](int ms) { return b.poll_for(POLLIN, ms) == POLLIN; });
  const Epoll epoll(b.fd, EPOLLIN);
  sleeps_until_sent(b, [&](int ms) { return epoll.wait(ms); });
  NetmapPort a("x{0");
  NetmapPort::put(a.tx(), 1);
  CHECK_EQ(a.sync_tx(), 0);
  Child child([&] {  // has the descriptor and the mapping
    if (b.poll_for(POLLIN, 10000) != POLLIN) return 1;
    if (!NetmapPort::take(b.rx(), 1)) return 2;
    return b.sync_rx() == 0 ? 0 : 3;
  });
  CHECK_EQ(child.wait(), 0);
  NetmapPort::put(a.tx(), 2);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(b.poll_for(POLLIN, 10000), POLLIN);
  CHECK(NetmapPort::take(b.rx(), 2));  // the child has moved what they share
  NETMAP(close)(b.fd);
  b.fd = -1;
  bricks_consumer* consumer = nullptr;  // the end is free again: the child's copy is gone, too
  CHECK(eventually([&] { return house.attach(&consumer, "x}0") == BRICKS_OK; }));
  bricks_detach(consumer);
}

TEST(preload_netmap_epoll_reports_edges_and_one_shots) {
  NetmapHouse house;
  NetmapPort a("x{0"), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  const auto send = [&](uint64_t number) {
    NetmapPort::put(a.tx(), number);
    CHECK_EQ(a.sync_tx(), 0);
  };
  send(1);
  {
    const Epoll edges(b.fd, EPOLLIN | EPOLLET);
    CHECK_EQ(edges.wait(1000), 1);
    CHECK_EQ(edges.wait(0), 0);
    send(2);
    CHECK_EQ(edges.wait(1000), 1);
    CHECK_EQ(edges.wait(20), 0);
  }
  const Epoll once(b.fd, EPOLLIN | EPOLLONESHOT);
  CHECK_EQ(once.wait(1000), 1);
  CHECK_EQ(once.wait(0), 0);
  epoll_event again{EPOLLIN, {.u64 = 4711}};
  CHECK_EQ(NETMAP(epoll_ctl)(once.set, EPOLL_CTL_MOD, b.fd, &again), 0);
  CHECK_EQ(once.wait(0), 1);
  CHECK_EQ(NETMAP(epoll_ctl)(once.set, EPOLL_CTL_ADD, b.fd, &again), -1);
  CHECK_EQ(errno, EEXIST);
  // Beside a descriptor that is no port's.
  const int other = eventfd(1, 0);
  epoll_event plain{EPOLLIN, {.u64 = 9}};
  CHECK_EQ(NETMAP(epoll_ctl)(once.set, EPOLL_CTL_ADD, other, &plain), 0);
  epoll_event got[4];
  CHECK_EQ(NETMAP(epoll_wait)(once.set, got, 4, 1000), 2);
  CHECK_EQ(NETMAP(epoll_wait)(once.set, got, 1, 1000), 1);
  CHECK_EQ(NETMAP(epoll_ctl)(once.set, EPOLL_CTL_DEL, b.fd, nullptr), 0);
  CHECK_EQ(NETMAP(epoll_wait)(once.set, got, 4, 1000), 1);
  CHECK_EQ(got[0].data.u64, 9u);
  close(other);
}

TEST(preload_netmap_poll_syncs_as_its_flags_say) {
  NetmapHouse house;
  Wish quiet;
  quiet.flags = NR_NO_TX_POLL;
  NetmapPort a("x{0", quiet), b("x}0"), c("y{0"), d("y}0");
  if (!a.is_open() || !b.is_open() || !c.is_open() || !d.is_open()) return;
  NetmapPort::put(a.tx(), 1);
  NetmapPort::put(c.tx(), 1);
  CHECK_EQ(a.poll_for(POLLIN, 0), 0);
  CHECK_EQ(c.poll_for(0, 0), 0);
  CHECK_EQ(b.poll_for(POLLIN, 0), 0);       // NR_NO_TX_POLL
  CHECK_EQ(d.poll_for(POLLIN, 0), POLLIN);  // poll for anything sends
  CHECK_EQ(a.poll_for(POLLOUT, 0), POLLOUT);
  CHECK_EQ(b.poll_for(POLLIN, 0), POLLIN);
  CHECK_EQ(b.poll_for(POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
  b.rx()->cur = b.rx()->tail;  // keeps the packet, waits for more
  CHECK_EQ(b.poll_for(POLLIN, 0), 0);
  b.rx()->cur = b.rx()->head;
  CHECK_EQ(b.poll_for(POLLIN, 0), POLLIN);
  Wish receiver;
  receiver.flags = NR_RX_RINGS_ONLY;
  NetmapPort only("z{0", receiver);
  if (!only.is_open()) return;
  CHECK(only.tx() == nullptr && only.rx() != nullptr);
  CHECK_EQ(only.poll_for(POLLOUT, 0), 0);
  const int pipe_end = eventfd(1, 0);  // the system's own are served beside
  pollfd two[2] = {{only.fd, POLLIN, 0}, {pipe_end, POLLIN, 0}};
  CHECK_EQ(NETMAP(poll)(two, 2, 1000), 1);
  CHECK_EQ(two[0].revents, 0);
  CHECK_EQ(two[1].revents, POLLIN);
  close(pipe_end);
}

TEST(preload_netmap_wait_ends_with_a_signal_and_with_the_time) {
  NetmapHouse house;
  NetmapPort b("x}0");
  if (!b.is_open()) return;
  const auto begin = std::chrono::steady_clock::now();
  CHECK_EQ(b.poll_for(POLLIN, 30), 0);
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(30));
  // A signal that is blocked but during ppoll: no race with going to sleep.
  struct sigaction action {
  }, old{};
  action.sa_handler = [](int) {};
  sigaction(SIGUSR1, &action, &old);
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const pthread_t self = pthread_self();
  std::thread sender([self] { pthread_kill(self, SIGUSR1); });
  pollfd one{b.fd, POLLIN, 0};
  CHECK_EQ(NETMAP(ppoll)(&one, 1, nullptr, &before), -1);
  CHECK_EQ(errno, EINTR);
  sender.join();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  sigaction(SIGUSR1, &old, nullptr);
}

}  // namespace bricks
