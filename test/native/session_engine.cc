// The Session brick in an engine, with a plugin: verdicts, ends, changes while it runs.
#include <algorithm>

#include "pcap_bytes.hh"
#include "session_fixture.hh"
#include "session_house.hh"

namespace bricks::sessions {

namespace {

using conformance::Frame, conformance::whole;

// session_probe does what the first bytes of payloads say.
struct Probed : Plugged {
  explicit Probed(Options options = {}, Options keys = {})
      : Plugged("session_probe", std::move(options), std::move(keys)) {}
};

}  // namespace

TEST(session_brick_gives_verdicts) {
  captures::Folder folder;
  const Ends one = {1, 2, 1000, 53}, two = {3, 4, 1000, 53}, three = {5, 6, 1000, 53};
  std::vector<Frame> frames;
  Nanos time = kStart;
  const auto say = [&](const Ends& ends, const std::string& text) {
    frames.push_back(whole(udp_saying(ends, text), time += 1000000));
  };
  say(one, "hello"), say(one, "Drop"), say(one, "hello");
  say(two, "hello"), say(two, "O1"), say(two, "hello"), say(two.reversed(), "hello");
  say(three, "Kill"), say(three, "hello"), say(three, "hello");
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  Probed probed;
  House house;
  const std::vector<std::string> out = {"pcap:" + folder.path("0.pcap"),
                                        "pcap:" + folder.path("1.pcap")};
  const EngineSnapshot now = run_to_the_end(house, session({in}, out, probed));
  const LedgerCell& cell = now.bricks[0].cell;
  CHECK_EQ(cell.dropped[static_cast<size_t>(Drop::plugin)], uint64_t{1});
  CHECK_EQ(cell.dropped[static_cast<size_t>(Drop::session_killed)], uint64_t{2});
  CHECK_EQ(now.outputs[0].cell.delivered, uint64_t{4});  // two of one's, two's first, the kill
  CHECK_EQ(now.outputs[1].cell.delivered, uint64_t{3});
  CHECK_EQ(figure(now, "created"), uint64_t{3});
  CHECK_EQ(figure(now, "closed"), uint64_t{3});
  CHECK_EQ(now.bricks[0].cell.held, uint64_t{0});
  CHECK_EQ(figure(now, "closed_other"), uint64_t{2});
  CHECK_EQ(figure(now, "killed"), uint64_t{1});
  CHECK_EQ(probed.count("closing"), int64_t{3});
  CHECK_EQ(probed.count("packets"), int64_t{8});
}

// Edge case 7: the first fragment says what becomes of the datagram, also of what came before it.
TEST(edge_case_07_drop_takes_all_fragments) {
  captures::Folder folder;
  std::vector<Frame> frames;
  Nanos time = kStart;
  for (uint16_t id = 1; id <= 2; ++id) {
    const std::string text(64, id == 1 ? 'D' : 'x');
    const Bytes datagram = frames::udp(1000, 53, Bytes(text.begin(), text.end()));
    const Bytes head(datagram.begin(), datagram.begin() + 24);
    const Bytes middle(datagram.begin() + 24, datagram.begin() + 48);
    const Bytes tail(datagram.begin() + 48, datagram.end());
    const auto add = [&](uint16_t at, bool more, const Bytes& part) {
      const frames::Ip ip = {.protocol = 17, .id = id, .at = at, .more = more};
      frames.push_back(
          whole(frames::ethernet(kClient, 0x0800, frames::ip4(kClient, ip, part)), time += 1000));
    };
    add(48, false, tail);  // before its first one
    add(0, true, head);
    add(24, true, middle);
  }
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  Probed probed;
  House house;
  const EngineSnapshot now = run_to_the_end(house, session({in}, {"null:"}, probed));
  CHECK_EQ(now.bricks[0].cell.dropped[static_cast<size_t>(Drop::plugin)], uint64_t{3});
  CHECK_EQ(now.outputs[0].cell.delivered, uint64_t{3});
  CHECK_EQ(figure(now, "created"), uint64_t{1});
}

// Options and the graph around it change; sessions stay, and end when the brick goes.
TEST(session_brick_changes_while_it_runs) {
  Probed probed;
  House house;
  const std::string in = "gen:60?flows=500";
  Options options;
  options["midstream"] = true;
  CHECK(house.engine->apply(session({in}, {"null:"}, probed, options)).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return figure(house.engine->snapshot(), "created") == 500; }, 60));
  options["udp_active"] = 100.0;
  options["opening_share"] = int64_t{30};
  CHECK(house.engine->apply(session({in}, {"null:", "null:2"}, probed, options)).ok());
  Options wrong = options;
  wrong["emergency_leave"] = int64_t{96};
  CHECK(house.engine->apply(session({in}, {"null:"}, probed, wrong)).code ==
        Code::invalid_argument);
  CHECK(probed.list->reload().ok());
  const int64_t before = probed.count("packets");
  CHECK(eventually([&] { return probed.count("packets") > before + 10000; }, 60));
  const EngineSnapshot now = house.engine->snapshot();
  CHECK_EQ(figure(now, "created"), uint64_t{500});
  CHECK_EQ(difference(now), 0);
  CHECK(probed.count("closing") < 100);  // what gen resets; nobody else
  CHECK(house.engine->apply({}).ok());
  CHECK_EQ(probed.count("closing"), int64_t{500});
  CHECK_EQ(difference(house.engine->snapshot()), 0);
}

// Those of one input end by the clock, although no packet of theirs comes any more.
TEST(session_time_outs_by_the_clock) {
  Probed probed;
  House house;
  Options options;
  options["midstream"] = true;
  options["udp_opening"] = options["tcp_opening"] = options["other_opening"] = 0.3;
  const Graph graph = session({"gen:60?flows=50&count=50"}, {"null:"}, probed, options);
  Graph live = graph;
  live.inlets.push_back({"gen:60?flows=1&seed=2", 0});  // live: it does not end
  CHECK(house.engine->apply(live).ok());
  CHECK(house.engine->start().ok());
  // One of the live input's, at most.
  CHECK(eventually(
      [&] {
        const EngineSnapshot now = house.engine->snapshot();
        return figure(now, "timeouts_opening") > 5 && figure(now, "live") <= 1;
      },
      60));
  CHECK_EQ(difference(house.engine->snapshot()), 0);
}

// Edge case 6: what a plugin drops its receiver does not have; sent again it is looked at again.
TEST(edge_case_06_dropped_segment_is_not_delivered) {
  captures::Folder folder;
  std::vector<Frame> frames;
  Nanos time = kStart;
  const auto send = [&](bool back, const Segment& segment, const std::string& text) {
    const Ends ends = back ? kClient.reversed() : kClient;
    Bytes bytes = tcp_frame(ends, segment);
    bytes.insert(bytes.end(), text.begin(), text.end());
    frames::put16(bytes, 16, static_cast<uint32_t>(bytes.size() - 14));
    frames.push_back(whole(bytes, time += 1000000));
  };
  send(false, {1000, 0, kTcpSyn}, "");
  send(true, {5000, 1001, kTcpSyn | kTcpAck}, "");
  send(false, {1001, 5001, kTcpAck}, "");
  send(false, {1001, 5001, kTcpAck}, "Drop me");
  send(false, {1001, 5001, kTcpAck}, "Drop me");  // again
  send(false, {1001, 5001, kTcpAck}, "instead");
  send(false, {1008, 5001, kTcpAck}, "more");
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  Probed probed;
  House house;
  const EngineSnapshot now = run_to_the_end(house, session({in}, {"null:"}, probed));
  CHECK_EQ(now.bricks[0].cell.dropped[static_cast<size_t>(Drop::plugin)], uint64_t{2});
  CHECK_EQ(probed.count("bytes"), int64_t{11});  // "instead" and "more"
  CHECK_EQ(probed.count("gaps"), int64_t{0});
  CHECK_EQ(figure(now, "streams_delivered"), uint64_t{11});
  CHECK_EQ(figure(now, "created"), uint64_t{1});
}

// An old duplicate (RFC 7323) is a packet, and no payload: its receiver discards it.
TEST(session_old_duplicate_is_no_payload) {
  captures::Folder folder;
  std::vector<Frame> frames;
  Nanos time = kStart;
  const auto send = [&](bool back, const Segment& segment) {
    frames.push_back(
        whole(tcp_frame(back ? kClient.reversed() : kClient, segment), time += 1000000));
  };
  send(false, {1000, 0, kTcpSyn, 0, 1000, -1, 100});
  send(true, {5000, 1001, kTcpSyn | kTcpAck, 0, 1000, -1, 7});
  send(false, {1001, 5001, kTcpAck, 0, 1000, -1, 101});
  send(false, {1001, 5001, kTcpAck, 10, 1000, -1, 102});
  send(false, {1011, 5001, kTcpAck, 30, 1000, -1, 60});  // of a connection before
  send(false, {1011, 5001, kTcpAck, 5, 1000, -1, 103});
  const std::string in = "pcap:" + folder.write("in.pcap", captures::pcap_file({}, frames));
  Probed probed;
  House house;
  const EngineSnapshot now = run_to_the_end(house, session({in}, {"null:"}, probed));
  CHECK_EQ(now.outputs[0].cell.delivered, uint64_t{6});
  CHECK_EQ(probed.count("packets"), int64_t{6});
  CHECK_EQ(probed.count("bytes"), int64_t{15});
  CHECK_EQ(figure(now, "streams_delivered"), uint64_t{15});
  CHECK_EQ(figure(now, "tcp_odd"), uint64_t{1});
}

// What explain says of a session, and of what has none.
TEST(session_explain) {
  Probed probed;
  House house;
  Options options;
  options["midstream"] = true;
  CHECK(house.engine->apply(session({"gen:60?flows=1"}, {"null:"}, probed, options)).ok());
  CHECK(house.engine->start().ok());
  CHECK(eventually([&] { return probed.count("packets") > 10; }, 60));
  FlowQuestion question;
  question.protocol = "udp";
  question.source = "192.0.2.1";
  question.target = "192.0.2.2";
  question.source_port = question.target_port = 9;
  std::vector<Explanation> answers;
  CHECK(house.engine->explain(question, &answers).ok());
  CHECK_EQ(answers.size(), size_t{1});
  CHECK_EQ(answers[0].steps.size(), size_t{1});
  CHECK(answers[0].steps[0].why.starts_with("it has no session here"));
}

}  // namespace bricks::sessions
