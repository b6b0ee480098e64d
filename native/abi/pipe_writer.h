/* The writing end of a direction's ring, for programs (libbricks). The counterpart of
 * pipe_reader.h: every word of shared memory is read once and bounded before it is used. */
#ifndef BRICKS_ABI_PIPE_WRITER_H
#define BRICKS_ABI_PIPE_WRITER_H

#include "pipe_reader.h"

struct bricks_ring_writer {
  struct bricks_pipe *pipe; /* shared, as is *ring; all else here is our own, checked once */
  struct netmap_ring *ring;
  uint8_t *buffers;
  uint32_t slots, stride, payload, buffer_count;
  uint32_t tail;      /* next slot to fill */
  uint32_t published; /* slots before it are the consumer's to read */
  uint32_t head;      /* first slot the consumer has not given back, as last seen */
  bool broken;
};

static inline uint32_t bricks_writer_distance(const struct bricks_ring_writer *w, uint32_t from,
                                              uint32_t to) {
  return to >= from ? to - from : to + w->slots - from;
}

static inline uint32_t bricks_writer_free(const struct bricks_ring_writer *w) {
  return w->slots - 1 - bricks_writer_distance(w, w->head, w->tail);
}

/* Reads what the consumer has given back since; an impossible head is as if it had not moved. */
static inline void bricks_writer_look(struct bricks_ring_writer *w) {
  const uint32_t head = __atomic_load_n(&w->ring->head, __ATOMIC_SEQ_CST);
  if (head < w->slots && bricks_writer_distance(w, w->head, head) <=
                             bricks_writer_distance(w, w->head, w->published)) {
    w->head = head;
  }
}

/* Takes over the ring of the pipe at `pipe_offset` where the producer before left it. Returns NULL,
 * or what is wrong with it. */
static inline const char *bricks_writer_open(struct bricks_ring_writer *w, uint8_t *base,
                                             uint64_t mapped, uint64_t pipe_offset) {
  struct bricks_reader r;
  const char *fault = bricks_reader_open(&r, base, mapped, pipe_offset);
  if (fault) return fault;
  const uint32_t tail = __atomic_load_n(&r.ring->tail, __ATOMIC_ACQUIRE);
  const uint32_t head = __atomic_load_n(&r.ring->head, __ATOMIC_ACQUIRE);
  memset(w, 0, sizeof *w);
  w->pipe = r.pipe;
  w->ring = r.ring;
  w->buffers = base + (uint64_t)(r.buffers - base);
  w->slots = r.slots;
  w->stride = r.stride;
  w->payload = r.payload;
  w->buffer_count = r.buffer_count;
  w->tail = w->published = tail < r.slots ? tail : 0;
  w->head = head < r.slots ? head : w->tail;
  return NULL;
}

/* The buffer of the next slot; NULL, and broken, when what stands there cannot be one. */
static inline uint8_t *bricks_writer_buffer(struct bricks_ring_writer *w, uint32_t index,
                                            uint32_t *buffer) {
  *buffer = __atomic_load_n(&w->ring->slot[index].buf_idx, __ATOMIC_RELAXED);
  if (*buffer < BRICKS_NETMAP_FIRST_BUFFER || *buffer >= w->buffer_count) {
    w->broken = true;
    return NULL;
  }
  return w->buffers + (uint64_t)*buffer * w->stride;
}

static inline void bricks_writer_fill(struct bricks_ring_writer *w, uint32_t buffer,
                                      uint32_t length, uint32_t flags, uint64_t timestamp) {
  struct netmap_slot *slot = &w->ring->slot[w->tail];
  *slot = (struct netmap_slot){buffer, (uint16_t)length, (uint16_t)flags, timestamp};
  w->tail = w->tail + 1 == w->slots ? 0 : w->tail + 1;
}

/* True when the consumer wants to be told (the data eventfd). */
static inline bool bricks_writer_publish(struct bricks_ring_writer *w) {
  if (w->published == w->tail) return false;
  w->published = w->tail;
  __atomic_store_n(&w->ring->tail, w->tail, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&w->pipe->consumer_waits, __ATOMIC_SEQ_CST) == 0) return false;
  __atomic_store_n(&w->pipe->consumer_waits, 0u, __ATOMIC_RELAXED);
  return true;
}

#endif
