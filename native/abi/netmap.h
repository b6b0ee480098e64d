/* The layout of netmap's rings and slots, API 14, in our own words: offsets and sizes are facts of
 * that ABI (sys/net/netmap.h), nailed below. A program written for netmap finds here what it
 * expects. */
#ifndef BRICKS_ABI_NETMAP_H
#define BRICKS_ABI_NETMAP_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRICKS_NETMAP_API 14
#define BRICKS_NETMAP_FIRST_BUFFER 2u /* indexes 0 and 1 are reserved by the ABI */

/* netmap_slot.flags */
enum {
  BRICKS_SLOT_CHANGED = 0x01,  /* NS_BUF_CHANGED: buf_idx is not the one that was here before */
  BRICKS_SLOT_MOREFRAG = 0x20, /* NS_MOREFRAG: the packet goes on in the next slot */
  BRICKS_SLOT_TRAILER = 0x80   /* ours: the last 16 bytes of the buffer hold a bricks_trailer */
};

struct netmap_slot {
  uint32_t buf_idx;
  uint16_t len; /* bytes of the packet in this buffer */
  uint16_t flags;
  uint64_t ptr; /* on our pipes: receive time, nanoseconds since 1970 (netmap: unused here) */
};

struct netmap_ring {
  int64_t buf_ofs; /* from this ring to buffer 0 */
  uint32_t num_slots;
  uint32_t nr_buf_size; /* bytes from one buffer to the next */
  uint16_t ringid;
  uint16_t dir;  /* 0: filled by the engine, read by the consumer */
  uint32_t head; /* the reader's: slots before it are given back */
  uint32_t cur;  /* the reader's: slots before it have been looked at */
  uint32_t tail; /* the writer's: slots from head up to here hold packets */
  uint32_t flags;
  uint32_t pad0;
  int64_t ts[2]; /* struct timeval of the last publication */
  uint64_t offset_mask;
  uint64_t buf_align;
  uint8_t pad1[56];
  uint8_t sem[128];
  struct netmap_slot slot[];
};

struct netmap_if {
  char ni_name[16];
  uint32_t ni_version;
  uint32_t ni_flags;
  uint32_t ni_tx_rings;
  uint32_t ni_rx_rings;
  uint32_t ni_bufs_head;
  uint32_t ni_host_tx_rings;
  uint32_t ni_host_rx_rings;
  uint32_t ni_spare1[3];
  int64_t ring_ofs[]; /* from this struct to each ring: tx, host tx, rx, host rx; 0: absent */
};

#ifdef __cplusplus
#define BRICKS_NAIL(condition) static_assert(condition, #condition)
#else
#define BRICKS_NAIL(condition) _Static_assert(condition, #condition)
#endif
BRICKS_NAIL(sizeof(struct netmap_slot) == 16);
BRICKS_NAIL(offsetof(struct netmap_slot, flags) == 6);
BRICKS_NAIL(offsetof(struct netmap_slot, ptr) == 8);
BRICKS_NAIL(sizeof(struct netmap_ring) == 256);
BRICKS_NAIL(offsetof(struct netmap_ring, num_slots) == 8);
BRICKS_NAIL(offsetof(struct netmap_ring, head) == 20);
BRICKS_NAIL(offsetof(struct netmap_ring, tail) == 28);
BRICKS_NAIL(offsetof(struct netmap_ring, ts) == 40);
BRICKS_NAIL(offsetof(struct netmap_ring, buf_align) == 64);
BRICKS_NAIL(offsetof(struct netmap_ring, sem) == 128);
BRICKS_NAIL(sizeof(struct netmap_if) == 56);
BRICKS_NAIL(offsetof(struct netmap_if, ni_bufs_head) == 32);
BRICKS_NAIL(offsetof(struct netmap_if, ring_ofs) == 56);

#ifdef __cplusplus
}
#endif
#endif
