// Sessions of the same ends one after the other: who comes back, from which side, and when.
#include "session_fixture.hh"

namespace bricks::sessions {

TEST(session_tuple_reuse_closes_and_opens_in_one_packet) {
  World world;
  Connection c{world};
  c.open();
  c.from_client({1001, 5001, kFa});
  c.from_server({5001, 1002, kFa});  // the last ACK is lost
  c.client = 90000;
  CHECK_EQ(c.from_client({90000, 0, kTcpSyn}), "C:reused O0 P0");
  CHECK_EQ(world.counts().reused_tuple, uint64_t{1});
  CHECK_EQ(c.from_server({7000, 90001, kSa}), "P1");
  CHECK_EQ(c.from_client({90001, 7001, kTcpAck}), "A0 P0");
}

TEST(session_after_reset_the_same_tuple_is_new) {
  World world;
  Connection c{world};
  c.open();
  CHECK_EQ(c.from_server({5001, 0, kTcpRst}), "P1 C:rst");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 10}), "");
  c.client = 50000;
  CHECK_EQ(c.open(), "O0 P0 P1 A0 P0");
}

TEST(session_refused_connection) {
  World world;
  Connection c{world};
  CHECK_EQ(c.from_client({1000, 0, kTcpSyn}), "O0 P0");
  CHECK_EQ(c.from_server({0, 1001, kTcpRst | kTcpAck}), "P1 C:rst");
  CHECK_EQ(c.from_server({0, 1001, kTcpRst | kTcpAck}), "");  // seen twice
  // The client tries again, with the number of before.
  CHECK_EQ(c.from_client({1000, 0, kTcpSyn}), "O0 P0");
  CHECK_EQ(c.from_server({5000, 1001, kSa}), "P1");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck}), "A0 P0");
  CHECK_EQ(c.from_server({5001, 1001, kTcpRst}), "P1 C:rst");
  CHECK_EQ(c.from_client({1000, 0, kTcpSyn}), "");  // that of a connection there was is late
}

// Edge case 21: one batch with all of it.
TEST(edge_case_21_batch_of_syn_data_and_reset) {
  World world;
  const Ends back = kClient.reversed();
  world.add(tcp_frame(kClient, {1000, 0, kTcpSyn}));
  world.add(tcp_frame(back, {5000, 1001, kSa}));
  world.add(tcp_frame(kClient, {1001, 5001, kTcpAck}));
  world.add(tcp_frame(kClient, {1001, 5001, kTcpAck, 10}));
  world.add(tcp_frame(back, {5001, 1011, kTcpRst}));
  world.add(tcp_frame(kClient, {1011, 5001, kTcpAck, 10}));
  world.add(tcp_frame(kClient, {80000, 0, kTcpSyn}));
  world.run();
  CHECK_EQ(world.log.take(), "O0 P0 P1 A0 P0 P0 P1 C:rst O0 P0");
  CHECK_EQ(show(world), "2 created 1 closed 1 live");
}

// Who was the server connects back, all in one batch: what was its side 1 is side 0 from there on.
TEST(session_begins_anew_from_its_other_side_in_one_batch) {
  World world;
  const Ends back = kClient.reversed();
  world.add(tcp_frame(kClient, {1000, 0, kTcpSyn}));
  world.add(tcp_frame(back, {0, 1001, kTcpRst | kTcpAck}));
  world.run();
  CHECK_EQ(world.log.take(), "O0 P0 P1 C:rst");
  for (int times = 0; times < 2; ++times) {  // and again
    const auto at = static_cast<uint32_t>(70000 * (times + 1));
    world.add(tcp_frame(back, {at, 0, kTcpSyn}));
    world.add(tcp_frame(kClient, {at, at + 1, kSa}));
    world.add(tcp_frame(back, {at + 1, at + 1, kTcpAck}));
    world.add(tcp_frame(back, {at + 1, at + 1, kTcpAck, 10}));
    world.add(tcp_frame(kClient, {at + 1, at + 11, kTcpRst}));
    world.add(tcp_frame(kClient, {at + 30000, 0, kTcpSyn}));
    world.add(tcp_frame(back, {at, at + 30001, kSa}));
    world.add(tcp_frame(kClient, {at + 30001, at + 1, kTcpAck}));
    world.add(tcp_frame(kClient, {at + 30001, at + 1, kTcpAck, 10}));
    world.add(tcp_frame(back, {at + 1, at + 30011, kTcpRst}));
  }
  world.run();
  const std::string talk = "O0 P0 P1 A0 P0 P0 P1 C:rst";
  CHECK_EQ(world.log.take(), talk + " " + talk + " " + talk + " " + talk);
  CHECK_EQ(show(world), "5 created 5 closed 0 live");
}

}  // namespace bricks::sessions
