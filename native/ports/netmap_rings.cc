// Finding a netmap port's rings in its memory. Offsets and counts come from there and are bounded
// before anything is looked at.
#include <algorithm>
#include <cstring>

#include "mem/limits.hh"
#include "ports/netmap_device.hh"
#include "wire/packet.hh"

namespace bricks {

netmap_slot NetmapRing::read(uint32_t at) const noexcept {
  const netmap_slot* slot = &shared->slot[at];
  netmap_slot copy{};
  const uint64_t word = __atomic_load_n(reinterpret_cast<const uint64_t*>(slot), __ATOMIC_RELAXED);
  std::memcpy(&copy, &word, sizeof word);
  if (offsets) copy.ptr = __atomic_load_n(&slot->ptr, __ATOMIC_RELAXED);
  return copy;
}

void NetmapRing::advance(uint32_t at) const noexcept {
  __atomic_store_n(&shared->cur, at, __ATOMIC_RELAXED);
  __atomic_store_n(&shared->head, at, __ATOMIC_RELEASE);
}

// The ring at `offset` of the mapping, which is known to lie in it with its header.
Status NetmapDevice::check_ring(uint64_t offset, NetmapRing* ring) const {
  auto* shared = reinterpret_cast<netmap_ring*>(memory_base_ + offset);
  netmap_ring head;
  std::memcpy(&head, shared, sizeof head);
  if (head.num_slots < 2 || head.num_slots > kNetmapSlotsMax) {
    return wrong("a ring of " + std::to_string(head.num_slots) + " slots");
  }
  if (uint64_t{head.num_slots} * sizeof(netmap_slot) > bytes_ - offset - sizeof head) {
    return wrong("a ring that ends outside");
  }
  if (head.nr_buf_size < 64 || head.nr_buf_size > kNetmapBufferMax) {
    return wrong("buffers of " + std::to_string(head.nr_buf_size) + " bytes");
  }
  const auto most = static_cast<int64_t>(bytes_);
  if (head.buf_ofs > most || head.buf_ofs < -most) return wrong("buffers that begin outside");
  const int64_t first = static_cast<int64_t>(offset) + head.buf_ofs;
  if (first < 0 || first >= most) return wrong("buffers that begin outside");
  const uint64_t limit = static_cast<uint64_t>(most - first) / head.nr_buf_size;
  if (limit <= BRICKS_NETMAP_FIRST_BUFFER) return wrong("no buffers");
  ring->shared = shared;
  ring->buffers = memory_base_ + first;
  ring->slots = head.num_slots;
  ring->stride = head.nr_buf_size;
  ring->limit = static_cast<uint32_t>(std::min<uint64_t>(limit, kForeignBuffer));
  ring->offsets = head.offset_mask;
  return {};
}

Status NetmapDevice::find_rings(uint64_t offset) {
  if (bytes_ < sizeof(netmap_if) || offset % 8 || offset > bytes_ - sizeof(netmap_if)) {
    return wrong("its description lies outside");
  }
  interface_ = reinterpret_cast<netmap_if*>(memory_base_ + offset);
  netmap_if head;
  std::memcpy(&head, interface_, sizeof head);
  // Before API 14 there was always one host ring each way, and no word that said so.
  const uint32_t host_tx = legacy_ && head.ni_host_tx_rings == 0 ? 1 : head.ni_host_tx_rings;
  const uint32_t host_rx = legacy_ && head.ni_host_rx_rings == 0 ? 1 : head.ni_host_rx_rings;
  for (uint32_t count : {head.ni_tx_rings, head.ni_rx_rings, host_tx, host_rx}) {
    if (count > kNetmapRingsMax) return wrong(std::to_string(count) + " rings");
  }
  const uint32_t hardware = wishes_.transmit ? head.ni_tx_rings : head.ni_rx_rings;
  const uint32_t host = wishes_.transmit ? host_tx : host_rx;
  const uint32_t before = wishes_.transmit ? 0 : head.ni_tx_rings + host_tx;
  uint32_t first = 0, count = hardware;
  const bool of_host = name_.part == NetmapPart::host || name_.part == NetmapPart::one_host;
  if (of_host) first = hardware, count = host;
  if (name_.part == NetmapPart::both) count = hardware + host;
  if (name_.part == NetmapPart::one_hardware || name_.part == NetmapPart::one_host) {
    if (name_.ring >= count) {
      return {Code::invalid_argument, "netmap:" + name_.port + " has no ring " +
                                          std::to_string(name_.ring) + ": it has " +
                                          std::to_string(count)};
    }
    first += name_.ring;
    count = 1;
  }
  const uint64_t table = offset + offsetof(netmap_if, ring_ofs);
  if (uint64_t{before + first + count} * sizeof(int64_t) > bytes_ - table) {
    return wrong("its table of rings ends outside");
  }
  for (uint32_t i = before + first; i < before + first + count; ++i) {
    const int64_t distance = __atomic_load_n(&interface_->ring_ofs[i], __ATOMIC_RELAXED);
    if (distance == 0) continue;  // this ring is not for us
    const auto most = static_cast<int64_t>(bytes_ - sizeof(netmap_ring));
    if (bytes_ < sizeof(netmap_ring) || distance > most || distance < -most || distance % 8 ||
        static_cast<int64_t>(offset) + distance < 0 ||
        static_cast<int64_t>(offset) + distance > most) {
      return wrong("a ring that begins outside");
    }
    NetmapRing ring;
    const auto at = static_cast<uint64_t>(static_cast<int64_t>(offset) + distance);
    if (Status s = check_ring(at, &ring); !s.ok()) return s;
    rings.push_back(ring);
  }
  if (!rings.empty()) return {};
  return wrong(wishes_.transmit ? "no transmit ring" : "no receive ring");
}

// The list of extra buffers: each one's first word names the next. It is as long as was said, or
// it is none.
Status NetmapDevice::take_extra() {
  if (wishes_.extra == 0) return {};
  if (extra_asked_ < wishes_.extra) {
    return {Code::limit_reached, "netmap:" + name_.port + ": the module has " +
                                     std::to_string(extra_asked_) + " of the " +
                                     std::to_string(wishes_.extra) +
                                     " extra buffers; ask for fewer, or give it more: "
                                     "/sys/module/netmap/parameters/*buf_num"};
  }
  std::vector<uint32_t> found;
  uint32_t index = __atomic_load_n(&interface_->ni_bufs_head, __ATOMIC_ACQUIRE);
  while (found.size() < wishes_.extra) {
    if (!rings[0].is_buffer(index)) return wrong("a list of extra buffers that is cut short");
    found.push_back(index);
    std::memcpy(&index, rings[0].buffer(index), sizeof index);
  }
  std::vector<uint32_t> sorted = found;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
    return wrong("a list of extra buffers that comes back to itself");
  }
  extra = std::move(found);
  return {};
}

}  // namespace bricks
