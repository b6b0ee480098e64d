/* libbricks: packets out of the ring, and waiting for them. See abi/bricks.h for the contract. */
#include "abi/bricks.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "client/consumer.h"

enum { kIdleCallsPerLook = 4096, kPausesPerClock = 16, kVainSpinsMax = 32, kSpinEvery = 16 };
enum { kBeatMs = 500 }; /* at least twice as often as abi/pipe.h asks for */

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Says that we are there. The coarse clock costs a few cycles and moves some hundred times a
 * second, so the engine's cache line is left alone for the most part. */
static void beat(bricks_consumer *c) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  const uint64_t now = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  if (now == c->beat) return;
  c->beat = now;
  __atomic_store_n(&c->reader.pipe->consumer_beat, now, __ATOMIC_RELAXED);
}

/* Before a sleep that may last: 0, "no heartbeat". With the next packet it begins again. */
static void beat_pauses(bricks_consumer *c) {
  c->beat = 0;
  __atomic_store_n(&c->reader.pipe->consumer_beat, 0, __ATOMIC_RELAXED);
}

static void give_back(bricks_consumer *c) {
  beat(c);
  if (!bricks_reader_give_back(&c->reader)) return;
  const uint64_t one = 1;
  const ssize_t written = write(c->end.space_event, &one, sizeof one);
  (void)written; /* a full counter has told the engine often enough */
}

static void drain(bricks_consumer *c) {
  uint64_t count;
  const ssize_t got = read(c->end.data_event, &count, sizeof count);
  (void)got; /* an empty counter is fine */
  c->signalled = false;
}

static void disarm(bricks_consumer *c) {
  bricks_reader_disarm(&c->reader);
  c->armed = false;
}

/* A count left from the last time would wake the sleeper for nothing, so it is taken first. */
static void arm(bricks_consumer *c) {
  if (c->signalled) drain(c);
  bricks_reader_arm(&c->reader);
  c->armed = c->signalled = true;
}

/* Takes in what the connection and the event have to say. */
static void settle(bricks_consumer *c) {
  struct epoll_event events[2];
  const int n = epoll_wait(c->end.poll_fd, events, 2, 0);
  for (int i = 0; i < n; ++i) {
    if (events[i].data.fd == c->end.connection)
      c->hung_up = true; /* nothing else is ever sent */
    else
      drain(c);
  }
}

/* For an empty ring: EMPTY, or why there will be no more. */
static bricks_result verdict(const bricks_consumer *c) {
  const struct bricks_reader *r = &c->reader;
  const bool closed = r->state == BRICKS_PRODUCER_CLOSED;
  if (r->broken) return BRICKS_FAILED;
  if (!c->follow && !r->unread && (closed || r->state == BRICKS_PRODUCER_FINISHED)) {
    return BRICKS_END;
  }
  return closed || c->hung_up ? BRICKS_GONE : BRICKS_EMPTY;
}

/* OK when there is something to read; sees to it that EMPTY is safe to sleep on. */
static bricks_result refill(bricks_consumer *c) {
  give_back(c);
  if (!bricks_reader_look(&c->reader)) {
    bricks_result result = verdict(c);
    if (result != BRICKS_EMPTY) return result;
    if (c->busy_poll) {
      if (++c->idle_calls < kIdleCallsPerLook) return BRICKS_EMPTY;
      c->idle_calls = 0;
      settle(c);
    } else {
      if (c->armed) settle(c); /* asked again without news: a stale count, or the end */
      arm(c);
      if (c->by_fd) beat_pauses(c); /* before the last look: nobody waits for us unseen */
    }
    if (!bricks_reader_look(&c->reader)) return verdict(c);
    beat(c);
  }
  if (c->armed) disarm(c);
  if (c->reader.unstamped) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    c->refilled_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
  }
  return BRICKS_OK;
}

static inline void fill(const bricks_consumer *c, bricks_packet *packet,
                        const struct bricks_view *view) {
  packet->data = view->data;
  packet->captured = view->length;
  packet->wire_length = view->wire_length < view->length ? view->length : view->wire_length;
  packet->timestamp_ns = c->reader.unstamped ? c->refilled_ns : view->timestamp;
  packet->link_type = view->link_type;
}

bricks_result bricks_next_batch(bricks_consumer *c, bricks_packet *packets, uint32_t capacity,
                                uint32_t *count) {
  struct bricks_reader *r = &c->reader;
  *count = 0;
  if (r->broken) return BRICKS_FAILED;
  if (r->cursor == r->tail) {
    const bricks_result result = refill(c);
    if (result != BRICKS_OK) return result;
  } else {
    give_back(c);
  }
  const uint32_t there = bricks_reader_distance(r, r->cursor, r->tail);
  const uint32_t most = there < capacity ? there : capacity;
  uint32_t taken = 0;
  bricks_reader_prefetch(r, most);
  struct bricks_reader own = *r; /* in registers: the stores to `packets` cannot change it */
  struct bricks_view view = {.more = false};
  while (taken < most && bricks_reader_slot(&own, own.cursor, &view) && !view.more) {
    __builtin_prefetch(view.data);
    fill(c, &packets[taken++], &view);
    own.cursor = bricks_reader_after(&own, own.cursor);
  }
  r->cursor = own.cursor;
  r->broken = own.broken;
  if (view.more && !r->broken && bricks_reader_gather(r, &view, c->frame)) {
    fill(c, &packets[taken++], &view);
  }
  *count = taken;
  return taken || !r->broken ? BRICKS_OK : BRICKS_FAILED;
}

bricks_result bricks_next(bricks_consumer *c, bricks_packet *packet) {
  struct bricks_reader *r = &c->reader;
  struct bricks_view view;
  if (r->broken) return BRICKS_FAILED;
  if (r->cursor == r->tail) {
    const bricks_result result = refill(c);
    if (result != BRICKS_OK) return result;
  } else if (bricks_reader_distance(r, r->head, r->cursor) >= c->give_back_slots) {
    give_back(c);
  }
  if (!bricks_reader_slot(r, r->cursor, &view)) return BRICKS_FAILED;
  if (__builtin_expect(view.more, 0)) {
    if (!bricks_reader_gather(r, &view, c->frame)) return BRICKS_FAILED;
  } else {
    r->cursor = bricks_reader_after(r, r->cursor);
  }
  fill(c, packet, &view);
  return BRICKS_OK;
}

static bool has_news(bricks_consumer *c) {
  return c->reader.cursor != c->reader.tail || bricks_reader_look(&c->reader) ||
         verdict(c) != BRICKS_EMPTY;
}

static bool any_has_news(bricks_consumer *const *consumers, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (has_news(consumers[i])) return true;
  }
  return false;
}

/* Looks for a while; true when something came. Where engine and consumer share a processor,
 * spinning only keeps the engine from running: after many looks in vain most waits sleep at once,
 * and some look still, lest sleeping itself be what makes the engine slow. */
static bool spin(bricks_consumer *const *consumers, uint32_t count) {
  bricks_consumer *first = consumers[0];
  if (first->vain_spins > kVainSpinsMax && ++first->vain_spins % kSpinEvery) return false;
  const uint64_t end = now_ns() + first->spin_ns;
  do {
    for (uint32_t i = 0; i < kPausesPerClock; ++i) {
      if (any_has_news(consumers, count)) {
        first->vain_spins = 0;
        return true;
      }
      relax();
    }
  } while (now_ns() < end);
  ++first->vain_spins;
  return false;
}

static void disarm_all(bricks_consumer *const *consumers, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    if (consumers[i]->armed) disarm(consumers[i]);
  }
}

/* Sleeps until one of the events or connections speaks. `start`: when the waiting began. */
static bricks_result sleep_on(bricks_consumer *const *consumers, uint32_t count, uint64_t start,
                              int64_t timeout_ms) {
  struct pollfd fds[BRICKS_WAIT_MAX];
  for (;;) {
    for (uint32_t i = 0; i < count; ++i) {
      arm(consumers[i]);
      fds[i] = (struct pollfd){.fd = consumers[i]->end.poll_fd, .events = POLLIN};
    }
    if (any_has_news(consumers, count)) return BRICKS_OK;
    int64_t left = -1;
    if (timeout_ms >= 0) {
      left = timeout_ms - (int64_t)((now_ns() - start) / 1000000u);
      if (left < 0) left = 0;
    }
    const bool whole = left >= 0 && left <= kBeatMs; /* else the sleep is cut for the heartbeat */
    const int ready = poll(fds, count, whole ? (int)left : kBeatMs);
    if (ready < 0) return errno == EINTR ? BRICKS_INTERRUPTED : BRICKS_FAILED;
    for (uint32_t i = 0; ready && i < count; ++i) {
      if (fds[i].revents) settle(consumers[i]);
    }
    if (any_has_news(consumers, count)) return BRICKS_OK;
    if (ready == 0 && whole) return BRICKS_TIMEOUT;
    for (uint32_t i = 0; i < count; ++i) beat(consumers[i]);
  }
}

bricks_result bricks_wait_any(bricks_consumer *const *consumers, uint32_t count,
                              int64_t timeout_ms) {
  if (count == 0 || count > BRICKS_WAIT_MAX) return BRICKS_INVALID;
  for (uint32_t i = 0; i < count; ++i) give_back(consumers[i]);
  disarm_all(consumers, count); /* no signal is wanted while we look anyway */
  if (any_has_news(consumers, count)) return BRICKS_OK;
  const uint64_t start = now_ns();
  if (timeout_ms != 0 && consumers[0]->spin_ns && spin(consumers, count)) return BRICKS_OK;
  const bricks_result result = sleep_on(consumers, count, start, timeout_ms);
  disarm_all(consumers, count);
  return result;
}

bricks_result bricks_wait(bricks_consumer *c, int64_t timeout_ms) {
  return bricks_wait_any(&c, 1, timeout_ms);
}

int bricks_fd(bricks_consumer *c) {
  c->by_fd = true;
  return c->end.poll_fd;
}

uint32_t bricks_link_type(const bricks_consumer *c) { return c->reader.link_type; }

const char *bricks_name(const bricks_consumer *c) { return c->name; }

uint64_t bricks_dropped(const bricks_consumer *c) {
  return __atomic_load_n(&c->reader.pipe->lost, __ATOMIC_RELAXED);
}

int bricks_closed(const bricks_consumer *c) { return c->reader.state == BRICKS_PRODUCER_CLOSED; }

const char *bricks_result_text(bricks_result result) {
  switch (result) {
    case BRICKS_OK:
      return "ok";
    case BRICKS_FAILED:
      return "failed";
    case BRICKS_INVALID:
      return "an argument makes no sense";
    case BRICKS_UNREACHABLE:
      return "no daemon answers";
    case BRICKS_PERMISSION:
      return "a right is missing";
    case BRICKS_NOT_FOUND:
      return "no such pipe";
    case BRICKS_BUSY:
      return "somebody else holds that end";
    case BRICKS_TIMEOUT:
      return "the time is up";
    case BRICKS_INTERRUPTED:
      return "interrupted by a signal";
    case BRICKS_EMPTY:
      return "no packet right now";
    case BRICKS_END:
      return "the input has ended";
    case BRICKS_GONE:
      return "the daemon or the pipe is gone";
    case BRICKS_FULL:
      return "the pipe is full";
  }
  return "unknown result";
}
