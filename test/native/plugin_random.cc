// Dispatch against a model of A.3.1: random registrations and choices, sessions by the thousand in
// batches of any size; what was called for each session is to be the same, in the same order.
#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "plugin_fixture.hh"
#include "random_choice.hh"

using namespace plugin_fixture;

namespace {

constexpr uint32_t kTypes[] = {BRICKS_EVENT_OPENING, BRICKS_EVENT_ACTIVE, BRICKS_EVENT_PACKET,
                               BRICKS_EVENT_CLOSING};
constexpr const char* kNames[] = {"opening", "active", "packet", "closing"};

struct Registration {
  char letter;
  std::set<uint32_t> events;
};

// One session, one event at a time, as the table says it.
struct Model {
  const std::vector<Registration>& plugins;
  uint32_t seed;
  uint64_t session;
  std::set<size_t> detached = {}, called = {};
  size_t owner = SIZE_MAX;
  std::string calls = {};

  void send(uint32_t type) {
    const bool closing = type == BRICKS_EVENT_CLOSING;
    for (size_t i = 0; i < plugins.size(); ++i) {
      if (!plugins[i].events.count(type) || detached.count(i)) continue;
      const bool taken = owner != SIZE_MAX && owner != i;
      if (taken && !(closing && called.count(i))) continue;
      if (!closing) called.insert(i);
      calls += plugins[i].letter;
      calls += static_cast<char>('0' + type);
      const Choice choice = random_choice(seed, session, type, plugins[i].letter);
      if (choice == Choice::take_over && !closing) owner = i;
      if (choice != Choice::nothing && choice != Choice::take_over) detached.insert(i);
    }
  }
};

void play(uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<Registration> plugins(1 + random() % 5);
  std::vector<PluginSpec> specs;
  for (size_t i = 0; i < plugins.size(); ++i) {
    plugins[i].letter = static_cast<char>('a' + i);
    std::vector<std::string> events;
    for (size_t k = 0; k < 4; ++k) {
      if (random() % 5 == 0) continue;
      plugins[i].events.insert(kTypes[k]);
      events.push_back(kNames[k]);
    }
    if (events.empty()) {
      plugins[i].events.insert(BRICKS_EVENT_CLOSING);
      events.push_back("closing");
    }
    const std::string letter(1, plugins[i].letter);
    specs.push_back(spec_of(built_plugin("random"),
                            {{"letter", letter}, {"seed", static_cast<int64_t>(seed)}},
                            {{"name", letter}, {"events", events}}));
  }
  World world;
  CHECK(world.load(specs));
  world.start();
  constexpr uint32_t kCount = 500;
  std::vector<Model> models;
  for (uint32_t i = 0; i < kCount; ++i) {
    world.begin(i);
    models.push_back({plugins, seed, i + 1});
  }
  std::vector<uint32_t> order(kCount);
  for (uint32_t i = 0; i < kCount; ++i) order[i] = i;
  const auto all = [&](uint32_t type) {
    std::shuffle(order.begin(), order.end(), random);
    for (uint32_t from = 0; from < kCount;) {
      const uint32_t size =
          static_cast<uint32_t>(std::min<uint64_t>(1 + random() % 400, kCount - from));
      std::vector<bricks_event> events;
      for (uint32_t i = from; i < from + size; ++i)
        events.push_back(world.event(order[i], static_cast<bricks_event_type>(type)));
      world.manager->dispatch(events, world.now);
      from += size;
    }
    for (Model& model : models) model.send(type);
  };
  all(BRICKS_EVENT_OPENING);
  all(BRICKS_EVENT_PACKET);
  all(BRICKS_EVENT_ACTIVE);
  all(BRICKS_EVENT_PACKET);
  all(BRICKS_EVENT_PACKET);
  all(BRICKS_EVENT_CLOSING);
  for (uint32_t i = 0; i < kCount; ++i) {
    CHECK_EQ(world.text_metadata(i, "calls"), models[i].calls);
    world.end(i);
  }
  for (const Registration& plugin : plugins) {
    int64_t calls = 0;
    for (const Model& model : models)
      calls += std::count(model.calls.begin(), model.calls.end(), plugin.letter);
    CHECK_EQ(world.count(std::string(1, plugin.letter), "events"), calls);
  }
}

}  // namespace

TEST(plugins_random_against_model) {
  const char* given = std::getenv("BRICKS_TEST_SEED");
  const auto first = static_cast<uint32_t>(given ? std::atoi(given) : 1);
  for (uint32_t seed = first; seed < first + (given ? 1 : 30); ++seed) {
    const int before = check::failures;
    play(seed);
    if (check::failures != before) {
      std::printf("  seed %u\n", seed);
      break;
    }
  }
}
