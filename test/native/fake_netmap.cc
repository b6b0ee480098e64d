#include "fake_netmap.hh"

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

#include "abi/netmap_requests.h"

namespace fake {
namespace {

Netmap* current = nullptr;

uint64_t up(uint64_t value) { return (value + 255) / 256 * 256; }

}  // namespace

const bricks::NetmapSystem Netmap::kSystem = {Netmap::open_device, Netmap::control};

Netmap::Netmap(const Shape& shape) : shape_(shape) {
  if (current) std::abort();
  current = this;
  make_memory(1);
  make_memory(2);
  make_card("a0", 1);
  make_card("a1", 1);
  make_card("b0", 2);
}

Netmap::~Netmap() {
  for (auto& [number, memory] : memories_) {
    munmap(memory.base, memory.bytes);
    close(memory.fd);
  }
  current = nullptr;
}

void Netmap::make_memory(uint16_t number) {
  Memory& memory = memories_[number];
  const uint64_t ring_bytes = up(sizeof(netmap_ring) + shape_.slots * sizeof(netmap_slot));
  const uint64_t control = 3 * (4096 + 2 * (shape_.rings + shape_.host) * ring_bytes);
  memory.first_buffer = (control + 4095) / 4096 * 4096;
  memory.bytes = memory.first_buffer + uint64_t{shape_.buffers} * shape_.buffer_bytes;
  memory.fd = memfd_create("fake-netmap", MFD_CLOEXEC);
  if (memory.fd < 0 || ftruncate(memory.fd, static_cast<off_t>(memory.bytes)) != 0) std::abort();
  void* at = mmap(nullptr, memory.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
  if (at == MAP_FAILED) std::abort();
  memory.base = static_cast<uint8_t*>(at);
}

uint64_t Netmap::make_ring(Memory& memory, bool tx) {
  const uint64_t offset = memory.next;
  memory.next += up(sizeof(netmap_ring) + shape_.slots * sizeof(netmap_slot));
  auto* ring = reinterpret_cast<netmap_ring*>(memory.base + offset);
  ring->buf_ofs = static_cast<int64_t>(memory.first_buffer) - static_cast<int64_t>(offset);
  ring->num_slots = shape_.slots;
  ring->nr_buf_size = shape_.buffer_bytes;
  ring->dir = tx;
  ring->tail = tx ? shape_.slots - 1 : 0;
  for (uint32_t i = 0; i < shape_.slots; ++i) ring->slot[i].buf_idx = memory.next_buffer++;
  return offset;
}

void Netmap::make_card(const std::string& name, uint16_t number) {
  Memory& memory = memories_[number];
  Card& card = cards_[name];
  card.memory = number;
  card.offset = memory.next;
  memory.next += 4096;
  auto* port = reinterpret_cast<netmap_if*>(memory.base + card.offset);
  name.copy(port->ni_name, sizeof port->ni_name - 1);
  port->ni_tx_rings = port->ni_rx_rings = shape_.rings;
  port->ni_host_tx_rings = port->ni_host_rx_rings = shape_.host;
  uint32_t entry = 0;
  for (auto* rings : {&card.tx, &card.rx}) {
    for (uint32_t i = 0; i < shape_.rings + shape_.host; ++i) {
      KernelRing ring;
      ring.offset = make_ring(memory, rings == &card.tx);
      port->ring_ofs[entry++] =
          static_cast<int64_t>(ring.offset) - static_cast<int64_t>(card.offset);
      rings->push_back(ring);
    }
  }
}

int Netmap::open_device(const char*, int) { return eventfd(0, EFD_CLOEXEC); }

int Netmap::register_port(int fd, const std::string& name, uint32_t mode, uint16_t ring,
                          uint64_t flags, uint32_t* extra, uint64_t* offset, uint64_t* bytes,
                          uint16_t* memory_number) {
  const auto found = cards_.find(name);
  if (found == cards_.end()) return ENXIO;
  Card& card = found->second;
  Memory& memory = memories_[card.memory];
  if (dup2(memory.fd, fd) < 0) return errno;
  opened_[fd] = {&card, mode, ring, flags};
  *extra = *extra < extra_most ? *extra : extra_most;
  uint32_t next = 0;
  for (uint32_t i = 0; i < *extra; ++i) {
    if (memory.next_buffer >= shape_.buffers) return ENOMEM;
    const uint32_t index = memory.next_buffer++;
    std::memcpy(memory.base + memory.first_buffer + uint64_t{index} * shape_.buffer_bytes, &next,
                sizeof next);
    next = index;
  }
  reinterpret_cast<netmap_if*>(memory.base + card.offset)->ni_bufs_head = next;
  *offset = card.offset;
  *bytes = memory.bytes;
  *memory_number = card.memory;
  if (lie_at_registration) lie_at_registration(*offset, *bytes);
  return 0;
}

int Netmap::control(int fd, unsigned long request, void* argument) {
  int error = EINVAL;
  switch (static_cast<uint32_t>(request)) {
    case static_cast<uint32_t>(NIOCCTRL): {
      auto* header = static_cast<nmreq_header*>(argument);
      auto* body = reinterpret_cast<nmreq_register*>(header->nr_body);
      if (current->old_module || header->nr_version != BRICKS_NETMAP_API) break;
      error = current->register_port(fd, header->nr_name, body->nr_mode, body->nr_ringid,
                                     body->nr_flags, &body->nr_extra_bufs, &body->nr_offset,
                                     &body->nr_memsize, &body->nr_mem_id);
      break;
    }
    case static_cast<uint32_t>(NIOCREGIF): {
      auto* legacy = static_cast<nmreq*>(argument);
      uint64_t offset = 0, bytes = 0;
      error = current->register_port(fd, legacy->nr_name, legacy->nr_flags & NR_REG_MASK,
                                     legacy->nr_ringid & NETMAP_RING_MASK, legacy->nr_flags,
                                     &legacy->nr_arg3, &offset, &bytes, &legacy->nr_arg2);
      legacy->nr_offset = static_cast<uint32_t>(offset);
      legacy->nr_memsize = static_cast<uint32_t>(bytes);
      break;
    }
    case NIOCTXSYNC:
    case NIOCRXSYNC:
      error = current->sync(fd, request == NIOCTXSYNC);
      break;
    default:
      break;
  }
  if (error == 0) return 0;
  errno = error;
  return -1;
}

int Netmap::sync(int fd, bool tx) {
  ++syncs;
  if (sync_error) return sync_error;
  const Opened& opened = opened_.at(fd);
  if (opened.flags & (tx ? NR_RX_RINGS_ONLY : NR_TX_RINGS_ONLY)) return 0;
  for (KernelRing& ring : tx ? opened.card->tx : opened.card->rx) {
    if (tx)
      transmit(*opened.card, ring);
    else
      receive(*opened.card, ring);
    if (lie_at_sync) lie_at_sync(this->ring(*opened.card, ring));
  }
  return 0;
}

void Netmap::transmit(Card& card, KernelRing& is) {
  netmap_ring* shared = ring(card, is);
  Bytes frame;
  while (sends && is.done != shared->head && shared->head < shape_.slots) {
    const netmap_slot slot = shared->slot[is.done];
    is.done = (is.done + 1) % shape_.slots;
    if (slot.buf_idx >= shape_.buffers) continue;
    const uint8_t* data = reinterpret_cast<uint8_t*>(shared) + shared->buf_ofs +
                          uint64_t{slot.buf_idx} * shape_.buffer_bytes;
    frame.insert(frame.end(), data, data + slot.len);
    is.buffers_sent.push_back(slot.buf_idx);
    is.flags_sent.push_back(slot.flags);
    if (slot.flags & BRICKS_SLOT_MOREFRAG) continue;
    is.sent.push_back(std::move(frame));
    frame.clear();
  }
  shared->tail = (is.done + shape_.slots - 1) % shape_.slots;
}

void Netmap::receive(Card& card, KernelRing& is) {
  netmap_ring* shared = ring(card, is);
  const auto room = [&] { return (shared->head + shape_.slots - is.done - 1) % shape_.slots; };
  while (!is.pending.empty() && shared->head < shape_.slots) {
    const Bytes& frame = is.pending.front();
    const size_t parts = (frame.size() + shape_.buffer_bytes - 1) / shape_.buffer_bytes;
    if (room() < parts) break;
    for (size_t i = 0; i < parts; ++i) {
      netmap_slot& slot = shared->slot[is.done];
      const size_t at = i * shape_.buffer_bytes;
      const size_t length = std::min<size_t>(frame.size() - at, shape_.buffer_bytes);
      // Another program may have written over the slot.
      if (slot.buf_idx < shape_.buffers)
        std::memcpy(reinterpret_cast<uint8_t*>(shared) + shared->buf_ofs +
                        uint64_t{slot.buf_idx} * shape_.buffer_bytes,
                    frame.data() + at, length);
      slot.len = static_cast<uint16_t>(length);
      slot.flags = i + 1 < parts ? uint16_t{BRICKS_SLOT_MOREFRAG} : uint16_t{0};
      is.done = (is.done + 1) % shape_.slots;
    }
    is.pending.pop_front();
  }
  shared->tail = is.done;
}

bool Netmap::buffers_are_whole() {
  for (uint16_t number : {uint16_t{1}, uint16_t{2}}) {
    std::set<uint32_t> seen;
    size_t slots = 0;
    for (auto& [name, card] : cards_) {
      if (card.memory != number) continue;
      for (auto* rings : {&card.tx, &card.rx}) {
        for (KernelRing& each : *rings) {
          for (uint32_t i = 0; i < shape_.slots; ++i) {
            seen.insert(ring(card, each)->slot[i].buf_idx);
            ++slots;
          }
        }
      }
    }
    if (seen.size() != slots || *seen.begin() < BRICKS_NETMAP_FIRST_BUFFER) return false;
  }
  return true;
}

uint32_t Netmap::extra_left(const Card& card) {
  Memory& memory = memories_[card.memory];
  uint32_t index = reinterpret_cast<netmap_if*>(memory.base + card.offset)->ni_bufs_head;
  uint32_t count = 0;
  for (; index != 0 && count < shape_.buffers; ++count) {
    std::memcpy(&index, memory.base + memory.first_buffer + uint64_t{index} * shape_.buffer_bytes,
                sizeof index);
  }
  return count;
}

}  // namespace fake
