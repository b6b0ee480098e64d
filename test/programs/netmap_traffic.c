/* A netmap program of ours, as pkt-gen and bridge are: sends, counts or
 * forwards packets, in either style of the ABI. For tests and benchmarks of
 * libbricks-netmap; knows nothing of it.
 *
 *   netmap-traffic tx|rx x}0 COUNT [legacy] [bare] [select|epoll]
 *   netmap-traffic forward x}0 y{0 COUNT
 *
 * Packets are numbered from 0; rx and forward say how many came, how many out
 * of turn, and in which time. `bare`: as pkt-gen, buffers are neither written
 * nor read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "abi/netmap_requests.h"

enum { kBurst = 512, kFrame = 60, kPatienceMs = 20000 };
enum waiting { kPoll, kSelect, kEpoll };

struct port {
  int fd, epoll;
  struct netmap_ring *tx, *rx;
};

static void fail(const char *what, const char *name) {
  fprintf(stderr, "netmap-traffic: %s: %s: %s\n", name, what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void register_new(int fd, const char *name, uint64_t *bytes, uint64_t *offset) {
  struct nmreq_register body = {.nr_mode = NR_REG_ALL_NIC};
  struct nmreq_header header = {.nr_version = BRICKS_NETMAP_API,
                                .nr_reqtype = NETMAP_REQ_REGISTER,
                                .nr_body = (uint64_t)(uintptr_t)&body};
  snprintf(header.nr_name, sizeof header.nr_name, "%s", name);
  if (ioctl(fd, NIOCCTRL, &header) != 0) fail("NIOCCTRL", name);
  *bytes = body.nr_memsize;
  *offset = body.nr_offset;
}

static void register_legacy(int fd, const char *name, uint64_t *bytes, uint64_t *offset) {
  struct nmreq request = {.nr_version = 11};
  const char *brace = strpbrk(name, "{}");
  if (!brace || brace - name >= (int)sizeof request.nr_name) fail("no pipe's end", name);
  memcpy(request.nr_name, name, (size_t)(brace - name));
  request.nr_flags = *brace == '{' ? NR_REG_PIPE_MASTER : NR_REG_PIPE_SLAVE;
  request.nr_ringid = (uint16_t)atoi(brace + 1);
  if (ioctl(fd, NIOCREGIF, &request) != 0) fail("NIOCREGIF", name);
  *bytes = request.nr_memsize;
  *offset = request.nr_offset;
}

static struct port open_port(const char *name, bool legacy, enum waiting waiting, uint32_t events) {
  struct port p = {.fd = open("/dev/netmap", O_RDWR), .epoll = -1};
  uint64_t bytes, offset;
  if (p.fd < 0) fail("/dev/netmap", name);
  (legacy ? register_legacy : register_new)(p.fd, name, &bytes, &offset);
  uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, p.fd, 0);
  if (memory == MAP_FAILED) fail("mmap", name);
  struct netmap_if *nifp = (struct netmap_if *)(void *)(memory + offset);
  const uint32_t first_rx = nifp->ni_tx_rings + nifp->ni_host_tx_rings;
  p.tx = (struct netmap_ring *)(void *)((uint8_t *)nifp + nifp->ring_ofs[0]);
  p.rx = (struct netmap_ring *)(void *)((uint8_t *)nifp + nifp->ring_ofs[first_rx]);
  if (waiting == kEpoll) {
    struct epoll_event wanted = {.events = events, .data.u64 = 7};
    p.epoll = epoll_create1(0);
    if (epoll_ctl(p.epoll, EPOLL_CTL_ADD, p.fd, &wanted) != 0) fail("epoll_ctl", name);
  }
  return p;
}

static uint32_t after(const struct netmap_ring *ring, uint32_t i) {
  return i + 1 == ring->num_slots ? 0 : i + 1;
}

static uint32_t space(const struct netmap_ring *ring) {
  const uint32_t cur = ring->cur, tail = ring->tail;
  return tail >= cur ? tail - cur : tail + ring->num_slots - cur;
}

static uint8_t *buffer(struct netmap_ring *ring, const struct netmap_slot *slot) {
  return (uint8_t *)ring + ring->buf_ofs + (uint64_t)slot->buf_idx * ring->nr_buf_size;
}

static void wait_for(const struct port *p, enum waiting waiting, short events) {
  int ready = 0;
  if (waiting == kPoll) {
    struct pollfd one = {.fd = p->fd, .events = events};
    ready = poll(&one, 1, kPatienceMs);
    if (ready > 0 && one.revents & POLLERR) ready = -1;
  } else if (waiting == kSelect) {
    struct timeval patience = {.tv_sec = kPatienceMs / 1000};
    fd_set set;
    FD_ZERO(&set);
    FD_SET(p->fd, &set);
    ready = select(p->fd + 1, events == POLLIN ? &set : NULL, events == POLLOUT ? &set : NULL, NULL,
                   &patience);
  } else {
    struct epoll_event got;
    ready = epoll_wait(p->epoll, &got, 1, kPatienceMs);
    if (ready > 0 && got.data.u64 != 7) ready = -1;
  }
  if (ready <= 0) fail(ready ? "waiting" : "nothing happened for too long", "port");
}

static void send_all(const struct port *p, enum waiting waiting, uint64_t count, bool bare) {
  struct netmap_ring *ring = p->tx;
  uint64_t number = 0;
  ioctl(p->fd, NIOCTXSYNC, NULL);
  while (number < count) {
    wait_for(p, waiting, POLLOUT);
    uint32_t most = space(ring), head = ring->head;
    if (most > kBurst) most = kBurst;
    if (most > count - number) most = (uint32_t)(count - number);
    for (uint32_t i = 0; i < most; ++i, ++number) {
      struct netmap_slot *slot = &ring->slot[head];
      if (!bare) memcpy(buffer(ring, slot), &number, sizeof number);
      slot->len = kFrame;
      slot->flags = 0;
      head = after(ring, head);
    }
    ring->head = ring->cur = head;
  }
  ioctl(p->fd, NIOCTXSYNC, NULL);
  while (space(ring) != ring->num_slots - 1) { /* until all have been taken */
    ring->cur = ring->tail;
    wait_for(p, waiting, POLLOUT);
    ring->cur = ring->head;
  }
}

static void receive_all(const struct port *p, enum waiting waiting, uint64_t count, bool bare) {
  struct netmap_ring *ring = p->rx;
  uint64_t number = 0, wrong = 0, bytes = 0;
  double begin = 0;
  while (number < count) {
    wait_for(p, waiting, POLLIN);
    if (begin == 0) begin = now();
    uint32_t most = space(ring), head = ring->head;
    if (most > kBurst) most = kBurst;
    for (uint32_t i = 0; i < most; ++i, ++number) {
      const struct netmap_slot *slot = &ring->slot[head];
      uint64_t found = number;
      if (!bare) memcpy(&found, buffer(ring, slot), sizeof found);
      wrong += found != number;
      bytes += slot->len;
      head = after(ring, head);
    }
    ring->head = ring->cur = head;
  }
  const double end = now();
  ioctl(p->fd, NIOCRXSYNC, NULL);
  printf("packets %llu wrong %llu bytes %llu seconds %.6f\n", (unsigned long long)number,
         (unsigned long long)wrong, (unsigned long long)bytes, end - begin);
}

/* Copies, as bridge does where memories differ. */
static void forward_all(const struct port *from, const struct port *to, uint64_t count) {
  uint64_t number = 0, wrong = 0;
  while (number < count) {
    struct pollfd both[2] = {{.fd = from->fd, .events = POLLIN}, {.fd = to->fd}};
    if (space(to->tx) == 0) both[1].events = POLLOUT;
    if (both[1].events) both[0].events = 0;
    if (poll(both, 2, kPatienceMs) <= 0) fail("nothing happened for too long", "forward");
    uint32_t in = from->rx->head, out = to->tx->head;
    for (; in != from->rx->tail && out != to->tx->tail; ++number) {
      const struct netmap_slot *got = &from->rx->slot[in];
      struct netmap_slot *sent = &to->tx->slot[out];
      uint64_t found;
      memcpy(&found, buffer(from->rx, got), sizeof found);
      wrong += found != number;
      memcpy(buffer(to->tx, sent), buffer(from->rx, got), got->len);
      sent->len = got->len;
      sent->flags = got->flags & BRICKS_SLOT_MOREFRAG;
      in = after(from->rx, in);
      out = after(to->tx, out);
    }
    from->rx->head = from->rx->cur = in;
    to->tx->head = to->tx->cur = out;
  }
  ioctl(from->fd, NIOCRXSYNC, NULL);
  ioctl(to->fd, NIOCTXSYNC, NULL);
  printf("packets %llu wrong %llu\n", (unsigned long long)number, (unsigned long long)wrong);
}

int main(int argc, char **argv) {
  bool legacy = false, bare = false;
  enum waiting waiting = kPoll;
  const bool forwards = argc > 4 && strcmp(argv[1], "forward") == 0;
  const bool sends = argc > 3 && strcmp(argv[1], "tx") == 0;
  if (!forwards && !sends && (argc < 4 || strcmp(argv[1], "rx") != 0)) {
    fprintf(stderr,
            "usage: netmap-traffic tx|rx PORT COUNT [legacy] [bare] "
            "[select|epoll]\n"
            "       netmap-traffic forward PORT PORT COUNT\n");
    return 2;
  }
  for (int i = 4; i < argc; ++i) {
    legacy = legacy || strcmp(argv[i], "legacy") == 0;
    bare = bare || strcmp(argv[i], "bare") == 0;
    if (strcmp(argv[i], "select") == 0) waiting = kSelect;
    if (strcmp(argv[i], "epoll") == 0) waiting = kEpoll;
  }
  const struct port first = open_port(argv[2], legacy, waiting, sends ? EPOLLOUT : EPOLLIN);
  if (forwards) {
    const struct port second = open_port(argv[3], legacy, kPoll, 0);
    forward_all(&first, &second, strtoull(argv[4], NULL, 10));
  } else if (sends) {
    send_all(&first, waiting, strtoull(argv[3], NULL, 10), bare);
  } else {
    receive_all(&first, waiting, strtoull(argv[3], NULL, 10), bare);
  }
  return 0;
}
