/* libbricks-netmap: syncs. Slots are shared between the rings of a direction, so a sync moves
 * indexes only. Behaviour as netmap's pipes have it, but for one thing: indexes that cannot be are
 * never taken over, they are set back to the last ones that could. */
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "preload/netmap_port.h"

enum { kLockSpins = 4096 };

static inline uint32_t distance(const struct netmap_end_ring *r, uint32_t from, uint32_t to) {
  return to >= from ? to - from : to + r->slots - from;
}

static inline uint32_t before(const struct netmap_end_ring *r, uint32_t index) {
  return index == 0 ? r->slots - 1 : index - 1;
}

/* Written under the ring's lock; threads that share a port look at it without. */
static inline uint32_t get(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_RELAXED); }
static inline void set(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static uint32_t own_thread(void) {
  static __thread uint32_t id, of_fork __attribute__((tls_model("initial-exec")));
  if (id == 0 || of_fork != netmap_forks) { /* a fork's child has its parent's `id` */
    id = (uint32_t)syscall(SYS_gettid);
    of_fork = netmap_forks;
  }
  return id;
}

/* Two threads, or processes, seldom sync one ring. Whoever was killed meanwhile holds no lock. */
static void lock_ring(struct netmap_end_ring *r) {
  const uint32_t mine = own_thread();
  for (uint32_t spins = 1;; ++spins) {
    uint32_t holder = 0;
    if (__atomic_compare_exchange_n(&r->state->lock, &holder, mine, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED)) {
      return;
    }
    if (spins % kLockSpins) continue;
    if (syscall(SYS_tkill, holder, 0) != 0 && errno == ESRCH) {
      __atomic_compare_exchange_n(&r->state->lock, &holder, 0, false, __ATOMIC_RELAXED,
                                  __ATOMIC_RELAXED);
    }
    syscall(SYS_sched_yield);
  }
}

static void unlock_ring(struct netmap_end_ring *r) {
  __atomic_store_n(&r->state->lock, 0, __ATOMIC_RELEASE);
}

static void signal_event(int event) {
  const uint64_t one = 1;
  const ssize_t written = write(event, &one, sizeof one);
  (void)written; /* a full counter has told often enough */
}

/* `waits` was raised by somebody who sleeps, or is about to look once more. */
static inline void wake(uint32_t *waits, int event) {
  if (__atomic_load_n(waits, __ATOMIC_SEQ_CST) == 0) return;
  __atomic_store_n(waits, 0, __ATOMIC_RELAXED);
  signal_event(event);
}

/* What the program wrote, if it lies between what it had and what it may have. */
static bool take_head(struct netmap_port *port, struct netmap_end_ring *r, uint32_t *head) {
  struct netmap_ring *ring = r->ring;
  const uint32_t current = r->state->current, tail = r->state->tail;
  const uint32_t cur = __atomic_load_n(&ring->cur, __ATOMIC_RELAXED);
  *head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
  if (current < r->slots && tail < r->slots && *head < r->slots && cur < r->slots &&
      distance(r, current, *head) <= distance(r, current, tail) &&
      distance(r, *head, cur) <= distance(r, *head, tail)) {
    return true;
  }
  netmap_say(
      "%s: the program moved head to %u and cur to %u of ring %u, with head at %u and tail "
      "at %u of %u slots; set back",
      port->name, *head, cur, ring->ringid, current, tail, r->slots);
  if (current >= r->slots || tail >= r->slots) {
    set(&r->state->current, 0);
    set(&r->state->tail, 0);
  }
  set(&ring->head, r->state->current);
  set(&ring->cur, r->state->current);
  set(&ring->tail, r->state->tail);
  return false;
}

/* What the other side has just let go of lies in its core's cache. Asked for all at once, the lines
 * come while the program works on the first of them; one by one, each would be waited for. */
static inline void ask_for(const struct netmap_end_ring *r, uint32_t from, uint32_t to,
                           bool to_write) {
  enum { kSlotsALine = 64 / sizeof(struct netmap_slot) };
  const uint32_t count = distance(r, from, to);
  if (count >= r->slots) return; /* what is shared may have changed since it was looked at */
  for (uint32_t i = 0; i < count; i += kSlotsALine) {
    const uint32_t at = from + i < r->slots ? from + i : from + i - r->slots;
    const struct netmap_slot *slot = &r->shared->slot[at];
#if defined(__x86_64__)
    if (to_write) { /* the builtin asks for a copy to read where the target is so old */
      __asm__ volatile("prefetchw %0" : : "m"(*slot));
      continue;
    }
#endif
    __builtin_prefetch(slot, to_write);
  }
}

bool netmap_sync_tx(struct netmap_port *port, struct netmap_end_ring *r) {
  struct netmap_ring *shared = r->shared;
  uint32_t head;
  lock_ring(r);
  if (!take_head(port, r, &head)) {
    unlock_ring(r);
    return false;
  }
  const uint32_t current = r->state->current;
  uint32_t end = head; /* of the last whole packet */
  while (end != current && shared->slot[before(r, end)].flags & BRICKS_SLOT_MOREFRAG) {
    end = before(r, end);
  }
  if (end != current) {
    set(&r->state->current, end);
    __atomic_store_n(&shared->tail, end, __ATOMIC_SEQ_CST);
    wake(&r->pipe->consumer_waits, port->tx_data);
  }
  const uint32_t given_back = __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE);
  const uint32_t tail = r->state->tail;
  if (given_back < r->slots &&
      distance(r, tail, before(r, given_back)) <= distance(r, tail, before(r, end))) {
    ask_for(r, tail, before(r, given_back), true);
    set(&r->state->tail, before(r, given_back));
  }
  set(&r->ring->tail, r->state->tail);
  unlock_ring(r);
  return true;
}

static void set_time(struct netmap_ring *ring) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  ring->ts[0] = t.tv_sec;
  ring->ts[1] = t.tv_nsec / 1000;
}

bool netmap_sync_rx(struct netmap_port *port, struct netmap_end_ring *r) {
  struct netmap_ring *shared = r->shared;
  uint32_t head;
  const bool fed = r == &port->rx[0] && netmap_feed_ready(port);
  lock_ring(r);
  bool good = take_head(port, r, &head);
  if (good && head != r->state->current) {
    const uint32_t current = r->state->current;
    set(&r->state->current, head);
    if (r->state->copied) netmap_feed_released(r, current, distance(r, current, head));
    shared->cur = head;
    __atomic_store_n(&shared->head, head, __ATOMIC_SEQ_CST);
    wake(&r->pipe->producer_waits, port->rx_space);
  }
  if (good && fed) good = netmap_feed_copy(port, r);
  const uint32_t current = r->state->current, tail = r->state->tail;
  const uint32_t end = __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE);
  if (end != tail && end < r->slots && current < r->slots &&
      distance(r, current, end) >= distance(r, current, tail)) {
    ask_for(r, tail, end, false);
    set(&r->state->tail, end);
    set_time(r->ring);
  }
  set(&r->ring->tail, r->state->tail);
  unlock_ring(r);
  return good;
}

short netmap_look(struct netmap_port *port, short events) {
  short found = 0;
  if (!netmap_registered(port)) return POLLERR;
  const bool out = events & (POLLOUT | POLLWRNORM), in = events & (POLLIN | POLLRDNORM);
  for (uint32_t i = port->tx_first; i < port->tx_end; ++i) {
    struct netmap_end_ring *r = &port->tx[i];
    if (!out && (port->no_tx_poll || get(&r->ring->head) == get(&r->state->current))) continue;
    if (!netmap_sync_tx(port, r)) found |= POLLERR;
    if (get(&r->ring->cur) != get(&r->ring->tail)) found |= events & (POLLOUT | POLLWRNORM);
  }
  if (!in && !port->do_rx_poll) return found;
  for (uint32_t i = port->rx_first; i < port->rx_end; ++i) {
    struct netmap_end_ring *r = &port->rx[i];
    if (!netmap_sync_rx(port, r)) found |= POLLERR;
    if (get(&r->ring->cur) != get(&r->ring->tail)) found |= events & (POLLIN | POLLRDNORM);
  }
  return found;
}

bool netmap_has_news(const struct netmap_port *port, short events) {
  if (!netmap_registered(port)) return true;
  for (uint32_t i = port->tx_first; events & (POLLOUT | POLLWRNORM) && i < port->tx_end; ++i) {
    const struct netmap_end_ring *r = &port->tx[i];
    const uint32_t head = __atomic_load_n(&r->shared->head, __ATOMIC_RELAXED);
    if (head < r->slots && before(r, head) != get(&r->state->tail)) return true;
  }
  if (!(events & (POLLIN | POLLRDNORM))) return false;
  for (uint32_t i = port->rx_first; i < port->rx_end; ++i) {
    const struct netmap_end_ring *r = &port->rx[i];
    if (__atomic_load_n(&r->shared->tail, __ATOMIC_RELAXED) != get(&r->state->tail)) return true;
  }
  if (!port->feed.attached) return false;
  const struct bricks_reader *from = &port->feed.reader;
  return __atomic_load_n(&from->ring->tail, __ATOMIC_RELAXED) != from->cursor;
}

static void set_waits(struct netmap_port *port, short events, uint32_t value) {
  for (uint32_t i = port->tx_first; events & (POLLOUT | POLLWRNORM) && i < port->tx_end; ++i) {
    __atomic_store_n(&port->tx[i].pipe->producer_waits, value, __ATOMIC_SEQ_CST);
  }
  if (!(events & (POLLIN | POLLRDNORM))) return;
  for (uint32_t i = port->rx_first; i < port->rx_end; ++i) {
    __atomic_store_n(&port->rx[i].pipe->consumer_waits, value, __ATOMIC_SEQ_CST);
  }
  if (!port->feed.attached) return;
  /* No heartbeat while it sleeps: 0 */
  __atomic_store_n(&port->feed.reader.pipe->consumer_beat, 0, __ATOMIC_RELAXED);
  port->feed.beat = 0;
  __atomic_store_n(&port->feed.reader.pipe->consumer_waits, value, __ATOMIC_SEQ_CST);
}

void netmap_arm(struct netmap_port *port, short events) {
  if (netmap_registered(port)) set_waits(port, events, 1);
}

static void take_signal(int event) {
  uint64_t count;
  const ssize_t got = read(event, &count, sizeof count);
  (void)got; /* an empty counter is fine */
}

void netmap_disarm(struct netmap_port *port, short events) {
  if (!netmap_registered(port)) return;
  set_waits(port, events, 0);
  if (events & (POLLOUT | POLLWRNORM)) take_signal(port->tx_space);
  if (!(events & (POLLIN | POLLRDNORM))) return;
  take_signal(port->rx_data);
  if (port->feed.attached) take_signal(port->feed.end.data_event);
}
