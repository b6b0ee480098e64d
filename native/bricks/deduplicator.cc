// Deduplicator: of packets that a network shows twice (both ports of a mirror, a tap before and
// behind a router) the first one passes.
#include <algorithm>
#include <array>
#include <bit>

#include "bricks/brick.hh"
#include "wire/duplicate_table.hh"

namespace bricks {

namespace {

constexpr uint32_t kTimeShift = 6;  // ticks of 64 ns: what differs less came at the same time

// How far apart copies were: classes of an eighth of a power of two.
class Distances {
 public:
  void add(uint64_t distance) noexcept {
    ++counts_[class_of(distance)];
    ++all_;
    largest_ = std::max(largest_, distance);
  }
  uint64_t largest() const noexcept { return largest_; }
  // Not less than `percent` of them; the upper end of a class.
  uint64_t quantile(uint32_t percent) const noexcept {
    uint64_t wanted = (all_ * percent + 99) / 100;
    for (uint32_t i = 0; i < counts_.size(); ++i) {
      if (wanted <= counts_[i]) return std::min(end_of(i), largest_);
      wanted -= counts_[i];
    }
    return largest_;
  }

 private:
  static uint32_t class_of(uint64_t distance) noexcept {
    if (distance < 8) return static_cast<uint32_t>(distance);
    const auto top = static_cast<uint32_t>(std::bit_width(distance)) - 4;
    return top * 8 + static_cast<uint32_t>(distance >> top);
  }
  static uint64_t end_of(uint32_t index) noexcept {
    if (index < 8) return index;
    const uint32_t top = index / 8 - 1;
    return ((uint64_t{index % 8 + 8} + 1) << top) - 1;
  }
  std::array<uint64_t, 62 * 8> counts_{};
  uint64_t all_ = 0;
  uint64_t largest_ = 0;
};

// What is remembered stays when the brick is made anew with other options. Engine's thread.
struct Memory {
  std::unique_ptr<DuplicateTable> table;
  Distances distances;
  uint64_t packets = 0, duplicates = 0;
};

struct DuplicateOptions {
  CopyTolerance tolerance;
  bool measure, by_packets;
  uint64_t window;  // ticks: kTimeShift of nanoseconds, or packets
  uint32_t packets;
};

class Deduplicator final : public Brick {
 public:
  static Status create(const DuplicateOptions& options, const Brick* before,
                       std::unique_ptr<Brick>* brick) {
    auto made = std::make_unique<Deduplicator>(options);
    const auto* last = dynamic_cast<const Deduplicator*>(before);
    // Distances of another unit or another table would say nothing.
    if (last && last->options_.packets == options.packets &&
        last->options_.by_packets == options.by_packets) {
      made->memory_ = last->memory_;
    } else {
      made->memory_ = std::make_shared<Memory>();
      Status status = DuplicateTable::create(options.packets, &made->memory_->table);
      if (!status.ok()) return status;
    }
    *brick = std::move(made);
    return {};
  }
  explicit Deduplicator(const DuplicateOptions& options) : options_(options) {}

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    const HashSeed& seed = process_hash_seed();
    Memory& memory = *memory_;
    for (size_t done = 0; done < in.size();) {
      const Picks part = in.subspan(done, std::min<size_t>(in.size() - done, kBatchMax));
      done += part.size();
      for (size_t i = 0; i < part.size(); ++i) {
        digests_[i] = packet_digest(batch, part[i], options_.tolerance, seed);
        memory.table->prefetch(digests_[i]);
      }
      uint64_t seen_before = 0;
      for (size_t i = 0; i < part.size(); ++i) {
        const uint64_t tick = options_.by_packets ? memory.packets + i
                                                  : batch.packets[part[i]].timestamp >> kTimeShift;
        const DuplicateTable::Seen seen = memory.table->see(digests_[i], tick, options_.window);
        if (seen.before) memory.distances.add(seen.distance);
        seen_before += seen.before;
        if (!seen.before || options_.measure) out.put(0, part[i]);
      }
      memory.packets += part.size();
      memory.duplicates += seen_before;
      if (seen_before && !options_.measure) out.cell().drop(Drop::duplicate, seen_before);
    }
  }

  uint32_t figures(Figure* to) const noexcept override {
    const Memory& memory = *memory_;
    const Distances& far = memory.distances;
    uint32_t count = 0;
    to[count++] = {"duplicates", memory.duplicates};
    to[count++] = {"duplicates_per_million",
                   memory.packets ? memory.duplicates * 1000000 / memory.packets : 0};
    if (options_.by_packets) {
      to[count++] = {"distance_median_packets", far.quantile(50)};
      to[count++] = {"distance_p90_packets", far.quantile(90)};
      to[count++] = {"distance_p99_packets", far.quantile(99)};
      to[count++] = {"distance_largest_packets", far.largest()};
    } else {
      to[count++] = {"distance_median_us", microseconds(far.quantile(50))};
      to[count++] = {"distance_p90_us", microseconds(far.quantile(90))};
      to[count++] = {"distance_p99_us", microseconds(far.quantile(99))};
      to[count++] = {"distance_largest_us", microseconds(far.largest())};
    }
    to[count++] = {"forgotten_early", memory.table->gave_way()};
    return count;
  }

 private:
  static uint64_t microseconds(uint64_t ticks) noexcept { return (ticks << kTimeShift) / 1000; }

  const DuplicateOptions options_;
  std::shared_ptr<Memory> memory_;
  PacketDigest digests_[kBatchMax];
};

constexpr OptionDescriptor kOptions[] = {
    {"window", OptionType::number, "1", 0.001, 60000, nullptr,
     "milliseconds within which the same packet again is a duplicate, by packets' times"},
    {"window_packets", OptionType::integer, "0", 0, kDuplicatesMax, nullptr,
     "a window of so many packets instead, for captures whose times are no good; 0: the time's"},
    {"ttl", OptionType::boolean, "true", 0, 0, nullptr,
     "copies may differ in TTL or hop limit: one was taken behind a router"},
    {"vlan", OptionType::boolean, "true", 0, 0, nullptr,
     "in VLAN tags, MPLS labels and whatever else is between MAC addresses and IP header"},
    {"mac", OptionType::boolean, "true", 0, 0, nullptr, "in MAC addresses"},
    {"checksum", OptionType::boolean, "true", 0, 0, nullptr,
     "in checksums of IPv4, TCP, UDP and SCTP: one was taken before the device filled them in"},
    {"measure", OptionType::boolean, "false", 0, 0, nullptr,
     "drops nothing and counts only: how many there are and how far apart; for the right window"},
    {"packets", OptionType::integer, "262144", 1024, kDuplicatesMax, nullptr,
     "how many packets are remembered; more than come in a window"},
};

constexpr FigureDescriptor kFigures[] = {
    {"duplicates", FigureKind::counter, "packets that were copies"},
    {"duplicates_per_million", FigureKind::gauge, "of those that came in"},
    {"distance_median_us", FigureKind::gauge,
     "how far apart half of the copies were at most, in microseconds"},
    {"distance_p90_us", FigureKind::gauge, "and 90 of a hundred"},
    {"distance_p99_us", FigureKind::gauge, "and 99 of a hundred"},
    {"distance_largest_us", FigureKind::gauge, "and all of them; never more than the window"},
    {"distance_median_packets", FigureKind::gauge, "the same in packets, with window_packets"},
    {"distance_p90_packets", FigureKind::gauge, "and 90 of a hundred"},
    {"distance_p99_packets", FigureKind::gauge, "and 99 of a hundred"},
    {"distance_largest_packets", FigureKind::gauge, "and all of them"},
    {"forgotten_early", FigureKind::counter,
     "packets forgotten within their window: packets is too small for it"},
};

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  DuplicateOptions made;
  made.tolerance = {option_flag(options, "ttl"), option_flag(options, "vlan"),
                    option_flag(options, "mac"), option_flag(options, "checksum")};
  made.measure = option_flag(options, "measure");
  made.packets = static_cast<uint32_t>(option_integer(options, "packets"));
  const auto window_packets = static_cast<uint64_t>(option_integer(options, "window_packets"));
  if (window_packets > made.packets) {
    return {Code::invalid_argument, place.id + ": window_packets is " +
                                        std::to_string(window_packets) + ", but only " +
                                        std::to_string(made.packets) +
                                        " packets are remembered; set packets to as many or more"};
  }
  made.by_packets = window_packets != 0;
  made.window = made.by_packets
                    ? window_packets
                    : static_cast<uint64_t>(option_number(options, "window") * 1e6) >> kTimeShift;
  return Deduplicator::create(made, place.before, brick);
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
        "The figures in bricks status say how far apart copies were (median, 90 and 99 of a "
        "hundred, largest): set measure and a wide window, look at them, then set a window a bit "
        "above the largest that is no retransmission. forgotten_early above 0 says that packets "
        "is too small for the window. Copies whose captured bytes end at different places (a "
        "short snaplen and one tag more) are not recognised.",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .options = kOptions,
    .figures = kFigures,
    .make = make,
};

}  // namespace bricks
