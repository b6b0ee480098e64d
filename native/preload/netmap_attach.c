/* libbricks-netmap: taking an end of a pipe from the daemon. What the daemon says of the memory is
 * checked once, here; all that later code needs of it is kept where the other end cannot write. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ask.h"
#include "preload/netmap_port.h"

enum { kMemory, kTxData, kTxSpace, kRxData, kRxSpace, kReplyFds };

static int errno_of(bricks_result result) {
  switch (result) {
    case BRICKS_INVALID:
      return EINVAL;
    case BRICKS_PERMISSION:
      return EACCES;
    case BRICKS_BUSY:
      return EBUSY;
    case BRICKS_FAILED:
      return ENOMEM;
    default: /* as for a port that is not there */
      return ENXIO;
  }
}

static bool inside(const struct netmap_port *port, uint64_t offset, uint64_t bytes) {
  return offset <= port->bytes && bytes <= port->bytes - offset;
}

/* `count` rings of one direction: `pipes` of the pipe, `rings` and `states` of the end. */
static bool find_rings(struct netmap_port *port, struct netmap_end_ring *rings, uint32_t count,
                       uint32_t slots, uint64_t pipes, uint64_t rings_at, uint64_t states) {
  const uint64_t stride = bricks_ring_stride(slots);
  const uint64_t head = sizeof(struct netmap_ring), page = BRICKS_END_PAGE;
  if (count > BRICKS_END_RINGS_MAX || slots < 2 || slots > BRICKS_READER_SLOTS_MAX) return false;
  if ((pipes + sizeof(struct bricks_pipe) + head) % page || (rings_at + head) % page ||
      states % sizeof(struct bricks_end_ring) || !inside(port, pipes, count * stride) ||
      !inside(port, rings_at, count * stride) ||
      !inside(port, states, count * sizeof(struct bricks_end_ring))) {
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    struct bricks_reader checked;
    struct netmap_end_ring *r = &rings[i];
    if (bricks_reader_open(&checked, port->base, port->bytes, pipes + i * stride)) return false;
    r->pipe = checked.pipe;
    r->shared = checked.ring;
    r->ring = (struct netmap_ring *)(void *)(port->base + rings_at + i * stride);
    r->state = (struct bricks_end_ring *)(void *)(port->base + states) + i;
    r->buffers = port->base + (uint64_t)(checked.buffers - port->base);
    r->slots = slots;
    r->buffer_count = checked.buffer_count;
    r->buffer_bytes = checked.stride;
    if (checked.slots != slots ||
        (uint8_t *)r->shared != (uint8_t *)r->pipe + sizeof(struct bricks_pipe)) {
      return false;
    }
  }
  return true;
}

static bool take_reply(struct netmap_port *port) {
  const struct bricks_end_reply *reply = &port->reply;
  return find_rings(port, port->tx, reply->tx_rings, reply->tx_slots, reply->tx_pipes,
                    reply->tx_rings_at, reply->tx_rings_state) &&
         find_rings(port, port->rx, reply->rx_rings, reply->rx_slots, reply->rx_pipes,
                    reply->rx_rings_at, reply->rx_rings_state) &&
         inside(port, reply->if_offset, sizeof(struct netmap_if));
}

static bool watch(const struct netmap_port *port, bool tx, bool rx) {
  struct epoll_event news = {.events = EPOLLIN};
  return (!tx || REAL(epoll_ctl)(port->poll_fd, EPOLL_CTL_ADD, port->tx_space, &news) == 0) &&
         (!rx || REAL(epoll_ctl)(port->poll_fd, EPOLL_CTL_ADD, port->rx_data, &news) == 0);
}

static bricks_result take_end(struct netmap_port *port, const struct asking *a,
                              struct bricks_end_request *request) {
  int fds[kReplyFds];
  struct bricks_end_reply *reply = &port->reply;
  struct stat status;
  bricks_result result = bricks_ask(a, request, sizeof *request, reply, sizeof *reply, fds,
                                    kReplyFds, &port->connection);
  if (result != BRICKS_OK) return result;
  reply->message[sizeof reply->message - 1] = 0;
  result = bricks_ask_verdict(a, reply->code, reply->message);
  if (result != BRICKS_OK) return result;
  port->memory = fds[kMemory];
  port->tx_data = fds[kTxData];
  port->tx_space = fds[kTxSpace];
  port->rx_data = fds[kRxData];
  port->rx_space = fds[kRxSpace];
  port->base = bricks_ask_map(a, port->memory, reply->region_bytes);
  if (!port->base) return BRICKS_FAILED;
  port->bytes = reply->region_bytes;
  if (fstat(port->memory, &status) == 0) port->inode = status.st_ino;
  if (!take_reply(port)) {
    return bricks_refuse(a, BRICKS_FAILED,
                         "the daemon's description of %s makes no sense; are daemon and "
                         "libbricks-netmap of one version?",
                         port->name);
  }
  return BRICKS_OK;
}

int netmap_port_attach(struct netmap_port *port, struct bricks_end_request *request) {
  char why[BRICKS_NAME_BYTES * 2 + 256];
  struct asking a;
  request->magic = BRICKS_PIPE_MAGIC;
  request->version = BRICKS_PIPE_VERSION;
  request->operation = BRICKS_OPEN_END;
  memcpy(port->name, request->name, sizeof port->name);
  bricks_result result = bricks_ask_prepare(&a, NULL, 0, why, sizeof why);
  a.name = port->name;
  if (result == BRICKS_OK) result = take_end(port, &a, request);
  const bool tx = !(request->flags & BRICKS_END_NO_TX), rx = !(request->flags & BRICKS_END_NO_RX);
  if (result == BRICKS_OK && !watch(port, tx, rx)) {
    result = bricks_refuse(&a, BRICKS_FAILED, "cannot watch %s: %s", port->name, strerror(errno));
  }
  if (result == BRICKS_OK) return 0;
  netmap_port_detach(port);
  netmap_say("netmap:%s cannot be opened: %s", port->name, why);
  return errno_of(result);
}

void netmap_port_detach(struct netmap_port *port) {
  int *const fds[] = {&port->tx_data,  &port->tx_space, &port->rx_data,
                      &port->rx_space, &port->memory,   &port->connection};
  netmap_feed_leave(port);
  __atomic_store_n(&port->registered, false, __ATOMIC_RELAXED);
  if (port->base) munmap(port->base, port->bytes);
  port->base = NULL;
  for (uint32_t i = 0; i < sizeof fds / sizeof fds[0]; ++i) {
    if (*fds[i] >= 0) REAL(close)(*fds[i]);
    *fds[i] = -1;
  }
}
