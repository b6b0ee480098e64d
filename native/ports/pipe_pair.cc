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

// What a pipe and its shared ring have before the slots, at the end of their page.
constexpr uint64_t kRingAt = BRICKS_END_PAGE - sizeof(netmap_ring);
constexpr uint64_t kPipeAt = kRingAt - sizeof(bricks_pipe);
static_assert(kRingAt % 128 == 0 && kPipeAt % 64 == 0);

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
    if (shape.slots[d] == 0) shape.slots[d] = kPipePairSlots;
    if (shape.rings[d] == 0) shape.rings[d] = 1;
  }
  return shape;
}

// Everything but buffers that one pipe of that shape takes.
uint64_t control_bytes(const PipeShape& shape) noexcept {
  uint64_t sum = 0;
  for (uint32_t d = 0; d < 2; ++d) {
    sum += 3 * (shape.rings[d] * bricks_ring_stride(shape.slots[d]) + BRICKS_END_PAGE) +
           2 * BRICKS_END_RINGS_MAX * sizeof(bricks_end_ring);
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
  if (!s.ok()) return s;
  made->lent.resize(made->region->buffer_count());
  *arena = std::move(made);
  return {};
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
  std::lock_guard lock(made->arena_->mutex);
  for (uint32_t d = 0; d < 2; ++d) {
    if (Status s = made->lay_out_direction(d); !s.ok()) return s;
  }
  for (uint32_t e = 0; e < 2; ++e) {
    if (Status s = made->lay_out_end(e); !s.ok()) return s;
  }
  made->laid_out_ = true;
  *pair = std::move(made);
  return {};
}

bricks_pipe* PipePair::pipe_of(const Direction& direction, uint32_t ring) noexcept {
  return at<bricks_pipe>(direction.pipes + ring * bricks_ring_stride(direction.slots));
}

netmap_ring* PipePair::ring_of(const Direction& direction, uint32_t ring) noexcept {
  return reinterpret_cast<netmap_ring*>(pipe_of(direction, ring) + 1);
}

Status PipePair::allocate_pages(uint64_t bytes, uint64_t* offset) {
  bytes += BRICKS_END_PAGE;
  uint64_t begin = 0;
  if (Status s = arena_->region->allocate_control(bytes, &begin); !s.ok()) return s;
  pages_.emplace_back(begin, bytes);
  *offset = (begin + BRICKS_END_PAGE - 1) / BRICKS_END_PAGE * BRICKS_END_PAGE;
  return {};
}

PipePair::~PipePair() {
  std::lock_guard lock(arena_->mutex);
  std::vector<uint32_t> buffers;
  for (const Direction& direction : directions_) {
    for (uint32_t k = 0; !laid_out_ && k < direction.first_buffers.size(); ++k) {
      buffers.push_back(direction.first_buffers[k]);
    }
    for (uint32_t r = 0; laid_out_ && r < direction.rings; ++r) {
      const netmap_ring* ring = ring_of(direction, r);
      for (uint32_t k = 0; k < direction.slots; ++k) buffers.push_back(ring->slot[k].buf_idx);
    }
  }
  take_back(std::move(buffers));
  for (const auto& [offset, bytes] : pages_) arena_->region->release_control(offset, bytes);
}

// Programs exchange buffers and write what they like: only what is lent can come back, and once.
void PipePair::take_back(std::vector<uint32_t> buffers) noexcept {
  std::vector<bool>& lent = arena_->lent;
  std::erase_if(buffers, [&lent](uint32_t buffer) {
    if (buffer >= lent.size() || !lent[buffer]) return true;
    lent[buffer] = false;
    return false;
  });
  arena_->region->release_buffers(buffers);
}

Status PipePair::lay_out_direction(uint32_t index) {
  Direction& direction = directions_[index];
  Region& region = *arena_->region;
  const uint64_t all = bricks_ring_stride(direction.slots) * direction.rings;
  if (Status s = allocate_pages(all, &direction.pipes); !s.ok()) return s;
  direction.pipes += kPipeAt;
  Status s = region.allocate_buffers(direction.slots * direction.rings, &direction.first_buffers);
  if (!s.ok()) return s;
  for (uint32_t buffer : direction.first_buffers) arena_->lent[buffer] = true;
  for (uint32_t r = 0; r < direction.rings; ++r) {
    write_pipe(direction, r);
    netmap_ring* ring = ring_of(direction, r);
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
  const uint64_t ring_offset =
      direction.pipes + ring * bricks_ring_stride(direction.slots) + sizeof(bricks_pipe);
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
  netmap_ring* shared = ring_of(direction, ring);
  shared->buf_ofs = static_cast<int64_t>(region.buffer_offset() - ring_offset);
  shared->num_slots = direction.slots;
  shared->nr_buf_size = kBufferStride;
  shared->ringid = static_cast<uint16_t>(ring);
  shared->dir = 0;
}

// Rings as a program sees them: fresh, as the ABI has it.
Status PipePair::lay_out_rings(const Direction& direction, bool transmits, uint64_t* rings,
                               uint64_t* state) {
  Region& region = *arena_->region;
  Status s = region.allocate_control(BRICKS_END_RINGS_MAX * sizeof(bricks_end_ring), state);
  if (!s.ok()) return s;
  pages_.emplace_back(*state, BRICKS_END_RINGS_MAX * sizeof(bricks_end_ring));
  s = allocate_pages(bricks_ring_stride(direction.slots) * direction.rings, rings);
  if (!s.ok()) return s;
  *rings += kRingAt;
  for (uint32_t r = 0; r < direction.rings; ++r) {
    write_ring(*rings, direction, r, transmits);
    const uint32_t tail = transmits ? direction.slots - 1 : 0;
    at<netmap_ring>(*rings + r * bricks_ring_stride(direction.slots))->tail = tail;
    at<bricks_end_ring>(*state)[r].tail = tail;
  }
  return {};
}

void PipePair::write_ring(uint64_t rings, const Direction& direction, uint32_t ring,
                          bool transmits) noexcept {
  const uint64_t offset = rings + ring * bricks_ring_stride(direction.slots);
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
    for (uint32_t r = 0; r < sends.rings; ++r) write_ring(ends_[i].tx, sends, r, true);
    for (uint32_t r = 0; r < gets.rings; ++r) write_ring(ends_[i].rx, gets, r, false);
  }
}

Status PipePair::lay_out_end(uint32_t index) {
  End& end = ends_[index];
  Status s = lay_out_rings(directions_[other(index)], true, &end.tx, &end.tx_state);
  return s.ok() ? lay_out_rings(directions_[index], false, &end.rx, &end.rx_state) : s;
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
