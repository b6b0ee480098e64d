// LoadBalancer with memory: pins, placement, outputs that come, go, drain and are lost; packets by
// packet-bricks' hash; flows that others announce.
#include <algorithm>
#include <memory>

#include "balancer_fixture.hh"
#include "bricks/modulo_hash.hh"

namespace bricks {

using namespace balancing;

TEST(balancer_connection_that_begins_anew_takes_the_rest_of_its_batch_along) {
  World world;
  Options options;
  options["placement"] = std::string("least_loaded");
  CHECK(world.set({"a", "b"}, options).ok());
  const auto packet = [](uint8_t tcp_flags) {
    return ipv4(0x0a000001, 0x0a000002, 6, 1000, 80, "", tcp_flags);
  };
  const uint32_t before = world.push(packet(0x02));
  CHECK_EQ(world.push(packet(0x14)), before);  // reset: over, and still counted there
  Bytes frames[3] = {packet(0x10), packet(0x02), packet(0x10)};
  Batch& batch = *world.batch;
  batch.count = 3;
  for (uint32_t i = 0; i < 3; ++i) {
    const auto length = static_cast<uint32_t>(frames[i].size());
    batch.packets[i] = {frames[i].data(), length, 0, world.now, 0, 0, 0, 0};
  }
  decode(batch, process_hash_seed());
  for (size_t i = 0; i < 2; ++i) {
    Index* own = world.storage.data() + i * kBatchMax;
    world.lists[i] = {own, own, own};
  }
  const Index all[3] = {0, 1, 2};
  Outlets outlets(world.lists, world.cell);
  world.brick->push(batch, all, outlets);
  // The old connection's last packet where it was, the new one's together.
  CHECK_EQ(world.lists[before].count(), 1u);
  CHECK_EQ(world.lists[1 - before].count(), 2u);
}

TEST(balancer_failover_leaves_connections_that_begin_anew_with_survivors) {
  constexpr uint32_t kFlows = 2000;
  World world;
  Options options;
  options["on_loss"] = std::string("failover");
  CHECK(world.set(names(4), options).ok());
  std::vector<uint32_t> before(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) before[i] = world.flow(i, false, 0x02);
  world.brick->outlet_changed(0, OutletState::lost);
  uint32_t moved = 0, to_lost = 0;
  for (uint32_t round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < kFlows; ++i) {
      const uint32_t here = world.flow(i, false, 0x02);
      to_lost += here == 0;
      moved += before[i] != 0 && here != before[i];
      before[i] = here;
      moved += world.flow(i, false, 0x11) != here;
      moved += world.flow(i, true, 0x11) != here;
    }
  }
  CHECK_EQ(moved, 0u);
  CHECK_EQ(to_lost, 0u);
}

TEST(balancer_pinned_flows_of_surviving_outputs_never_move) {
  constexpr uint32_t kFlows = 20000;
  World world;
  CHECK(world.set(names(8)).ok());
  std::vector<uint32_t> before(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) before[i] = world.flow(i);
  for (uint32_t i = 0; i < kFlows; ++i) CHECK_EQ(world.flow(i, true), before[i]);
  CHECK(world.set(names(9)).ok());
  uint32_t moved = 0;
  for (uint32_t i = 0; i < kFlows; ++i) moved += world.flow(i, i & 1) != before[i];
  CHECK_EQ(moved, 0u);
  auto fewer = names(9);
  fewer.erase(fewer.begin() + 3);
  CHECK(world.set(fewer).ok());
  for (uint32_t i = 0; i < kFlows; ++i) {
    const uint32_t now_at = world.flow(i);
    if (before[i] == 3) continue;
    moved += now_at != before[i] - (before[i] > 3);
  }
  CHECK_EQ(moved, 0u);
  CHECK(world.figure("moved") > kFlows / 10);
  CHECK_EQ(world.figure("sessions"), uint64_t{kFlows});
}

TEST(balancer_stateless_flows_move_no_more_than_they_must) {
  constexpr uint32_t kFlows = 20000;
  Options options;
  options["pin"] = false;
  World eight, nine;
  CHECK(eight.set(names(8), options).ok() && nine.set(names(9), options).ok());
  uint32_t moved = 0;
  for (uint32_t i = 0; i < kFlows; ++i) moved += eight.flow(i) != nine.flow(i);
  std::printf("  consistent: %.1f %% moved from 8 to 9\n", moved * 100.0 / kFlows);
  CHECK(moved < kFlows * 0.126);
}

TEST(balancer_full_table_goes_by_the_hash) {
  World world(100), free;
  Options options;
  options["pin"] = false;
  CHECK(world.set(names(5)).ok() && free.set(names(5), options).ok());
  for (uint32_t i = 0; i < 100; ++i) {
    world.flow(i);
    world.flow(i, true);
  }
  for (uint32_t i = 100; i < 600; ++i) CHECK_EQ(world.flow(i), free.flow(i));
  CHECK_EQ(world.figure("unpinned"), uint64_t{500});
  CHECK_EQ(world.figure("sessions"), uint64_t{100});
}

TEST(balancer_least_loaded_counts_live_sessions) {
  World world;
  Options options;
  options["placement"] = std::string("least_loaded");
  options["weights"] = std::vector<double>{1, 2, 1};
  CHECK(world.set(names(3), options).ok());
  uint32_t shares[3] = {};
  for (uint32_t i = 0; i < 4000; ++i) ++shares[world.flow(i)];
  CHECK_EQ(shares[0], 1000u);
  CHECK_EQ(shares[1], 2000u);
  world.table->tick(world.now += 31000000000, UINT32_MAX);  // seen one way: 30 s
  CHECK_EQ(world.figure("sessions"), uint64_t{0});
  world.flow(1);
  CHECK_EQ(world.figure("sessions"), uint64_t{1});
}

TEST(balancer_failover_and_back) {
  constexpr uint32_t kFlows = 2000;
  World world;
  Options options;
  options["on_loss"] = std::string("failover");
  CHECK(world.set(names(4), options).ok());
  std::vector<uint32_t> first(kFlows), second(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) first[i] = world.flow(i);
  world.brick->outlet_changed(2, OutletState::lost);
  for (uint32_t i = 0; i < kFlows; ++i) {
    second[i] = world.flow(i);
    CHECK(second[i] != 2 && (first[i] == 2 || second[i] == first[i]));
  }
  world.brick->outlet_changed(2, OutletState::ready);
  for (uint32_t i = 0; i < kFlows; ++i) CHECK_EQ(world.flow(i), second[i]);
  uint32_t back = 0;
  for (uint32_t i = kFlows; i < 2 * kFlows; ++i) back += world.flow(i) == 2;
  CHECK(back > kFlows / 5);
  for (uint32_t i = 0; i < 4; ++i) world.brick->outlet_changed(i, OutletState::lost);
  for (uint32_t i = 0; i < kFlows; ++i) CHECK_EQ(world.flow(i), second[i]);
}

TEST(balancer_drains_and_keeps_pins_when_options_change) {
  constexpr uint32_t kFlows = 2000;
  World world;
  CHECK(world.set(names(4)).ok());
  std::vector<uint32_t> first(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) first[i] = world.flow(i);
  Options options;
  options["drain"] = std::vector<std::string>{"eth0{1"};
  CHECK(world.set(names(4), options).ok());
  uint64_t left = 0;
  for (uint32_t i = 0; i < kFlows; ++i) {
    CHECK_EQ(world.flow(i), first[i]);
    left += first[i] == 1;
  }
  CHECK_EQ(world.figure("draining"), left);
  for (uint32_t i = kFlows; i < 2 * kFlows; ++i) CHECK(world.flow(i) != 1);
  const uint32_t closed =
      static_cast<uint32_t>(std::find(first.begin(), first.end(), 1u) - first.begin());
  world.flow(closed, true, 0x14);               // RST
  CHECK(world.flow(closed, false, 0x02) != 1);  // the same ports again: a new flow
  CHECK_EQ(world.figure("draining"), left - 1);
  options["drain"] = std::vector<std::string>{"eth0{9"};
  CHECK_EQ(world.set(names(4), options).code, Code::invalid_argument);
  options["drain"] = names(4);
  CHECK_EQ(world.set(names(4), options).code, Code::invalid_argument);
}

TEST(balancer_takes_flows_to_the_output_of_what_they_speak) {
  constexpr uint32_t kFlows = 500;
  World world;
  Options options;
  options["applications"] = std::vector<std::string>{"tls=eth0{2", "dns=eth0{1"};
  CHECK(world.set(names(4), options).ok());
  std::vector<uint32_t> first(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) first[i] = world.flow(i);
  // From the packet on that shows it, both ways, and for good.
  const auto speak = [&](uint8_t protocol) {
    world.batch->has_applications = true;
    world.batch->applications[0] = protocol;
  };
  speak(BRICKS_PROTOCOL_TLS);
  for (uint32_t i = 0; i < kFlows; i += 2) CHECK_EQ(world.flow(i), 2u);
  speak(BRICKS_PROTOCOL_UNKNOWN);
  for (uint32_t i = 0; i < kFlows; ++i) CHECK_EQ(world.flow(i, true), i % 2 ? first[i] : 2u);
  world.batch->has_applications = false;
  for (uint32_t i = 0; i < kFlows; ++i) CHECK_EQ(world.flow(i), i % 2 ? first[i] : 2u);
  uint64_t elsewhere = 0;
  for (uint32_t i = 0; i < kFlows; i += 2) elsewhere += first[i] != 2;
  CHECK_EQ(world.figure("steered"), elsewhere);
  // One that no output is named for, and one that a plugin has made up.
  speak(BRICKS_PROTOCOL_SSH);
  for (uint32_t i = 1; i < kFlows; i += 2) CHECK_EQ(world.flow(i), first[i]);
  speak(255);
  for (uint32_t i = 1; i < kFlows; i += 2) CHECK_EQ(world.flow(i), first[i]);
  // A flow that begins with it.
  speak(BRICKS_PROTOCOL_DNS);
  for (uint32_t i = kFlows; i < 2 * kFlows; ++i) CHECK_EQ(world.flow(i), 1u);
}

TEST(balancer_lost_output_of_an_application_gets_nothing) {
  World world;
  Options options;
  options["applications"] = std::vector<std::string>{"tls=eth0{2"};
  options["on_loss"] = std::string("failover");
  CHECK(world.set(names(4), options).ok());
  world.batch->has_applications = true;
  world.batch->applications[0] = BRICKS_PROTOCOL_TLS;
  CHECK_EQ(world.flow(1), 2u);
  world.brick->outlet_changed(2, OutletState::lost);
  const uint32_t other = world.flow(1);
  CHECK(other != 2u);
  CHECK_EQ(world.flow(1), other);
  world.brick->outlet_changed(2, OutletState::ready);
  CHECK_EQ(world.flow(1), 2u);
}

TEST(balancer_refuses_applications_by_name) {
  World world;
  const auto code = [&](std::vector<std::string> applications, bool pin = true) {
    Options options;
    options["applications"] = std::move(applications);
    options["pin"] = pin;
    return world.set(names(4), options).code;
  };
  CHECK_EQ(code({"tls=eth0{2"}), Code::ok);
  CHECK_EQ(code({"tls=eth0{2"}, false), Code::invalid_argument);
  CHECK_EQ(code({"tls=eth0{7"}), Code::invalid_argument);
  CHECK_EQ(code({"smtp=eth0{2"}), Code::invalid_argument);
  CHECK_EQ(code({"unknown=eth0{2"}), Code::invalid_argument);
  CHECK_EQ(code({"tls"}), Code::invalid_argument);
  CHECK_EQ(code({"tls=eth0{2", "tls=eth0{1"}), Code::invalid_argument);
  // A flow of several sessions, which speak different things.
  for (const auto& [name, value] :
       {std::pair<const char*, OptionValue>{"tuple", int64_t{2}}, {"key", std::string("outer")}}) {
    Options options;
    options["applications"] = std::vector<std::string>{"tls=eth0{2"};
    options[name] = value;
    CHECK_EQ(world.set(names(4), options).code, Code::invalid_argument);
  }
}

TEST(balancer_explains) {
  World world;
  CHECK(world.set(names(4)).ok());
  Bytes frame = ipv4(0x0a000001, 0xc0a80001, 6, 1025, 443);
  const Decision before = world.brick->explain(world.decoded(frame), 0, 4);
  CHECK(before.why.find("new flow: hash bucket") == 0);
  CHECK_EQ(world.push(frame), before.outlets[0]);
  const Decision after = world.brick->explain(world.decoded(frame), 0, 4);
  CHECK_EQ(after.outlets[0], before.outlets[0]);
  CHECK(after.why.find("pinned for") == 0);
}

TEST(balancer_modulo_is_that_of_packet_bricks) {
  struct Vector {
    Bytes frame;
    uint32_t two, four;
  };
  const uint32_t a = 0x0a000001, b = 0x0a000002;
  Bytes fragment = ipv4(a, b, 17, 0xdead, 0xbeef);
  fragment[20] = 0x00, fragment[21] = 0x10;
  Bytes icmp = ipv4(a, b, 17, 1, 2);
  icmp[23] = 1;
  Bytes inner = ipv4(a, b, 6, 1000, 80), outer = ipv4(0x01010101, 0x02020202, 17, 1, 2);
  outer.resize(34);
  outer[23] = 4;
  Bytes six_in_four = outer;
  six_in_four[23] = 41;
  six_in_four.resize(80);
  outer.insert(outer.end(), inner.begin() + 14, inner.end());
  Bytes vlan = inner;
  const uint8_t tag[] = {0x81, 0, 0, 100};
  vlan.insert(vlan.begin() + 12, tag, tag + 4);
  Bytes qinq = vlan;
  qinq.insert(qinq.begin() + 12, tag, tag + 4);
  Bytes arp = inner;
  arp[12] = 8, arp[13] = 6;
  Bytes v6(74, 0);
  std::copy_n(inner.begin(), 12, v6.begin());
  const uint8_t doc[] = {0x20, 0x01, 0x0d, 0xb8}, google[] = {0x26, 0x07, 0xf8, 0xb0};
  v6[12] = 0x86, v6[13] = 0xdd, v6[14] = 0x60, v6[20] = 6, v6[37] = 1, v6[53] = 2;
  std::copy_n(doc, 4, v6.begin() + 22);
  std::copy_n(doc, 4, v6.begin() + 38);
  Bytes far = v6;
  std::copy_n(google, 4, far.begin() + 38);
  const Vector vectors[] = {
      {inner, 0xca85ca85, 0xb645b645},
      {ipv4(b, a, 6, 80, 1000), 0xca85ca85, 0xb645b645},
      {ipv4(a, b, 17, 1000, 80), 0xca85ca85, 0xb645b645},
      {icmp, 0xca85ca85, 0xca85ca85},
      {fragment, 0xca85ca85, 0x86718671},
      {outer, 0x36a836a8, 0xb645b645},
      {six_in_four, 0x36a836a8, 0x36a836a8},
      {v6, 0x36a836a8, 0x36a836a8},
      {far, 0x022c022c, 0x022c022c},
      {vlan, 0xca85ca85, 0xb645b645},
      {qinq, 0x1b541b54, 0x1b541b54},
      {arp, 0x1b541b54, 0x1b541b54},
  };
  for (Vector vector : vectors) {
    Packet packet{};
    packet.data = vector.frame.data();
    packet.length = static_cast<uint32_t>(vector.frame.size());
    for (const uint32_t level : {1u, 2u}) {
      CHECK_EQ(modulo_hash(packet, LinkType::ethernet, true, level), vector.two);
      CHECK_EQ(modulo_hash(packet, LinkType::ethernet, false, level), vector.four);
    }
    for (packet.length = 0; packet.length < vector.frame.size(); ++packet.length) {
      Bytes exact(vector.frame.begin(), vector.frame.begin() + packet.length);
      packet.data = exact.data();
      modulo_hash(packet, LinkType::ethernet, false, 1);  // a sanitizer watches
    }
  }
}

TEST(balancer_related_flows_follow_who_announced_them) {
  const uint32_t client = 0x0a000005, server = 0xc0a80009;
  uint32_t together = 0, apart = 0;
  for (uint16_t i = 0; i < 64; ++i) {
    World world;
    CHECK(world.set(names(7)).ok());
    const auto port = static_cast<uint16_t>(40000 + i);
    const uint32_t ftp = world.push(ipv4(client, server, 6, port, 21, "EPSV\r\n"));
    world.push(ipv4(server, client, 6, 21, port, "229 Entering (|||50123|)\r\n"));
    together += world.push(ipv4(client, server, 6, static_cast<uint16_t>(port + 1), 50123)) == ftp;
    const std::string active = "PORT 10,0,0,5,200,10\r\n";
    world.push(ipv4(client, server, 6, port, 21, active));
    together += world.push(ipv4(server, client, 6, 20, 200 * 256 + 10)) == ftp;
    const std::string sdp =
        "INVITE sip:a SIP/2.0\r\n\r\nv=0\r\nc=IN IP4 10.9.9.9\r\nm=audio 7000 RTP/AVP 0\r\n";
    const uint32_t sip = world.push(ipv4(client, server, 17, 5060, 5060, sdp));
    together += world.push(ipv4(0x08080808, 0x0a090909, 17, 9000, 7000)) == sip;
    together += world.push(ipv4(0x0a090909, 0x08080808, 17, 7001, 9001)) == sip;
    const uint32_t tftp =
        world.push(ipv4(client, server, 17, port, 69, std::string("\0\1a\0octet", 9)));
    together += world.push(ipv4(server, client, 17, 33333, port)) == tftp;
    const std::string setup =
        "SETUP rtsp://s RTSP/1.0\r\nTransport: RTP/AVP;client_port=6000-6001\r\n\r\n";
    const uint32_t rtsp = world.push(ipv4(client, server, 6, port, 554, setup));
    together += world.push(ipv4(server, client, 17, 6970, 6000)) == rtsp;
    CHECK_EQ(world.figure("related"), uint64_t{6});
    apart += world.push(ipv4(server, client, 6, 20, 200 * 256 + 11)) != ftp;
  }
  CHECK_EQ(together, 64u * 6);
  CHECK(apart > 40);  // who was not announced goes by the hash
}

TEST(balancer_announcements_of_any_bytes) {
  const std::string parts[] = {
      "PORT ", "1,2,3,4,5,6", "EPRT ",     "|",          "229 ",         "(",        "227 ",
      "\r\n",  "c=IN IP4 ",   "c=IN IP6 ", "1.2.3.4",    "::1",          "m=audio ", "99999999999",
      "7000",  " RTP/AVP",    "a=rtcp:",   "Transport:", "client_port=", "-",        ""};
  Random random{4242};
  std::printf("  seed 4242\n");
  for (int run = 0; run < 200000; ++run) {
    std::string text;
    for (uint32_t i = random.below(12); i > 0; --i) {
      text += parts[random.below(sizeof parts / sizeof parts[0])];
      if (random.below(8) == 0) text += static_cast<char>(random.next());
    }
    const Bytes exact(text.begin(), text.end());
    Announced to[kAnnouncedMax];
    CHECK(read_ftp(exact, to) <= kAnnouncedMax);
    CHECK(read_sdp(exact, run & 1 ? 4 : 6, to) <= kAnnouncedMax);
    CHECK(read_rtsp(exact, run & 1, to) <= kAnnouncedMax);
    CHECK(read_tftp(exact, 7, to) <= 1);
  }
}

}  // namespace bricks
