// Fragments follow their first one, whenever that comes: nothing lost, order kept, bounded.
#include "engine/fragment_tracker.hh"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>

#include "check.hh"
#include "encapsulations.hh"
#include "wire/flow_key.hh"

namespace bricks {

using namespace frames;

namespace {

constexpr Nanos kMs = 1000000;
const Ends kThere = {};

// A piece of a UDP datagram from 10.0.0.`host`, `part` of 3: the first one has the ports.
Bytes piece(uint8_t host, uint16_t id, uint32_t part) {
  const Bytes data = udp(static_cast<uint16_t>(1000 + host), 53, Bytes(64, static_cast<char>(id)));
  const auto at = static_cast<uint16_t>(part * 24);
  const auto end = std::min<size_t>(at + 24u, data.size());
  return ethernet(kThere, 0x0800,
                  ip4(kThere, {.protocol = 17, .net = host, .id = id, .at = at, .more = part < 2},
                      {data.begin() + at, data.begin() + static_cast<long>(end)}));
}
Bytes whole(uint8_t host) {
  return ethernet(kThere, 0x0800,
                  ip4(kThere, {.protocol = 17, .net = host},
                      udp(static_cast<uint16_t>(1000 + host), 53, Bytes(9, 'w'))));
}

struct Bench {
  std::shared_ptr<FragmentTracker> tracker;
  Source sources[2];  // of two inputs
  LedgerCell cells[2];
  LedgerCell& cell = cells[0];
  Nanos now = 5000 * kMs;
  struct Left {
    Bytes frame;
    uint64_t digest;
    uint32_t input;
  };
  std::vector<Left> out;
  FlowRule rule;

  explicit Bench(uint32_t inputs = 1) {
    CHECK(FragmentTracker::create("test", &tracker).ok());
    const Source* all[] = {&sources[0], &sources[1]};
    tracker->expect({all, inputs});
  }

  uint32_t input_of(const Source* source) const { return source == &sources[1]; }
  uint64_t figure(const std::string& name) const {
    Figure figures[kFiguresMax];
    const uint32_t count = tracker->figures(figures);
    CHECK_EQ(count, FragmentTracker::figure_table().size());
    for (uint32_t i = 0; i < count; ++i) {
      CHECK(std::string(figures[i].name) == FragmentTracker::figure_table()[i].name);
      if (name == figures[i].name) return figures[i].value;
    }
    CHECK(!"no such figure");
    return 0;
  }
  void collect(const Batch& batch, const Outlets::List& list) {
    for (const Index* i = list.first; i != list.end; ++i) {
      const Packet& packet = batch.packets[*i];
      out.push_back({Bytes(packet.data, packet.data + packet.length), flow_digest(batch, *i, rule),
                     input_of(batch.source)});
    }
  }
  void release(bool all) {
    auto batch = std::make_unique<Batch>();
    while (tracker->due(now, all)) {
      Index own[kBatchMax];
      Outlets::List list = {own, own, own};
      batch->source = tracker->ripe(now, all);
      CHECK(batch->source);
      Outlets outlets({&list, 1}, cells[input_of(batch->source)]);
      tracker->release(*batch, now, all, outlets);
      collect(*batch, list);
      tracker->recycle(*batch);
    }
  }
  void push(std::vector<Bytes> frames, uint32_t input = 0) {
    release(false);
    auto batch = std::make_unique<Batch>();
    batch->now = now;
    batch->source = &sources[input];
    sources[input].latest = now;
    Index all[kBatchMax];
    for (; batch->count < frames.size(); ++batch->count) {
      Packet& packet = batch->packets[batch->count];
      packet = {};
      packet.data = frames[batch->count].data();
      packet.length = static_cast<uint32_t>(frames[batch->count].size());
      packet.timestamp = now;
      all[batch->count] = static_cast<Index>(batch->count);
    }
    decode(*batch, process_hash_seed());
    batch->decoded = true;
    Index own[kBatchMax];
    Outlets::List list = {own, own, own};
    Outlets outlets({&list, 1}, cells[input]);
    tracker->push(*batch, {all, batch->count}, outlets);
    collect(*batch, list);
    release(false);
  }
};

uint64_t digest_of(Bytes frame) {
  auto batch = std::make_unique<Batch>();
  batch->count = 1;
  batch->packets[0] = {};
  batch->packets[0].data = frame.data();
  batch->packets[0].length = static_cast<uint32_t>(frame.size());
  decode(*batch, process_hash_seed());
  return flow_digest(*batch, 0, {});
}

}  // namespace

TEST(fragments_in_any_order_go_with_their_flow) {
  std::vector<uint32_t> order = {0, 1, 2};
  do {
    for (const bool one_batch : {false, true}) {
      Bench bench;
      std::vector<Bytes> frames;
      for (const uint32_t part : order) frames.push_back(piece(7, 99, part));
      if (one_batch) {
        bench.push(frames);
      } else {
        for (const Bytes& frame : frames) bench.push({frame});
      }
      CHECK_EQ(bench.cell.held, 0u);
      CHECK_EQ(bench.out.size(), 3u);
      for (size_t i = 0; i < bench.out.size(); ++i) {
        CHECK_EQ(bench.out[i].digest, digest_of(whole(7)));
        CHECK(bench.out[i].frame == frames[i]);  // as they came
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(fragments_held_go_before_what_their_flow_sends_later) {
  Bench bench;
  bench.push({piece(7, 99, 1)});
  CHECK_EQ(bench.cell.held, 1u);
  CHECK_EQ(bench.out.size(), 0u);
  bench.push({whole(7), whole(8), piece(7, 99, 0), whole(7)});
  std::vector<Bytes> of_the_flow;
  for (const Bench::Left& left : bench.out) {
    if (left.digest == digest_of(whole(7))) of_the_flow.push_back(left.frame);
  }
  const std::vector<Bytes> wanted = {piece(7, 99, 1), whole(7), piece(7, 99, 0), whole(7)};
  CHECK(of_the_flow == wanted);
  CHECK_EQ(bench.out.size(), 5u);
}

TEST(fragments_without_a_first_one_go_by_addresses_when_their_time_is_over) {
  Bench bench;
  bench.push({piece(7, 99, 1), piece(7, 99, 2)});
  CHECK_EQ(bench.tracker->due_at(), bench.now + kFragmentHoldMs * kMs + 1);
  bench.now += kFragmentHoldMs * kMs;
  bench.release(false);
  CHECK_EQ(bench.out.size(), 0u);
  bench.now += 1;
  bench.release(false);
  CHECK_EQ(bench.out.size(), 2u);
  CHECK_EQ(bench.out[0].digest, digest_of(piece(7, 99, 1)));
  CHECK_EQ(bench.cell.held, 0u);
  bench.push({piece(7, 99, 1)});  // at the end of all input it waits for nothing
  bench.release(true);
  CHECK_EQ(bench.out.size(), 3u);
}

// The first balancer comes while packets pass: their first fragment may have gone already.
TEST(fragments_wait_for_nothing_that_may_have_passed_unseen) {
  Bench bench;
  bench.push({whole(8)});
  bench.tracker->rest();
  const Source* all[] = {&bench.sources[0]};
  bench.tracker->expect(all);
  bench.push({piece(7, 99, 1)});
  CHECK_EQ(bench.out.size(), 2u);
  CHECK_EQ(bench.cell.held, 0u);
  bench.now += kFragmentHoldMs * kMs + 1;
  bench.push({piece(7, 98, 1)});
  CHECK_EQ(bench.cell.held, 1u);
  bench.release(true);
}

// A carrier's first fragment shows the network inside of it, its later ones do not.
TEST(fragments_of_a_tunnel_follow_its_first_one) {
  const Bytes inner = ethernet(
      kThere, 0x0800, ip4(kThere, {.protocol = 17, .net = 7}, udp(1007, 53, Bytes(200, 'x'))));
  const Bytes data = udp(50000, 4789, vxlan(77, inner));
  const auto part = [&](uint16_t at, size_t length, bool more) {
    return ethernet(kThere, 0x0800,
                    ip4(kThere, {.protocol = 17, .net = 200, .id = 9, .at = at, .more = more},
                        {data.begin() + at, data.begin() + at + static_cast<long>(length)}));
  };
  const Bytes first = part(0, 160, true), later = part(160, data.size() - 160, false);
  for (const bool late : {false, true}) {
    Bench bench;
    bench.rule.tenant = late;
    bench.push({late ? later : first});
    bench.push({late ? first : later});
    CHECK_EQ(bench.cell.held, 0u);
    CHECK_EQ(bench.out.size(), 2u);
    CHECK_EQ(bench.out[0].digest, bench.out[1].digest);
    CHECK_EQ(bench.out[0].digest == digest_of(whole(7)), !late);
  }
}

// Two tenants may use the same addresses and the same id at the same time.
TEST(fragments_of_two_vlans_are_of_two_datagrams) {
  const auto in_vlan = [](uint8_t vlan, const Bytes& frame) {
    return Bytes(frame.begin(), frame.begin() + 12) + Bytes{0x81, 0, 0, vlan} +
           Bytes(frame.begin() + 12, frame.end());
  };
  const auto with_port = [](uint16_t port, uint32_t part) {
    const Bytes data = udp(port, 53, Bytes(64, 'y'));
    const auto at = static_cast<uint16_t>(part * 24);
    const auto end = std::min<size_t>(at + 24u, data.size());
    return ethernet(kThere, 0x0800,
                    ip4(kThere, {.protocol = 17, .id = 5, .at = at, .more = part < 2},
                        {data.begin() + at, data.begin() + static_cast<long>(end)}));
  };
  Bench bench;
  bench.push({in_vlan(5, with_port(1, 0)), in_vlan(6, with_port(2, 0))});
  bench.push({in_vlan(5, with_port(1, 1)), in_vlan(6, with_port(2, 1))});
  CHECK_EQ(bench.out.size(), 4u);
  CHECK_EQ(bench.out[0].digest, bench.out[2].digest);
  CHECK_EQ(bench.out[1].digest, bench.out[3].digest);
  CHECK(bench.out[0].digest != bench.out[1].digest);
}

TEST(fragments_of_an_id_used_again_much_later_are_of_another_datagram) {
  Bench bench;
  bench.push({piece(7, 99, 0)});
  bench.now += (kFragmentKnownMs + 1) * kMs;
  bench.push({piece(7, 99, 1)});
  CHECK_EQ(bench.cell.held, 1u);
}

TEST(a_flood_of_fragments_is_bounded_and_loses_nothing) {
  constexpr uint64_t seed = 0x5eed0f7a;
  std::printf("  seed %llx\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  Bench bench;
  uint64_t sent = 0;
  for (uint32_t round = 0; round < 300; ++round) {
    std::vector<Bytes> frames;
    for (uint32_t i = 0; i < kBatchMax; ++i) {
      frames.push_back(piece(static_cast<uint8_t>(random() % 200 + 1),
                             static_cast<uint16_t>(random() % 5000), random() % 8 ? 1 : 0));
    }
    bench.push(frames);
    sent += frames.size();
    bench.now += kMs;
    CHECK(bench.cell.held <= kFragmentPackets);
    CHECK_EQ(bench.out.size() + bench.cell.held, sent);
  }
  bench.release(true);
  CHECK_EQ(bench.cell.held, 0u);
  CHECK_EQ(bench.out.size(), sent);
  CHECK_EQ(bench.figure("fragments_overtook"), 0u);
}

TEST(fragments_by_two_inputs_are_of_one_datagram) {
  std::vector<uint32_t> order = {0, 1, 2};
  do {
    for (uint32_t ways = 0; ways < 8; ++ways) {
      Bench bench(2);
      for (const uint32_t part : order) bench.push({piece(7, 99, part)}, ways >> part & 1);
      CHECK_EQ(bench.cells[0].held + bench.cells[1].held, 0u);
      CHECK_EQ(bench.out.size(), 3u);
      for (const Bench::Left& left : bench.out) {
        CHECK_EQ(left.digest, digest_of(whole(7)));
        // Each by the way of its own input.
        const auto part = static_cast<uint32_t>(
            std::find_if(order.begin(), order.end(),
                         [&](uint32_t one) { return piece(7, 99, one) == left.frame; }) -
            order.begin());
        CHECK_EQ(left.input, ways >> order[part] & 1);
      }
      CHECK_EQ(bench.figure("datagrams_incomplete"), 0u);
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(fragments_wait_for_the_slower_of_two_captures) {
  Bench bench(2);
  bench.push({whole(8)}, 1);
  bench.push({piece(7, 99, 1)}, 0);
  // The one reads on, in its packets' time; the other has not come so far.
  bench.sources[0].latest += 10 * kFragmentHoldMs * kMs;
  bench.release(false);
  CHECK_EQ(bench.cells[0].held, 1u);
  bench.push({piece(7, 99, 0)}, 1);
  CHECK_EQ(bench.cells[0].held, 0u);
  CHECK_EQ(bench.out.size(), 3u);
  CHECK_EQ(bench.out.back().digest, digest_of(whole(7)));
  // Where the other has ended, nothing more will come of it.
  bench.push({piece(7, 100, 1)}, 0);
  bench.sources[0].latest += 10 * kFragmentHoldMs * kMs;
  bench.sources[1].ended = true;
  bench.release(false);
  CHECK_EQ(bench.cells[0].held, 0u);
  CHECK_EQ(bench.figure("datagrams_incomplete"), 1u);
}

TEST(fragments_of_an_input_that_leaves_are_released) {
  Bench bench(2);
  bench.push({piece(7, 99, 1)}, 0);
  bench.push({piece(7, 99, 2), piece(8, 5, 1)}, 1);
  bench.tracker->leave(bench.sources[0]);
  bench.release(false);
  CHECK_EQ(bench.cells[0].held, 0u);
  CHECK_EQ(bench.cells[1].held, 1u);  // a datagram that the other had nothing of
  CHECK_EQ(bench.out.size(), 2u);
}

// The oldest gives way, and is counted.
TEST(fragments_beyond_what_may_wait_release_the_oldest) {
  Bench bench;
  uint32_t sent = 0;
  for (; bench.figure("datagrams_gave_way") == 0; ++sent) {
    CHECK(sent <= kFragmentPackets);
    bench.push({piece(static_cast<uint8_t>(1 + sent % 200), static_cast<uint16_t>(sent), 1)});
  }
  CHECK(sent > kFragmentPackets - 2 * kBatchMax);
  CHECK_EQ(bench.out.size(), bench.figure("datagrams_gave_way"));
  CHECK(bench.out[0].frame == piece(1, 0, 1));
  CHECK_EQ(bench.out.size() + bench.cell.held, sent);
}

}  // namespace bricks
