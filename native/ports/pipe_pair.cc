#include "ports/pipe_pair.hh"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "wire/link_type.hh"

namespace bricks {
namespace {

constexpr uint64_t kIfBytes = sizeof(netmap_if) + (2 * BRICKS_END_RINGS_MAX + 2) * sizeof(int64_t);

uint64_t ring_bytes(uint32_t slots) noexcept {
  return (sizeof(netmap_ring) + uint64_t{slots} * sizeof(netmap_slot) + 127) / 128 * 128;
}

uint32_t other(uint32_t end) noexcept { return 1 - end; }

Status check_shape(const std::string& name, const PipeShape& shape) {
  for (uint32_t d = 0; d < 2; ++d) {
    if (shape.slots[d] < 2 || shape.slots[d] > kPipeSlotsMax) {
      return {Code::invalid_argument, "pipe " + name + ": " + std::to_string(shape.slots[d]) +
                                          " slots; a ring has 2 to " +
                                          std::to_string(kPipeSlotsMax)};
    }
    if (shape.rings[d] < 1 || shape.rings[d] > BRICKS_END_RINGS_MAX) {
      return {Code::invalid_argument, "pipe " + name + ": " + std::to_string(shape.rings[d]) +
                                          " rings; a pipe has 1 to " +
                                          std::to_string(BRICKS_END_RINGS_MAX) + " each way"};
    }
  }
  return {};
}

PipeShape complete(PipeShape shape) noexcept {
  for (uint32_t d = 0; d < 2; ++d) {
    if (shape.slots[d] == 0) shape.slots[d] = kPipeSlotsDefault;
    if (shape.rings[d] == 0) shape.rings[d] = 1;
  }
  return shape;
}

// Everything but buffers that one pipe of that shape takes.
uint64_t control_bytes(const PipeShape& shape) noexcept {
  uint64_t sum = 0;
  for (uint32_t d = 0; d < 2; ++d) {
    sum += shape.rings[d] * (sizeof(bricks_pipe) + 3 * ring_bytes(shape.slots[d]) +
                             4 * sizeof(bricks_end_ring) + 1024);
  }
  return sum + 16 * kIfBytes;
}

}  // namespace

Status PipePair::make_arena(const std::string& name, const PipeShape& wished,
                            uint32_t extra_buffers, uint16_t id,
                            std::shared_ptr<PipeArena>* arena) {
  const PipeShape shape = complete(wished);
  if (Status s = check_shape(name, shape); !s.ok()) return s;
  if (extra_buffers > kPipeExtraBuffersMax) extra_buffers = kPipeExtraBuffersMax;
  const uint64_t own = uint64_t{shape.slots[0]} * shape.rings[0] +
                       uint64_t{shape.slots[1]} * shape.rings[1] + extra_buffers;
  const uint64_t buffers = own + kPipeArenaBuffers;
  auto made = std::make_shared<PipeArena>();
  made->id = id;
  Status s = Region::create(name, control_bytes(shape) + kPipeArenaControlBytes,
                            static_cast<uint32_t>(buffers), &made->region);
  if (s.ok()) *arena = std::move(made);
  return s;
}

Status PipePair::make(const std::string& base, const std::string& number, PipeShape shape,
                      std::shared_ptr<PipeArena> arena, std::shared_ptr<PipePair>* pair) {
  shape = complete(shape);
  const std::string name = base + "{" + number;
  if (Status s = check_shape(name, shape); !s.ok()) return s;
  auto made = std::make_shared<PipePair>();
  made->arena_ = std::move(arena);
  made->base_ = base;
  made->number_ = number;
  for (uint32_t d = 0; d < 2; ++d) {
    // shape is seen from `{`: what it sends is read at `}`.
    Direction& direction = made->directions_[other(d)];
    direction.slots = shape.slots[d];
    direction.rings = shape.rings[d];
  }
  for (uint32_t d = 0; d < 2; ++d) {
    if (Status s = made->lay_out_direction(d); !s.ok()) return s;
  }
  for (uint32_t e = 0; e < 2; ++e) {
    if (Status s = made->lay_out_end(e); !s.ok()) return s;
  }
  *pair = std::move(made);
  return {};
}

bricks_pipe* PipePair::pipe_of(const Direction& direction, uint32_t ring) noexcept {
  return at<bricks_pipe>(direction.pipes + ring * direction.pipe_bytes);
}

Status PipePair::lay_out_direction(uint32_t index) {
  Direction& direction = directions_[index];
  Region& region = *arena_->region;
  direction.pipe_bytes = sizeof(bricks_pipe) + ring_bytes(direction.slots);
  const uint64_t all = direction.pipe_bytes * direction.rings;
  if (Status s = region.allocate_control(all, &direction.pipes); !s.ok()) return s;
  Status s = region.allocate_buffers(direction.slots * direction.rings, &direction.first_buffers);
  if (!s.ok()) return s;
  for (uint32_t r = 0; r < direction.rings; ++r) {
    write_pipe(direction, r);
    netmap_ring* ring =
        at<netmap_ring>(direction.pipes + r * direction.pipe_bytes + sizeof(bricks_pipe));
    ring->head = ring->cur = ring->tail = 0;
    for (uint32_t k = 0; k < direction.slots; ++k) {
      ring->slot[k] = {direction.first_buffers[r * direction.slots + k], 0, 0, 0};
    }
  }
  PipeShare& share = direction.share;
  share.consumer_name = base_ + (index == 0 ? "{" : "}") + number_;
  share.memory_fd = dup(region.fd());
  share.data_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  share.space_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (share.memory_fd < 0 || share.data_event < 0 || share.space_event < 0) {
    return system_error("cannot make pipe " + base_ + "{" + number_, errno);
  }
  share.pipe_offset = direction.pipes;
  share.region_bytes = region.bytes();
  share.restore = [this] { restore(); };
  return {};
}

void PipePair::write_pipe(const Direction& direction, uint32_t ring) noexcept {
  bricks_pipe& pipe = *pipe_of(direction, ring);
  const Region& region = *arena_->region;
  const uint64_t here = direction.pipes + ring * direction.pipe_bytes;
  const uint64_t ring_offset = here + sizeof(bricks_pipe);
  pipe.magic = BRICKS_PIPE_MAGIC;
  pipe.version = BRICKS_PIPE_VERSION;
  pipe.slots = direction.slots;
  pipe.region_bytes = region.bytes();
  pipe.if_offset = 0;  // netmap's view is per opener: bricks_end_reply
  pipe.ring_offset = ring_offset;
  pipe.buffer_offset = region.buffer_offset();
  pipe.buffer_bytes = kBufferStride;
  pipe.buffers = region.buffer_count();
  pipe.link_type = static_cast<uint32_t>(LinkType::ethernet);
  std::snprintf(pipe.name, sizeof pipe.name, "%s", direction.share.consumer_name.c_str());
  auto* shared = at<netmap_ring>(ring_offset);
  shared->buf_ofs = static_cast<int64_t>(region.buffer_offset() - ring_offset);
  shared->num_slots = direction.slots;
  shared->nr_buf_size = kBufferStride;
  shared->ringid = static_cast<uint16_t>(ring);
  shared->dir = 0;
}

// A ring as a program sees it: fresh, as the ABI has it.
Status PipePair::make_ring(uint64_t* offset, const Direction& direction, uint32_t ring,
                           bool transmits) {
  Status s = arena_->region->allocate_control(ring_bytes(direction.slots), offset);
  if (!s.ok()) return s;
  auto* made = at<netmap_ring>(*offset);
  write_ring(*offset, direction, ring, transmits);
  made->tail = transmits ? direction.slots - 1 : 0;
  for (uint32_t k = 0; k < direction.slots; ++k) {
    made->slot[k] = {direction.first_buffers[ring * direction.slots + k], 0, 0, 0};
  }
  return {};
}

void PipePair::write_ring(uint64_t offset, const Direction& direction, uint32_t ring,
                          bool transmits) noexcept {
  auto* made = at<netmap_ring>(offset);
  made->buf_ofs = static_cast<int64_t>(arena_->region->buffer_offset() - offset);
  made->num_slots = direction.slots;
  made->nr_buf_size = kBufferStride;
  made->ringid = static_cast<uint16_t>(ring);
  made->dir = transmits ? 1 : 0;  // as the module has it, not as netmap.h says
}

void PipePair::restore() noexcept {
  for (uint32_t i = 0; i < 2; ++i) {
    const Direction& gets = directions_[i];
    const Direction& sends = directions_[other(i)];
    for (uint32_t r = 0; r < gets.rings; ++r) write_pipe(gets, r);
    for (uint32_t r = 0; r < sends.rings; ++r) write_ring(ends_[i].tx[r], sends, r, true);
    for (uint32_t r = 0; r < gets.rings; ++r) write_ring(ends_[i].rx[r], gets, r, false);
  }
}

Status PipePair::lay_out_end(uint32_t index) {
  End& end = ends_[index];
  const Direction& sends = directions_[other(index)];
  const Direction& gets = directions_[index];
  Region& region = *arena_->region;
  Status s = region.allocate_control(sends.rings * sizeof(bricks_end_ring), &end.tx_state);
  if (s.ok()) s = region.allocate_control(gets.rings * sizeof(bricks_end_ring), &end.rx_state);
  for (uint32_t r = 0; s.ok() && r < sends.rings; ++r) {
    s = make_ring(&end.tx.emplace_back(), sends, r, true);
    if (s.ok()) at<bricks_end_ring>(end.tx_state)[r] = {0, 0, sends.slots - 1, {}};
  }
  for (uint32_t r = 0; s.ok() && r < gets.rings; ++r) {
    s = make_ring(&end.rx.emplace_back(), gets, r, false);
    if (s.ok()) at<bricks_end_ring>(end.rx_state)[r] = {0, 0, 0, {}};
  }
  return s;
}

Status PipePair::open_end(PipeEnd which, const bricks_end_request& request,
                          bricks_end_reply* reply) {
  const auto index = static_cast<uint32_t>(which);
  const End& end = ends_[index];
  const Direction& sends = directions_[other(index)];
  const Direction& gets = directions_[index];
  Region& region = *arena_->region;
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
  for (uint64_t offset : end.tx) {
    const bool there = !(request.flags & BRICKS_END_NO_TX);
    nifp->ring_ofs[at_ring++] = there ? static_cast<int64_t>(offset) - base : 0;
  }
  ++at_ring;
  for (uint64_t offset : end.rx) {
    const bool there = !(request.flags & BRICKS_END_NO_RX);
    nifp->ring_ofs[at_ring++] = there ? static_cast<int64_t>(offset) - base : 0;
  }
  std::vector<uint32_t> extra;
  uint32_t wanted = std::min(request.extra_buffers, kPipeExtraBuffersMax);
  while (wanted && !region.allocate_buffers(wanted, &extra).ok()) wanted /= 2;
  nifp->ni_bufs_head = 0;
  for (uint32_t buffer : extra) {  // a chain through the buffers' first words
    std::memcpy(region.buffer(buffer), &nifp->ni_bufs_head, sizeof buffer);
    nifp->ni_bufs_head = buffer;
  }
  reply->region_bytes = region.bytes();
  reply->if_offset = if_offset;
  reply->tx_rings_state = end.tx_state;
  reply->rx_rings_state = end.rx_state;
  reply->tx_pipes = sends.pipes;
  reply->tx_pipe_bytes = sends.pipe_bytes;
  reply->rx_pipes = gets.pipes;
  reply->rx_pipe_bytes = gets.pipe_bytes;
  reply->tx_slots = sends.slots;
  reply->rx_slots = gets.slots;
  reply->tx_rings = sends.rings;
  reply->rx_rings = gets.rings;
  reply->extra_buffers = static_cast<uint32_t>(extra.size());
  reply->memory_id = arena_->id;
  return {};
}

void PipePair::set_state(PipeEnd read_at, uint32_t producer_state) noexcept {
  Direction& direction = directions_[static_cast<uint32_t>(read_at)];
  for (uint32_t r = 0; r < direction.rings; ++r) {
    std::atomic_ref(pipe_of(direction, r)->producer_state).store(producer_state);
  }
  eventfd_write(direction.share.data_event, 1);
  eventfd_write(direction.share.space_event, 1);
}

void PipePair::set_unstamped(PipeEnd read_at, bool unstamped) noexcept {
  Direction& direction = directions_[static_cast<uint32_t>(read_at)];
  for (uint32_t r = 0; r < direction.rings; ++r) {
    std::atomic_ref(pipe_of(direction, r)->flags).store(unstamped ? BRICKS_PIPE_UNSTAMPED : 0);
  }
}

}  // namespace bricks
