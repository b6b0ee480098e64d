// TCP timestamps (RFC 7323) in sessions: old duplicates.
#include "session_fixture.hh"

namespace bricks::sessions {

namespace {

// Protection against wrapped sequence numbers (RFC 7323, 5): what comes with an older timestamp
// than its receiver has had is an old duplicate, whatever its numbers say.
void check_old_timestamps(uint32_t base, uint8_t flags) {
  World world;
  Connection c{world};
  uint64_t odd = 0;
  const auto stamp = [&](int32_t by) { return int64_t{base + static_cast<uint32_t>(by)}; };
  const auto say = [&](uint32_t seq, int32_t by, bool is_old) {
    CHECK_EQ(c.from_client({seq, 5001, flags, 10, 1000, -1, stamp(by)}), "P0");
    CHECK_EQ(world.manager->view(0).stale, is_old);
    CHECK_EQ(world.counts().tcp_odd, odd += is_old);
  };
  c.from_client({1000, 0, kTcpSyn, 0, 1000, -1, stamp(0)});
  c.from_server({5000, 1001, kSa, 0, 1000, -1, 77});
  c.from_client({1001, 5001, kTcpAck, 0, 1000, -1, stamp(1)});
  say(1001, 2, false);
  say(1011, 1, true);
  say(1011, 2, false);
  c.from_server({5001, 1021, kTcpAck, 0, 1000, -1, 78});
  for (uint32_t i = 0; i < 4; ++i) say(1021, 10 + static_cast<int32_t>(i), false);  // again
  say(1021, 3, true);
  say(1051, 40, false);  // a segment before it is missing: its stamp is not the latest, then
  say(1031, 20, false);
  c.from_server({5001, 1061, kTcpAck, 0, 1000, -1, 79});
  say(1061, 12, true);
  say(1061, 13, false);
  // The other end's are its own; without one nothing can be said.
  CHECK_EQ(c.from_server({5001, 1071, kTcpAck, 0, 1000, -1, 50}), "P1");
  CHECK_EQ(world.manager->view(0).stale, 1);
  CHECK_EQ(c.from_client({1071, 5001, kTcpAck, 10}), "P0");
  CHECK_EQ(world.manager->view(0).stale, 0);
  CHECK_EQ(c.from_client({1081, 5001, kTcpRst, 0, 0, -1, stamp(1)}), "P0 C:rst");
}

}  // namespace

TEST(session_old_timestamps_are_not_believed) {
  for (const uint32_t base : {1000u, 4294967280u}) {  // stamps wrap, too
    check_old_timestamps(base, kTcpAck);
    check_old_timestamps(base, kTcpAck | kTcpUrgent);  // not the usual segment
  }
}

// They count where both SYNs had one, and their receiver has been seen.
TEST(session_timestamps_count_when_both_have_them) {
  World world;
  Connection c{world};
  c.from_client({1000, 0, kTcpSyn, 0, 1000, -1, 100});
  c.from_server({5000, 1001, kSa});
  c.from_client({1001, 5001, kTcpAck, 10, 1000, -1, 102});
  c.from_client({1011, 5001, kTcpAck, 10, 1000, -1, 90});
  CHECK_EQ(world.manager->view(0).stale, 0);
  SessionRules rules;
  rules.midstream = true;
  World late(rules);
  Connection d{late};
  for (const int64_t stamp : {100, 90}) d.from_client({1001, 5001, kTcpAck, 10, 1000, -1, stamp});
  for (const int64_t stamp : {100, 90}) d.from_server({5001, 1011, kTcpAck, 10, 1000, -1, stamp});
  CHECK_EQ(late.counts().tcp_odd, uint64_t{0});
}

}  // namespace bricks::sessions
