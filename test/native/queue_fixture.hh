// Packets for queues: UDP over IPv4, decoded by hand.
#pragma once

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "check.hh"
#include "queues/counter_random.hh"
#include "queues/egress_queues.hh"

namespace bricks::queue_test {

struct Arrival {
  Nanos time;
  uint32_t ip_bytes;
  uint32_t session;
  uint32_t number;
  uint8_t traffic_class = 0;
  std::vector<uint32_t> groups;
};
struct Departure {
  Nanos time;  // timestamp, or of the release
  uint32_t number, session, ip_bytes;
  uint8_t traffic_class;
  bool operator==(const Departure&) const = default;
};

inline uint16_t header_sum(const uint8_t* header) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += static_cast<uint32_t>(header[i] << 8 | header[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

class Frames {
 public:
  Frames() : bytes_(kBatchMax * size_t{10000}) {}
  void begin(Batch& batch) {
    batch.count = 0;
    batch.decoded = true;
    batch.region = nullptr;
  }
  Index add(Batch& batch, const Arrival& arrival) {
    const uint32_t i = batch.count++;
    uint8_t* frame = bytes_.data() + size_t{i} * 10000;
    std::memset(frame, 0, 64);
    frame[12] = 8;
    uint8_t* ip = frame + 14;
    ip[0] = 0x45;
    ip[1] = arrival.traffic_class;
    ip[2] = static_cast<uint8_t>(arrival.ip_bytes >> 8);
    ip[3] = static_cast<uint8_t>(arrival.ip_bytes);
    ip[8] = 64;
    ip[9] = 17;
    std::memcpy(ip + 12, &arrival.session, 4);
    const uint16_t sum = header_sum(ip);
    ip[10] = static_cast<uint8_t>(sum >> 8);
    ip[11] = static_cast<uint8_t>(sum);
    std::memcpy(ip + 28, &arrival.number, 4);
    Packet& packet = batch.packets[i];
    packet = {};
    packet.data = frame;
    packet.length = 14 + std::max(arrival.ip_bytes, 46u);
    packet.hash = arrival.session * 2654435761u;
    packet.timestamp = arrival.time;
    packet.network = 14;
    packet.ip_version = 4;
    return static_cast<Index>(i);
  }

 private:
  std::vector<uint8_t> bytes_;
};

// Counts what it is told of sessions.
class Watcher final : public QueuedSessions {
 public:
  void queued(uint32_t session) noexcept override { ++held[session]; }
  void left(uint32_t session, bool) noexcept override { --held[session]; }
  int64_t all() const {
    int64_t sum = 0;
    for (const auto& [session, count] : held) sum += count;
    return sum;
  }
  std::map<uint32_t, int64_t> held;
};

// A brick's place: packets go in, packets come out, the ledger is kept.
struct Bench {
  QueueGroups groups;
  Watcher watcher;
  std::unique_ptr<EgressQueues> queues;
  LedgerCell cell;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  std::unique_ptr<Batch> released = std::make_unique<Batch>();
  Frames frames;
  std::vector<Departure> out;
  uint64_t offered = 0;

  explicit Bench(EgressOptions options = {}) {
    if (options.sessions == 0) options.sessions = 1000;
    options.packets = std::min(options.packets, 65536u);
    CHECK(EgressQueues::create("test", options, groups, &watcher, &queues).ok());
  }
  ~Bench() { queues.reset(); }

  void note(const Batch& from, Index i, Nanos time) {
    const uint8_t* ip = from.packets[i].data + 14;
    Departure departure{time, 0, 0, static_cast<uint32_t>(ip[2] << 8 | ip[3]), ip[1]};
    std::memcpy(&departure.number, ip + 28, 4);
    std::memcpy(&departure.session, ip + 12, 4);
    CHECK_EQ(header_sum(ip), 0);
    out.push_back(departure);
  }
  void release(Nanos now, bool all, bool virtual_time) {
    while (queues->due(now, all)) {
      queues->release(*released, now, all, cell);
      for (uint32_t i = 0; i < released->count; ++i) {
        const auto index = static_cast<Index>(i);
        note(*released, index, virtual_time ? released->packets[i].timestamp : now);
      }
      queues->recycle();
    }
  }
  // As an engine does it: what is due first, then the batch.
  void push(const std::vector<Arrival>& arrivals, size_t first, size_t count, bool virtual_time) {
    const Nanos clock = arrivals[first].time;
    release(clock, false, virtual_time);
    frames.begin(*batch);
    for (size_t i = 0; i < count; ++i) {
      const Arrival& arrival = arrivals[first + i];
      const Index index = frames.add(*batch, arrival);
      ++offered;
      const Enqueued done = queues->enqueue(*batch, index, arrival.groups, arrival.session,
                                            virtual_time ? arrival.time : clock, cell);
      if (done == Enqueued::pass) note(*batch, index, virtual_time ? arrival.time : clock);
    }
    release(clock, false, virtual_time);
    check();
  }
  void run(const std::vector<Arrival>& arrivals, size_t batch_size, bool virtual_time) {
    for (size_t i = 0; i < arrivals.size(); i += batch_size) {
      push(arrivals, i, std::min(batch_size, arrivals.size() - i), virtual_time);
    }
    release(arrivals.empty() ? 0 : arrivals.back().time, true, virtual_time);
    check();
    CHECK_EQ(queues->held(), 0u);
    CHECK_EQ(watcher.all(), 0);
  }
  // Every packet is in one place, and every group's sums are right.
  void check() {
    CHECK_EQ(offered, out.size() + cell.dropped_total() + cell.held);
    CHECK_EQ(queues->held(), cell.held);
    for (const QueueGroupInfo& group : groups.list()) CHECK(group.stats.balanced());
  }
  QueueStats stats(uint32_t id) const {
    QueueGroupInfo info{};
    CHECK(groups.get(id, &info).ok());
    return info.stats;
  }
};

inline QueueParameters shaper(uint64_t cir, uint64_t cbs) { return default_queue(cir, cbs); }
inline QueueParameters policer(uint64_t cir, uint64_t cbs) {
  QueueParameters made = default_queue(cir, cbs);
  made.kind = QueueKind::policer;
  return made;
}

}  // namespace bricks::queue_test
