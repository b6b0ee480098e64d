// Whatever comes, in whatever batches: each session has one OPENING, at most one ACTIVE and one
// CLOSING, and plugins see the same.
#include "pipe_fixture.hh"
#include "session_fixture.hh"

namespace bricks::sessions {

namespace {

struct Step {
  Bytes frame;
  Nanos at;
  bool reload;  // before it, other rules
};

// Few tuples, so that they meet; some talk like TCP, some say anything.
std::vector<Step> make_traffic(Random& random, uint32_t count) {
  std::vector<Step> made;
  struct Peer {
    uint32_t next[2];
  };
  std::map<uint32_t, Peer> peers;
  Nanos now = kStart;
  for (uint32_t i = 0; i < count; ++i) {
    now += random.below(50) == 0 ? random.below(90) * kSecond : random.below(300) * 1000000;
    const auto number = static_cast<uint32_t>(random.below(60));
    const auto host = static_cast<uint8_t>(10 + number % 7);
    Ends ends = {host, 3, static_cast<uint16_t>(1000 + number), 80};
    const bool back = random.below(2);
    Step step = {
        {}, random.below(30) ? now : now - random.below(5) * kSecond, random.below(500) == 0};
    if (number % 3 == 0) {
      step.frame = udp_frame(back ? ends.reversed() : ends);
    } else {
      static constexpr uint8_t kFlags[] = {
          kTcpSyn,           kTcpSyn, kTcpSyn | kTcpAck, kTcpAck, kTcpAck, kTcpAck,
          kTcpFin | kTcpAck, kTcpRst, kTcpRst | kTcpAck, 0,       63};
      Peer& peer = peers[number];
      Segment segment;
      segment.flags = kFlags[random.below(sizeof kFlags)];
      const bool sane = random.below(4) != 0;
      segment.seq = sane ? peer.next[back] : static_cast<uint32_t>(random.below(100000));
      segment.ack = sane ? peer.next[!back] : static_cast<uint32_t>(random.below(100000));
      segment.bytes = segment.flags == kTcpAck ? static_cast<uint32_t>(random.below(3)) * 100 : 0;
      peer.next[back] = segment.seq + segment.bytes + (segment.flags & 3 ? 1 : 0);
      step.frame = tcp_frame(back ? ends.reversed() : ends, segment);
    }
    made.push_back(std::move(step));
  }
  return made;
}

struct Outcome {
  std::map<uint64_t, std::string> events;  // by tuple
  SessionManagerCounts counts;
};

// Says events by tuple: numbers of sessions are another's business.
struct ByTuple final : SessionSink {
  Log log;
  std::map<uint64_t, std::string> said;
  static uint64_t tuple_of(const bricks_session& session) {
    const uint32_t low = session.flow->address[0][3] < session.flow->address[1][3] ? 0 : 1;
    return uint64_t{session.flow->address[low][3]} << 40 |
           uint64_t{session.flow->address[1 - low][3]} << 32 |
           uint64_t{session.flow->port[low]} << 16 | session.flow->port[1 - low];
  }
  void began(bricks_session& session) noexcept override { log.began(session); }
  void say(std::span<bricks_event> events) {
    for (const bricks_event& event : events) {
      said[tuple_of(*event.session)] += log.take() + ",";
    }
  }
  void lifecycle(std::span<bricks_event> events) noexcept override {
    for (bricks_event& event : events) {
      log.lifecycle({&event, 1});
      say({&event, 1});
    }
  }
  void packets(std::span<bricks_event> events) noexcept override {
    for (bricks_event& event : events) {
      log.packets({&event, 1});
      say({&event, 1});
    }
  }
  void settled(std::span<const uint16_t>) noexcept override {}
  void over(bricks_session& session) noexcept override { log.over(session); }
};

Outcome play(const std::vector<Step>& steps, uint32_t batch_size, uint32_t capacity,
             bool midstream) {
  SessionRules rules;
  rules.midstream = midstream;
  rules.opening_percent = 50;
  rules.emergency_enter = 101;  // never: what it ends early, and when, goes by the table's places
  const Managed managed(rules, capacity);
  const auto& [table, manager] = managed;
  const auto batch = std::make_unique<Batch>();
  ByTuple sink;
  sink.log.manager = manager.get();
  std::vector<Index> all;
  const auto run = [&] {
    if (all.empty()) return;
    batch->count = static_cast<uint32_t>(all.size());
    decode(*batch, process_hash_seed());
    table->tick(batch->packets[0].timestamp);
    manager->run(*batch, all, true, sink);
    all.clear();
  };
  for (const Step& step : steps) {
    if (step.reload) {
      run();
      rules.udp_active_on_first = !rules.udp_active_on_first;
      for (Nanos& idle : rules.idle) idle = idle == 20 * kSecond ? 45 * kSecond : 20 * kSecond;
      manager->set_rules(rules);
    }
    const auto i = static_cast<Index>(all.size());
    batch->packets[i] = packet_of(step.frame, step.at);
    all.push_back(i);
    if (all.size() == batch_size) run();
  }
  run();
  const SessionManagerCounts& counts = manager->counts();
  CHECK_EQ(counts.created, counts.closed + counts.live);
  end_all(*manager, BRICKS_CLOSE_EOF, sink);
  CHECK_EQ(counts.created, counts.closed);
  CHECK_EQ(counts.live + counts.opening + counts.lingering, uint64_t{0});
  CHECK_EQ(table->counts().live, uint64_t{0});
  CHECK_EQ(sink.log.closings, counts.created);
  for (const auto& [id, stage] : sink.log.stage) CHECK_EQ(stage, 5);
  return {std::move(sink.said), counts};
}

void show_difference(uint32_t seed, uint32_t size, const Outcome& one, const Outcome& other) {
  std::printf("  seed %u, batches of %u\n", seed, size);
  for (const auto& [tuple, events] : one.events) {
    const auto found = other.events.find(tuple);
    const std::string others = found == other.events.end() ? "" : found->second;
    if (events == others) continue;
    size_t at = 0;
    while (at < events.size() && at < others.size() && events[at] == others[at]) ++at;
    at = at > 30 ? at - 30 : 0;
    std::printf("  %llx: ...%s, not ...%s\n", static_cast<unsigned long long>(tuple),
                others.substr(at, 60).c_str(), events.substr(at, 60).c_str());
    return;
  }
}

// Emergencies as the rules have them, reckoned beside the manager: from `enter` percent of the
// table on, down to `leave` percent.
struct Hysteresis {
  const SessionRules& rules;
  uint64_t capacity;
  bool now = false;
  Nanos since = 0, newest = 0;
  uint64_t begun = 0, ms = 0;

  // `used` of the table, when a packet of that time is looked at.
  void step(uint64_t used, Nanos time) {
    if (!now && used * 100 >= capacity * rules.emergency_enter) {
      now = true;
      ++begun;
      since = newest;
    } else if (now && used * 100 <= capacity * rules.emergency_leave) {
      now = false;
      ms += (std::max(newest, time) - since) / 1000000;
    }
    newest = std::max(newest, time);
  }
};

// Who ends by silence has been silent for so long: for a sixth of it in an emergency.
struct Silences final : SessionSink {
  Log log;
  const Hysteresis* hysteresis = nullptr;
  const SessionRules* rules = nullptr;
  bool exact = false;  // hysteresis is up to date
  Nanos now = 0;
  uint64_t early = 0;  // ended by a shortened time

  void began(bricks_session& session) noexcept override { log.began(session); }
  void lifecycle(std::span<bricks_event> events) noexcept override {
    log.lifecycle(events);
    for (const bricks_event& event : events) {
      const bool timed_out = event.type == BRICKS_EVENT_CLOSING &&
                             event.reason >= BRICKS_CLOSE_TIMEOUT_OPENING &&
                             event.reason <= BRICKS_CLOSE_TIMEOUT_CLOSING;
      if (!timed_out) continue;
      const bool tcp = event.session->protocol == 6;
      const uint32_t of = event.reason - BRICKS_CLOSE_TIMEOUT_OPENING + (tcp ? 0u : 3u);
      const Nanos idle = rules->idle[of], slack = Nanos{2} << kSessionTickShift;
      const Nanos silent = now - std::min(now, Nanos{event.session->last_seen}) + slack;
      CHECK(silent >= idle / 6);
      if (exact && !hysteresis->now) CHECK(silent >= idle);
      early += silent < idle;
    }
  }
  void packets(std::span<bricks_event> events) noexcept override { log.packets(events); }
  void settled(std::span<const uint16_t>) noexcept override {}
  void over(bricks_session& session) noexcept override { log.over(session); }
};

struct Emergencies {
  uint64_t begun, early;
};

Emergencies play_emergencies(const std::vector<Step>& steps, uint32_t batch_size,
                             uint32_t capacity) {
  SessionRules rules;
  rules.midstream = true;
  rules.opening_percent = 100;
  const Managed managed(rules, capacity);
  const auto& [table, manager] = managed;
  const SessionManagerCounts& counts = manager->counts();
  Hysteresis hysteresis = {rules, table->capacity()};
  Silences sink;
  sink.log.manager = manager.get();
  sink.hysteresis = &hysteresis;
  sink.rules = &rules;
  sink.exact = batch_size == 1;
  const auto batch = std::make_unique<Batch>();
  std::vector<Index> all;
  for (const Step& step : steps) {
    const auto i = static_cast<Index>(all.size());
    batch->packets[i] = packet_of(step.frame, step.at);
    all.push_back(i);
    sink.now = std::max(sink.now, step.at);
    if (all.size() < batch_size && &step != &steps.back()) continue;
    batch->count = static_cast<uint32_t>(all.size());
    decode(*batch, process_hash_seed());
    table->tick(batch->packets[0].timestamp);
    while (manager->unsettled()) manager->settle(sink);
    if (sink.exact) hysteresis.step(table->counts().live - counts.lingering, step.at);
    manager->run(*batch, all, true, sink);
    all.clear();
    CHECK_EQ(counts.created, counts.closed + counts.live);
    CHECK(table->counts().live <= capacity);
    if (!sink.exact) continue;
    CHECK_EQ(counts.emergencies, hysteresis.begun);
    CHECK_EQ(counts.emergency_ms, hysteresis.ms);
  }
  end_all(*manager, BRICKS_CLOSE_EOF, sink);
  CHECK_EQ(counts.created, counts.closed);
  CHECK_EQ(sink.log.closings, counts.created);
  CHECK_EQ(counts.live + counts.opening + counts.lingering + table->counts().live, uint64_t{0});
  for (const auto& [id, stage] : sink.log.stage) CHECK_EQ(stage, 5);
  return {counts.emergencies, sink.early};
}

}  // namespace

// In a table that is too small, in and out of emergencies: still one OPENING and one CLOSING each,
// nothing is lost, and an emergency begins and ends where the rules say.
TEST(session_emergencies_keep_the_rules) {
  std::printf("  seeds from 8100\n");
  uint64_t begun = 0, early = 0;
  for (uint32_t seed = 8100; seed < 8112; ++seed) {
    Random random(seed);
    const std::vector<Step> steps = make_traffic(random, 6000);
    for (const uint32_t size : {1u, 7u, 256u}) {
      const int failures = check::failures;
      const Emergencies seen = play_emergencies(steps, size, 20 + seed % 3 * 10);
      if (check::failures != failures) std::printf("  seed %u, batches of %u\n", seed, size);
      if (size > 1) continue;
      begun += seen.begun;
      early += seen.early;
    }
  }
  std::printf("  %llu emergencies, %llu sessions ended early\n", (unsigned long long)begun,
              (unsigned long long)early);
  CHECK(begun > 100 && early > 1000);
}

TEST(session_events_do_not_depend_on_batches) {
  std::printf("  seeds from 7100\n");
  for (uint32_t seed = 7100; seed < 7112; ++seed) {
    Random random(seed);
    const std::vector<Step> steps = make_traffic(random, 6000);
    const uint32_t capacity = seed % 3 == 0 ? 12 : seed % 3 == 1 ? 30 : 10000;
    const Outcome one = play(steps, 1, capacity, seed % 2);
    CHECK(one.counts.created > 100);
    CHECK(capacity > 1000 || one.counts.evicted > 0);
    for (const uint32_t size : {2u, 7u, 64u, 256u}) {
      const Outcome other = play(steps, size, capacity, seed % 2);
      CHECK(one.events == other.events);
      if (one.events != other.events) show_difference(seed, size, one, other);
      CHECK_EQ(one.counts.created, other.counts.created);
      CHECK_EQ(one.counts.evicted, other.counts.evicted);
    }
  }
}

}  // namespace bricks::sessions
