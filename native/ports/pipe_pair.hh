// A pipe whose directions are filled by programs (abi/pipe_end.h): both directions and what netmap
// programs see of the ends, in one memory. Made by the PipeDirectory when a program first asks for
// it, gone with the last who holds something of it. Who may hold what, the directory decides.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "abi/pipe_end.h"
#include "mem/region.hh"
#include "mem/status.hh"
#include "ports/pipe_directory.hh"

namespace bricks {

// Memory of one or several pipes, known to netmap programs by its number.
struct PipeArena {
  std::mutex mutex;  // of all but id and openers
  std::shared_ptr<Region> region;
  uint16_t id = 0;
  std::vector<int32_t> openers;  // processes that hold ends in it; the directory's
  std::vector<bool> lent;        // buffers that rings and openers have
};

// What the first opener may wish for, seen from the end `{`; 0: the default.
struct PipeShape {
  uint32_t slots[2] = {0, 0};  // of the direction to `}`, and to `{`
  uint32_t rings[2] = {0, 0};
};

inline constexpr uint64_t kIfBytes =
    sizeof(netmap_if) + (2 * BRICKS_END_RINGS_MAX + 2) * sizeof(int64_t);

enum class PipeEnd : uint32_t { master = 0, slave = 1 };  // x{N and x}N

class PipePair {
 public:
  // `base` and `number` as in `x{0`. limit_reached when the memory cannot hold it; invalid_argument
  // names a wish that cannot be.
  static Status make(const std::string& base, const std::string& number, PipeShape shape,
                     std::shared_ptr<PipeArena> arena, std::shared_ptr<PipePair>* pair);
  // An arena that holds `shape` and `extra_buffers`, with room for more pipes beside.
  static Status make_arena(const std::string& name, const PipeShape& shape, uint32_t extra_buffers,
                           uint16_t id, std::shared_ptr<PipeArena>* arena);

  // The direction that is read at `end`, for consumers and producers of ring 0.
  PipeShare& read_at(PipeEnd end) noexcept { return directions_[static_cast<uint32_t>(end)].share; }
  uint32_t rings_read_at(PipeEnd end) const noexcept {
    return directions_[static_cast<uint32_t>(end)].rings;
  }
  const std::shared_ptr<PipeArena>& arena() const noexcept { return arena_; }

  // A netmap_if for a new opener of `end`, with `extra_buffers` of its own, or as many as there
  // are; fills in offsets and counts of `reply`.
  Status open_end(PipeEnd end, const bricks_end_request& request, bricks_end_reply* reply);

  ~PipePair();  // gives the arena its rings and buffers back

  // The opener with that netmap_if has gone: it, and the extra buffers it left in its list, are the
  // arena's again.
  void close_end(uint64_t if_offset) noexcept;
  // Who opens that end next, alone, goes on where the producer or consumer before it was, if that
  // was no netmap program.
  void resume(PipeEnd end, bool tx, bool rx) noexcept;
  // An engine fills what is read at `end`: what was copied from it and not read comes anew.
  void forget_copies(PipeEnd end) noexcept;

  // What has to be constant is so again, whatever programs have scribbled over it.
  void restore() noexcept;
  // An engine takes the direction to `}` over, or has left it: readers of this memory are told.
  void set_state(PipeEnd read_at, uint32_t producer_state) noexcept;
  // Producers of that direction are netmap programs, which stamp no packets.
  void set_unstamped(PipeEnd read_at, bool unstamped) noexcept;

  // How often each end is open, and in which way: the directory's, under its lock.
  struct Openings {
    uint32_t tx = 0, rx = 0, exclusive = 0, all = 0;
  };
  std::array<Openings, 2> openings;

 private:
  struct Direction {
    PipeShare share;
    uint32_t slots = 0, rings = 0;
    uint64_t pipes = 0;  // of ring 0, as the offsets of an End
    std::vector<uint32_t> first_buffers;
  };
  struct End {
    uint64_t tx = 0, rx = 0;
    uint64_t tx_state = 0, rx_state = 0;
  };
  Status lay_out_direction(uint32_t index);
  Status lay_out_end(uint32_t index);
  void write_pipe(const Direction& direction, uint32_t ring) noexcept;
  Status lay_out_rings(const Direction& direction, bool transmits, uint64_t* rings,
                       uint64_t* state);
  void write_ring(uint64_t rings, const Direction& direction, uint32_t ring,
                  bool transmits) noexcept;
  Status allocate_pages(uint64_t bytes, uint64_t* offset);
  void take_back(std::vector<uint32_t> buffers) noexcept;
  bricks_pipe* pipe_of(const Direction& direction, uint32_t ring) noexcept;
  netmap_ring* ring_of(const Direction& direction, uint32_t ring) noexcept;
  template <typename T>
  T* at(uint64_t offset) noexcept {
    return reinterpret_cast<T*>(arena_->region->base() + offset);
  }

  std::shared_ptr<PipeArena> arena_;
  std::string base_, number_;
  std::array<Direction, 2> directions_;  // by the end that reads
  std::array<End, 2> ends_;
  bool laid_out_ = false;
  std::vector<std::pair<uint64_t, uint64_t>> pages_;  // of the arena: offset, bytes
};

}  // namespace bricks
