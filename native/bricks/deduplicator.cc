// Deduplicator: of packets that a network shows twice (both ports of a mirror, a tap before and
// behind a router) the first one passes.
#include <algorithm>
#include <array>
#include <bit>

#include "bricks/brick.hh"
#include "bricks/duplicate_table.hh"

namespace bricks {

namespace {

// How far apart copies were: classes of an eighth of a power of two.
class Distances {
 public:
  void add(Nanos distance) noexcept {
    ++counts_[class_of(distance)];
    ++all_;
    largest_ = std::max(largest_, distance);
  }
  Nanos largest() const noexcept { return largest_; }
  // Not less than `percent` of them; the upper end of a class.
  Nanos quantile(uint32_t percent) const noexcept {
    uint64_t wanted = (all_ * percent + 99) / 100;
    for (uint32_t i = 0; i < counts_.size(); ++i) {
      if (wanted <= counts_[i]) return std::min(end_of(i), largest_);
      wanted -= counts_[i];
    }
    return largest_;
  }

 private:
  static uint32_t class_of(Nanos distance) noexcept {
    if (distance < 8) return static_cast<uint32_t>(distance);
    const auto top = static_cast<uint32_t>(std::bit_width(distance)) - 4;
    return top * 8 + static_cast<uint32_t>(distance >> top);
  }
  static Nanos end_of(uint32_t index) noexcept {
    if (index < 8) return index;
    const uint32_t top = index / 8 - 1;
    return ((uint64_t{index % 8 + 8} + 1) << top) - 1;
  }
  std::array<uint64_t, 62 * 8> counts_{};
  uint64_t all_ = 0;
  Nanos largest_ = 0;
};

class Deduplicator final : public Brick {
 public:
  Deduplicator(std::unique_ptr<DuplicateTable> table, const CopyTolerance& tolerance, bool measure)
      : table_(std::move(table)), tolerance_(tolerance), measure_(measure) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    const HashSeed& seed = process_hash_seed();
    for (size_t done = 0; done < in.size();) {
      const Picks part = in.subspan(done, std::min<size_t>(in.size() - done, kBatchMax));
      done += part.size();
      for (size_t i = 0; i < part.size(); ++i) {
        digests_[i] = packet_digest(batch, part[i], tolerance_, seed);
        table_->prefetch(digests_[i]);
      }
      uint64_t dropped = 0;
      for (size_t i = 0; i < part.size(); ++i) {
        const DuplicateTable::Seen seen =
            table_->see(digests_[i], batch.packets[part[i]].timestamp);
        if (seen.before) distances_.add(seen.distance);
        if (seen.before && !measure_) {
          ++dropped;
        } else {
          out.put(0, part[i]);
        }
        duplicates_ += seen.before;
      }
      packets_ += part.size();
      if (dropped) out.cell().drop(Drop::duplicate, dropped);
    }
  }

  uint32_t figures(Figure* to) const noexcept override {
    to[0] = {"duplicates", duplicates_};
    to[1] = {"duplicates_per_million", packets_ ? duplicates_ * 1000000 / packets_ : 0};
    to[2] = {"distance_median_us", distances_.quantile(50) / 1000};
    to[3] = {"distance_p99_us", distances_.quantile(99) / 1000};
    to[4] = {"distance_largest_us", distances_.largest() / 1000};
    to[5] = {"gave_way", table_->gave_way()};
    return 6;
  }

 private:
  const std::unique_ptr<DuplicateTable> table_;
  const CopyTolerance tolerance_;
  const bool measure_;
  PacketDigest digests_[kBatchMax];
  Distances distances_;
  uint64_t packets_ = 0, duplicates_ = 0;
};

constexpr OptionDescriptor kOptions[] = {
    {"window", OptionType::number, "1", 0.001, 60000, nullptr,
     "milliseconds within which the same packet again is a duplicate, by packets' times"},
    {"ttl", OptionType::boolean, "true", 0, 0, nullptr,
     "copies may differ in TTL or hop limit: one was taken behind a router"},
    {"vlan", OptionType::boolean, "true", 0, 0, nullptr,
     "in VLAN tags, MPLS labels and whatever else is between MAC addresses and IP header"},
    {"mac", OptionType::boolean, "true", 0, 0, nullptr, "in MAC addresses"},
    {"checksum", OptionType::boolean, "true", 0, 0, nullptr,
     "in checksums of TCP, UDP and SCTP: one was taken before the device filled them in"},
    {"measure", OptionType::boolean, "false", 0, 0, nullptr,
     "drops nothing and counts only: how many there are and how far apart; for the right window"},
    {"packets", OptionType::integer, "262144", 1024, kDuplicatesMax, nullptr,
     "how many packets are remembered; more than come in a window"},
};

Status make(const Options& options, const BrickPlace&, std::unique_ptr<Brick>* brick) {
  const CopyTolerance tolerance = {option_flag(options, "ttl"), option_flag(options, "vlan"),
                                   option_flag(options, "mac"), option_flag(options, "checksum")};
  std::unique_ptr<DuplicateTable> table;
  Status status =
      DuplicateTable::create(static_cast<uint32_t>(option_integer(options, "packets")),
                             static_cast<Nanos>(option_number(options, "window") * 1e6), &table);
  if (status.ok()) {
    *brick = std::make_unique<Deduplicator>(std::move(table), tolerance,
                                            option_flag(options, "measure"));
  }
  return status;
}

}  // namespace

extern const BrickType kDeduplicator = {
    .name = "Deduplicator",
    .summary = "lets the first of several copies of a packet pass",
    .details =
        "Mirror ports and taps show packets more than once. Two packets are copies when they are "
        "the same from the outermost IP header to the end of that packet, but for what is "
        "tolerated, and come within the window; frames without IP are compared behind their VLAN "
        "tags. What is sent again is no copy where it has an IP identification of its own, as "
        "IPv4 senders give it; IPv6 has none, and a TCP segment sent again can be the same to "
        "the last bit, so the window must be shorter than any retransmission: the default is. "
        "The figures say how far apart copies were; with measure nothing is dropped.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .options = kOptions,
    .make = make,
};

}  // namespace bricks
