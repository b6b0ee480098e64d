// Generations: new sessions get the new one, those that live keep theirs until they end. Locks and
// their time; lines to files.
#include "plugin_fixture.hh"
#include "plugins/line_writer.hh"

using namespace plugin_fixture;

namespace {

PluginSpec scripted(const std::string& letter, const std::string& actions = "",
                    const std::string& name = "p") {
  return spec_of(built_plugin("scripted"), {{"letter", letter}, {"do", actions}}, {{"name", name}});
}

}  // namespace

TEST(edge_case_01_session_without_plugins) {
  World world;
  world.start();
  world.begin(1);
  for (const bricks_event_type type :
       {BRICKS_EVENT_OPENING, BRICKS_EVENT_PACKET, BRICKS_EVENT_CLOSING})
    world.send(1, type);
  CHECK_EQ(world.packets[1].dropped, 0);
  world.end(1);
}

TEST(edge_case_03_take_over_then_reload) {
  World world;
  CHECK(world.load({scripted("a", "O.take_over"), scripted("b", "", "q")}));
  world.start();
  world.begin(1);
  world.send(1, BRICKS_EVENT_OPENING);
  CHECK(world.load({scripted("c", "", "q"), scripted("d")}));
  world.manager->refresh();
  CHECK_EQ(world.manager->counts().generations, uint64_t{2});
  world.begin(2);
  // Both generations in one dispatch.
  for (const bricks_event_type type :
       {BRICKS_EVENT_ACTIVE, BRICKS_EVENT_PACKET, BRICKS_EVENT_CLOSING}) {
    bricks_event both[] = {world.event(1, type), world.event(2, type)};
    world.manager->dispatch(both, world.now);
  }
  CHECK_EQ(world.text_metadata(1, "calls"), std::string("aO a1 a2 aX"));
  CHECK_EQ(world.text_metadata(2, "calls"), std::string("c1 d1 c2 d2 cX dX"));
  world.end(1);
  world.manager->refresh();
  CHECK_EQ(world.manager->counts().generations, uint64_t{1});
  world.end(2);
  CHECK_EQ(world.count("p", "events"), int64_t{7});  // of a and of d
}

TEST(plugins_reload_takes_the_file_as_it_is_now) {
  Folder folder;
  const auto file = folder.path / "x.so";
  std::filesystem::copy_file(built_plugin("scripted"), file);
  World world;
  CHECK(world.load({spec_of(file, {{"letter", "a"}})}));
  world.start();
  world.begin(1);
  world.send(1, BRICKS_EVENT_OPENING);
  // Overwritten in place under the running code, with something that cannot be loaded.
  std::ofstream(file, std::ios::trunc) << "no library";
  CHECK_EQ(world.list->reload().code, Code::invalid_argument);
  world.manager->refresh();
  world.send(1, BRICKS_EVENT_PACKET);
  CHECK_EQ(world.text_metadata(1, "calls"), std::string("aO a2"));
  world.end(1);
  std::filesystem::copy_file(built_plugin("hostile"), file,
                             std::filesystem::copy_options::overwrite_existing);
  CHECK_EQ(world.list->reload().code, Code::invalid_argument);  // it has other options
  CHECK(world.load({spec_of(file, {{"how", "well"}})}));
  CHECK_EQ(world.list->list()[0].summary, std::string("fails as it is told"));
}

TEST(plugins_generations_are_bounded) {
  World world;
  CHECK(world.load({scripted("a")}));
  world.start();
  for (uint32_t i = 0; i < kPluginGenerationsMax + 1; ++i) {
    world.begin(i);
    CHECK(world.list->reload().ok());
    world.manager->refresh();
  }
  CHECK_EQ(world.manager->counts().generations, uint64_t{kPluginGenerationsMax});
  CHECK_EQ(world.list->warnings().size(), size_t{1});
  for (uint32_t i = 0; i < kPluginGenerationsMax + 1; ++i) world.end(i);
  world.manager->refresh();
  CHECK(world.list->reload().ok());
  world.manager->refresh();
  CHECK_EQ(world.manager->counts().generations, uint64_t{1});
}

TEST(edge_case_14_lock_times_out) {
  World world;
  CHECK(world.load({scripted("a", "O.lock", "a"), scripted("b", "1.lock 2.lock 2.set:k=1", "b")}));
  world.start();
  world.begin(1);
  world.send(1, BRICKS_EVENT_OPENING);
  world.now += 1000000000;
  world.send(1, BRICKS_EVENT_ACTIVE);  // a second is not more than a second
  CHECK_EQ(world.manager->counts().locks_expired, uint64_t{0});
  world.now += 1000000;
  world.send(1, BRICKS_EVENT_PACKET);
  CHECK_EQ(world.manager->counts().locks_expired, uint64_t{1});
  CHECK_EQ(world.count("a", "locks_lost"), int64_t{1});
  world.send(1, BRICKS_EVENT_CLOSING);
  world.end(1);
  CHECK_EQ(world.count("b", "locks_lost"), int64_t{1});
}

TEST(plugins_many_sessions_keep_their_own) {
  World world;
  CHECK(world.load({scripted("a", "O.context X.uncontext")}));
  world.start();
  for (int round = 0; round < 3; ++round) {
    for (uint32_t i = 0; i < World::kSessions; ++i) world.begin(i);
    for (const bricks_event_type type : {BRICKS_EVENT_OPENING, BRICKS_EVENT_CLOSING}) {
      std::vector<bricks_event> events;
      for (uint32_t i = 0; i < World::kSessions; ++i) events.push_back(world.event(i, type));
      world.manager->dispatch(events, world.now);
    }
    for (uint32_t i = 0; i < World::kSessions; ++i) world.end(i);
  }
  CHECK_EQ(world.count("p", "ctx_leaks"), int64_t{0});
  CHECK_EQ(world.count("p", "closing_calls"), int64_t{3 * World::kSessions});
}

TEST(line_writer_in_order_and_bounded) {
  Folder folder;
  auto counts = std::make_shared<PluginCounts>();
  const auto file = folder.path / "lines";
  uint64_t written = 0, lost = 0;
  std::string expected;
  {
    std::unique_ptr<LineWriter> writer;
    CHECK(LineWriter::open(file, counts, &writer).ok());
    CHECK_EQ(writer->put(std::string(kPluginLineMax + 1, 'x').c_str(), kPluginLineMax + 1),
             int{BRICKS_EINVAL});
    for (uint32_t i = 0; i < 200000; ++i) {
      const std::string line = std::to_string(i) + std::string(i % 97, '.');
      if (writer->put(line.data(), line.size()) == BRICKS_DONE) {
        expected += line + "\n";
        ++written;
      } else {
        ++lost;
      }
    }
  }
  CHECK(read_all(file) == expected);
  CHECK_EQ(written + lost, uint64_t{200000});
  CHECK_EQ(counts->get(PluginCount::lost_lines), lost);
}
