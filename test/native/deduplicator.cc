// Deduplicator: what is a copy and what is not, the window, the bound, and what it measures.
#include <algorithm>
#include <map>

#include "bricks/brick.hh"
#include "check.hh"
#include "frames.hh"
#include "pipe_fixture.hh"
#include "wire/decode.hh"
#include "wire/duplicate_table.hh"

namespace bricks {
namespace {

using namespace frames;
constexpr uint8_t kTcp = 6, kUdp = 17;

struct Bench {
  std::unique_ptr<Brick> brick;
  LedgerCell cell;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  std::vector<Index> memory = std::vector<Index>(kBatchMax);

  explicit Bench(Options options = {}) {
    const BrickType* type = find_brick_type("Deduplicator");
    CHECK(check_options("Deduplicator", type->options, &options).ok());
    CHECK(type->make(options, {1, 1, {}}, &brick).ok());
  }
  // How many of these packets pass, in one batch; all at `time`, or a microsecond apart.
  uint32_t pass(std::vector<frames::Bytes> frames, Nanos time, Nanos step = 0) {
    batch->count = 0;
    for (frames::Bytes& frame : frames) {
      Packet& packet = batch->packets[batch->count++];
      packet = {};
      packet.data = frame.data();
      packet.length = static_cast<uint32_t>(frame.size());
      packet.timestamp = time;
      time += step;
      memory[batch->count - 1u] = static_cast<Index>(batch->count - 1);
    }
    decode(*batch, process_hash_seed());
    std::vector<Index> in(memory.begin(), memory.begin() + batch->count), to(kBatchMax);
    Outlets::List list{to.data(), to.data(), to.data()};
    Outlets outlets({&list, 1}, cell);
    brick->push(*batch, in, outlets);
    return list.count();
  }
  uint64_t figure(const std::string& name) const {
    Figure figures[kFiguresMax];
    const uint32_t count = brick->figures(figures);
    const auto known = find_brick_type("Deduplicator")->figures;
    for (uint32_t i = 0; i < count; ++i) {
      CHECK(std::any_of(known.begin(), known.end(), [&](const FigureDescriptor& one) {
        return std::string(one.name) == figures[i].name;
      }));
      if (name == figures[i].name) return figures[i].value;
    }
    CHECK(!"no such figure");
    return 0;
  }
};

frames::Bytes plain(uint16_t id = 7) {
  return ethernet({}, 0x0800, ip4({}, {.id = id}, tcp({}, frames::Bytes(200, 'd'))));
}

frames::Bytes with(frames::Bytes frame, size_t at, int by = 1) {
  frame[at] = static_cast<uint8_t>(frame[at] + by);
  return frame;
}

bool copies(const frames::Bytes& a, const frames::Bytes& b, const Options& options = {}) {
  return Bench(options).pass({a, b}, 1000000) == 1;
}

frames::Bytes tagged(const frames::Bytes& frame) {
  frames::Bytes made(frame.begin(), frame.begin() + 12);
  made = made + be16(0x8100) + be16(5);
  made.insert(made.end(), frame.begin() + 12, frame.end());
  return made;
}

}  // namespace

TEST(deduplicator_tolerates_what_it_is_told_to) {
  const frames::Bytes four = plain();
  const frames::Bytes six = ethernet({}, 0x86dd, ip6({}, {}, tcp({})));
  const frames::Bytes inner = ip4({}, {.net = 11}, tcp({}));
  const frames::Bytes vxlan = frames::Bytes{8, 0, 0, 0, 0, 0, 9, 0} + ethernet({}, 0x0800, inner);
  const frames::Bytes tunnel =
      ethernet({}, 0x0800, ip4({}, {.protocol = kUdp}, udp(50000, 4789, vxlan)));
  struct Case {
    const char* option;
    frames::Bytes a, b;
  };
  frames::Bytes routed = with(with(four, 14 + 8, -1), 14 + 11);  // TTL, and its checksum
  const std::vector<Case> cases = {
      {"ttl", four, routed},
      {"ttl", six, with(six, 14 + 7, -3)},
      {"vlan", four, tagged(four)},
      {"vlan", tagged(four), tagged(tagged(four))},
      {"mac", four, with(four, 3)},
      {"mac", four, with(four, 11)},
      {"checksum", four, with(four, 14 + 20 + 16)},
      {"checksum", six, with(six, 14 + 40 + 17)},
      {"checksum", tunnel, with(tunnel, 14 + 20 + 6)},
      {"checksum", tunnel, with(tunnel, tunnel.size() - 26 + 16)},
  };
  for (const Case& c : cases) {
    std::printf(copies(c.a, c.b) ? "" : "  %s: taken for two\n", c.option);
    CHECK(copies(c.a, c.b));
    std::printf(!copies(c.a, c.b, {{c.option, false}}) ? "" : "  %s: taken for one\n", c.option);
    CHECK(!copies(c.a, c.b, {{c.option, false}}));
    CHECK(copies(c.a, c.a, {{c.option, false}}));
  }
  // Padding of a short frame is nobody's.
  frames::Bytes ack = ethernet({}, 0x0800, ip4({}, {}, tcp({}, {})));
  frames::Bytes padded = ack;
  padded.resize(60);
  CHECK(copies(ack, padded));
  // Without IP: behind the tags.
  const frames::Bytes arp = ethernet({}, 0x0806, frames::Bytes(46, 1));
  CHECK(copies(arp, tagged(arp)));
  // An IP header that says it has no length: what would be its own bytes is compared.
  const frames::Bytes lying = with(four, 14, -5);
  CHECK(!copies(lying, with(lying, 14 + 16)));
  CHECK(!copies(arp, with(arp, 20)));
}

// Every other byte of a packet counts: whatever bit is another one, it is another packet.
TEST(deduplicator_knows_packets_apart) {
  const frames::Bytes six = ethernet({}, 0x86dd, ip6({}, {.protocol = kTcp}, tcp({})));
  const auto may = [](const frames::Bytes& frame, size_t at) {
    const bool v6 = frame[12] == 0x86;
    const size_t ip = 14, above = ip + (v6 ? 40 : 20);
    if (at < 14) return true;  // MACs may differ; another EtherType is another kind, tried below
    if (at == ip + (v6 ? 7 : 8) || (!v6 && (at == ip + 10 || at == ip + 11))) return true;
    return at == above + 16 || at == above + 17;
  };
  for (const frames::Bytes& frame : {plain(), six}) {
    for (size_t at = 14; at < frame.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        frames::Bytes other = frame;
        other[at] = static_cast<uint8_t>(other[at] ^ 1 << bit);
        if (copies(frame, other) != may(frame, at)) {
          std::printf("  version %d, byte %zu, bit %d\n", frame[14] >> 4, at, bit);
          CHECK(!"told apart wrongly");
        }
      }
    }
  }
  CHECK(!copies(plain(7), plain(8)));  // sent again: an identification of its own
}

TEST(deduplicator_forgets_after_the_window) {
  Bench bench({{"window", 2.0}});
  const Nanos begin = 1700000000000000000, ms = 1000000;
  CHECK_EQ(bench.pass({plain()}, begin), 1u);
  CHECK_EQ(bench.pass({plain()}, begin + 2 * ms - 1000), 0u);
  // By the first one: what comes again and again is seen again and again.
  CHECK_EQ(bench.pass({plain()}, begin + 2 * ms + 1000), 1u);
  CHECK_EQ(bench.pass({plain()}, begin + ms), 0u);  // time went back by less
  CHECK_EQ(bench.pass({plain()}, begin - 2 * ms), 1u);
  CHECK_EQ(bench.cell.dropped[static_cast<uint32_t>(Drop::duplicate)], 2u);
}

TEST(deduplicator_measures_distances) {
  Bench bench({{"window", 1000.0}, {"measure", true}});
  const Nanos begin = 1700000000000000000;
  for (uint16_t id = 0; id < 1000; ++id) {
    CHECK_EQ(bench.pass({plain(id)}, begin), 1u);
    const Nanos after = (id < 900 ? 100 : id < 995 ? 5000 : 90000) * 1000;
    CHECK_EQ(bench.pass({plain(id)}, begin + after), 1u);  // counts only
  }
  CHECK_EQ(bench.cell.dropped_total(), 0u);
  CHECK_EQ(bench.figure("duplicates"), 1000u);
  CHECK_EQ(bench.figure("duplicates_per_million"), 500000u);
  const auto near = [](uint64_t value, uint64_t wanted) {
    return value >= wanted * 99 / 100 && value <= wanted * 113 / 100;
  };
  CHECK(near(bench.figure("distance_median_us"), 100));
  CHECK(near(bench.figure("distance_p90_us"), 100));
  CHECK(near(bench.figure("distance_p99_us"), 5000));
  CHECK(near(bench.figure("distance_largest_us"), 90000));
}

TEST(deduplicator_window_of_packets) {
  Bench bench({{"window_packets", int64_t{3}}});
  // Times that say nothing: all the same, or years apart.
  const Nanos begin = 1700000000000000000;
  CHECK_EQ(bench.pass({plain(1), plain(2), plain(3), plain(1)}, begin), 3u);  // 3 apart
  CHECK_EQ(bench.pass({plain(2)}, begin * 2), 0u);                            // again 3
  CHECK_EQ(bench.pass({plain(4), plain(3)}, begin), 2u);  // 4 apart: another one
  CHECK_EQ(bench.figure("distance_largest_packets"), 3u);
  const BrickType* type = find_brick_type("Deduplicator");
  Options options = {{"window_packets", int64_t{5000}}, {"packets", int64_t{2048}}};
  CHECK(check_options("Deduplicator", type->options, &options).ok());
  std::unique_ptr<Brick> brick;
  const Status status = type->make(options, {1, 1, {}, "d"}, &brick);
  CHECK(status.code == Code::invalid_argument);
  CHECK(status.message.find("window_packets is 5000") != std::string::npos);
}

// Another window for a running brick forgets nothing: else each change lets copies through.
TEST(deduplicator_remembers_when_it_is_changed) {
  Bench bench;
  const Nanos begin = 1700000000000000000;
  CHECK_EQ(bench.pass({plain(1), plain(2)}, begin), 2u);
  const BrickType* type = find_brick_type("Deduplicator");
  const auto change = [&](Options options) {
    CHECK(check_options("Deduplicator", type->options, &options).ok());
    std::unique_ptr<Brick> next;
    BrickPlace place = {1, 1, {}};
    place.before = bench.brick.get();
    CHECK(type->make(options, place, &next).ok());
    bench.brick = std::move(next);
  };
  change({{"window", 5.0}});
  CHECK_EQ(bench.pass({plain(1), plain(3)}, begin + 3000000), 1u);
  CHECK_EQ(bench.figure("duplicates"), 1u);
  change({{"window", 5.0}, {"packets", int64_t{4096}}});  // other memory
  CHECK_EQ(bench.pass({plain(1)}, begin + 3000000), 1u);
}

TEST(duplicate_table_is_bounded_and_agrees_with_a_map) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  Random random{given ? std::strtoull(given, nullptr, 0) : 20261121};
  std::printf("  seed %llu (BRICKS_TEST_SEED)\n", static_cast<unsigned long long>(random.state));
  const uint64_t window = 1000;
  std::unique_ptr<DuplicateTable> table;
  CHECK(DuplicateTable::create(1u << 16, &table).ok());
  std::map<uint64_t, uint64_t> model;
  std::map<uint64_t, uint64_t> words;
  uint64_t now = (uint64_t{1} << DuplicateTable::kTickBits) - 100000;  // runs over
  for (uint32_t i = 0; i < 300000; ++i) {
    now += random.below(4);
    const uint64_t number = random.below(3000);
    uint64_t& word = words[number];
    if (word == 0) word = random.next();
    const auto found = model.find(number);
    const bool before = found != model.end() && now - found->second <= window;
    const auto seen = table->see({word, static_cast<uint32_t>(word >> 7)}, now, window);
    CHECK_EQ(seen.before, before);
    if (before) CHECK_EQ(seen.distance, now - found->second);
    if (!before) model[number] = now;
  }
  CHECK_EQ(table->gave_way(), 0u);
  // A flood of packets within one window: nothing but memory of others is lost.
  CHECK(DuplicateTable::create(1024, &table).ok());
  for (uint32_t i = 0; i < 100000; ++i) {
    CHECK(!table->see({random.next(), static_cast<uint32_t>(i)}, now, window).before);
  }
  CHECK(table->gave_way() > 90000);
}

}  // namespace bricks
