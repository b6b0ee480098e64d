/* libbricks: packets into a pipe. See abi/bricks_writer.h for the contract. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "abi/bricks_writer.h"
#include "abi/pipe_writer.h"
#include "client/ask.h"
#include "client/consumer.h"

enum { kPausesPerClock = 16, kEthernet = 1 };

struct bricks_writer {
  struct bricks_end end;
  struct bricks_ring_writer ring;
  bool armed, hung_up;
  uint32_t reserved; /* bytes; 0: nothing */
  uint32_t reserved_buffer;
  uint64_t spin_ns;
};

static uint64_t clock_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void signal_data(bricks_writer *w) {
  const uint64_t one = 1;
  const ssize_t written = write(w->end.data_event, &one, sizeof one);
  (void)written; /* a full counter has told the consumer often enough */
}

static uint32_t slots_needed(const bricks_writer *w, uint32_t length) {
  return length <= w->ring.payload ? 1 : (length + w->ring.payload - 1) / w->ring.payload;
}

static void arm(bricks_writer *w) {
  uint64_t count;
  const ssize_t got = read(w->end.space_event, &count, sizeof count);
  (void)got; /* an empty counter is fine */
  __atomic_store_n(&w->ring.pipe->producer_waits, 1u, __ATOMIC_SEQ_CST);
  w->armed = true;
}

static void disarm(bricks_writer *w) {
  __atomic_store_n(&w->ring.pipe->producer_waits, 0u, __ATOMIC_RELAXED);
  w->armed = false;
}

/* Whoever has taken this direction over, or has gone, is noticed when the ring is full. */
static bool is_gone(bricks_writer *w) {
  if (__atomic_load_n(&w->ring.pipe->producer_state, __ATOMIC_RELAXED) == BRICKS_PRODUCER_CLOSED) {
    return true;
  }
  struct pollfd connection = {.fd = w->end.connection, .events = POLLIN | POLLRDHUP};
  if (!w->hung_up && poll(&connection, 1, 0) > 0) w->hung_up = true; /* nothing else is ever sent */
  return w->hung_up;
}

/* OK when `needed` slots are free. */
static bricks_result make_room(bricks_writer *w, uint32_t needed) {
  if (w->ring.broken) return BRICKS_FAILED;
  if (bricks_writer_free(&w->ring) >= needed) return BRICKS_OK;
  bricks_writer_look(&w->ring);
  if (bricks_writer_free(&w->ring) >= needed) return BRICKS_OK;
  if (needed >= w->ring.slots) return BRICKS_INVALID; /* it will never fit */
  bricks_flush(w);
  if (is_gone(w)) return BRICKS_GONE;
  arm(w);
  bricks_writer_look(&w->ring);
  if (bricks_writer_free(&w->ring) < needed) return BRICKS_FULL;
  disarm(w);
  return BRICKS_OK;
}

bricks_result bricks_reserve(bricks_writer *w, uint32_t length, uint8_t **data) {
  w->reserved = 0;
  if (length == 0 || length > w->ring.payload) return BRICKS_INVALID;
  const bricks_result result = make_room(w, 1);
  if (result != BRICKS_OK) return result;
  *data = bricks_writer_buffer(&w->ring, w->ring.tail, &w->reserved_buffer);
  if (!*data) return BRICKS_FAILED;
  w->reserved = length;
  return BRICKS_OK;
}

bricks_result bricks_commit(bricks_writer *w, uint32_t length, uint64_t timestamp_ns) {
  if (length > w->reserved) return BRICKS_INVALID;
  w->reserved = 0;
  if (length == 0) return BRICKS_OK;
  const uint64_t time = timestamp_ns ? timestamp_ns : clock_ns(CLOCK_REALTIME);
  bricks_writer_fill(&w->ring, w->reserved_buffer, length, 0, time);
  return BRICKS_OK;
}

uint32_t bricks_writer_room(const bricks_writer *w) { return w->ring.payload; }

/* All of the packet's slots must have a buffer before the first is filled. */
static bool buffers_are_sane(bricks_writer *w, uint32_t needed) {
  uint32_t index = w->ring.tail, buffer;
  for (uint32_t i = 0; i < needed; ++i) {
    if (!bricks_writer_buffer(&w->ring, index, &buffer)) return false;
    index = index + 1 == w->ring.slots ? 0 : index + 1;
  }
  return true;
}

bricks_result bricks_send(bricks_writer *w, const bricks_packet *packet) {
  struct bricks_ring_writer *r = &w->ring;
  const uint32_t length = packet->captured;
  w->reserved = 0;
  if (length > BRICKS_READER_FRAME_MAX) return BRICKS_INVALID;
  const uint32_t needed = slots_needed(w, length);
  const bricks_result result = make_room(w, needed);
  if (result != BRICKS_OK) return result;
  if (needed > 1 && !buffers_are_sane(w, needed)) return BRICKS_FAILED;
  const uint64_t time = packet->timestamp_ns ? packet->timestamp_ns : clock_ns(CLOCK_REALTIME);
  const uint32_t link = packet->link_type ? packet->link_type : kEthernet;
  const bool special = packet->wire_length > length || link != (r->pipe->link_type & 0xffffu);
  uint32_t at = 0;
  for (uint32_t i = 0; i < needed; ++i) {
    const uint32_t part = length - at < r->payload ? length - at : r->payload;
    uint32_t buffer, flags = i + 1 < needed ? BRICKS_SLOT_MOREFRAG : 0;
    uint8_t *to = bricks_writer_buffer(r, r->tail, &buffer);
    if (!to) return BRICKS_FAILED; /* the consumer scribbles; what is half written is not seen */
    if (part) memcpy(to, packet->data + at, part);
    if (special && i == 0) {
      const struct bricks_trailer trailer = {
          .wire_length = packet->wire_length > length ? packet->wire_length : length,
          .link_type = (uint16_t)link};
      memcpy(to + r->payload, &trailer, sizeof trailer);
      flags |= BRICKS_SLOT_TRAILER;
    }
    bricks_writer_fill(r, buffer, part, flags, time);
    at += part;
  }
  return BRICKS_OK;
}

void bricks_flush(bricks_writer *w) {
  struct bricks_ring_writer *r = &w->ring;
  if (r->broken || r->published == r->tail) return;
  if (__atomic_load_n(&r->pipe->producer_state, __ATOMIC_RELAXED) == BRICKS_PRODUCER_FINISHED) {
    __atomic_store_n(&r->pipe->producer_state, BRICKS_PRODUCER_LIVE, __ATOMIC_RELAXED);
  }
  if (bricks_writer_publish(r)) signal_data(w);
}

static bool has_room(bricks_writer *w) {
  bricks_writer_look(&w->ring);
  const uint32_t most = slots_needed(w, BRICKS_READER_FRAME_MAX);
  const uint32_t wanted = most < w->ring.slots ? most : w->ring.slots - 1;
  return bricks_writer_free(&w->ring) >= wanted;
}

static bool spin(bricks_writer *w) {
  const uint64_t end = clock_ns(CLOCK_MONOTONIC) + w->spin_ns;
  do {
    for (uint32_t i = 0; i < kPausesPerClock; ++i) {
      if (has_room(w)) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (clock_ns(CLOCK_MONOTONIC) < end);
  return false;
}

bricks_result bricks_writer_wait(bricks_writer *w, int64_t timeout_ms) {
  bricks_flush(w);
  if (w->ring.broken) return BRICKS_FAILED;
  if (has_room(w)) return BRICKS_OK;
  const uint64_t start = clock_ns(CLOCK_MONOTONIC);
  if (timeout_ms != 0 && w->spin_ns && spin(w)) return BRICKS_OK;
  bricks_result result = BRICKS_EMPTY;
  while (result == BRICKS_EMPTY) {
    if (is_gone(w)) return BRICKS_GONE;
    arm(w);
    if (has_room(w)) break;
    int64_t left = -1;
    if (timeout_ms >= 0) {
      left = timeout_ms - (int64_t)((clock_ns(CLOCK_MONOTONIC) - start) / 1000000u);
      left = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
    }
    struct pollfd ready = {.fd = w->end.poll_fd, .events = POLLIN};
    const int n = poll(&ready, 1, (int)left);
    if (n < 0) result = errno == EINTR ? BRICKS_INTERRUPTED : BRICKS_FAILED;
    if (n == 0 && left != INT32_MAX) result = BRICKS_TIMEOUT;
    if (has_room(w)) result = BRICKS_OK;
  }
  disarm(w);
  return result == BRICKS_EMPTY ? BRICKS_OK : result;
}

int bricks_writer_fd(bricks_writer *w) { return w->end.poll_fd; }

void bricks_finish(bricks_writer *w) {
  bricks_flush(w);
  uint32_t live = BRICKS_PRODUCER_LIVE; /* what was closed stays closed */
  __atomic_compare_exchange_n(&w->ring.pipe->producer_state, &live, BRICKS_PRODUCER_FINISHED, false,
                              __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
  signal_data(w);
}

uint32_t bricks_writer_pending(bricks_writer *w) {
  bricks_writer_look(&w->ring);
  return bricks_writer_distance(&w->ring, w->ring.head, w->ring.published);
}

void bricks_writer_detach(bricks_writer *w) {
  if (!w) return;
  if (w->ring.ring) {
    bricks_flush(w);
    disarm(w);
  }
  bricks_leave_end(&w->end);
  free(w);
}

bricks_result bricks_attach_writer(bricks_writer **writer, const char *name,
                                   const bricks_options *options, char *why, size_t why_size) {
  static const bricks_options kDefaults;
  struct asking a;
  if (!options) options = &kDefaults;
  *writer = NULL;
  bricks_result result = bricks_ask_for(&a, name, options, why, why_size);
  if (result != BRICKS_OK) return result;
  bricks_writer *w = calloc(1, sizeof *w);
  if (!w) return bricks_refuse(&a, BRICKS_FAILED, "no memory for a writer of %s", a.name);
  w->end = kNoEnd;
  w->spin_ns = bricks_spin_ns(options);
  result = bricks_take_end(&a, BRICKS_ATTACH_WRITER, &w->end);
  if (result == BRICKS_OK) {
    const char *fault =
        bricks_writer_open(&w->ring, w->end.region, w->end.region_bytes, w->end.pipe_offset);
    if (fault) {
      w->ring.ring = NULL;
      result = bricks_refuse(&a, BRICKS_FAILED, "%s cannot be written: %s", a.name, fault);
    }
  }
  if (result == BRICKS_OK) result = bricks_watch_end(&a, &w->end, w->end.space_event);
  if (result != BRICKS_OK) {
    bricks_writer_detach(w);
    return result;
  }
  disarm(w);
  *writer = w;
  return BRICKS_OK;
}
