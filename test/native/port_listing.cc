// What ports.sock says can be read, and copies of links that programs ask it for.
#include <grp.h>

#include <cstdlib>
#include <map>

#include "abi/bricks_list.h"
#include "check.hh"
#include "engine/runtime.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

constexpr uid_t kZeek = 54321;

// The runtime there is one of in a process, with an engine: gen: to a Duplicator, whose outputs are
// a pipe, a locked pipe of zeek's, and a Filter that counts what it lets pass.
struct Hall {
  RunFolder folder;
  Runtime& runtime = Runtime::instance();
  char why[512] = "";
  bricks_options options{};

  Hall() {
    options.run_dir = folder.path().c_str();
    CHECK(runtime.open_ports(folder.path()).ok());
    CHECK(runtime.create_engine("hall", {}).ok());
    Graph graph;
    graph.inlets = {{"gen:60?count=1000&flows=8", 0}};
    graph.bricks = {{"d",
                     "Duplicator",
                     {},
                     1,
                     {{"all{0", -1}, {"zeek{0?user=54321&filter=udp", -1}, {"mid{0", 1}}},
                    {"f", "Filter", {{"expression", std::string("tcp")}}, 2, {{"null:", -1}}}};
    const Status status = runtime.apply("hall", graph);
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    CHECK(status.ok());
  }
  ~Hall() {
    CHECK(runtime.delete_engine("hall").ok());
    runtime.close_ports();
  }
  std::map<std::string, bricks_listed> list(bricks_result* result) {
    bricks_listed* rows = nullptr;
    uint32_t count = 0;
    *result = bricks_list(&rows, &count, &options, why, sizeof why);
    std::map<std::string, bricks_listed> made;
    for (uint32_t i = 0; i < count; ++i) made[rows[i].name] = rows[i];
    std::free(rows);
    return made;
  }
  bricks_consumer* tap(const std::string& link, const char* filter = nullptr) {
    bricks_consumer* consumer = nullptr;
    const bricks_tap_options wish = {filter, 0};
    bricks_tap(&consumer, link.c_str(), &wish, &options, why, sizeof why);
    return consumer;
  }
  static uint32_t drain(bricks_consumer* consumer) {
    bricks_packet packet;
    uint32_t packets = 0;
    for (;;) {
      const bricks_result result = bricks_next(consumer, &packet);
      if (result == BRICKS_OK) {
        ++packets;
      } else if (result != BRICKS_EMPTY || bricks_wait(consumer, 20000) != BRICKS_OK) {
        bricks_detach(consumer);
        return packets;
      }
    }
  }
  // What a process of zeek's sees: the exit code of `act`.
  int as_zeek(const std::function<int()>& act) {
    Child child([&] {
      if (setgroups(0, nullptr) != 0 || setgid(kZeek) != 0 || setuid(kZeek) != 0) return 99;
      return act();
    });
    return child.wait();
  }
};

}  // namespace

TEST(port_listing_names_pipes_inputs_and_links) {
  Hall hall;
  bricks_result result;
  auto rows = hall.list(&result);
  CHECK_EQ(result, BRICKS_OK);
  CHECK_EQ(rows.size(), 5u);
  CHECK_EQ(rows["all}0"].kind, uint32_t{BRICKS_LISTED_PIPE});
  CHECK_EQ(rows["all}0"].flags, uint32_t{BRICKS_LISTED_TAKE | BRICKS_LISTED_TAP});
  CHECK_EQ(rows["all}0"].link_type, 1u);
  CHECK_EQ(std::string(rows["all}0"].sentence),
           "from Duplicator d, in engine hall, nobody reads it");
  CHECK_EQ(rows["mid{0"].kind, uint32_t{BRICKS_LISTED_LINK});
  CHECK_EQ(std::string(rows["mid{0"].sentence), "from Duplicator d to Filter f, in engine hall");
  CHECK_EQ(rows["null:"].kind, uint32_t{BRICKS_LISTED_OUTPUT});
  CHECK_EQ(rows["gen:60?count=1000&flows=8"].kind, uint32_t{BRICKS_LISTED_INPUT});
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(bricks_attach(&consumer, "all}0", &hall.options, nullptr, 0), BRICKS_OK);
  rows = hall.list(&result);
  CHECK_EQ(rows["all}0"].holder, getpid());
  CHECK_EQ(rows["all}0"].flags, uint32_t{BRICKS_LISTED_TAP});
  CHECK(std::strstr(rows["all}0"].sentence, "read by core_test (") != nullptr);
  bricks_detach(consumer);
}

TEST(port_listing_taps_links_with_filters) {
  Hall hall;
  bricks_consumer* input = hall.tap("gen:60?count=1000&flows=8");
  bricks_consumer* middle = hall.tap("mid{0", "udp");
  bricks_consumer* other = hall.tap("mid}0", "not udp");
  bricks_consumer* pipe = hall.tap("all}0");
  bricks_consumer* locked = hall.tap("zeek}0", "not udp");
  CHECK(input && middle && other && pipe && locked);
  CHECK(hall.tap("nowhere{0") == nullptr);
  CHECK(std::strstr(hall.why, "no link 'nowhere{0'") != nullptr);
  CHECK(hall.tap("mid{0", "tcp prt 1") == nullptr);
  CHECK(std::strstr(hall.why, "tap of mid{0") != nullptr);
  bricks_result result;
  CHECK_EQ(hall.list(&result).size(), 5u);  // taps are no pipes to be listed
  CHECK(hall.runtime.start("hall").ok());
  CHECK_EQ(Hall::drain(input), 1000u);
  const uint32_t udp = Hall::drain(middle);
  CHECK_EQ(udp + Hall::drain(other), 1000u);
  CHECK_EQ(Hall::drain(pipe), 1000u);
  CHECK_EQ(Hall::drain(locked), 0u);  // what the lock keeps out, no tap of that pipe sees
  CHECK(eventually([&] { return hall.runtime.snapshot()[0].taps.empty(); }));
}

TEST(port_listing_shows_other_users_what_they_may_read) {
  if (geteuid() != 0) SKIP("to act as another user takes root");
  Hall hall;
  const int listed = hall.as_zeek([&] {
    bricks_result result;
    const auto rows = hall.list(&result);
    if (result != BRICKS_OK) return static_cast<int>(result);
    return rows.size() == 1 && rows.contains("zeek}0") ? 0 : 90;
  });
  CHECK_EQ(listed, 0);
  CHECK_EQ(hall.as_zeek([&] { return hall.tap("zeek}0") ? 0 : 1; }), 0);
  const auto refused = [&](const std::string& link) {
    return hall.as_zeek(
        [&] { return !hall.tap(link) && std::strstr(hall.why, "only root and") ? 0 : 1; });
  };
  CHECK_EQ(refused("mid{0"), 0);
  CHECK_EQ(refused("gen:60?count=1000&flows=8"), 0);
  CHECK_EQ(hall.as_zeek([&] { return !hall.tap("all}0") ? 0 : 1; }), 0);
  const int many = hall.as_zeek([&] {
    for (uint32_t i = 0; i < kTapsPerUser; ++i) {
      if (!hall.tap("zeek}0")) return 1;
    }
    return !hall.tap("zeek}0") && std::strstr(hall.why, "the most") ? 0 : 2;
  });
  CHECK_EQ(many, 0);
  CHECK(eventually([&] { return hall.runtime.snapshot()[0].taps.empty(); }));
}
