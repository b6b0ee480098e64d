// The session table against a slow one that is plainly right; floods; clocks.
#include "sessions/session_table.hh"

#include <map>
#include <memory>

#include "check.hh"
#include "pipe_fixture.hh"
#include "wire/flow_hash.hh"

namespace bricks {

namespace {

constexpr Nanos kSecond = 1000000000;
constexpr Nanos kTick = Nanos{1} << kSessionTickShift;
constexpr uint32_t kAll = UINT32_MAX;

uint64_t digest_of(uint64_t number) {
  return multiply_fold(number ^ 0x9e3779b97f4a7c15ull, 0xc4ceb9fe1a85ec53ull);
}

struct Fixture {
  std::unique_ptr<SessionTable> table;
  std::shared_ptr<SessionScope> scope;

  explicit Fixture(uint32_t capacity) {
    CHECK(SessionTable::create("test", capacity, &table).ok());
    CHECK(table->open_scope("lb", {}, &scope).ok());
    table->tick(1000 * kSecond);
  }
  // What a brick does with a packet: true when it has a session afterwards.
  bool packet(uint64_t digest, uint8_t bits, uint8_t protocol = 6, uint16_t pin = 1) {
    SessionBatch batch;
    batch.digest[0] = digest;
    batch.bits[0] = bits;
    if (table->touch(batch, 1) == 0) return true;
    if (uint64_t* word = table->find(digest)) {
      table->refresh(word, bits);
      return true;
    }
    FlowKey key{};
    key.protocol = protocol;
    return table->begin(*scope, digest, key, bits, pin) != nullptr;
  }
};

struct Known {
  uint64_t first, seen;
  uint8_t bits, protocol;
  uint16_t pin;
};

class Model {
 public:
  explicit Model(uint64_t clock) : clock_(clock) {}
  std::map<uint64_t, Known> all;

  void tick(uint64_t clock) {
    clock_ = std::max(clock_, clock);
    std::erase_if(all, [this](const auto& entry) {
      const Known& known = entry.second;
      const uint64_t limit =
          session_idle_seconds(known.bits, known.protocol) * kSecond >> kSessionTickShift;
      return clock_ - known.seen >= limit;
    });
  }
  void refresh(uint64_t digest, uint8_t bits) {
    Known& known = all.at(digest);
    const bool anew = bits & kPacketOpens && session_state(known.bits) == SessionState::closing;
    known.bits = static_cast<uint8_t>((anew ? 0 : known.bits) | (bits & ~kPacketOpens));
    if (anew) known.first = clock_;
    known.seen = clock_;
  }
  void begin(uint64_t digest, uint8_t bits, uint8_t protocol, uint16_t pin) {
    all[digest] = {clock_, clock_, static_cast<uint8_t>(bits & ~kPacketOpens), protocol, pin};
  }
  uint64_t clock() const { return clock_; }

 private:
  uint64_t clock_;
};

uint8_t random_bits(Random& random) {
  static constexpr uint8_t kSome[] = {1, 1, 1, 2, 2, 1 | 4, 2 | 8, 1 | 16, 1 | 128, 2 | 128};
  return kSome[random.below(sizeof kSome)];
}

GivesWay rank_of(const Known& known) {
  return session_rank(session_gives_way(known.bits),
                      static_cast<uint32_t>(known.seen - known.first));
}

// Whoever is in the model and no more in the table: it must have been seen one way only, nobody who
// gives way before it may remain, nor anybody of its rank who was silent for longer.
void take_out_the_victim(Fixture& f, Model& model) {
  uint64_t victim = 0;
  for (const auto& [digest, known] : model.all) {
    if (f.table->find(digest)) continue;
    CHECK_EQ(victim, uint64_t{0});
    victim = digest;
  }
  CHECK(victim != 0);
  if (!victim) return;
  const Known& gone = model.all.at(victim);
  CHECK(rank_of(gone) != GivesWay::never);
  uint32_t older = 0, before = 0;
  for (const auto& [digest, known] : model.all) {
    older += rank_of(known) == rank_of(gone) && known.seen < gone.seen;
    before += rank_of(known) != GivesWay::never && rank_of(known) < rank_of(gone);
  }
  CHECK_EQ(older, 0u);
  CHECK_EQ(before, 0u);
  model.all.erase(victim);
}

void compare(Fixture& f, const Model& model) {
  CHECK_EQ(f.table->counts().live, uint64_t{model.all.size()});
  std::map<uint16_t, uint32_t> by_pin;
  for (const auto& [digest, known] : model.all) {
    const uint64_t* word = f.table->find(digest);
    CHECK(word != nullptr);
    if (!word) continue;
    CHECK_EQ(word_bits(*word), known.bits);
    CHECK_EQ(word_pin(*word), known.pin);
    CHECK_EQ(f.table->silence(*word), (model.clock() - known.seen) << kSessionTickShift);
    ++by_pin[known.pin];
  }
  for (const auto& [pin, count] : by_pin) CHECK_EQ(f.scope->sessions(pin), count);
  CHECK_EQ(f.scope->sessions(), static_cast<uint32_t>(model.all.size()));
}

void run_model(uint64_t seed, uint32_t capacity, uint32_t flows, uint32_t operations) {
  Fixture f(capacity);
  Random random{seed};
  Nanos now = 1000 * kSecond;
  Model model(now >> kSessionTickShift);
  std::vector<uint64_t> digests;
  for (uint32_t i = 0; i < flows; ++i) digests.push_back(random.next());
  for (uint32_t operation = 0; operation < operations; ++operation) {
    const uint64_t digest = digests[random.below(flows)];
    const uint8_t bits = random_bits(random);
    const uint8_t protocol = digest & 2 ? 6 : 17;
    const auto pin = static_cast<uint16_t>(1 + random.below(5));
    switch (random.below(16)) {
      case 0:
        now += random.next() % (random.below(20) ? kTick * 3 : kSecond * 400);
        f.table->tick(now, kAll);
        model.tick(now >> kSessionTickShift);
        break;
      case 1:
        if (uint64_t* word = f.table->find(digest)) {
          f.table->repin(word, pin);
          model.all.at(digest).pin = pin;
        }
        break;
      default:
        if (model.all.count(digest)) {
          CHECK(f.packet(digest, bits, protocol));
          model.refresh(digest, bits);
          break;
        }
        const uint64_t gave_way = f.table->counts().gave_way;
        const bool made = f.packet(digest, bits, protocol, pin);
        if (f.table->counts().gave_way != gave_way) take_out_the_victim(f, model);
        if (made) {
          model.begin(digest, bits, protocol, pin);
        } else {
          CHECK_EQ(model.all.size(), size_t{capacity});
          for (const auto& [other, known] : model.all) CHECK(!session_gives_way(known.bits));
        }
    }
    if (operation % 97 == 0) compare(f, model);
    if (check::failures) {
      std::printf("  seed %llu, operation %u\n", static_cast<unsigned long long>(seed), operation);
      return;
    }
  }
  compare(f, model);
}

}  // namespace

TEST(session_table_is_what_a_plain_one_would_be) {
  const uint64_t first = 20261;
  std::printf("  seeds from %llu\n", static_cast<unsigned long long>(first));
  for (uint64_t seed = first; seed < first + 20 && !check::failures; ++seed) {
    run_model(seed, 6, 40, 4000);          // full nearly always; at most as many as are looked at
    run_model(seed + 50, 400, 300, 8000);  // never full: grows, shrinks, expires
  }
}

TEST(session_table_flood_takes_no_session_seen_both_ways) {
  constexpr uint32_t kLive = 100000, kFlood = 10000000;
  Fixture f(200000);
  Random random{77};
  std::vector<uint64_t> live;
  for (uint32_t i = 0; i < kLive; ++i) {
    live.push_back(random.next());
    CHECK(f.packet(live.back(), kSessionForward));
    CHECK(f.packet(live.back(), kSessionBackward));
  }
  Nanos now = 1000 * kSecond;
  uint32_t refused = 0;
  for (uint32_t i = 0; i < kFlood; ++i) {
    refused += !f.packet(random.next(), kSessionForward | kPacketOpens);
    if (i % 1000 == 0) f.table->tick(now += kSecond / 1000);
  }
  uint32_t lost = 0;
  for (const uint64_t digest : live) lost += f.table->find(digest) == nullptr;
  CHECK_EQ(lost, 0u);
  CHECK_EQ(f.table->counts().live, uint64_t{200000});
  std::printf("  %u new flows, %llu gave way to others, %u found no room, %u of %u were lost\n",
              kFlood, static_cast<unsigned long long>(f.table->counts().gave_way), refused, lost,
              kLive);
  CHECK(refused < kFlood / 1000);
}

// Streams that nobody answers (multicast, syslog, one direction of a mirror) are no flood.
TEST(session_table_flood_takes_no_stream_that_goes_on) {
  constexpr uint32_t kStreams = 10000, kFlood = 1000000;
  Fixture f(20000);
  Random random{78};
  std::vector<uint64_t> streams;
  for (uint32_t i = 0; i < kStreams; ++i) streams.push_back(random.next());
  Nanos now = 1000 * kSecond;
  const auto send_all = [&] {
    for (const uint64_t stream : streams) CHECK(f.packet(stream, kSessionForward, 17));
  };
  for (int second = 0; second < 3; ++second) {
    send_all();
    f.table->tick(now += kSecond, kAll);
  }
  uint32_t refused = 0;
  for (uint32_t i = 0; i < kFlood; ++i) {  // ten seconds of it, in which they say something twice
    refused += !f.packet(random.next(), kSessionForward | kPacketOpens);
    if (i % 100 == 0) f.table->tick(now += kSecond / 1000);
    if (i % (kFlood / 2) == 0) send_all();
  }
  uint32_t lost = 0;
  for (const uint64_t stream : streams) lost += f.table->find(stream) == nullptr;
  CHECK_EQ(lost, 0u);
  CHECK_EQ(f.table->counts().begun, uint64_t{kStreams} + kFlood - refused);
  CHECK(refused < 1000);
  // Nobody else is left to give way: then the longest silent of them does.
  Fixture full(50);
  for (int again = 0; again < 2; ++again) {
    for (uint64_t i = 1; i <= 50; ++i) {
      CHECK(full.packet(digest_of(i), kSessionForward, 17));
      full.table->tick(now += kTick, kAll);
    }
  }
  CHECK(full.packet(digest_of(1000), kSessionForward, 17));
  CHECK(full.table->find(digest_of(1)) == nullptr);
  CHECK(full.table->find(digest_of(2)) != nullptr);
}

TEST(session_table_full_of_live_ones_refuses) {
  Fixture f(1000);
  for (uint64_t i = 1; i <= 1000; ++i) {
    CHECK(f.packet(digest_of(i), kSessionBothWays));
  }
  CHECK(!f.packet(0x1234567812345679ull, kSessionForward));
  CHECK_EQ(f.table->counts().refused, uint64_t{1});
  f.table->tick(1000 * kSecond + 3601 * kSecond, kAll);
  CHECK_EQ(f.table->counts().live, uint64_t{0});
  CHECK(f.packet(0x1234567812345679ull, kSessionForward));
}

TEST(session_table_oldest_gives_way_first) {
  Fixture f(100);
  Nanos now = 1000 * kSecond;
  for (uint64_t i = 1; i <= 100; ++i) {
    f.table->tick(now += kTick, kAll);
    CHECK(f.packet(digest_of(i), kSessionForward));
  }
  for (uint64_t i = 1; i <= 50; ++i) {
    CHECK(f.packet(digest_of(i + 1000000), kSessionForward));
    CHECK(f.table->find(digest_of(i)) == nullptr);
    CHECK(f.table->find(digest_of(i + 1)) != nullptr);
  }
}

TEST(session_table_work_of_one_tick_is_bounded) {
  Fixture f(10000);
  Random random{5};
  for (int i = 0; i < 10000; ++i) CHECK(f.packet(random.next(), kSessionForward));
  const Nanos later = 1100 * kSecond;
  f.table->tick(later, 64);
  CHECK_EQ(f.table->counts().ended, uint64_t{64});
  for (int i = 0; i < 10000 / 64; ++i) f.table->tick(later, 64);
  CHECK_EQ(f.table->counts().live, uint64_t{0});
}

TEST(session_table_clock_that_goes_back) {
  Fixture f(100);
  CHECK(f.packet(77, kSessionBothWays, 17));
  f.table->tick(990 * kSecond);  // a little: stands still
  CHECK(f.table->find(77) != nullptr);
  f.table->tick(1299 * kSecond);
  CHECK(f.table->find(77) != nullptr);
  f.table->tick(1301 * kSecond);
  CHECK(f.table->find(77) == nullptr);
  f.table->tick(9000000 * kSecond);  // a stamp that lies, and the right time again
  CHECK(f.packet(78, kSessionBothWays, 17));
  f.table->tick(1302 * kSecond);
  CHECK(f.table->find(78) != nullptr);
  f.table->tick(1603 * kSecond);
  CHECK(f.table->find(78) == nullptr);
}

TEST(session_table_scopes_are_apart_and_kept) {
  Fixture f(100);
  std::shared_ptr<SessionScope> other, again;
  CHECK(f.table->open_scope("lb", {.addresses_only = true}, &other).ok());
  CHECK(other->salt() != f.scope->salt());
  std::vector<uint16_t> pins, later;
  CHECK(f.scope->name_pins({"a", "b", "c"}, {}, &pins).ok());
  CHECK(f.packet(99, kSessionForward, 6, pins[1]));
  CHECK_EQ(f.scope->sessions(pins[1]), 1u);
  // b is gone and its session lives: its pin is nobody else's. c has none, but is in use.
  CHECK(f.scope->name_pins({"d", "c"}, pins, &later).ok());
  CHECK_EQ(later[1], pins[2]);
  CHECK(later[0] != pins[0] && later[0] != pins[1] && later[0] != pins[2]);
  CHECK(f.scope->name_pins({"e"}, later, &pins).ok());
  CHECK_EQ(pins[0], uint16_t{1});
  const uint16_t number = other->number();
  other.reset();
  CHECK(f.table->open_scope("lb2", {}, &again).ok());
  CHECK_EQ(again->number(), number);
  f.scope.reset();  // its session lives on: the scope is there when its owner comes back
  CHECK(f.table->open_scope("lb", {}, &again).ok());
  CHECK_EQ(again->sessions(), 1u);
}

TEST(session_table_bytes_a_session) {
  Fixture f(2000000);
  Random random{9};
  uint64_t refused = 0;
  for (uint32_t i = 1; i <= 2000000; ++i) {
    refused += !f.packet(random.next(), kSessionBothWays);
    if (i % 100000 == 0) CHECK(f.table->bytes_used() < uint64_t{i} * 128);
  }
  CHECK_EQ(refused, uint64_t{0});  // nor is there a digest for which the index has no place
  std::printf("  %.1f bytes each\n", double(f.table->bytes_used()) / 2e6);
}

TEST(session_table_limits_are_named) {
  std::unique_ptr<SessionTable> table;
  CHECK_EQ(SessionTable::create("e", kSessionsMax + 1, &table).code, Code::invalid_argument);
  CHECK_EQ(SessionTable::create("e", 0, &table).code, Code::invalid_argument);
  CHECK(SessionTable::create("e", kSessionsMax, &table).ok());
}

}  // namespace bricks
