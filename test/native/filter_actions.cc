// What rules do with packets: every action, order, time-outs, counts, cuts that spare others.
#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/engine.hh"
#include "filter_fixture.hh"

namespace bricks {

namespace {

std::vector<Bytes> frames(uint32_t count, const Header& header = {}) {
  return std::vector<Bytes>(count, frame_of(header));
}

RuleInfo info_of(RuleList& list, uint32_t id) {
  for (const RuleInfo& info : list.list()) {
    if (std::get<int64_t>(info.fields.at("id")) == id) return info;
  }
  CHECK(!"no such rule");
  return {};
}

}  // namespace

TEST(filter_drops_and_passes_and_counts_under_the_rule) {
  LoneFilter filter;
  const uint32_t drop = filter.add({{"address", std::string("10.0.0.0/24")}});
  std::vector<Bytes> some = frames(10);
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 0u);
  CHECK_EQ(filter.dropped(Drop::filtered), 10u);
  // Of equal priority the older goes first; a higher one before both.
  filter.add({{"address", std::string("10.0.0.1")}, {"action", std::string("pass")}});
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 0u);
  const uint32_t pass = filter.add({{"address", std::string("10.0.0.1")},
                                    {"action", std::string("pass")},
                                    {"priority", int64_t{1}}});
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 10u);
  CHECK_EQ(info_of(*filter.list, drop).packets, 20u);
  CHECK_EQ(info_of(*filter.list, drop).dropped, 20u);
  CHECK_EQ(info_of(*filter.list, drop).bytes, 20 * some[0].size());
  CHECK_EQ(info_of(*filter.list, pass).packets, 10u);
  CHECK_EQ(info_of(*filter.list, pass).dropped, 0u);
  CHECK_EQ(filter.list->list().front().packets, 10u);  // first to match, first in the list
}

TEST(filter_rules_go_before_the_expression) {
  LoneFilter filter({{"expression", std::string("tcp")}});
  filter.add(
      {{"kind", std::string("flow")}, {"src_port", int64_t{53}}, {"action", std::string("pass")}});
  filter.add({{"kind", std::string("flow")}, {"src_port", int64_t{99}}});
  Header dns, tcp, blocked, udp;
  dns.protocol = udp.protocol = 17;
  dns.source_port = 53;
  blocked.source_port = 99;
  std::vector<Bytes> some = {frame_of(udp), frame_of(dns), frame_of(tcp), frame_of(blocked)};
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 2u);
  CHECK(filter.has(0, 1) && filter.has(0, 2));
  CHECK_EQ(filter.dropped(Drop::filtered), 2u);
}

TEST(filter_matches_what_sessions_speak) {
  LoneFilter filter({{"default", std::string("drop")}});
  filter.add({{"application", std::string("tls")}, {"action", std::string("pass")}});
  Header six;
  six.v6 = true;
  std::vector<Bytes> some = frames(3);
  some.push_back(frame_of(six));
  filter.push(some);  // no Session brick was here
  CHECK_EQ(filter.count_of(0), 0u);
  filter.batch->has_applications = true;
  const uint8_t speak[] = {BRICKS_PROTOCOL_TLS, BRICKS_PROTOCOL_DNS, BRICKS_PROTOCOL_UNKNOWN,
                           BRICKS_PROTOCOL_TLS};
  std::copy(speak, speak + 4, filter.batch->applications);
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 2u);
  CHECK(filter.has(0, 0) && filter.has(0, 3));
  // With an address, in one direction; and all that is not known.
  filter.add({{"kind", std::string("flow")},
              {"src", std::string("10.0.0.1")},
              {"application", std::string("dns")},
              {"action", std::string("pass")}});
  filter.push(some);
  CHECK(filter.has(0, 1) && filter.count_of(0) == 3);
  filter.add({{"application", std::string("unknown")}, {"action", std::string("pass")}});
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 4u);
  std::vector<uint32_t> ids;
  for (const char* wrong : {"smtp", "TLS"}) {
    CHECK_EQ(filter.list->add({{{"application", std::string(wrong)}}}, &ids).code,
             Code::invalid_argument);
  }
  CHECK_EQ(
      filter.list
          ->add({{{"application", std::string("tls")}, {"mac", std::string("02:00:00:00:00:01")}}},
                &ids)
          .code,
      Code::invalid_argument);
}

TEST(filter_copies_to_a_named_output) {
  LoneFilter filter({}, {"e{0", "e{1", "e{2"});
  filter.add(
      {{"kind", std::string("flow")}, {"dst_port", int64_t{80}}, {"copy_to", std::string("e{2")}});
  Header other;
  other.target_port = 81;
  std::vector<Bytes> some = {frame_of({}), frame_of(other), frame_of({})};
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 3u);
  CHECK_EQ(filter.count_of(1), 0u);
  CHECK_EQ(filter.count_of(2), 2u);
  CHECK_EQ(filter.cell.copies, 2u);
  std::vector<uint32_t> ids;
  const Status status =
      filter.list->add({{{"address", std::string("::1")}, {"copy_to", std::string("e{9")}}}, &ids);
  CHECK(status.code == Code::invalid_argument);
  CHECK(status.message.find("e{9") != std::string::npos);
  CHECK(status.message.find("e{0, e{1, e{2") != std::string::npos);
}

TEST(filter_samples_one_in_so_many) {
  LoneFilter filter;
  const uint32_t id = filter.add({{"address", std::string("10.0.0.1")}, {"sample", int64_t{7}}});
  std::vector<Bytes> some = frames(100);
  uint32_t passed = 0;
  for (int i = 0; i < 7; ++i) {
    filter.push(some);
    passed += filter.count_of(0);
  }
  CHECK_EQ(passed, 100u);
  CHECK_EQ(filter.dropped(Drop::filtered), 600u);
  CHECK_EQ(info_of(*filter.list, id).packets, 700u);
  CHECK_EQ(info_of(*filter.list, id).dropped, 600u);
}

TEST(filter_limits_to_a_rate) {
  LoneFilter filter;
  const uint32_t id =
      filter.add({{"address", std::string("10.0.0.1")}, {"packets_per_second", 100.0}});
  std::vector<Bytes> some = frames(100);
  uint64_t passed = 0, pushed = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto seconds = [&start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  // Who is away for longer than a tenth of a second misses what the bucket cannot hold.
  double last_begin = 0, last_end = 0, earned = 0;
  while (earned < 0.5) {
    // Its clock is looked at somewhere in between.
    const double begin = seconds();
    filter.push(some);
    const double end = seconds();
    earned += std::min({begin - last_begin, end - last_end, 0.1});
    last_begin = begin;
    last_end = end;
    passed += filter.count_of(0);
    pushed += some.size();
  }
  const double expected = 10 + seconds() * 100;  // a tenth of a second's worth at once
  std::printf("  %llu of %llu passed, %.1f expected\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(pushed), expected);
  CHECK(static_cast<double>(passed) <= expected + 1);
  CHECK(passed >= 50);  // as many as were earned
  CHECK_EQ(filter.dropped(Drop::rate_limited), pushed - passed);
  CHECK_EQ(filter.dropped(Drop::filtered), 0u);
  CHECK_EQ(info_of(*filter.list, id).dropped, pushed - passed);
}

TEST(filter_limits_bits) {
  LoneFilter filter;
  filter.add({{"address", std::string("10.0.0.1")}, {"bits_per_second", 1000.0}});
  std::vector<Bytes> some = frames(200);
  for (Bytes& frame : some) frame.resize(1000);
  const auto start = std::chrono::steady_clock::now();
  uint64_t passed = 0;
  for (int i = 0; i < 10; ++i) {
    filter.push(some);
    passed += filter.count_of(0);
  }
  // The largest frame's worth at once, then a bit a millisecond; its clock is some of those coarse.
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  CHECK(passed >= 65);
  CHECK(passed <= (65535 * 8 + static_cast<uint64_t>(took.count()) + 20) / 8000);
}

TEST(filter_rules_end_in_time) {
  LoneFilter filter;
  const auto add = [&filter](double timeout, int64_t priority) {
    return filter.add(
        {{"address", std::string("10.0.0.1")}, {"timeout", timeout}, {"priority", priority}});
  };
  const uint32_t id = add(1000, 0), other = add(1000, -1);
  CHECK(filter.list->change(id, {{"timeout", 2000.0}}).ok());
  const double left = info_of(*filter.list, id).seconds_left;
  CHECK(left > 1500 && left <= 2000);
  CHECK_EQ(filter.list->size(), 2u);
  add(0.1, 1);
  CHECK(eventually([&] { return filter.list->size() == 2; }));
  CHECK(filter.list->change(other, {{"timeout", 0.1}}).ok());
  CHECK(eventually([&] { return filter.list->size() == 1; }));
  std::vector<Bytes> some = frames(1);
  filter.push(some);
  CHECK_EQ(filter.count_of(0), 0u);
  CHECK(filter.list->change(id, {{"timeout", 0.1}}).ok());
  CHECK(eventually([&] {  // nobody lists: the packet path itself sees that the time is over
    filter.push(some);
    return filter.count_of(0) == 1;
  }));
  CHECK_EQ(filter.list->size(), 0u);
}

TEST(filter_slices_where_packets_leave_and_for_its_own_branch_only) {
  RunFolder folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  CHECK(PipeServer::open(folder.socket(), directory, &server).ok());
  std::shared_ptr<Engine> engine;
  CHECK(Engine::create("e", {}, &directory, &engine).ok());
  uint64_t number = 0;
  CHECK(open_rule_list(&number).ok());
  std::vector<uint32_t> ids;
  CHECK(find_rule_list(number)
            ->add({{{"kind", std::string("flow")}, {"slice", int64_t{40}}}}, &ids)
            .ok());
  // Duplicator: to e{0 as it is; through the Filter, and an expression that wants it whole, to e{1.
  Graph graph;
  graph.inlets = {{"gen:100?flows=9&count=500", 0}};
  graph.bricks.push_back({"d", "Duplicator", {}, 1, {{"e{1x", 1}, {"e{0", -1}}});
  graph.bricks.push_back(
      {"f", "Filter", {{"rules", static_cast<int64_t>(number)}}, 2, {{"e{1y", 2}}});
  graph.bricks.push_back(
      {"g", "Filter", {{"expression", std::string("greater 100")}}, 3, {{"e{1", -1}}});
  CHECK(engine->apply(graph).ok());
  struct Seen {
    uint32_t packets = 0, captured = 0, wire = 0;
  };
  const auto read = [&folder](const char* name) {
    bricks_options options{};
    options.run_dir = folder.path().c_str();
    options.timeout_ms = -1;
    bricks_consumer* consumer = nullptr;
    Seen seen;
    CHECK(bricks_attach(&consumer, name, &options, nullptr, 0) == BRICKS_OK);
    bricks_packet packet;
    while (true) {
      const bricks_result result = bricks_next(consumer, &packet);
      if (result == BRICKS_EMPTY) {
        bricks_wait(consumer, 20);
        continue;
      }
      if (result != BRICKS_OK) break;
      ++seen.packets;
      seen.captured += packet.captured;
      seen.wire += packet.wire_length;
    }
    bricks_detach(consumer);
    return seen;
  };
  Seen whole, sliced;
  std::thread one([&] { whole = read("e}0"); });
  std::thread two([&] { sliced = read("e}1"); });
  CHECK(engine->start().ok());
  one.join();
  two.join();
  CHECK_EQ(whole.packets, 500u);
  CHECK_EQ(whole.captured, 50000u);
  CHECK_EQ(whole.wire, 50000u);
  CHECK_EQ(sliced.packets, 500u);
  CHECK_EQ(sliced.captured, 20000u);
  CHECK_EQ(sliced.wire, 50000u);
  engine.reset();
  close_rule_list(number);
}

}  // namespace bricks
