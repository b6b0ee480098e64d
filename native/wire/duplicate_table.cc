#include "wire/duplicate_table.hh"

#include <sys/mman.h>

#include <bit>
#include <cerrno>

namespace bricks {

namespace {

constexpr uint64_t kTickMask = (uint64_t{1} << DuplicateTable::kTickBits) - 1;

// Either way around: time goes back where packets of several devices meet.
uint64_t apart(uint64_t a, uint64_t b) noexcept {
  const uint64_t forward = (a - b) & kTickMask, back = (b - a) & kTickMask;
  return forward < back ? forward : back;
}

}  // namespace

Status DuplicateTable::create(uint32_t packets, std::unique_ptr<DuplicateTable>* table) {
  std::unique_ptr<DuplicateTable> made(new DuplicateTable);
  const uint64_t lines = std::bit_ceil((uint64_t{packets} + 3) / 4);
  void* memory = mmap(nullptr, lines * sizeof(Line), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return system_error("Deduplicator cannot have " + std::to_string(lines * sizeof(Line) >> 20) +
                            " MiB to remember packets; let it remember fewer",
                        errno);
  }
  made->lines_ = static_cast<Line*>(memory);
  made->mask_ = lines - 1;
  made->bytes_ = lines * sizeof(Line);
  *table = std::move(made);
  return {};
}

DuplicateTable::~DuplicateTable() {
  if (lines_) munmap(lines_, bytes_);
}

DuplicateTable::Seen DuplicateTable::see(const PacketDigest& digest, uint64_t tick,
                                         uint64_t window) noexcept {
  Line& line = lines_[digest.word & mask_];
  const uint64_t now = tick & kTickMask;
  const uint64_t check = uint64_t{digest.check | 1u << 8} >> 8 << kTickBits;  // never 0
  uint32_t place = 0;
  uint64_t oldest = 0;
  bool live = true;
  for (uint32_t way = 0; way < 4; ++way) {
    const uint64_t rest = line.rest[way];
    const uint64_t distance = apart(now, rest & kTickMask);
    const bool over = rest == 0 || distance > window;
    if (line.word[way] == digest.word && (rest & ~kTickMask) == check) {
      if (!over) return {true, distance};
      place = way;
      live = false;
      break;
    }
    if (over && live) {
      place = way;
      live = false;
    } else if (live && distance >= oldest) {
      place = way;
      oldest = distance;
    }
  }
  gave_way_ += live;
  line.word[place] = digest.word;
  line.rest[place] = check | now;
  return {false, 0};
}

}  // namespace bricks
