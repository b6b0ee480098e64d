// The ends of a PipePair as netmap programs open and leave them.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "ports/pipe_pair.hh"

namespace bricks {

Status PipePair::open_end(PipeEnd which, const bricks_end_request& request,
                          bricks_end_reply* reply) {
  const auto index = static_cast<uint32_t>(which);
  const End& end = ends_[index];
  const Direction& sends = directions_[1 - index];
  const Direction& gets = directions_[index];
  Region& region = *arena_->region;
  std::lock_guard lock(arena_->mutex);
  uint64_t if_offset = 0;
  if (Status s = region.allocate_control(kIfBytes, &if_offset); !s.ok()) return s;
  auto* nifp = at<netmap_if>(if_offset);
  std::snprintf(nifp->ni_name, sizeof nifp->ni_name, "%s%s%s", base_.c_str(),
                index == 0 ? "{" : "}", number_.c_str());
  nifp->ni_flags = 1;  // NI_PRIV_MEM
  nifp->ni_tx_rings = sends.rings;
  nifp->ni_rx_rings = gets.rings;
  nifp->ni_host_tx_rings = nifp->ni_host_rx_rings = 1;  // absent, but the module counts them
  uint32_t at_ring = 0;
  const auto base = static_cast<int64_t>(if_offset);
  for (uint32_t r = 0; r < sends.rings; ++r) {
    const auto offset = static_cast<int64_t>(end.tx + r * bricks_ring_stride(sends.slots));
    nifp->ring_ofs[at_ring++] = request.flags & BRICKS_END_NO_TX ? 0 : offset - base;
  }
  ++at_ring;
  for (uint32_t r = 0; r < gets.rings; ++r) {
    const auto offset = static_cast<int64_t>(end.rx + r * bricks_ring_stride(gets.slots));
    nifp->ring_ofs[at_ring++] = request.flags & BRICKS_END_NO_RX ? 0 : offset - base;
  }
  std::vector<uint32_t> extra;
  uint32_t wanted = std::min(request.extra_buffers, kPipeExtraBuffersMax);
  while (wanted && !region.allocate_buffers(wanted, &extra).ok()) wanted /= 2;
  nifp->ni_bufs_head = 0;
  for (uint32_t buffer : extra) {  // a chain through the buffers' first words
    std::memcpy(region.buffer(buffer), &nifp->ni_bufs_head, sizeof buffer);
    nifp->ni_bufs_head = buffer;
    arena_->lent[buffer] = true;
  }
  reply->region_bytes = region.bytes();
  reply->if_offset = if_offset;
  reply->tx_rings_state = end.tx_state;
  reply->rx_rings_state = end.rx_state;
  reply->tx_pipes = sends.pipes;
  reply->rx_pipes = gets.pipes;
  reply->tx_rings_at = end.tx;
  reply->rx_rings_at = end.rx;
  reply->tx_slots = sends.slots;
  reply->rx_slots = gets.slots;
  reply->tx_rings = sends.rings;
  reply->rx_rings = gets.rings;
  reply->extra_buffers = static_cast<uint32_t>(extra.size());
  reply->memory_id = arena_->id;
  return {};
}

// As with the kernel module, a program puts the extra buffers that it has left into its list before
// it closes. Those of one that was killed are lost to the arena until that goes.
void PipePair::close_end(uint64_t if_offset) noexcept {
  std::lock_guard lock(arena_->mutex);
  Region& region = *arena_->region;
  std::vector<uint32_t> extra;
  uint32_t buffer = at<netmap_if>(if_offset)->ni_bufs_head;
  while (buffer >= BRICKS_NETMAP_FIRST_BUFFER && buffer < region.buffer_count() &&
         extra.size() < kPipeExtraBuffersMax) {
    extra.push_back(buffer);
    std::memcpy(&buffer, region.buffer(buffer), sizeof buffer);
  }
  take_back(std::move(extra));
  region.release_control(if_offset, kIfBytes);
}

void PipePair::resume(PipeEnd which, bool tx, bool rx) noexcept {
  const auto index = static_cast<uint32_t>(which);
  for (const bool transmits : {true, false}) {
    if (!(transmits ? tx : rx)) continue;
    const Direction& direction = directions_[transmits ? 1 - index : index];
    const uint64_t rings = transmits ? ends_[index].tx : ends_[index].rx;
    auto* states = at<bricks_end_ring>(transmits ? ends_[index].tx_state : ends_[index].rx_state);
    for (uint32_t r = 0; r < direction.rings; ++r) {
      netmap_ring* shared = ring_of(direction, r);
      auto* ring = at<netmap_ring>(rings + r * bricks_ring_stride(direction.slots));
      const uint32_t head = shared->head, tail = shared->tail;
      states[r].lock = 0;
      if (states[r].current == (transmits ? tail : head)) continue;
      const bool sane = head < direction.slots && tail < direction.slots;
      if (!sane) shared->head = shared->cur = shared->tail = 0;
      const uint32_t at_head = sane ? head : 0;
      const uint32_t current = transmits && sane ? tail : at_head;
      const uint32_t before_head = (at_head + direction.slots - 1) % direction.slots;
      ring->head = ring->cur = states[r].current = current;
      ring->tail = states[r].tail = transmits ? before_head : current;
    }
  }
}

void PipePair::forget_copies(PipeEnd which) noexcept {
  const auto index = static_cast<uint32_t>(which);
  const Direction& direction = directions_[index];
  for (uint32_t r = 0; r < direction.rings; ++r) {
    netmap_ring* shared = ring_of(direction, r);
    auto* ring = at<netmap_ring>(ends_[index].rx + r * bricks_ring_stride(direction.slots));
    for (netmap_ring* each : {shared, ring}) each->head = each->cur = each->tail = 0;
    at<bricks_end_ring>(ends_[index].rx_state)[r] = {};
  }
}

}  // namespace bricks
