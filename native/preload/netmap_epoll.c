/* libbricks-netmap: epoll. A port is in the program's set as what it is, an epoll of the events
 * behind it, but with our mark instead of the program's data: what the system reports under the
 * mark is looked into, and reported as the port stands. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "preload/netmap_wait.h"

enum { kSpunMax = 64 };
static const uint64_t kSliceNs = 500000000; /* as in netmap_wait.c */

struct member {
  struct member *next;
  int fd;
  struct epoll_event wanted;
  bool spent;                 /* EPOLLONESHOT: has reported */
  uint32_t seen_in, seen_out; /* EPOLLET: tails when it last reported; UINT32_MAX: never */
};

struct set { /* exists from the first port on until the descriptor is closed */
  struct member *members;
};

/* What a set of the system's has for a port: the address at its descriptor's number. The system may
 * still report under it when the port is closed already, while a call is under way. */
static const char marks[kNetmapFdsMax];
static struct set *sets[kNetmapFdsMax]; /* by the set's descriptor; under netmap_lock() */

bool netmap_epoll_known(int fd) {
  return fd >= 0 && fd < kNetmapFdsMax && __atomic_load_n(&sets[fd], __ATOMIC_ACQUIRE);
}

static void remove_member(struct set *set, int fd) {
  for (struct member **at = &set->members; *at; at = &(*at)->next) {
    struct member *m = *at;
    if (m->fd != fd) continue;
    *at = m->next;
    free(m);
    return;
  }
}

void netmap_epoll_forget(int fd) {
  const bool port = netmap_port_of(fd) != NULL;
  for (int i = 0; port && i < kNetmapFdsMax; ++i) {
    if (sets[i]) remove_member(sets[i], fd);
  }
  struct set *set = sets[fd];
  if (!set) return;
  __atomic_store_n(&sets[fd], NULL, __ATOMIC_RELEASE);
  while (set->members) remove_member(set, set->members->fd);
  free(set);
}

static struct member *find(struct set *set, int fd) {
  for (struct member *m = set ? set->members : NULL; m; m = m->next) {
    if (m->fd == fd) return m;
  }
  return NULL;
}

static struct member *add_member(int set_fd, int fd) {
  if (!sets[set_fd]) {
    struct set *made = calloc(1, sizeof *made);
    if (!made) return NULL;
    __atomic_store_n(&sets[set_fd], made, __ATOMIC_RELEASE);
  }
  struct member *m = calloc(1, sizeof *m);
  if (!m) return NULL;
  m->fd = fd;
  m->next = sets[set_fd]->members;
  sets[set_fd]->members = m;
  return m;
}

static int control(int set_fd, int operation, int fd, const struct epoll_event *wanted) {
  struct member *m = find(sets[set_fd], fd);
  if (operation == EPOLL_CTL_DEL) {
    const int result = REAL(epoll_ctl)(set_fd, operation, fd, NULL);
    if (m && result == 0) remove_member(sets[set_fd], fd);
    return result;
  }
  if (!wanted) {
    errno = EFAULT;
    return -1;
  }
  const bool adds = operation == EPOLL_CTL_ADD && !m;
  if (adds && !(m = add_member(set_fd, fd))) {
    errno = ENOMEM;
    return -1;
  }
  struct epoll_event marked = {.events = EPOLLIN, .data.ptr = (void *)(uintptr_t)&marks[fd]};
  if (REAL(epoll_ctl)(set_fd, operation, fd, &marked) != 0) {
    const int error = errno;
    if (adds) remove_member(sets[set_fd], fd);
    errno = error;
    return -1;
  }
  m->wanted = *wanted;
  m->spent = false;
  m->seen_in = m->seen_out = UINT32_MAX;
  return 0;
}

EXPORT int epoll_ctl(int set_fd, int operation, int fd, struct epoll_event *event) {
  const bool ours = netmap_port_of(fd) && set_fd >= 0 && set_fd < kNetmapFdsMax;
  if (!ours || netmap_in_vfork()) return REAL(epoll_ctl)(set_fd, operation, fd, event);
  netmap_lock();
  const int result = control(set_fd, operation, fd, event);
  netmap_unlock();
  return result;
}

static short events_of(const struct member *m) {
  return (short)(m->wanted.events & (EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM));
}

static uint32_t tails(const struct netmap_end_ring *rings, uint32_t first, uint32_t end) {
  uint32_t sum = 0;
  for (uint32_t i = first; i < end; ++i) sum = sum * 65599u + rings[i].ring->tail;
  return sum & 0x7fffffff;
}

/* Edge-triggered: only what has moved since the last report. */
static uint32_t only_news(struct member *m, const struct netmap_port *port, uint32_t found) {
  if (!(m->wanted.events & EPOLLET) || !found || !netmap_registered(port)) return found;
  const uint32_t in = tails(port->rx, port->rx_first, port->rx_end);
  const uint32_t out = tails(port->tx, port->tx_first, port->tx_end);
  if (in == m->seen_in) found &= ~(uint32_t)(EPOLLIN | EPOLLRDNORM);
  if (out == m->seen_out) found &= ~(uint32_t)(EPOLLOUT | EPOLLWRNORM);
  if (found & (EPOLLIN | EPOLLRDNORM)) m->seen_in = in;
  if (found & (EPOLLOUT | EPOLLWRNORM)) m->seen_out = out;
  return found;
}

struct looked { /* at the ports of a set, which are held */
  uint32_t forks, count;
  struct netmap_waiting waiting[kSpunMax];
};

static void let_go(struct looked *l) {
  for (; l->count; --l->count) netmap_let_go(l->waiting[l->count - 1].port, l->forks);
}

/* Looks at the ports of the set; up to `room` reports. */
static int look(int set_fd, struct epoll_event *events, int room, struct looked *l) {
  int ready = 0;
  let_go(l);
  l->forks = netmap_forks;
  netmap_lock();
  for (struct member *m = sets[set_fd] ? sets[set_fd]->members : NULL; m; m = m->next) {
    struct netmap_port *port = netmap_port_of(m->fd);
    if (!port || m->spent) continue;
    if (l->count < kSpunMax) {
      l->waiting[l->count++] = (struct netmap_waiting){netmap_hold(m->fd), events_of(m)};
    }
    if (ready == room) continue;
    uint32_t found = (uint16_t)netmap_look(port, events_of(m));
    found = only_news(m, port, found);
    if (!found) continue;
    m->spent = m->wanted.events & EPOLLONESHOT;
    events[ready++] = (struct epoll_event){.events = found, .data = m->wanted.data};
  }
  netmap_unlock();
  return ready;
}

static void arm_all(int set_fd, bool arm) {
  netmap_lock();
  for (struct member *m = sets[set_fd] ? sets[set_fd]->members : NULL; m; m = m->next) {
    struct netmap_port *port = netmap_port_of(m->fd);
    if (!port || m->spent) continue;
    if (arm) netmap_arm(port, events_of(m));
    if (!arm) netmap_disarm(port, POLLIN | POLLOUT);
  }
  netmap_unlock();
}

/* The system's reports without those under our marks. */
static int without_marks(struct epoll_event *events, int count) {
  int kept = 0;
  for (int i = 0; i < count; ++i) {
    const uintptr_t mark = (uintptr_t)events[i].data.ptr - (uintptr_t)marks;
    if (mark >= sizeof marks) events[kept++] = events[i];
  }
  return kept;
}

static int ask_system(int set_fd, struct epoll_event *events, int room, uint64_t wait_ns,
                      const sigset_t *mask) {
  if (room <= 0) return 0;
  const int ms = (int)((wait_ns + 999999) / 1000000);
  const int n = REAL(epoll_pwait)(set_fd, events, room, ms, mask);
  return n < 0 ? n : without_marks(events, n);
}

static int look_and_wait(int set_fd, struct epoll_event *events, int room, uint64_t end,
                         const sigset_t *mask, struct looked *l) {
  int ready = look(set_fd, events, room, l);
  if (ready == 0 && end != 0 && netmap_spin(l->waiting, l->count, end)) {
    ready = look(set_fd, events, room, l);
  }
  if (ready || end == 0) {
    const int others = ask_system(set_fd, events + ready, room - ready, 0, mask);
    return others < 0 && !ready ? others : ready + (others > 0 ? others : 0);
  }
  for (;;) {
    uint64_t left = 0;
    arm_all(set_fd, true);
    ready = look(set_fd, events, room, l);
    const uint64_t now = netmap_clock_ns();
    if (ready == 0 && now < end) left = end - now < kSliceNs ? end - now : kSliceNs;
    const int others = ask_system(set_fd, events + ready, room - ready, left, mask);
    const int error = errno;
    arm_all(set_fd, false);
    errno = error;
    if (others < 0 && !ready) return others;
    if (others > 0) ready += others;
    if (ready) return ready;
    ready = look(set_fd, events, room, l); /* what woke it may have been a port's */
    if (ready || netmap_clock_ns() >= end) return ready;
  }
}

static int wait_until(int set_fd, struct epoll_event *events, int room, uint64_t end,
                      const sigset_t *mask) {
  struct looked l;
  l.count = 0;
  const int result = look_and_wait(set_fd, events, room, end, mask, &l);
  let_go(&l);
  return result;
}

EXPORT int epoll_pwait(int set_fd, struct epoll_event *events, int room, int timeout_ms,
                       const sigset_t *mask) {
  if (!netmap_epoll_known(set_fd) || room <= 0 || !events) {
    return REAL(epoll_pwait)(set_fd, events, room, timeout_ms, mask);
  }
  uint64_t end = UINT64_MAX;
  if (timeout_ms == 0) end = 0;
  if (timeout_ms > 0) end = netmap_clock_ns() + (uint64_t)timeout_ms * 1000000u;
  return wait_until(set_fd, events, room, end, mask);
}

EXPORT int epoll_wait(int set_fd, struct epoll_event *events, int room, int timeout_ms) {
  if (!netmap_epoll_known(set_fd)) return REAL(epoll_wait)(set_fd, events, room, timeout_ms);
  return epoll_pwait(set_fd, events, room, timeout_ms, NULL);
}

EXPORT int epoll_pwait2(int set_fd, struct epoll_event *events, int room,
                        const struct timespec *timeout, const sigset_t *mask) {
  if (!netmap_epoll_known(set_fd) || room <= 0 || !events) {
    return REAL(epoll_pwait2)(set_fd, events, room, timeout, mask);
  }
  uint64_t end = UINT64_MAX;
  if (timeout) end = (uint64_t)timeout->tv_sec * 1000000000u + (uint64_t)timeout->tv_nsec;
  if (timeout && end != 0) end += netmap_clock_ns();
  return wait_until(set_fd, events, room, end, mask);
}
