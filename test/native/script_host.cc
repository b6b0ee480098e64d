// Scripts' events, answers and calls, with a thread of C++ in the script's place.
#include <atomic>
#include <cstring>

#include "check.hh"
#include "script_thread.hh"
#include "sessions/session_flow.hh"

namespace {

using namespace script_test;

struct World {
  explicit World(Script script, bool waits = true, uint32_t timeout_ms = 5000,
                 uint32_t on_error = 0)
      : threads(std::move(script)), host_calls(test_host()) {
    Asked::calls.clear();
    Asked::figures.clear();
    Asked::answer = 0;
    ScriptSettings settings;
    settings.name = "played";
    settings.path = "played.ts";
    settings.waits = waits;
    settings.timeout_ms = timeout_ms;
    settings.on_error = on_error;
    CHECK(ScriptHost::open(settings, &host).ok());
    start.host = &host_calls;
    start.plugin = 7;
    CHECK_EQ(host->init(&start), 0);
    CHECK_EQ(host->functions().worker_init(host.get(), 0, &state), 0);
    for (uint32_t i = 0; i < kBatchMax; ++i) {
      flows[i].flow.id = i + 1;
      flows[i].entry = i;
      sessions[i].flow = &flows[i].flow;
      packets[i].length = packets[i].wire_length = 60;
      packets[i].payload = 42;
      packets[i].payload_length = 18;
      packets[i].data = frame;
      events[i] = {};
      events[i].session = &sessions[i];
      events[i].packet = &packets[i];
      events[i].context = &contexts[i];
      events[i].data = frame + 42;
      events[i].length = 18;
      events[i].type = BRICKS_EVENT_PACKET;
    }
    for (uint32_t i = 0; i < sizeof frame; ++i) frame[i] = static_cast<uint8_t>(i);
  }
  ~World() {
    host->functions().worker_exit(state);
    host->functions().exit(host.get());
    host.reset();
  }
  int handle(uint32_t first, uint32_t count) {
    return host->functions().handle(state, events + first, count, &at);
  }

  ScriptThreads threads;
  bricks_host host_calls;
  bricks_start start{};
  std::shared_ptr<ScriptHost> host;
  void* state = nullptr;
  uint32_t at = 0;
  uint8_t frame[60];
  bricks_session sessions[kBatchMax]{};
  SessionFlow flows[kBatchMax]{};
  bricks_packet_view packets[kBatchMax]{};
  bricks_event events[kBatchMax];
  void* contexts[kBatchMax]{};
};

ScriptRecord& record_of(ScriptRing& ring, uint32_t number) {
  return *reinterpret_cast<ScriptRecord*>(ring.shared() + 64 + number * sizeof(ScriptRecord));
}

const uint8_t* bytes_of(ScriptRing& ring, const ScriptRecord& record) {
  return ring.call_bytes() + kScriptCallBytes + record.data_at;
}

int ask(ScriptHost& host, ScriptCall call, uint32_t event, int64_t a = 0, int64_t b = 0,
        uint64_t session = 0) {
  ScriptRequest request;
  request.call = static_cast<uint32_t>(call);
  request.event = event;
  request.session = session ? session : event + 1;
  request.a = a;
  request.b = b;
  return host.ask(&request);
}

}  // namespace

TEST(script_sees_events_and_answers_with_contexts_and_drops) {
  std::atomic<uint32_t> wrong{0}, seen{0}, known{0};
  World world([&](ScriptHost&, const ScriptTurn& turn, ScriptRing& ring) {
    for (uint32_t i = 0; i < turn.count; ++i) {
      ScriptRecord& record = record_of(ring, turn.first + i);
      const uint8_t* bytes = bytes_of(ring, record);
      if (record.data_bytes != 18 || bytes[0] != 42 || bytes[17] != 59) ++wrong;
      if (record.packet_length != 60 || !(record.flags & kScriptPacket)) ++wrong;
      if (record.context && record.context != record.flow.id) ++wrong;
      known += record.context != 0;
      record.context = static_cast<uint32_t>(record.flow.id);
      if (record.flow.id % 64 == 0) record.verdict = kScriptDrop;
      ++seen;
    }
    return Did{turn.count, false};
  });
  for (int round = 0; round < 3; ++round) CHECK_EQ(world.handle(0, 200), 0);
  CHECK_EQ(wrong.load(), 0u);
  CHECK_EQ(seen.load(), 600u);
  CHECK_EQ(known.load(), 400u);
  CHECK_EQ(Asked::calls.size(), 9u);
  CHECK_EQ(Asked::calls.front(), std::string("drop 64"));
  CHECK(world.contexts[0] != nullptr && world.contexts[200] == nullptr);
}

TEST(script_failed_event_is_named_and_the_rest_comes_again) {
  std::atomic<uint32_t> seen{0};
  World world([&](ScriptHost&, const ScriptTurn& turn, ScriptRing& ring) {
    for (uint32_t i = 0; i < turn.count; ++i) {
      if (record_of(ring, turn.first + i).flow.id == 6) return Did{i, true};
      ++seen;
    }
    return Did{turn.count, false};
  });
  CHECK(world.handle(0, 100) != 0);
  CHECK_EQ(world.at, 5u);
  CHECK_EQ(world.handle(6, 94), 0);
  CHECK_EQ(seen.load(), 99u);
}

TEST(script_calls_are_made_on_the_engines_thread) {
  std::vector<int> codes;
  World world([&](ScriptHost& host, const ScriptTurn& turn, ScriptRing& ring) {
    codes.push_back(ask(host, ScriptCall::set_output, 1, 3));
    codes.push_back(ask(host, ScriptCall::add_group, 0, 9, -1));
    codes.push_back(ask(host, ScriptCall::add_group, 0, 9, 2));          // no direction
    codes.push_back(ask(host, ScriptCall::kill, turn.count));            // no such event
    codes.push_back(ask(host, static_cast<ScriptCall>(99), 0));          // no such call
    codes.push_back(ask(host, ScriptCall::close_child, 0, 0, 0, 1234));  // none of its
    std::memcpy(ring.call_bytes(), "key", 3);
    std::memcpy(ring.call_bytes() + 64, "value", 5);
    ScriptRequest set;
    set.call = static_cast<uint32_t>(ScriptCall::set_metadata);
    set.session = 1;
    set.key_bytes = 3;
    set.value_bytes = 5;
    set.type = BRICKS_BYTES;
    codes.push_back(host.ask(&set));
    set.type = BRICKS_OPAQUE;
    codes.push_back(host.ask(&set));
    set.type = BRICKS_INTEGER;  // of five bytes
    codes.push_back(host.ask(&set));
    set.type = BRICKS_BYTES;
    set.value_bytes = UINT32_MAX;
    codes.push_back(host.ask(&set));
    set.key_bytes = 64;
    codes.push_back(host.ask(&set));
    ScriptRequest get;
    get.call = static_cast<uint32_t>(ScriptCall::get_metadata);
    get.session = 1;
    get.key_bytes = 3;
    codes.push_back(host.ask(&get));
    codes.push_back(std::memcmp(ring.call_bytes() + 64, "kept", 4));
    codes.push_back(static_cast<int>(get.value_bytes));
    std::memcpy(ring.call_bytes(), "pointer", 7);
    get.key_bytes = 7;
    codes.push_back(host.ask(&get));
    return Did{turn.count, false};
  });
  CHECK_EQ(world.handle(0, 2), 0);
  CHECK((codes == std::vector<int>{0, 0, BRICKS_EINVAL, BRICKS_EINVAL, BRICKS_EINVAL, BRICKS_ENOCTX,
                                   0, BRICKS_EINVAL, BRICKS_EINVAL, BRICKS_ENOMEM, BRICKS_EINVAL, 0,
                                   0, 4, BRICKS_ENOTSUP}));
  CHECK((Asked::calls == std::vector<std::string>{"output 2 3", "group 1 9 -1", "set key 1 value",
                                                  "get key", "get pointer"}));
  // The host's own answer comes through as it is.
  Asked::answer = BRICKS_EBUSY;
  codes.clear();
  CHECK_EQ(world.handle(0, 2), 0);
  CHECK_EQ(codes[0], static_cast<int>(BRICKS_EBUSY));
}

TEST(script_that_does_not_answer_is_given_up_and_begins_again) {
  std::atomic<bool> hangs{true}, over{false};
  std::atomic<uint32_t> known{0};
  World world(
      [&](ScriptHost& host, const ScriptTurn& turn, ScriptRing& ring) {
        for (uint32_t i = 0; i < turn.count; ++i) {
          ScriptRecord& record = record_of(ring, turn.first + i);
          std::atomic_ref(*reinterpret_cast<uint32_t*>(ring.shared())) = i;
          known += record.context != 0;
          std::atomic_ref(record.context) = 5;
          if (record.flow.id != 4 || !hangs) continue;
          while (host.running()) std::this_thread::yield();
          CHECK_EQ(ask(host, ScriptCall::kill, i), static_cast<int>(BRICKS_ENOCTX));
          while (!over) std::this_thread::yield();
          break;
        }
        return Did{turn.count, false};
      },
      true, 1500, 1);
  CHECK(world.handle(0, 10) != 0);
  CHECK_EQ(world.at, 3u);
  CHECK(world.threads.why().find("1500 ms") != std::string::npos);
  CHECK_EQ(world.handle(4, 6), 0);  // nobody there: by the policy, dropped
  CHECK_EQ(Asked::calls.size(), 6u);
  hangs = false;
  over = true;
  while (!world.host->running()) std::this_thread::yield();
  CHECK_EQ(world.host->running(), 2u);
  CHECK_EQ(world.handle(0, 10), 0);
  CHECK_EQ(known.load(), 0u);  // what the first thread kept, the second does not have
  CHECK_EQ(world.handle(0, 10), 0);
  CHECK_EQ(known.load(), 10u);
  CHECK_EQ(Asked::figure(ScriptFigure::script_lost), 6);
  CHECK_EQ(Asked::figure(ScriptFigure::script_timeouts), 1);
  CHECK_EQ(Asked::figure(ScriptFigure::script_restarts), 1);
}

TEST(script_that_nobody_waits_for_is_heard_with_the_next_packet) {
  std::atomic<uint32_t> seen{0};
  World world(
      [&](ScriptHost& host, const ScriptTurn& turn, ScriptRing& ring) {
        for (uint32_t i = 0; i < turn.count; ++i) {
          const uint64_t id = record_of(ring, turn.first + i).flow.id;
          if (seen < 10 && id == 2) CHECK_EQ(ask(host, ScriptCall::set_output, i, 4, 0, id), 0);
          if (seen < 10 && id == 3) CHECK_EQ(ask(host, ScriptCall::drop, i, 0, 0, id), 0);
          if (seen < 10 && id == 5) CHECK_EQ(ask(host, ScriptCall::fail, i, 0, 0, id), 0);
          if (id == 6)
            CHECK_EQ(ask(host, ScriptCall::lock, i, 0, 0, id), static_cast<int>(BRICKS_ENOTSUP));
          ++seen;
        }
        return Did{turn.count, false};
      },
      false);
  CHECK_EQ(world.handle(0, 10), 0);
  while (seen < 10) std::this_thread::yield();
  CHECK(Asked::calls.empty());
  CHECK(world.handle(0, 10) != 0);
  CHECK_EQ(world.at, 4u);  // the session that failed before
  CHECK((Asked::calls == std::vector<std::string>{"output 2 4", "drop 3"}));
  CHECK_EQ(world.handle(5, 5), 0);
  while (seen < 19) std::this_thread::yield();
}

TEST(script_too_slow_for_its_events_loses_some_and_they_are_counted) {
  std::atomic<bool> waits{true};
  std::atomic<uint32_t> seen{0};
  World world(
      [&](ScriptHost&, const ScriptTurn& turn, ScriptRing&) {
        while (waits) std::this_thread::yield();
        seen += turn.count;
        return Did{turn.count, false};
      },
      false);
  for (int i = 0; i < 50; ++i) CHECK_EQ(world.handle(0, 200), 0);
  const int64_t lost = Asked::figure(ScriptFigure::script_lost);
  CHECK_EQ(lost, 10000 - static_cast<int64_t>(kScriptRecordsAsync));
  waits = false;
  while (seen < kScriptRecordsAsync) std::this_thread::yield();
}

TEST(script_ring_takes_no_number_on_trust) {
  const auto ring = ScriptRing::create(16, 4096);
  const bricks_flow flow{};
  bricks_session session{};
  session.flow = &flow;
  bricks_event event{};
  event.session = &session;
  event.type = BRICKS_EVENT_OPENING;
  ring->reset(1);
  CHECK_EQ(ring->post({&event, 1}, {}), 1u);
  ring->publish();
  CHECK_EQ(ring->take().count, 1u);
  *reinterpret_cast<uint32_t*>(ring->shared()) = UINT32_MAX;
  CHECK_EQ(ring->position(), 0u);
  ring->finish(77, false);  // of one
  uint32_t done = 0;
  bool failed = false;
  CHECK(ring->progress(&done, &failed));
  CHECK_EQ(done, 1u);
  // An answer to what has been taken back.
  CHECK_EQ(ring->post({&event, 1}, {}), 1u);
  ring->publish();
  CHECK_EQ(ring->take().count, 1u);
  ring->reset(2);
  ring->finish(1, false);
  CHECK(!ring->progress(&done, &failed));
}
