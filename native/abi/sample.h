/* Which frames belong to a sample of flows: a function of a frame's own bytes, the same for both
 * directions and for all fragments, so that whoever looks at either end of the engine picks alike.
 * Goes by the outermost pair of addresses: whole conversations, tunnels included, are in or out. */
#ifndef BRICKS_ABI_SAMPLE_H
#define BRICKS_ABI_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

/* XOR of `bytes` at `a` and at `b`: the order of the two does not matter. */
static inline uint32_t bricks_fold(const uint8_t *a, const uint8_t *b, uint32_t bytes) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < bytes; ++i) {
    sum = sum * 31u + (uint32_t)(a[i] ^ b[i]) * 257u + (uint32_t)(a[i] + b[i]);
  }
  return sum;
}

/* 0: no addresses are found. `link_type`: LINKTYPE_ value; frames that are not Ethernet are taken
 * to begin with the IP header. Reads no more than `length` bytes. */
static inline uint32_t bricks_address_fold(const uint8_t *data, uint32_t length,
                                           uint32_t link_type) {
  uint32_t at = 0;
  if (link_type == 1) {
    if (length < 14) return 0;
    at = 12;
    while (at + 6 <= length &&
           ((data[at] == 0x81 && data[at + 1] == 0) || (data[at] == 0x88 && data[at + 1] == 0xa8) ||
            (data[at] == 0x91 && data[at + 1] == 0))) {
      at += 4;
    }
    const uint32_t type = (uint32_t)data[at] << 8 | data[at + 1];
    if (type != 0x0800 && type != 0x86dd) return bricks_fold(data, data + 6, 6);
    at += 2;
  }
  if (at >= length) return 0;
  if (data[at] >> 4 == 4 && at + 20 <= length)
    return bricks_fold(data + at + 12, data + at + 16, 4);
  if (data[at] >> 4 == 6 && at + 40 <= length)
    return bricks_fold(data + at + 8, data + at + 24, 16);
  return 0;
}

/* True for about one address pair in `of` (1: all). */
static inline bool bricks_sampled(const uint8_t *data, uint32_t length, uint32_t link_type,
                                  uint32_t of) {
  if (of <= 1) return true;
  uint32_t x = bricks_address_fold(data, length, link_type) * 0x9e3779b1u; /* Knuth's constant */
  x ^= x >> 15;
  return (x * 0x85ebca6bu) >> 8 < (1u << 24) / of;
}

#endif
