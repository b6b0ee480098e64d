/* libbricks-netmap: packets that an engine puts into a pipe. They lie in memory of the engine's
 * own, which the program has not mapped: each sync copies them into the pipe's shared ring, whose
 * producer we are then. The engine gets a slot back when the program has given back its copy: what
 * a program has not read when it goes is there for the next. */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "abi/pipe_packets.h"
#include "client/ask.h"
#include "preload/netmap_port.h"

enum { kRetryMs = 100 };

static uint64_t coarse_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool take_end(struct netmap_port *port, struct netmap_feed *feed) {
  static const bricks_options kOptions;
  struct asking a;
  char why[BRICKS_NAME_BYTES * 2];
  feed->end = kNoEnd;
  if (bricks_ask_for(&a, port->name, &kOptions, why, sizeof why) != BRICKS_OK ||
      bricks_take_end(&a, BRICKS_ATTACH, &feed->end) != BRICKS_OK) {
    return false;
  }
  const char *fault = bricks_reader_open(&feed->reader, feed->end.region, feed->end.region_bytes,
                                         feed->end.pipe_offset);
  if (fault) netmap_say("%s cannot be read: %s", port->name, fault);
  return fault == NULL;
}

bool netmap_feed_ready(struct netmap_port *port) {
  struct netmap_feed *feed = &port->feed;
  if (feed->attached) return true;
  if (__atomic_load_n(&port->rx[0].pipe->producer_state, __ATOMIC_ACQUIRE) !=
      BRICKS_PRODUCER_CLOSED) {
    return false;
  }
  const uint64_t now_ms = coarse_ns() / 1000000;
  if (now_ms - feed->tried_ms < kRetryMs) return false;
  const int error = errno;
  netmap_lock();
  feed->tried_ms = now_ms;
  if (!feed->attached) {
    feed->attached = take_end(port, feed);
    if (feed->attached) {
      struct epoll_event news = {.events = EPOLLIN};
      REAL(epoll_ctl)(port->poll_fd, EPOLL_CTL_ADD, feed->end.data_event, &news);
    } else {
      bricks_leave_end(&feed->end);
    }
  }
  netmap_unlock();
  errno = error;
  return feed->attached;
}

void netmap_feed_leave(struct netmap_port *port) {
  if (!port->feed.attached) return;
  port->feed.attached = false;
  bricks_leave_end(&port->feed.end);
}

void netmap_feed_released(struct netmap_end_ring *r, uint32_t current, uint32_t slots) {
  struct bricks_end_ring *state = r->state;
  const uint32_t tail = __atomic_load_n(&r->shared->tail, __ATOMIC_RELAXED);
  if (tail >= r->slots || state->copied >= r->slots) return;
  const uint32_t held = tail >= current ? tail - current : tail + r->slots - current;
  /* Those from before the engine came were first in the ring. */
  const uint32_t foreign = held > state->copied ? held - state->copied : 0;
  const uint32_t ours = slots > foreign ? slots - foreign : 0;
  const uint32_t back = ours < state->copied ? ours : state->copied;
  state->copied -= back;
  state->owed += back;
}

static void tell(int event) {
  const uint64_t one = 1;
  const ssize_t written = write(event, &one, sizeof one);
  (void)written; /* a full counter has told the engine often enough */
}

/* Where the engine's ring is read on follows from what is shared with other holders of this end. */
static void find_place(struct netmap_feed *feed, struct bricks_end_ring *state) {
  struct bricks_reader *from = &feed->reader;
  const uint32_t head = __atomic_load_n(&from->ring->head, __ATOMIC_RELAXED);
  if (head >= from->slots || state->copied >= from->slots || state->owed >= from->slots) {
    from->broken = true;
    return;
  }
  from->head = head;
  from->cursor = (head + state->owed) % from->slots;
  state->owed = 0;
  if (bricks_reader_give_back(from)) tell(feed->end.space_event);
  from->cursor = (from->cursor + state->copied) % from->slots;
}

static void beat(struct netmap_feed *feed) {
  const uint64_t now = coarse_ns();
  if (now == feed->beat) return;
  feed->beat = now;
  __atomic_store_n(&feed->reader.pipe->consumer_beat, now, __ATOMIC_RELAXED);
}

/* Up to `room` slots from the engine's ring into ours from `at` on; how many whole packets take.
 * The pieces of one that will never fit go out one by one. */
static uint32_t copy_slots(struct netmap_port *port, struct netmap_end_ring *r, uint32_t at,
                           uint32_t room) {
  struct bricks_reader *from = &port->feed.reader;
  uint32_t filled = 0, whole = 0;
  struct bricks_view view;
  while (filled < room && from->cursor != from->tail &&
         bricks_reader_slot(from, from->cursor, &view)) {
    struct netmap_slot *slot = &r->shared->slot[at];
    const uint32_t buffer = __atomic_load_n(&slot->buf_idx, __ATOMIC_RELAXED);
    if (buffer >= r->buffer_count || view.length > r->buffer_bytes) {
      netmap_say("%s: slot %u has buffer %u, which cannot be", port->name, at, buffer);
      from->broken = true;
      break;
    }
    memcpy(r->buffers + (uint64_t)buffer * r->buffer_bytes, view.data, view.length);
    slot->len = (uint16_t)view.length;
    slot->flags = view.more ? BRICKS_SLOT_MOREFRAG : 0;
    slot->ptr = view.timestamp;
    from->cursor = bricks_reader_after(from, from->cursor);
    at = at + 1 == r->slots ? 0 : at + 1;
    ++filled;
    if (!view.more) whole = filled;
  }
  return whole || room < r->slots - 1 ? whole : filled;
}

/* Nothing came: has the daemon gone, or the engine taken the pipe down? */
static bool still_there(struct netmap_port *port) {
  struct netmap_feed *feed = &port->feed;
  if (feed->reader.state == BRICKS_PRODUCER_CLOSED) {
    port->rx[0].state->copied = port->rx[0].state->owed = 0; /* counted as unread */
    netmap_feed_leave(port);
    return true;
  }
  const uint64_t now_ms = coarse_ns() / 1000000;
  if (port->orphaned || now_ms - feed->tried_ms < kRetryMs) return !port->orphaned;
  feed->tried_ms = now_ms;
  struct pollfd connection = {.fd = port->connection, .events = POLLIN | POLLRDHUP};
  if (REAL(poll)(&connection, 1, 0) > 0) {
    port->orphaned = true;
    netmap_say("%s: the daemon that filled it has gone; start the program again when there is one",
               port->name);
  }
  return !port->orphaned;
}

bool netmap_feed_copy(struct netmap_port *port, struct netmap_end_ring *r) {
  struct netmap_feed *feed = &port->feed;
  struct bricks_reader *from = &feed->reader;
  if (from->broken) return false;
  beat(feed);
  find_place(feed, r->state);
  if (from->broken || !bricks_reader_look(from)) return !from->broken && still_there(port);
  const uint32_t head = __atomic_load_n(&r->shared->head, __ATOMIC_RELAXED);
  const uint32_t tail = __atomic_load_n(&r->shared->tail, __ATOMIC_RELAXED);
  if (head >= r->slots || tail >= r->slots) return false;
  const uint32_t held = tail >= head ? tail - head : tail + r->slots - head;
  const uint32_t copied = copy_slots(port, r, tail, r->slots - 1 - held);
  r->state->copied += copied;
  from->cursor = from->tail; /* find_place() knows better; netmap_has_news() looks for more */
  __atomic_store_n(&r->shared->tail, (tail + copied) % r->slots, __ATOMIC_RELEASE);
  return true;
}
