/* libbricks-netmap: poll. Ports are looked at first; then for BRICKS_SPIN_US
 * microseconds (50) over and over; then the program sleeps on the events behind them. */
#include "preload/netmap_wait.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
  kPausesPerClock = 16,
  kVainSpinsMax = 32,
  kSpinEvery = 16,
  kSpinDefaultUs = 50,
  kPortsMax = 64, /* of one poll that are spun on */
  kDescriptorsMax = 65536
};
/* Whoever shares a port with another thread or process may have lost the signal to it. */
static const int64_t kSliceNs = 500000000;

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

uint64_t netmap_clock_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t spin_ns(void) {
  static uint64_t chosen = UINT64_MAX;
  if (chosen == UINT64_MAX) {
    const char *text = getenv("BRICKS_SPIN_US");
    char *end = NULL;
    unsigned long us = text ? strtoul(text, &end, 10) : kSpinDefaultUs;
    if (text && (end == text || *end || us > 1000000)) {
      netmap_say("BRICKS_SPIN_US=%s is no number of microseconds up to 1000000; taking %d", text,
                 kSpinDefaultUs);
      us = kSpinDefaultUs;
    }
    /* with one processor, spinning only keeps the other side from running */
    chosen = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? us * 1000 : 0;
  }
  return chosen;
}

/* Where both sides share a processor, spinning is in vain: then most waits sleep at once, and some
 * look still, lest sleeping itself be what makes the other side slow. */
bool netmap_spin(const struct netmap_waiting *waiting, uint32_t count, uint64_t until_ns) {
  const uint64_t longest = spin_ns();
  if (longest == 0 || count == 0) return false;
  struct netmap_port *first = waiting[0].port;
  if (first->vain_spins > kVainSpinsMax && ++first->vain_spins % kSpinEvery) return false;
  const uint64_t start = netmap_clock_ns();
  const uint64_t end = until_ns - start < longest ? until_ns : start + longest;
  do {
    for (uint32_t i = 0; i < kPausesPerClock; ++i) {
      for (uint32_t k = 0; k < count; ++k) {
        if (!netmap_has_news(waiting[k].port, waiting[k].events)) continue;
        first->vain_spins = 0;
        return true;
      }
      relax();
    }
  } while (netmap_clock_ns() < end);
  ++first->vain_spins;
  return false;
}

struct waiting_poll {
  struct pollfd *fds;
  nfds_t count;
  struct pollfd *asked;      /* of the system; ports ask for POLLIN */
  struct netmap_port **held; /* by their places in `fds`; NULL: no port */
  uint32_t forks;
  bool others; /* not all are ports */
  uint32_t port_count;
  struct netmap_waiting ports[kPortsMax];
};

/* Descriptors that are closed and opened meanwhile are not looked up again, as with the system. */
static void hold_ports(struct waiting_poll *w) {
  w->forks = netmap_forks;
  w->others = false;
  w->port_count = 0;
  for (nfds_t i = 0; i < w->count; ++i) {
    struct netmap_port *port = w->held[i] = netmap_hold(w->fds[i].fd);
    w->asked[i] = w->fds[i];
    if (!port) {
      w->others = true;
      continue;
    }
    w->asked[i].fd = port->poll_fd;
    w->asked[i].events = POLLIN;
    if (w->port_count == kPortsMax) continue;
    w->ports[w->port_count++] = (struct netmap_waiting){port, w->fds[i].events};
  }
}

static void let_ports_go(const struct waiting_poll *w) {
  for (nfds_t i = 0; i < w->count; ++i) {
    if (w->held[i]) netmap_let_go(w->held[i], w->forks);
  }
}

/* How many of the ports are ready; theirs and all others' revents are set. */
static int look_at_ports(const struct waiting_poll *w) {
  int ready = 0;
  for (nfds_t i = 0; i < w->count; ++i) {
    w->fds[i].revents = w->held[i] ? netmap_look(w->held[i], w->fds[i].events) : 0;
    ready += w->fds[i].revents != 0;
  }
  return ready;
}

/* What the system says of the other descriptors; -1 and errno. */
static int ask_system(const struct waiting_poll *w, const struct timespec *timeout,
                      const sigset_t *mask) {
  const int n = REAL(ppoll)(w->asked, w->count, timeout, mask);
  int ready = 0;
  if (n < 0) return n;
  for (nfds_t i = 0; n && i < w->count; ++i) {
    if (w->held[i]) continue;
    w->fds[i].revents = w->asked[i].revents;
    ready += w->asked[i].revents != 0;
  }
  return ready;
}

static void arm_all(const struct waiting_poll *w) {
  for (nfds_t i = 0; i < w->count; ++i) {
    if (w->held[i]) netmap_arm(w->held[i], w->fds[i].events);
  }
}

/* `all`: also what others before us have asked for and left unread. */
static void disarm_all(const struct waiting_poll *w, bool all) {
  for (nfds_t i = 0; i < w->count; ++i) {
    if (w->held[i]) netmap_disarm(w->held[i], all ? POLLIN | POLLOUT : w->fds[i].events);
  }
}

/* One turn that may sleep until `end`: how many are ready, or -1. */
static int sleep_once(const struct waiting_poll *w, uint64_t end, const sigset_t *mask) {
  arm_all(w);
  int ready = look_at_ports(w);
  struct timespec left = {0, 0};
  const uint64_t now = netmap_clock_ns();
  if (ready == 0 && now < end) {
    const uint64_t most = end - now < (uint64_t)kSliceNs ? end - now : (uint64_t)kSliceNs;
    left = (struct timespec){(time_t)(most / 1000000000u), (long)(most % 1000000000u)};
  }
  const int others = ask_system(w, &left, mask);
  const int error = errno;
  disarm_all(w, false);
  errno = error;
  return others < 0 ? others : ready + others;
}

/* UINT64_MAX: never; 0: at once. */
static uint64_t end_of(const struct timespec *timeout) {
  if (!timeout) return UINT64_MAX;
  if (timeout->tv_sec == 0 && timeout->tv_nsec == 0) return 0;
  const uint64_t now = netmap_clock_ns();
  if ((uint64_t)timeout->tv_sec > (UINT64_MAX - now) / 1000000000u - 1) return UINT64_MAX;
  return now + (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
}

static int poll_until(const struct waiting_poll *w, const struct timespec *timeout,
                      const sigset_t *mask) {
  int ready = look_at_ports(w);
  if (ready && !w->others) return ready; /* nobody else to ask */
  const uint64_t end = end_of(timeout);
  if (ready == 0 && end != 0 && netmap_spin(w->ports, w->port_count, end)) {
    ready = look_at_ports(w);
  }
  if (ready && !w->others) return ready;
  if (ready || end == 0) {
    const struct timespec none = {0, 0};
    const int others = ask_system(w, &none, mask);
    return others < 0 ? others : ready + others;
  }
  for (;;) {
    ready = sleep_once(w, end, mask);
    if (ready != 0) return ready;
    /* What woke it may have been a port's event. */
    ready = look_at_ports(w);
    if (ready || netmap_clock_ns() >= end) return ready;
    disarm_all(w, true);
  }
}

static int poll_ports(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                      const sigset_t *mask) {
  struct pollfd few[kPortsMax];
  struct netmap_port *held[kPortsMax];
  struct waiting_poll w;
  w.fds = fds;
  w.count = count;
  w.asked = few;
  w.held = held;
  if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec > 999999999)) {
    errno = EINVAL;
    return -1;
  }
  void *many = count > kPortsMax ? malloc(count * (sizeof *w.held + sizeof *w.asked)) : NULL;
  if (count > kPortsMax) {
    if (!many) {
      errno = ENOMEM;
      return -1;
    }
    w.held = many;
    w.asked = (struct pollfd *)(w.held + count);
  }
  hold_ports(&w);
  const int result = poll_until(&w, timeout, mask);
  const int error = errno;
  let_ports_go(&w);
  free(many);
  errno = error;
  return result;
}

static bool has_ports(struct pollfd *fds, nfds_t count) {
  for (nfds_t i = 0; fds && count <= kDescriptorsMax && i < count; ++i) {
    if (netmap_port_of(fds[i].fd)) return true;
  }
  return false;
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout_ms) {
  if (!has_ports(fds, count)) return REAL(poll)(fds, count, timeout_ms);
  const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
  return poll_ports(fds, count, timeout_ms < 0 ? NULL : &timeout, NULL);
}

EXPORT int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                 const sigset_t *mask) {
  if (!has_ports(fds, count)) return REAL(ppoll)(fds, count, timeout, mask);
  return poll_ports(fds, count, timeout, mask);
}

/* What the compiler makes of them with _FORTIFY_SOURCE. */
EXPORT int __poll_chk(struct pollfd *fds, nfds_t count, int timeout_ms, size_t room) {
  if (room / sizeof *fds < count) abort();
  return poll(fds, count, timeout_ms);
}

EXPORT int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                       const sigset_t *mask, size_t room) {
  if (room / sizeof *fds < count) abort();
  return ppoll(fds, count, timeout, mask);
}
