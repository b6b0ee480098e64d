// Memory, and the life of connections.
#include "streams/stream_pool.hh"

#include <sys/mman.h>

#include <cassert>
#include <cerrno>

#include "wire/flow_hash.hh"

namespace bricks::streams {
namespace {

constexpr uint64_t kHugePage = 2u << 20;
constexpr uint64_t lines(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
// An eighth of the memory tells which segments wait, the rest is for their bytes.
uint32_t nodes_of(const StreamOptions& options) {
  return static_cast<uint32_t>(options.bytes / 8 / sizeof(SegmentNode));
}
uint32_t blocks_of(const StreamOptions& options) {
  return static_cast<uint32_t>(options.bytes / 8 * 7 / kBlockBytes);
}

Status check(const StreamOptions& options) {
  // A direction holds its evidence and one whole segment at least.
  const uint64_t least = uint64_t{options.evidence} + kFrameMax + 3 * kBlockBytes;
  const struct {
    const char* name;
    uint64_t value, least, most;
  } ranges[] = {
      {"connections", options.connections, 1, kStreamConnectionsMax},
      {"evidence", options.evidence, 0, kStreamEvidenceMax},
      {"segments", options.segments, 1, kStreamSegmentsMax},
      {"direction_bytes", options.direction_bytes, least, kStreamBytesMax},
      {"session_bytes", options.session_bytes, options.direction_bytes, kStreamBytesMax},
      {"bytes", options.bytes, kStreamBytesMin, kStreamBytesMax},
  };
  for (const auto& range : ranges) {
    if (range.value >= range.least && range.value <= range.most) continue;
    return {Code::invalid_argument, std::string("streams: ") + range.name + " is " +
                                        std::to_string(range.value) + ", it must be " +
                                        std::to_string(range.least) + " to " +
                                        std::to_string(range.most)};
  }
  return {};
}

}  // namespace

const char* gap_reason_name(GapReason reason) noexcept {
  static constexpr const char* kNames[kGapReasonCount] = {"ack_passed", "cap",       "flush",
                                                          "timeout",    "midstream", "urgent"};
  return kNames[static_cast<uint32_t>(reason)];
}

Status TcpStreams::create(const StreamOptions& options, std::unique_ptr<TcpStreams>* streams) {
  Status status = check(options);
  if (!status.ok()) return status;
  auto made = std::make_unique<StreamPool>(options);
  status = made->reserve();
  if (status.ok()) *streams = std::move(made);
  return status;
}

Status StreamPool::reserve() {
  const uint32_t blocks = blocks_of(options_), nodes = nodes_of(options_);
  const uint64_t block_bytes = lines(BlockPool::bytes_for(blocks));
  const uint64_t node_bytes = lines((uint64_t{nodes} + 1) * sizeof(SegmentNode));
  const uint64_t connection_bytes = (uint64_t{options_.connections} + 1) * sizeof(Connection);
  memory_bytes_ = block_bytes + node_bytes + connection_bytes;
  memory_ = mmap(nullptr, memory_bytes_, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory_ == MAP_FAILED) {
    memory_ = nullptr;
    return system_error("streams: no room for " + std::to_string(memory_bytes_) + " bytes", errno);
  }
  auto* at = static_cast<uint8_t*>(memory_);
  // Blocks lie anywhere: huge pages, beyond the first two megabytes of them.
  if (block_bytes > kHugePage) madvise(at + kHugePage, block_bytes - kHugePage, MADV_HUGEPAGE);
  const HashSeed& seed = process_hash_seed();
  blocks_.init(at, blocks, seed.word[2]);
  nodes_.init(reinterpret_cast<SegmentNode*>(at + block_bytes), nodes, seed.word[3]);
  connections_ = reinterpret_cast<Connection*>(at + block_bytes + node_bytes);
  session_blocks_ = options_.session_bytes / kBlockBytes;
  direction_blocks_ = options_.direction_bytes / kBlockBytes;
  return {};
}

StreamPool::~StreamPool() {
  if (memory_) munmap(memory_, memory_bytes_);
}

uint32_t StreamPool::open() noexcept {
  uint32_t connection = free_;
  if (connection) {
    free_ = connections_[connection].next_free;
  } else if (fresh_ <= options_.connections) {
    connection = fresh_++;
  } else {
    ++counts_.no_connection;
    return 0;
  }
  Connection& it = connections_[connection];
  it = Connection{};
  it.open = true;
  for (Direction& side : it.side) side.policy = options_.policy;
  return connection;
}

void StreamPool::set_policy(uint32_t connection, uint32_t direction,
                            OverlapPolicy policy) noexcept {
  connections_[connection].side[direction].policy = policy;
}

void StreamPool::expire(uint32_t connection, Nanos now, Sink& sink) {
  now_ = now;
  for (uint32_t direction = 0; direction < 2; ++direction) {
    look_for_timeout(way(connection, direction), sink);
  }
}

void StreamPool::stop(uint32_t connection, uint32_t direction, Sink& sink) {
  const Way it = way(connection, direction);
  if (it.it->phase != Phase::ended) finish(it, EndReason::stopped, sink);
}

void StreamPool::close(uint32_t connection, Sink& sink) {
  Connection& it = connections_[connection];
  assert(it.open);
  for (uint32_t direction = 0; direction < 2; ++direction) {
    const Way side = way(connection, direction);
    flush(side, sink);
    release_all(side);
  }
  it.open = false;
  it.next_free = free_;
  free_ = connection;
}

StreamPosition StreamPool::position(uint32_t connection, uint32_t direction) const noexcept {
  const Direction& it = connections_[connection].side[direction];
  const bool has_start = it.phase == Phase::started || it.phase == Phase::ended;
  return {has_start ? it.next - it.start : 0, it.waiting,
          static_cast<uint32_t>(it.blocks * kBlockBytes + it.waiting * sizeof(SegmentNode)),
          has_start, it.phase == Phase::ended};
}

uint64_t StreamPool::bytes_used() const noexcept {
  return uint64_t{blocks_.used()} * kBlockBytes + uint64_t{nodes_.used()} * sizeof(SegmentNode);
}

}  // namespace bricks::streams
