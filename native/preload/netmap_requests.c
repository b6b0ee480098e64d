/* libbricks-netmap: what is asked of /dev/netmap by ioctl, in both styles: NIOCCTRL (API 14) and
 * the legacy calls. Pipes are served; all else needs netmap's kernel module, and is refused with
 * a message and the errno that the module has for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "preload/netmap_port.h"

enum { kApiOldest = 11, kApiControl = 14, kApiControlLast = 15 };

struct wish { /* what both styles ask for */
  char name[BRICKS_NAME_BYTES];
  uint32_t tx_slots, rx_slots, tx_rings, rx_rings, extra, memory_id;
  uint32_t mode, ring; /* NR_REG_ALL_NIC or NR_REG_ONE_NIC */
  uint64_t flags;      /* NR_... */
};

static int refuse(int error) {
  errno = error;
  return -1;
}

static int needs_module(const char *name, const char *what, int error) {
  netmap_say(
      "netmap:%s: %s netmap's kernel module; this library serves pipes, such as "
      "netmap:eth3}0",
      name, what);
  return refuse(error);
}

static int check_wish(const struct wish *w) {
  if (!strpbrk(w->name, "{}")) {
    const bool vale = strncmp(w->name, "vale", 4) == 0;
    return needs_module(w->name, vale ? "VALE switches need" : "interfaces need", ENXIO);
  }
  if (w->flags & (NR_MONITOR_TX | NR_MONITOR_RX | NR_ZCOPY_MON)) {
    return needs_module(w->name, "monitors need", EOPNOTSUPP);
  }
  if (w->mode == NR_REG_SW || w->mode == NR_REG_NIC_SW || w->mode == NR_REG_ONE_SW) {
    return needs_module(w->name, "a pipe has no host rings; they need", EINVAL);
  }
  if (w->mode != NR_REG_ALL_NIC && w->mode != NR_REG_ONE_NIC) {
    return needs_module(w->name, "that mode of opening needs", EINVAL);
  }
  return 0;
}

static struct bricks_end_request request_of(const struct wish *w) {
  struct bricks_end_request request = {.tx_slots = w->tx_slots,
                                       .rx_slots = w->rx_slots,
                                       .tx_rings = w->tx_rings,
                                       .rx_rings = w->rx_rings,
                                       .extra_buffers = w->extra,
                                       .memory_id = w->memory_id};
  memcpy(request.name, w->name, sizeof request.name);
  if (w->flags & NR_EXCLUSIVE) request.flags |= BRICKS_END_EXCLUSIVE;
  if (w->flags & NR_RX_RINGS_ONLY) request.flags |= BRICKS_END_NO_TX;
  if (w->flags & NR_TX_RINGS_ONLY) request.flags |= BRICKS_END_NO_RX;
  return request;
}

static int open_port(struct netmap_port *port, const struct wish *w) {
  if (netmap_registered(port)) return refuse(EBUSY);
  if (check_wish(w) != 0) return -1;
  struct bricks_end_request request = request_of(w);
  netmap_lock(); /* one at a time: each may map over the others' mappings */
  int error = netmap_registered(port) ? EBUSY : netmap_port_attach(port, &request);
  const struct bricks_end_reply *reply = &port->reply;
  const uint32_t rings = reply->tx_rings > reply->rx_rings ? reply->tx_rings : reply->rx_rings;
  if (error == 0 && w->mode == NR_REG_ONE_NIC && w->ring >= rings) {
    netmap_say("netmap:%s has no ring %u, only %u each way", w->name, w->ring, rings);
    netmap_port_detach(port);
    error = EINVAL;
  }
  if (error == 0 && !netmap_show_rings(port)) {
    netmap_port_detach(port);
    error = ENOMEM;
  }
  if (error == 0) {
    const bool one = w->mode == NR_REG_ONE_NIC;
    const bool tx = !(request.flags & BRICKS_END_NO_TX), rx = !(request.flags & BRICKS_END_NO_RX);
    const uint32_t last_tx = one && w->ring < reply->tx_rings ? w->ring + 1 : reply->tx_rings;
    const uint32_t last_rx = one && w->ring < reply->rx_rings ? w->ring + 1 : reply->rx_rings;
    port->tx_first = one ? w->ring : 0;
    port->rx_first = one ? w->ring : 0;
    port->tx_end = tx ? last_tx : 0;
    port->rx_end = rx ? last_rx : 0;
    port->no_tx_poll = w->flags & NR_NO_TX_POLL;
    port->do_rx_poll = w->flags & NR_DO_RX_POLL;
    __atomic_store_n(&port->registered, true, __ATOMIC_RELEASE);
  }
  netmap_unlock();
  return error ? refuse(error) : 0;
}

static int register_port(struct netmap_port *port, const struct nmreq_header *header) {
  struct nmreq_register *reg = (struct nmreq_register *)(uintptr_t)header->nr_body;
  struct wish w = {.tx_slots = reg->nr_tx_slots,
                   .rx_slots = reg->nr_rx_slots,
                   .tx_rings = reg->nr_tx_rings,
                   .rx_rings = reg->nr_rx_rings,
                   .extra = reg->nr_extra_bufs,
                   .memory_id = reg->nr_mem_id,
                   .mode = reg->nr_mode,
                   .ring = reg->nr_ringid,
                   .flags = reg->nr_flags};
  memcpy(w.name, header->nr_name, sizeof header->nr_name);
  if (open_port(port, &w) != 0) return -1;
  const struct bricks_end_reply *reply = &port->reply;
  reg->nr_offset = reply->if_offset;
  reg->nr_memsize = port->bytes;
  reg->nr_tx_slots = reply->tx_slots;
  reg->nr_rx_slots = reply->rx_slots;
  reg->nr_tx_rings = (uint16_t)reply->tx_rings;
  reg->nr_rx_rings = (uint16_t)reply->rx_rings;
  reg->nr_host_tx_rings = reg->nr_host_rx_rings = 0;
  reg->nr_mem_id = (uint16_t)reply->memory_id;
  reg->nr_extra_bufs = reply->extra_buffers;
  return 0;
}

/* Of the port itself when no name is given; else of a pipe, which is there for the time being. */
static int find_info(struct netmap_port *port, const char *name, struct bricks_end_reply *reply) {
  if (netmap_registered(port) && !name[0]) {
    *reply = port->reply;
    return 0;
  }
  struct wish w = {.mode = NR_REG_ALL_NIC, .flags = NR_RX_RINGS_ONLY | NR_TX_RINGS_ONLY};
  snprintf(w.name, sizeof w.name, "%s", name);
  const uint32_t forks = netmap_forks;
  const int fd = netmap_open_device(O_CLOEXEC);
  struct netmap_port *asked = netmap_hold(fd);
  if (!asked) return -1;
  const int result = open_port(asked, &w);
  const int error = errno;
  if (result == 0) *reply = asked->reply;
  netmap_forget(fd);
  REAL(close)(fd);
  netmap_let_go(asked, forks);
  errno = error;
  return result;
}

static int port_info(struct netmap_port *port, const struct nmreq_header *header) {
  struct nmreq_port_info_get *info = (struct nmreq_port_info_get *)(uintptr_t)header->nr_body;
  struct bricks_end_reply reply;
  if (find_info(port, header->nr_name, &reply) != 0) return -1;
  *info = (struct nmreq_port_info_get){.nr_memsize = reply.region_bytes,
                                       .nr_tx_slots = reply.tx_slots,
                                       .nr_rx_slots = reply.rx_slots,
                                       .nr_tx_rings = (uint16_t)reply.tx_rings,
                                       .nr_rx_rings = (uint16_t)reply.rx_rings,
                                       .nr_mem_id = (uint16_t)reply.memory_id};
  return 0;
}

static int refuse_options(const struct nmreq_header *header) {
  struct nmreq_option *option = (struct nmreq_option *)(uintptr_t)header->nr_options;
  for (int i = 0; option && i < 64; ++i) {
    option->nro_status = EOPNOTSUPP;
    option = (struct nmreq_option *)(uintptr_t)option->nro_next;
  }
  netmap_say("netmap:%s: options (extmem, offset, CSB) need netmap's kernel module",
             header->nr_name);
  return refuse(EOPNOTSUPP);
}

static int control(struct netmap_port *port, struct nmreq_header *header) {
  if (!header) return refuse(EFAULT);
  if (header->nr_version < kApiControl || header->nr_version > kApiControlLast) {
    netmap_say("the program speaks API %u of netmap; this library speaks %d", header->nr_version,
               kApiControl);
    return refuse(EINVAL);
  }
  if (!memchr(header->nr_name, 0, sizeof header->nr_name)) return refuse(EINVAL);
  const bool known = header->nr_reqtype >= 1 && header->nr_reqtype <= NETMAP_REQ_LAST;
  if (!known || !header->nr_body) return refuse(EINVAL);
  if (header->nr_options) return refuse_options(header);
  switch (header->nr_reqtype) {
    case NETMAP_REQ_REGISTER:
      return register_port(port, header);
    case NETMAP_REQ_PORT_INFO_GET:
      return port_info(port, header);
    case NETMAP_REQ_PORT_HDR_GET: /* packets in pipes have no virtio header before them */
      ((struct nmreq_port_hdr *)(uintptr_t)header->nr_body)->nr_hdr_len = 0;
      return 0;
    case NETMAP_REQ_PORT_HDR_SET:
      return refuse(ENXIO);
    default:
      return needs_module(header->nr_name, "that request needs", EOPNOTSUPP);
  }
}

/* nr_flags and nr_ringid as they were before NIOCCTRL; the pipe's number may be in nr_ringid. */
static int legacy_wish(const struct nmreq *q, struct wish *w) {
  const uint32_t number = q->nr_ringid & NETMAP_RING_MASK;
  const uint32_t mode = q->nr_flags & NR_REG_MASK;
  char name[sizeof q->nr_name + 1] = "";
  memcpy(name, q->nr_name, sizeof q->nr_name);
  *w = (struct wish){.tx_slots = q->nr_tx_slots,
                     .rx_slots = q->nr_rx_slots,
                     .tx_rings = q->nr_tx_rings,
                     .rx_rings = q->nr_rx_rings,
                     .extra = q->nr_arg3,
                     .memory_id = q->nr_arg2,
                     .mode = mode,
                     .flags = q->nr_flags & ~(uint32_t)NR_REG_MASK};
  if (q->nr_ringid & NETMAP_NO_TX_POLL) w->flags |= NR_NO_TX_POLL;
  if (q->nr_ringid & NETMAP_DO_RX_POLL) w->flags |= NR_DO_RX_POLL;
  if (mode == NR_REG_PIPE_MASTER || mode == NR_REG_PIPE_SLAVE) {
    const char brace = mode == NR_REG_PIPE_MASTER ? '{' : '}';
    snprintf(w->name, sizeof w->name, "%s%c%u", name, brace, number);
    w->mode = NR_REG_ALL_NIC;
    return 0;
  }
  memcpy(w->name, name, sizeof name);
  w->ring = number;
  if (mode == NR_REG_DEFAULT) {
    w->mode = NR_REG_ALL_NIC;
    if (q->nr_ringid & NETMAP_HW_RING) w->mode = NR_REG_ONE_NIC;
    if (q->nr_ringid & NETMAP_SW_RING) w->mode = NR_REG_SW;
  }
  return 0;
}

static void answer_legacy(struct nmreq *q, const struct bricks_end_reply *reply) {
  q->nr_memsize = (uint32_t)reply->region_bytes;
  q->nr_tx_slots = reply->tx_slots;
  q->nr_rx_slots = reply->rx_slots;
  q->nr_tx_rings = (uint16_t)reply->tx_rings;
  q->nr_rx_rings = (uint16_t)reply->rx_rings;
  q->nr_arg2 = (uint16_t)reply->memory_id;
}

static int legacy(struct netmap_port *port, struct nmreq *q, bool registers) {
  struct wish w;
  struct bricks_end_reply reply;
  if (!q) return refuse(EFAULT);
  if (q->nr_version < kApiOldest) {
    netmap_say("the program speaks API %u of netmap; this library speaks %d and later",
               q->nr_version, kApiOldest);
    return refuse(EINVAL);
  }
  if (legacy_wish(q, &w) != 0) return -1;
  if (registers && q->nr_cmd == NETMAP_VNET_HDR_GET) {
    q->nr_arg1 = 0;
    return 0;
  }
  if (registers && q->nr_cmd != 0) return needs_module(w.name, "that request needs", EOPNOTSUPP);
  if (!registers) {
    if (find_info(port, q->nr_name[0] ? w.name : "", &reply) != 0) return -1;
    answer_legacy(q, &reply);
    return 0;
  }
  if (open_port(port, &w) != 0) return -1;
  if (port->bytes > UINT32_MAX) {
    netmap_say(
        "netmap:%s has more memory than the legacy call can tell; ask for fewer extra "
        "buffers",
        port->name);
    netmap_port_detach(port);
    return refuse(ENOMEM);
  }
  answer_legacy(q, &port->reply);
  q->nr_offset = (uint32_t)port->reply.if_offset;
  q->nr_arg3 = port->reply.extra_buffers;
  return 0;
}

int netmap_request(struct netmap_port *port, uint32_t request, void *argument) {
  bool good = true;
  switch (request) {
    case NIOCTXSYNC:
    case NIOCRXSYNC:
      if (!netmap_registered(port)) return refuse(ENXIO);
      if (request == NIOCTXSYNC) {
        for (uint32_t i = port->tx_first; i < port->tx_end; ++i) netmap_sync_tx(port, &port->tx[i]);
        return 0;
      }
      for (uint32_t i = port->rx_first; i < port->rx_end; ++i) {
        good = netmap_sync_rx(port, &port->rx[i]) && good;
      }
      return good || !port->orphaned ? 0 : refuse(EIO);
    case NIOCCTRL:
      return control(port, argument);
    case NIOCREGIF:
      return legacy(port, argument, true);
    case NIOCGINFO:
      return legacy(port, argument, false);
    default:
      return refuse(EINVAL);
  }
}
