/* Packets out of the ring that pipe_reader.h has checked, slots back to the engine, and the
 * wake-up. */
#ifndef BRICKS_ABI_PIPE_PACKETS_H
#define BRICKS_ABI_PIPE_PACKETS_H

#include "pipe_reader.h"

struct bricks_view { /* one packet, or one buffer of it */
  const uint8_t *data;
  uint32_t length, wire_length, link_type;
  bool more; /* it goes on in the next slot */
  uint64_t timestamp;
};

/* What slot `index` (< slots) holds; false, and broken, when that cannot be. */
static inline bool bricks_reader_slot(struct bricks_reader *r, uint32_t index,
                                      struct bricks_view *view) {
  struct netmap_slot *shared = &r->ring->slot[index];
  struct netmap_slot slot;
  const uint64_t word = __atomic_load_n((uint64_t *)(void *)shared, __ATOMIC_RELAXED);
  memcpy(&slot, &word, sizeof word);
  view->timestamp = __atomic_load_n(&shared->ptr, __ATOMIC_RELAXED);
  if (__builtin_expect(slot.buf_idx >= r->buffer_count || slot.len > r->stride, 0)) {
    r->broken = true;
    return false;
  }
  view->data = r->buffers + (uint64_t)slot.buf_idx * r->stride;
  view->length = view->wire_length = slot.len;
  view->link_type = r->link_type;
  view->more = slot.flags & BRICKS_SLOT_MOREFRAG;
  if (__builtin_expect(slot.flags & BRICKS_SLOT_TRAILER, 0)) {
    struct bricks_trailer trailer;
    memcpy(&trailer, view->data + r->payload, sizeof trailer);
    view->wire_length = trailer.wire_length;
    view->link_type = trailer.link_type;
  }
  return true;
}

static inline uint32_t bricks_reader_after(const struct bricks_reader *r, uint32_t index) {
  return index + 1 == r->slots ? 0 : index + 1;
}

static inline uint32_t bricks_reader_distance(const struct bricks_reader *r, uint32_t from,
                                              uint32_t to) {
  return to >= from ? to - from : to + r->slots - from;
}

/* Asks for the lines of the next `count` slots at once: the other end's processor has them. */
static inline void bricks_reader_prefetch(const struct bricks_reader *r, uint32_t count) {
  enum { kSlotsPerLine = 64 / sizeof(struct netmap_slot) };
  uint32_t at = r->cursor;
  for (uint32_t i = 0; i < count; i += kSlotsPerLine) {
    __builtin_prefetch(&r->ring->slot[at]);
    at += kSlotsPerLine;
    if (at >= r->slots) at -= r->slots;
  }
}

/* Copies the packet that begins with `view` at the cursor, and is in several buffers, into `frame`
 * (of BRICKS_READER_FRAME_MAX bytes), moves the cursor behind it and completes `view`. */
static inline bool bricks_reader_gather(struct bricks_reader *r, struct bricks_view *view,
                                        uint8_t *frame) {
  struct bricks_view part = *view;
  uint32_t length = 0, index = r->cursor;
  for (;;) {
    if (part.length > BRICKS_READER_FRAME_MAX - length) break;
    memcpy(frame + length, part.data, part.length);
    length += part.length;
    index = bricks_reader_after(r, index);
    if (!part.more) {
      view->data = frame;
      view->length = length;
      if (view->wire_length < length) view->wire_length = length;
      r->cursor = index;
      return true;
    }
    if (index == r->tail || !bricks_reader_slot(r, index, &part)) break;
  }
  r->broken = true;
  return false;
}

/* Gives the slots before the cursor back. True when the engine wants to be told (the space
 * eventfd). */
static inline bool bricks_reader_give_back(struct bricks_reader *r) {
  if (r->head == r->cursor) return false;
  r->head = r->cursor;
  __atomic_store_n(&r->ring->cur, r->cursor, __ATOMIC_RELAXED);
  /* head must be seen before `waits` is looked at, hence the strongest order on both */
  __atomic_store_n(&r->ring->head, r->cursor, __ATOMIC_SEQ_CST);
  return __atomic_load_n(&r->pipe->producer_waits, __ATOMIC_SEQ_CST) != 0;
}

/* Asks for a signal (the data eventfd) when packets come. Look once more before sleeping on it. */
static inline void bricks_reader_arm(struct bricks_reader *r) {
  __atomic_store_n(&r->pipe->consumer_waits, 1u, __ATOMIC_SEQ_CST);
}

static inline void bricks_reader_disarm(struct bricks_reader *r) {
  __atomic_store_n(&r->pipe->consumer_waits, 0u, __ATOMIC_RELAXED);
}

#endif
