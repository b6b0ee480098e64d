// Marks and colours in packets' headers, three-colour groups, and queues behind an output that has
// no room.
#include <cstdio>

#include "queue_fixture.hh"
#include "queues/ip_marks.hh"

namespace bricks {
namespace {

using namespace queue_test;
constexpr Nanos kMs = 1000000, kBegin = 1700000000000000000;

std::vector<Arrival> some(uint32_t count, uint8_t traffic_class, Nanos step) {
  std::vector<Arrival> made;
  for (uint32_t i = 0; i < count; ++i) {
    made.push_back({kBegin + i * step, 1000, 1 + i % 4, i, traffic_class, {1}});
  }
  return made;
}

}  // namespace

// Every traffic class of both versions: what is marked, and that nothing else changes.
TEST(queue_marks_change_two_bits) {
  for (uint32_t value = 0; value < 256; ++value) {
    uint8_t four[20] = {0x45, static_cast<uint8_t>(value), 1, 2, 3, 4, 0x40, 0, 64, 6};
    for (int i = 12; i < 20; ++i) four[i] = static_cast<uint8_t>(value * 7 + i);
    const uint16_t sum = header_sum(four);
    four[10] = static_cast<uint8_t>(sum >> 8);
    four[11] = static_cast<uint8_t>(sum);
    uint8_t six[40] = {static_cast<uint8_t>(0x60 | value >> 4),
                       static_cast<uint8_t>(value << 4 | 0xa), 0xbc, 0xde};
    const bool capable = (value & 3) != 0;
    CHECK_EQ(mark_congestion(four, 4), capable);
    CHECK_EQ(mark_congestion(six, 6), capable);
    const uint32_t wanted = capable ? value | 3 : value;
    CHECK_EQ(four[1], wanted);
    CHECK_EQ(header_sum(four), 0);
    CHECK_EQ((six[0] & 0xf) << 4 | six[1] >> 4, static_cast<int>(wanted));
    CHECK(six[0] >> 4 == 6 && (six[1] & 0xf) == 0xa && six[2] == 0xbc && six[3] == 0xde);
    CHECK_EQ(dscp_of(four, 4), value >> 2);
    set_dscp(four, 4, 12);
    set_dscp(six, 6, 12);
    CHECK_EQ(four[1] >> 2, 12);
    CHECK_EQ(four[1] & 3u, wanted & 3);
    CHECK_EQ(header_sum(four), 0);
    CHECK_EQ(dscp_of(six, 6), 12u);
  }
  for (const int af : {10, 18, 26, 34}) {
    CHECK(colour_of(static_cast<uint8_t>(af)) == Colour::green);
    CHECK(colour_of(static_cast<uint8_t>(af + 2)) == Colour::yellow);
    CHECK(colour_of(static_cast<uint8_t>(af + 4)) == Colour::red);
  }
  for (const int other : {0, 8, 16, 40, 46, 48, 56, 63, 11, 13}) {
    CHECK(colour_of(static_cast<uint8_t>(other)) == Colour::green);
  }
}

// trTCM as a group: green keeps its DSCP, yellow gets another in a copy, red is dropped; a packet
// that comes as AF13 is believed to be red.
TEST(queue_three_colours) {
  Bench bench;
  QueueParameters p = policer(1000, 2000);
  p.meter = QueueMeter::trtcm;
  p.pir = 2000;
  p.ebs = 4000;
  p.yellow_dscp = 12;
  p.aware = true;
  CHECK(bench.groups.create(1, p).ok());
  bench.push(some(6, 10 << 2, 0), 0, 6, false);
  CHECK_EQ(bench.out.size(), 4u);
  CHECK_EQ(bench.out[0].traffic_class >> 2, 10);
  CHECK_EQ(bench.out[1].traffic_class >> 2, 10);
  CHECK_EQ(bench.out[2].traffic_class >> 2, 12);
  CHECK_EQ(bench.out[3].traffic_class >> 2, 12);
  CHECK_EQ(bench.stats(1)[QueueCount::yellow], 2u);
  CHECK_EQ(bench.stats(1)[QueueCount::policed], 2u);
  auto later = some(1, 14 << 2, 0);
  later[0].time += 10000 * kMs;
  bench.push(later, 0, 1, false);
  CHECK_EQ(bench.out.size(), 4u);
  CHECK_EQ(bench.stats(1)[QueueCount::policed], 3u);
}

// Packets that say they understand marks are marked, others dropped, by the same algorithm.
TEST(queue_codel_marks_or_drops) {
  for (const bool ect : {false, true}) {
    EgressOptions options;
    options.virtual_time = true;
    Bench bench(options);
    QueueParameters p = shaper(500000, 3000);
    p.discipline = QueueDiscipline::codel;
    p.ecn = true;
    p.packets = 100000;
    CHECK(bench.groups.create(1, p).ok());
    bench.run(some(1500, ect ? 1 : 0, kMs), 32, true);  // twice the rate, for a second and a half
    const QueueStats stats = bench.stats(1);
    CHECK_EQ(stats[QueueCount::marked] != 0, ect);
    CHECK_EQ(stats[QueueCount::aqm_drop] != 0, !ect);
    uint64_t marked = 0;
    for (const Departure& each : bench.out) marked += (each.traffic_class & 3) == 3;
    CHECK_EQ(marked, stats[QueueCount::marked]);
  }
}

// A queue without a rate: packets pass while there is room behind it, else they wait, and CoDel
// looks after them.
TEST(queue_aqm_waits_for_room) {
  Bench bench;
  QueueParameters p = shaper(0, 0);
  p.kind = QueueKind::aqm;
  CHECK(!bench.groups.create(1, p).ok());  // it would grow without an algorithm
  p.discipline = QueueDiscipline::codel;
  p.codel.mtu = 1514;
  CHECK(bench.groups.create(1, p).ok());
  bench.queues->set_room(3);
  bench.push(some(10, 0, 0), 0, 10, false);
  CHECK_EQ(bench.out.size(), 3u);
  CHECK_EQ(bench.cell.held, 7u);
  bench.release(kBegin + kMs, false, false);
  CHECK_EQ(bench.out.size(), 3u);
  bench.queues->set_room(2);
  bench.release(kBegin + kMs, false, false);
  CHECK_EQ(bench.out.size(), 5u);
  for (uint32_t i = 0; i < 5; ++i) CHECK_EQ(bench.out[i].number, i);
  // It stays congested: a packet in, a packet out, each waits longer than the target.
  auto arrivals = some(1000, 0, 10 * kMs);
  for (size_t i = 0; i < arrivals.size(); ++i) {
    bench.queues->set_room(0);
    arrivals[i].time += kMs;
    bench.push(arrivals, i, 1, false);
    bench.queues->set_room(1);
    bench.release(arrivals[i].time, false, false);
  }
  CHECK(bench.stats(1)[QueueCount::aqm_drop] > 0);
  bench.queues->set_room(UINT32_MAX);
  bench.release(arrivals.back().time, true, false);
  bench.check();
  CHECK_EQ(bench.cell.held, 0u);
}

// One session may not have more of the queue than its share.
TEST(queue_share_of_a_session) {
  Bench bench;
  QueueParameters p = shaper(1000, 1500);
  p.packets = 100;
  p.share = 20;
  CHECK(bench.groups.create(1, p).ok());
  std::vector<Arrival> arrivals;
  for (uint32_t i = 0; i < 200; ++i)
    arrivals.push_back({kBegin, 1000, i < 150 ? 1u : 2u, i, 0, {1}});
  for (size_t i = 0; i < arrivals.size(); i += 50) bench.push(arrivals, i, 50, false);
  CHECK_EQ(bench.watcher.held[1], 20);
  CHECK_EQ(bench.watcher.held[2], 20);
  CHECK_EQ(bench.stats(1)[QueueCount::queue_full], 200u - 41u);
}

}  // namespace bricks
