/* libbricks-netmap: the memory as programs map it. Where an end's rings have holes for their slots
 * (abi/pipe_end.h), the slots' pages are mapped over them: for each port that is registered when
 * the program maps, and in each mapping that is there when it registers another port of that
 * memory. */
#include <errno.h>
#include <sys/mman.h>

#include "preload/netmap_port.h"

enum { kMappingsMax = 1024 };

static struct mapping {
  uint8_t *begin;
  uint64_t bytes, inode;
  int protection;
} mappings[kMappingsMax];      /* under netmap_lock() */
static uint32_t mappings_live; /* read without it: most programs that unmap have none */

static bool show_direction(const struct netmap_port *port, const struct mapping *m,
                           const struct netmap_end_ring *rings, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t bytes = bricks_slots_bytes(rings[i].slots);
    const uint64_t hole = (uint64_t)((uint8_t *)rings[i].ring->slot - port->base);
    const uint64_t slots = (uint64_t)((uint8_t *)rings[i].shared->slot - port->base);
    if (hole + bytes > m->bytes) continue; /* the program has mapped less */
    void *shown = REAL(mmap)(m->begin + hole, bytes, m->protection, MAP_SHARED | MAP_FIXED,
                             port->memory, (off_t)slots);
    if (shown == MAP_FAILED) return false;
  }
  return true;
}

static bool show(const struct netmap_port *port, const struct mapping *m) {
  return show_direction(port, m, port->tx, port->reply.tx_rings) &&
         show_direction(port, m, port->rx, port->reply.rx_rings);
}

bool netmap_show_rings(const struct netmap_port *port) {
  bool all = true;
  netmap_lock();
  for (uint32_t i = 0; i < kMappingsMax; ++i) {
    const struct mapping *m = &mappings[i];
    if (m->begin && m->inode == port->inode) all = show(port, m) && all;
  }
  netmap_unlock();
  return all;
}

static bool show_all_in(const struct mapping *m) {
  bool all = true;
  for (int fd = 0; fd < kNetmapFdsMax; ++fd) {
    const struct netmap_port *port = netmap_port_of(fd);
    if (port && netmap_registered(port) && port->inode == m->inode) all = show(port, m) && all;
  }
  return all;
}

static struct mapping *free_entry(void) {
  for (uint32_t i = 0; i < kMappingsMax; ++i) {
    if (!mappings[i].begin) return &mappings[i];
  }
  return NULL;
}

static void *map_port(const struct netmap_port *port, void *address, size_t length, int protection,
                      int flags, off_t offset) {
  if (!netmap_registered(port) || offset != 0 || length == 0 || length > port->bytes ||
      !(flags & MAP_SHARED)) {
    errno = EINVAL;
    return MAP_FAILED;
  }
  netmap_lock();
  void *memory = MAP_FAILED;
  struct mapping *m = free_entry();
  errno = ENOMEM;
  if (m) memory = REAL(mmap)(address, length, protection, flags, port->memory, 0);
  if (memory != MAP_FAILED) {
    *m = (struct mapping){memory, length, port->inode, protection};
    if (show_all_in(m)) {
      ++mappings_live;
    } else {
      REAL(munmap)(memory, length);
      m->begin = NULL;
      memory = MAP_FAILED;
    }
  }
  netmap_unlock();
  return memory;
}

static void *map_any(void *address, size_t length, int protection, int flags, int fd,
                     off_t offset) {
  const uint32_t forks = netmap_forks;
  struct netmap_port *port = flags & MAP_ANONYMOUS ? NULL : netmap_hold(fd);
  if (!port) return REAL(mmap)(address, length, protection, flags, fd, offset);
  void *memory = map_port(port, address, length, protection, flags, offset);
  netmap_let_go(port, forks);
  return memory;
}

EXPORT void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
  return map_any(address, length, protection, flags, fd, offset);
}

EXPORT void *mmap64(void *address, size_t length, int protection, int flags, int fd,
                    off64_t offset) {
  return map_any(address, length, protection, flags, fd, offset);
}

EXPORT int munmap(void *address, size_t length) {
  if (__atomic_load_n(&mappings_live, __ATOMIC_RELAXED) && !netmap_in_vfork()) {
    netmap_lock();
    for (uint32_t i = 0; i < kMappingsMax; ++i) {
      struct mapping *m = &mappings[i];
      if (!m->begin || m->begin < (uint8_t *)address || m->begin >= (uint8_t *)address + length) {
        continue;
      }
      m->begin = NULL;
      --mappings_live;
    }
    netmap_unlock();
  }
  return REAL(munmap)(address, length);
}
