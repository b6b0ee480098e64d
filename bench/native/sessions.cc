// sessions: decode, look up and balance with pins, one core, by how many sessions are live. Frames
// of 64 bytes, one a flow, come around in random order; the limit loop beside walks the same
// frames in the same order, hashes their headers and puts them on one of four lists.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <vector>

#include "bricks/brick.hh"
#include "figure.hh"
#include "must.hh"
#include "session_frames.hh"
#include "sessions/session_table.hh"
#include "wire/bytes.hh"
#include "wire/decode.hh"

namespace bench {

using namespace bricks;

namespace {

class Balanced {
 public:
  Balanced(const SessionFrames& frames, uint32_t sessions) : frames_(frames) {
    must(SessionTable::create("bench", sessions, &table_));
    const BrickType* type = find_brick_type("LoadBalancer");
    Options options;
    must(check_options("LoadBalancer", type->options, &options));
    const BrickPlace place{4, 1, {"b0", "b1", "b2", "b3"}, "lb", table_.get(), nullptr};
    must(type->make(options, place, &brick_));
  }
  uint64_t breathe() {
    table_->tick(now_ += 1200);
    const uint32_t* flows = frames_.next(&place_);
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      Packet& packet = batch_->packets[i];
      packet.data = frames_.at(flows[i]);
      packet.length = 60;
      packet.timestamp = now_;
      packet.flags = 0;
      if (i < kPrefetchAhead) prefetch_far(packet.data);
    }
    batch_->count = kBatchDefault;
    decode(*batch_, process_hash_seed());
    for (uint32_t i = 0; i < 4; ++i) lists_[i] = {own_[i], own_[i], own_[i]};
    Outlets outlets(lists_, cell_);
    brick_->push(*batch_, {all_.data(), kBatchDefault}, outlets);
    return kBatchDefault;
  }
  const SessionTable& table() const { return *table_; }

 private:
  const SessionFrames& frames_;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Brick> brick_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  Index own_[4][kBatchMax];
  Outlets::List lists_[4];
  LedgerCell cell_;
  std::vector<Index> all_ = [] {
    std::vector<Index> all(kBatchMax);
    std::iota(all.begin(), all.end(), Index{0});
    return all;
  }();
  Nanos now_ = 1000000000000;
  size_t place_ = 0;
};

void measure(Figures& figures, uint32_t flows, const char* name) {
  const SessionFrames frames(flows);
  Balanced balanced(frames, flows);
  for (uint32_t done = 0; done < flows; done += kBatchDefault) balanced.breathe();
  balanced.breathe();
  Index lists[4][kBatchMax];
  uint32_t ends[4] = {};
  size_t place = 0;
  const HashSeed& seed = process_hash_seed();
  const auto limit = [&]() -> uint64_t {
    const uint32_t* flow = frames.next(&place);
    for (uint32_t i = 0; i < kBatchDefault; ++i) prefetch_far(frames.at(flow[i]));
    for (uint32_t& end : ends) end = 0;
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      const uint8_t* frame = frames.at(flow[i]);
      const auto addresses = load<uint64_t>(frame + 26);
      const uint64_t ports = load<uint32_t>(frame + 34);
      const uint32_t hash = hash_endpoints((addresses & 0xffffffff) | (ports & 0xffff) << 32,
                                           addresses >> 32 | (ports >> 16) << 32, seed);
      lists[hash >> 30][ends[hash >> 30]++] = static_cast<Index>(i);
    }
    return kBatchDefault;
  };
  const PairOfSpreads both = measure_with_limit([&] { return balanced.breathe(); }, limit);
  figures.push_back({"sessions", name, "Mpps", both.value, both.limit.median});
  const double bytes = static_cast<double>(balanced.table().bytes_used()) /
                       static_cast<double>(balanced.table().counts().live);
  figures.push_back({"sessions", name, "bytes each", {bytes, bytes, bytes}, 0});
}

}  // namespace

void measure_sessions(const Wanted& wanted, Figures& figures) {
  if (!wanted("sessions")) return;
  measure(figures, 1024, "1,024, hot");
  measure(figures, 100000, "100,000, shuffled");
  measure(figures, 1000000, "1,000,000, shuffled");
  measure(figures, 10000000, "10,000,000, shuffled");
}

}  // namespace bench
