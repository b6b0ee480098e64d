/* libbricks-netmap: /dev/netmap, served from bricks pipes. A program that is started with it in
 * LD_PRELOAD opens `netmap:x}0` as it would with the kernel module; what it does with other files
 * goes to the system untouched.
 *
 * The descriptor that the program has is an epoll of the events that may wake it. What is known of
 * it is in a table by its number. All of the pipe's memory is hostile: the other end may write
 * there what it likes, so every word is read once and bounded. */
#ifndef BRICKS_PRELOAD_NETMAP_PORT_H
#define BRICKS_PRELOAD_NETMAP_PORT_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "abi/netmap_requests.h"
#include "abi/pipe_end.h"
#include "client/consumer.h"

#define EXPORT __attribute__((visibility("default")))
/* The system's function of that name: the next one after ours. */
#define REAL(name)                                                 \
  (__extension__({                                                 \
    static __typeof__(&name) netmap_next;                          \
    if (!netmap_next) *(void **)&netmap_next = netmap_real(#name); \
    netmap_next;                                                   \
  }))

enum { kNetmapFdsMax = 65536 };

struct netmap_end_ring {      /* one ring of an end; what is behind the pointers is shared */
  struct netmap_ring *ring;   /* the program's */
  struct netmap_ring *shared; /* the pipe's; its slots are the program's, too */
  struct bricks_pipe *pipe;
  struct bricks_end_ring *state;
  uint8_t *buffers;
  uint32_t slots, buffer_count, buffer_bytes;
};

struct netmap_feed { /* what an engine fills, far from the end's own memory */
  struct bricks_end end;
  struct bricks_reader reader;
  bool attached;
  uint64_t beat;     /* last stored in consumer_beat */
  uint64_t tried_ms; /* when it last tried to attach, or looked whether the daemon is there */
};

struct netmap_port {
  struct netmap_port *next; /* of all there ever were */
  uint32_t holds;           /* descriptors, and calls that are under way; 0: of nobody */
  /* All from here on is new each time that it is used. */
  uint32_t references; /* descriptors; under netmap_lock() */
  int poll_fd;         /* a duplicate of the program's, of our own */
  bool registered;     /* netmap_registered(): all else about the end holds from then on */
  bool orphaned;
  bool no_tx_poll, do_rx_poll;
  int connection, memory;
  int tx_data, tx_space, rx_data, rx_space; /* eventfds */
  uint8_t *base;                            /* our own view of the memory */
  uint64_t bytes, inode;
  uint32_t tx_first, tx_end, rx_first, rx_end; /* rings bound to this port */
  struct netmap_end_ring tx[BRICKS_END_RINGS_MAX], rx[BRICKS_END_RINGS_MAX];
  struct bricks_end_reply reply; /* offsets and counts as the daemon gave them, checked */
  struct netmap_feed feed;
  uint32_t vain_spins;
  char name[BRICKS_NAME_BYTES];
};

/* netmap_port.c */
extern uint32_t netmap_forks; /* how many there were, down to this process */
void *netmap_real(const char *name);
__attribute__((format(printf, 1, 2))) void netmap_say(const char *format, ...);
void netmap_lock(void);
void netmap_unlock(void);
bool netmap_in_vfork(void); /* a child that shares our memory: the tables are its parent's */
/* May be gone the next moment, but for whoever holds it, or netmap_lock(). */
struct netmap_port *netmap_port_of(int fd);
/* The same, to be let go: it stays what it is for so long, whoever closes the descriptor.
 * `forks`: netmap_forks as it was; a fork's child holds nothing for its parent's calls. */
struct netmap_port *netmap_hold(int fd);
void netmap_let_go(struct netmap_port *port, uint32_t forks);
bool netmap_known(int fd); /* a port, or an epoll with ports in it */
int netmap_open_device(int flags);
/* Another descriptor of the same port, which is held; or none any more. */
void netmap_adopt(int fd, struct netmap_port *port);
void netmap_forget(int fd);

/* netmap_attach.c: takes the end and maps it; 0 or an errno, having said why. The wishes are in
 * `request`, except magic and the like. */
int netmap_port_attach(struct netmap_port *port, struct bricks_end_request *request);
void netmap_port_detach(struct netmap_port *port);

static inline bool netmap_registered(const struct netmap_port *port) {
  return __atomic_load_n(&port->registered, __ATOMIC_ACQUIRE);
}

/* netmap_memory.c: what programs have mapped. */
bool netmap_show_rings(const struct netmap_port *port);

/* netmap_requests.c: -1 and errno, as ioctl. */
int netmap_request(struct netmap_port *port, uint32_t request, void *argument);

/* netmap_sync.c: false when the program's indexes cannot be, or nothing will ever come. */
bool netmap_sync_tx(struct netmap_port *port, struct netmap_end_ring *r);
bool netmap_sync_rx(struct netmap_port *port, struct netmap_end_ring *r);
/* Syncs as poll does, and tells which of `events` (POLLIN, POLLOUT) are there, or POLLERR. */
short netmap_look(struct netmap_port *port, short events);
/* Cheap: may netmap_look() find what it did not find before? */
bool netmap_has_news(const struct netmap_port *port, short events);
void netmap_arm(struct netmap_port *port, short events);
void netmap_disarm(struct netmap_port *port, short events); /* and takes the signals */

/* netmap_feed.c: true when an engine fills the pipe, and we are its consumer. */
bool netmap_feed_ready(struct netmap_port *port);
/* Under the ring's lock: copies what has come into the shared ring (false: nothing ever will any
 * more); takes note that `slots` from `current` on were given back. */
bool netmap_feed_copy(struct netmap_port *port, struct netmap_end_ring *r);
void netmap_feed_released(struct netmap_end_ring *r, uint32_t current, uint32_t slots);
void netmap_feed_leave(struct netmap_port *port);

#endif
