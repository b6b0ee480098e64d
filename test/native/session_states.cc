// The session manager's states and events, one case at a time.
#include "session_fixture.hh"

namespace bricks::sessions {

TEST(session_tcp_from_syn_to_fin) {
  World world;
  Connection c{world};
  CHECK_EQ(c.open(), "O0 P0 P1 A0 P0");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 100}), "P0");
  CHECK_EQ(c.from_server({5001, 1101, kTcpAck, 200}), "P1");
  CHECK_EQ(c.from_client({1101, 5201, kFa}), "P0");
  CHECK_EQ(c.from_server({5201, 1102, kFa}), "P1");
  CHECK_EQ(c.from_client({1102, 5202, kTcpAck}), "P0 C:fin");
  CHECK_EQ(c.from_client({1102, 5202, kTcpAck}), "");  // the last ACK again: no new session
  CHECK_EQ(show(world), "1 created 1 closed 0 live");
  CHECK_EQ(world.counts().late, uint64_t{1});
  CHECK_EQ(world.wait(20 * kSecond), "");
  CHECK_EQ(world.table->counts().live, uint64_t{0});
}

TEST(session_udp_is_active_with_its_answer) {
  World world;
  CHECK_EQ(world.push(udp_frame(kClient)), "O0 P0");
  CHECK_EQ(world.push(udp_frame(kClient)), "P0");
  CHECK_EQ(world.push(udp_frame(kClient.reversed())), "A1 P1");
  CHECK_EQ(world.push(udp_frame(kClient)), "P0");
  CHECK_EQ(world.wait(299 * kSecond), "");
  CHECK_EQ(world.wait(2 * kSecond), "C:t-active");
  CHECK_EQ(show(world), "1 created 1 closed 0 live");
}

TEST(session_udp_active_on_first) {
  SessionRules rules;
  rules.udp_active_on_first = true;
  World world(rules);
  CHECK_EQ(world.push(udp_frame(kClient)), "O0 A0 P0");
  CHECK_EQ(world.push(udp_frame(kClient.reversed())), "P1");
}

// The wheel turns without packets; a packet that comes too late says the same.
TEST(session_timeouts_by_protocol_and_state) {
  World world;
  world.push(udp_frame(kClient));
  CHECK_EQ(world.wait(31 * kSecond), "C:t-opening");
  world.push(udp_frame(kClient));
  world.now += 31 * kSecond;
  CHECK_EQ(world.push(udp_frame(kClient)), "C:t-opening O0 P0");
  Connection c{world, {3, 4, 1234, 80}};
  c.from_client({1000, 0, kTcpSyn});
  CHECK_EQ(world.wait(61 * kSecond), "C:t-opening C:t-opening");
  Connection d{world, {5, 6, 1234, 80}};
  d.open();
  CHECK_EQ(world.wait(590 * kSecond), "");
  d.from_client({1001, 5001, kFa});
  CHECK_EQ(world.wait(61 * kSecond), "C:t-closing");
  Connection e{world, {7, 8, 1234, 80}};
  e.open();
  CHECK_EQ(world.wait(601 * kSecond), "C:t-active");
  CHECK_EQ(show(world), "6 created 6 closed 0 live");
}

// A SYN in the middle of a live connection is answered with a challenge (RFC 5961): nothing ends.
TEST(session_syn_on_active_session_is_refused) {
  World world;
  Connection c{world};
  c.open();
  CHECK_EQ(c.from_client({77777, 0, kTcpSyn}), "P0");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 10}), "P0");
  CHECK_EQ(world.counts().tcp_refused, uint64_t{1});
  CHECK_EQ(show(world), "1 created 0 closed 1 live");
}

TEST(edge_case_16_syn_ack_first) {
  World world;
  Connection c{world};
  CHECK_EQ(c.from_server({5000, 1001, kSa}), "O1 P1");
  CHECK_EQ(c.from_client({1000, 0, kTcpSyn}), "P0");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck}), "A0 P0");
  CHECK_EQ(world.counts().created, uint64_t{1});
}

TEST(edge_case_17_simultaneous_open) {
  World world;
  Connection c{world};
  CHECK_EQ(c.from_client({1000, 0, kTcpSyn}), "O0 P0");
  CHECK_EQ(c.from_server({5000, 0, kTcpSyn}), "P1");
  CHECK_EQ(c.from_client({1000, 5001, kSa}), "P0");
  CHECK_EQ(c.from_server({5000, 1001, kSa}), "A1 P1");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 5}), "P0");
}

TEST(session_split_handshakes) {
  World world;
  Connection four{world};
  CHECK_EQ(four.from_client({1000, 0, kTcpSyn}), "O0 P0");
  CHECK_EQ(four.from_server({4000, 1001, kTcpAck}), "P1");
  CHECK_EQ(four.from_server({5000, 0, kTcpSyn}), "P1");
  CHECK_EQ(four.from_client({1000, 5001, kSa}), "A0 P0");
  CHECK_EQ(four.from_server({5001, 1001, kTcpAck}), "P1");
  Connection five{world, {3, 4, 1000, 2000}};
  CHECK_EQ(five.from_client({1000, 0, kTcpSyn}), "O0 P0");
  CHECK_EQ(five.from_server({5000, 0, kTcpSyn}), "P1");
  CHECK_EQ(five.from_client({1000, 5001, kSa}), "P0");
  CHECK_EQ(five.from_server({5001, 1001, kTcpAck}), "A1 P1");
}

TEST(session_midstream) {
  World off;
  Connection c{off};
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 10}), "");
  CHECK_EQ(off.counts().without, uint64_t{1});
  SessionRules rules;
  rules.midstream = true;
  World on(rules);
  Connection d{on};
  CHECK_EQ(d.from_client({1001, 5001, kTcpAck, 10}), "O0 P0");
  CHECK_EQ(d.from_server({5001, 1011, kTcpAck, 10}), "A1 P1");
  CHECK_EQ(d.from_server({5011, 1011, kFa}), "P1");
  CHECK_EQ(d.from_client({1011, 5012, kFa}), "P0");
  CHECK_EQ(d.from_server({5012, 1012, kTcpAck}), "P1 C:fin");
}

// RFC 5961: a reset must hit the next number that its receiver expects; a FIN counts when it is
// acknowledged.
TEST(session_forged_resets_and_fins) {
  World world;
  Connection c{world};
  c.open();
  CHECK_EQ(c.from_server({5001 + 100, 0, kTcpRst}), "P1");  // in window, not exact
  CHECK_EQ(c.from_server({900000, 0, kTcpRst}), "P1");      // out of it
  CHECK_EQ(c.from_client({1001 + 7, 0, kTcpRst}), "P0");
  CHECK_EQ(world.counts().tcp_refused, uint64_t{3});
  CHECK_EQ(c.from_server({900000, 1001, kFa}), "P1");  // out of window
  CHECK_EQ(world.counts().tcp_odd, uint64_t{1});
  CHECK_EQ(c.from_client({1001, 5001, kTcpSyn | kTcpFin}), "P0");
  CHECK_EQ(c.from_client({1001, 5001, 0}), "P0");
  CHECK_EQ(world.counts().tcp_odd, uint64_t{3});
  CHECK_EQ(show(world), "1 created 0 closed 1 live");
  CHECK_EQ(c.from_client({1001, 5001, kTcpAck, 50}), "P0");
  CHECK_EQ(c.from_client({1051, 0, kTcpRst}), "P0 C:rst");
}

TEST(session_window_scale_counts_when_both_have_it) {
  World world;
  Connection c{world};
  c.from_client({1000, 0, kTcpSyn, 0, 1000, 7});
  c.from_server({5000, 1001, kSa, 0, 1000, 7});
  c.from_client({1001, 5001, kTcpAck, 0, 1000});
  c.from_server({5001 + 100000, 1001, kTcpAck, 100, 1000});  // 128,000 are allowed
  CHECK_EQ(world.counts().tcp_odd, uint64_t{0});
  Connection d{world, {3, 4, 1000, 2000}};
  d.from_client({1000, 0, kTcpSyn, 0, 1000, 7});
  d.from_server({5000, 1001, kSa, 0, 1000});
  d.from_client({1001, 5001, kTcpAck, 0, 1000});
  d.from_server({5001 + 100000, 1001, kTcpAck, 100, 1000});
  CHECK_EQ(world.counts().tcp_odd, uint64_t{1});
}

// Edge case 15: time never goes back; what is counted is that it tried.
TEST(edge_case_15_clock_going_back) {
  World world;
  world.push(udp_frame(kClient));
  world.now -= 10 * kSecond;
  CHECK_EQ(world.push(udp_frame(kClient)), "P0");
  CHECK_EQ(world.counts().clock_back, uint64_t{1});
  world.now += 35 * kSecond;
  CHECK_EQ(world.push(udp_frame(kClient)), "P0");  // 25 s after the latest time there was
}

// Edge case 12: all are closed before the end, in bounded pieces.
TEST(edge_case_12_shutdown_of_a_hundred_thousand) {
  World world({}, 500000);
  for (uint32_t i = 0; i < 100000; ++i) {
    Ends ends{static_cast<uint8_t>(1 + i / 60000), 200, static_cast<uint16_t>(1 + i % 60000), 53};
    world.add(udp_frame(ends));
    if (world.waiting.size() == 200) world.run();
  }
  world.log.take();
  world.log.closings = 0;
  world.end(BRICKS_CLOSE_SHUTDOWN);
  CHECK_EQ(world.log.closings, uint64_t{100000});
  CHECK_EQ(show(world), "100000 created 100000 closed 0 live");
  CHECK_EQ(world.table->counts().live, uint64_t{0});
}

// Edge case 18: VLANs and tunnels' networks are namespaces where the rules say so; sessions of two
// Session bricks, as in two engines, always are their own.
TEST(edge_case_18_same_tuple_on_vlans_tunnels_and_bricks) {
  const auto tagged = [](uint16_t vlan) {
    const Bytes datagram = frames::udp(kClient.source_port, kClient.target_port, Bytes(4, 'u'));
    return frames::ethernet(
        kClient, 0x8100,
        frames::tag(vlan, 0x0800, frames::ip4(kClient, {.protocol = 17}, datagram)));
  };
  World one;
  CHECK_EQ(one.push(tagged(5)), "O0 P0");
  CHECK_EQ(one.push(tagged(6)), "P0");
  SessionRules rules;
  rules.tenant = true;
  World two(rules);
  CHECK_EQ(two.push(tagged(5)), "O0 P0");
  CHECK_EQ(two.push(tagged(6)), "O0 P0");
  const auto tunnelled = [](uint32_t vni) {
    const Ends gateways = {101, 102, 50000, 4789};
    const Bytes tunnel = frames::vxlan(vni, udp_frame(kClient));
    const Bytes outer = frames::udp(gateways.source_port, gateways.target_port, tunnel);
    return frames::ethernet(gateways, 0x0800,
                            frames::ip4(gateways, {.protocol = 17, .net = 99}, outer));
  };
  CHECK_EQ(one.push(tunnelled(7)), "P0");  // the same session still
  CHECK_EQ(two.push(tunnelled(7)), "O0 P0");
  CHECK_EQ(two.push(tunnelled(8)), "O0 P0");
  CHECK_EQ(two.push(tunnelled(7)), "P0");
  std::unique_ptr<SessionManager> other;
  CHECK(SessionManager::create("other", {}, *one.table, &other).ok());
  std::swap(one.manager, other);
  one.log.manager = one.manager.get();
  CHECK_EQ(one.push(udp_frame(kClient)), "O0 P0");
  one.end(BRICKS_CLOSE_SHUTDOWN);
  std::swap(one.manager, other);
  CHECK_EQ(one.push(udp_frame(kClient)), "P0");
  one.end(BRICKS_CLOSE_SHUTDOWN);
}

// Edge case 19: an ICMP error belongs to the session it quotes, and opens none.
TEST(edge_case_19_icmp_errors_associate) {
  const Bytes datagram = frames::udp(kClient.source_port, kClient.target_port, Bytes(4, 'u'));
  const Bytes quoted = frames::ip4(kClient, {.protocol = 17}, datagram);
  const Ends router = {9, kClient.source, 0, 0};
  const Bytes error = frames::ethernet(
      router, 0x0800, frames::ip4(router, {.protocol = 1}, frames::icmp(3, 3, quoted)));
  World world;
  CHECK_EQ(world.push(error), "");
  CHECK_EQ(world.push(udp_frame(kClient)), "O0 P0");
  CHECK_EQ(world.push(error), "P1");  // against what it quotes; no answer, though
  CHECK_EQ(world.counts().icmp_related, uint64_t{1});
  CHECK_EQ(show(world), "1 created 0 closed 1 live");
}

// Edge case 20: a fragment of offset 0 without more to come is a whole datagram (RFC 6946).
TEST(edge_case_20_atomic_fragments) {
  const auto six = [](const Bytes& data, bool fragment) {
    const Bytes inside = fragment ? frames::fragment6(17, 0, false, 7, data) : data;
    return frames::ethernet(
        kClient, 0x86dd,
        frames::ip6(kClient, {.protocol = fragment ? uint8_t{44} : uint8_t{17}}, inside));
  };
  const Bytes datagram = frames::udp(kClient.source_port, kClient.target_port, Bytes(4, 'u'));
  World world;
  CHECK_EQ(world.push(six(datagram, false)), "O0 P0");
  CHECK_EQ(world.push(six(datagram, true)), "P0");
}

TEST(session_kill_blocks_until_forgotten) {
  World world;
  world.push(udp_frame(kClient));
  world.log.kill = world.manager->session(world.manager->entry(0)).flow->id;
  CHECK_EQ(world.push(udp_frame(kClient)), "P0 C:kill");
  CHECK_EQ(world.push(udp_frame(kClient)), "");
  CHECK_EQ(world.manager->place(0), PacketPlace::blocked);
  world.now += 11 * kSecond;
  CHECK_EQ(world.push(udp_frame(kClient)), "O0 P0");
}

TEST(session_duplicate_packets) {
  SessionRules rules;
  rules.duplicates = Duplicates::drop;
  World world(rules);
  world.push(udp_frame(kClient, 4));
  CHECK_EQ(world.push(udp_frame(kClient, 4)), "");
  CHECK_EQ(world.manager->place(0), PacketPlace::duplicate);
  world.now += 3 * kSecond;  // longer ago than the window
  CHECK_EQ(world.push(udp_frame(kClient, 4)), "P0");
  CHECK_EQ(world.push(udp_frame(kClient, 5)), "P0");
  CHECK_EQ(world.push(udp_frame(kClient, 5)), "P0");  // only the first three are compared
  CHECK_EQ(world.counts().duplicates, uint64_t{1});
  rules.duplicates = Duplicates::mark;
  World marks(rules);
  marks.push(udp_frame(kClient, 4));
  CHECK_EQ(marks.manager->view(0).duplicate, 0);
  CHECK_EQ(marks.push(udp_frame(kClient, 4)), "P0");
  CHECK_EQ(marks.manager->view(0).duplicate, 1);
}

// A flood of SYNs has a share of the table; who is active does not notice.
TEST(session_flood_leaves_active_ones_alone) {
  World world({}, 1000);
  const auto number = [](uint32_t i) {
    return Ends{static_cast<uint8_t>(1 + i / 50000), 200, static_cast<uint16_t>(1 + i % 50000), 80};
  };
  for (uint32_t i = 0; i < 500; ++i) {
    world.add(udp_frame(number(i))).add(udp_frame(number(i).reversed()));
    world.run();
  }
  for (uint32_t i = 1000; i < 21000; ++i) {
    world.add(tcp_frame(number(i), {i, 0, kTcpSyn}));
    if (world.waiting.size() == 100) world.run();
  }
  CHECK_EQ(world.counts().opening, uint64_t{250});
  CHECK_EQ(world.counts().evicted, uint64_t{20000 - 250});
  CHECK_EQ(world.counts().create_failed + world.counts().emergencies, uint64_t{0});
  world.log.take();
  for (uint32_t i = 0; i < 500; ++i) world.push(udp_frame(number(i)));
  CHECK_EQ(world.counts().created, uint64_t{500 + 20000});
}

// The table is nearly full: time-outs become a sixth, until a good part of it is free again.
TEST(session_emergency_has_hysteresis) {
  World world({}, 200);
  const auto number = [](uint32_t i) { return Ends{1, 200, static_cast<uint16_t>(1 + i), 80}; };
  for (uint32_t i = 0; i < 195; ++i) {
    world.push(udp_frame(number(i)));
    world.push(udp_frame(number(i).reversed()));
  }
  CHECK_EQ(world.counts().emergencies, uint64_t{1});
  for (uint32_t i = 195; i < 210; ++i) world.push(udp_frame(number(i)));
  CHECK_EQ(world.counts().live, uint64_t{200});
  CHECK_EQ(world.counts().evicted, uint64_t{10});  // each of the last gave way to the next
  world.now += 51 * kSecond;                       // more than a sixth of 300
  for (uint32_t i = 0; i < 80; ++i) world.push(udp_frame(number(300)));
  CHECK(world.counts().timeouts_active >= 60);  // down to seventy percent of 200, at least
  CHECK_EQ(world.counts().emergency_ms, uint64_t{51000});
  world.push(udp_frame(number(300).reversed()));
  world.now += 60 * kSecond;
  CHECK_EQ(world.push(udp_frame(number(300))), "P0");  // as usual again
  CHECK_EQ(world.counts().emergencies, uint64_t{1});
}

}  // namespace bricks::sessions
