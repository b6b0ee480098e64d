/* libbricks-netmap: select, by way of poll. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/select.h>
#include <time.h>

#include "preload/netmap_wait.h"

enum { kFewDescriptors = 64 };

/* Programs with more descriptors than an fd_set has bits make longer sets of the same kind. */
static bool has(const fd_set *set, int fd) {
  return set && (set->fds_bits[fd / NFDBITS] & (fd_mask)(1ul << (fd % NFDBITS)));
}

static void put(fd_set *set, int fd, bool there) {
  const fd_mask bit = (fd_mask)(1ul << (fd % NFDBITS));
  if (!set) return;
  set->fds_bits[fd / NFDBITS] &= ~bit;
  if (there) set->fds_bits[fd / NFDBITS] |= bit;
}

static bool has_ports(int count, const fd_set *in, const fd_set *out, const fd_set *special) {
  for (int fd = 0; fd < count && fd < kNetmapFdsMax; ++fd) {
    if (netmap_port_of(fd) && (has(in, fd) || has(out, fd) || has(special, fd))) return true;
  }
  return false;
}

/* The sets as poll wants them; how many descriptors. */
static nfds_t to_poll(struct pollfd *fds, int count, const fd_set *in, const fd_set *out,
                      const fd_set *special) {
  nfds_t used = 0;
  for (int fd = 0; fd < count; ++fd) {
    short events = 0;
    if (has(in, fd)) events |= POLLIN;
    if (has(out, fd)) events |= POLLOUT;
    if (has(special, fd)) events |= POLLPRI;
    if (events) fds[used++] = (struct pollfd){.fd = fd, .events = events};
  }
  return used;
}

static int from_poll(const struct pollfd *fds, nfds_t used, fd_set *in, fd_set *out,
                     fd_set *special) {
  int ready = 0;
  for (nfds_t i = 0; i < used; ++i) {
    const short got = fds[i].revents;
    if (got & POLLNVAL) {
      errno = EBADF;
      return -1;
    }
    const bool is_in = has(in, fds[i].fd) && got & (POLLIN | POLLHUP | POLLERR);
    const bool is_out = has(out, fds[i].fd) && got & (POLLOUT | POLLERR);
    const bool is_special = has(special, fds[i].fd) && got & POLLPRI;
    put(in, fds[i].fd, is_in);
    put(out, fds[i].fd, is_out);
    put(special, fds[i].fd, is_special);
    ready += is_in + is_out + is_special;
  }
  return ready;
}

static int select_ports(int count, fd_set *in, fd_set *out, fd_set *special,
                        const struct timespec *timeout, const sigset_t *mask) {
  struct pollfd few[kFewDescriptors];
  struct pollfd *fds = few;
  if (count > kFewDescriptors) fds = malloc((size_t)count * sizeof *fds);
  if (!fds) {
    errno = ENOMEM;
    return -1;
  }
  const nfds_t used = to_poll(fds, count, in, out, special);
  int result = ppoll(fds, used, timeout, mask);
  if (result >= 0) result = from_poll(fds, used, in, out, special);
  const int error = errno;
  if (fds != few) free(fds);
  errno = error;
  return result;
}

EXPORT int select(int count, fd_set *in, fd_set *out, fd_set *special, struct timeval *timeout) {
  if (!has_ports(count, in, out, special)) {
    return REAL(select)(count, in, out, special, timeout);
  }
  struct timespec left = {0, 0};
  if (timeout && (timeout->tv_sec < 0 || timeout->tv_usec < 0)) {
    errno = EINVAL;
    return -1;
  }
  if (timeout) {
    left.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000;
    left.tv_nsec = timeout->tv_usec % 1000000 * 1000;
  }
  const uint64_t before = netmap_clock_ns();
  const int result = select_ports(count, in, out, special, timeout ? &left : NULL, NULL);
  if (timeout) { /* as Linux does: what is left */
    const uint64_t whole = (uint64_t)left.tv_sec * 1000000u + (uint64_t)left.tv_nsec / 1000;
    const uint64_t gone = (netmap_clock_ns() - before) / 1000;
    const uint64_t rest = gone < whole ? whole - gone : 0;
    *timeout = (struct timeval){(time_t)(rest / 1000000), (suseconds_t)(rest % 1000000)};
  }
  return result;
}

EXPORT int pselect(int count, fd_set *in, fd_set *out, fd_set *special,
                   const struct timespec *timeout, const sigset_t *mask) {
  if (!has_ports(count, in, out, special)) {
    return REAL(pselect)(count, in, out, special, timeout, mask);
  }
  return select_ports(count, in, out, special, timeout, mask);
}
