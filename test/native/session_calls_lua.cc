// The rows of test/cases/session-calls.tsv with plugins in Lua, and what a Lua plugin can do wrong.
#include "plugin_fixture.hh"
#include "session_calls.hh"

using namespace plugin_fixture;
using session_calls::check_vector;

namespace {

std::string scripted() { return source_folder() / "test/plugins/scripted.lua"; }

// A list of one plugin with that text, and `keys` of its entry.
struct LuaWorld : World {
  Folder folder;
  explicit LuaWorld(const std::string& text, Options keys = {}) {
    const std::string path = folder.path / "plugin.lua";
    std::ofstream(path) << text;
    CHECK(load({spec_of(path, {}, std::move(keys))}));
    start();
    for (uint32_t i = 0; i < 8; ++i) begin(i);
  }
  void send_all(bricks_event_type type, uint32_t from = 0) {
    std::vector<bricks_event> all;
    for (uint32_t i = from; i < 8; ++i) all.push_back(event(i, type));
    manager->dispatch(all, now);
  }
};

}  // namespace

TEST(take_over_t1_lua) { check_vector("T1", scripted()); }
TEST(take_over_t2_lua) { check_vector("T2", scripted()); }
TEST(take_over_t3_lua) { check_vector("T3", scripted()); }
TEST(take_over_t4_lua) { check_vector("T4", scripted()); }
TEST(take_over_t5_lua) { check_vector("T5", scripted()); }
TEST(take_over_t6_lua) { check_vector("T6", scripted()); }
TEST(take_over_t7_lua) { check_vector("T7", scripted()); }
TEST(take_over_t8_lua) { check_vector("T8", scripted()); }
TEST(take_over_t9_lua) { check_vector("T9", scripted()); }
TEST(take_over_t10_lua) { check_vector("T10", scripted()); }

TEST(session_calls_edges_lua) {
  const char* values = "contexts are values of Lua: they do not leak (a test of its own)";
  const char* frees = "values have no free of their own";
  session_calls::check_edges(scripted(),
                             {{"detach with a context", values},
                              {"context left behind", values},
                              {"no session", "a session is that of the event: it is never nil"},
                              {"metadata, free that comes back", frees},
                              {"metadata, free that throws", frees}});
}

TEST(lua_values_of_sessions_do_not_leak) {
  LuaWorld world(R"(return {
    on_packet = function(e) e:set({}) if e.session.id == 1 then e.session:detach() end end })");
  world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "detached"), 1);
  for (uint32_t i = 0; i < 8; ++i) {
    world.send(i, BRICKS_EVENT_CLOSING);
    world.end(i);
  }
  CHECK_EQ(world.count("plugin", "ctx_leaks"), 0);
}

TEST(lua_plugin_that_loops_for_ever_fails_in_its_session_alone) {
  LuaWorld world(R"(return { loops = 50000, figures = {'seen'}, on_packet = function(e)
    if e.session.id == 4 then while true do end end
    bricks.add_figure('seen')
  end })",
                 {{"on_error", std::string("drop")}});
  for (int round = 0; round < 3; ++round) world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "errors"), 1);
  CHECK_EQ(world.count("plugin", "detached"), 1);
  const auto warnings = world.list->take_warnings();
  CHECK(!warnings.empty() &&
        warnings[0].find("budget: 50000 loops and calls") != std::string::npos);
  CHECK_EQ(world.count("plugin", "seen"), 21);  // every packet of the seven others
  for (uint32_t i = 0; i < 8; ++i) CHECK_EQ(world.packets[i].dropped, i == 3 ? 1 : 0);
}

// What is C's alone, without a loop of the plugin's.
TEST(lua_plugin_with_a_pathological_pattern_fails_in_its_session_alone) {
  LuaWorld world(R"(return { figures = {'seen'}, on_packet = function(e)
    if e.session.id == 4 then
      pcall(function() return (('a'):rep(50000)):find('.-.-.-.-b') end)
      while true do end -- caught: no further than to the next loop
    end
    bricks.add_figure('seen')
  end })");
  for (int round = 0; round < 3; ++round) world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "errors"), 1);
  const auto warnings = world.list->take_warnings();
  CHECK(!warnings.empty() && warnings[0].find("budget: 1000000 loops") != std::string::npos);
  CHECK_EQ(world.count("plugin", "seen"), 21);
}

TEST(lua_plugin_that_sorts_for_ever_fails_in_its_session_alone) {
  LuaWorld world(R"(local list = {}
    for i = 1, 20000 do list[i] = i % 100 end
    return { figures = {'seen'}, loops = 50000, on_packet = function(e)
      if e.session.id == 4 then table.sort(list) end
      table.sort({3, 1, 2}, function(a, b) return a > b end)
      bricks.add_figure('seen')
    end })");
  for (int round = 0; round < 3; ++round) world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "errors"), 1);
  CHECK_EQ(world.count("plugin", "seen"), 21);
}

TEST(lua_plugin_that_hoards_is_disabled_and_disturbs_nobody) {
  LuaWorld world(R"(local hoard = {}
    return { memory = 4, on_packet = function()
      for i = 1, 1e5 do hoard[#hoard + 1] = {} end
    end })",
                 {{"max_errors_total", int64_t{3}}});
  for (int round = 0; round < 3; ++round) world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "errors"), 3);
  CHECK(world.list->list()[0].disabled);
  const auto warnings = world.list->take_warnings();
  CHECK(!warnings.empty());
}

TEST(lua_plugin_whose_worker_does_not_start_says_why) {
  LuaWorld world("return {on_packet = print, worker_init = function() error('not today', 0) end}");
  world.send_all(BRICKS_EVENT_PACKET);
  const auto warnings = world.list->take_warnings();
  CHECK(!warnings.empty() && warnings[0].find("not today") != std::string::npos);
}

TEST(lua_plugin_files_are_refused_with_what_is_wrong) {
  const struct {
    const char *text, *message;
  } cases[] = {
      {"return {on_packet = 1}", "on_packet is to be a function"},
      {"return {on_packet = print, init = function() error('no luck', 0) end}", "no luck"},
      {"return {on_packet = print, options = {x = {type = 'text'}}}", "x"},
      {"return {figures = {'a', nil, 'b'}, on_packet = print}", "without gaps, and has a key 3"},
      {"return {figures = {'a', false}, on_packet = print}", "figures[2] is to be a string"},
      {"return {figures = {a = 1}, on_packet = print}",
       "to be a list without gaps, and has a key a"},
      {"return {figures = {'a.b'}, on_packet = print}", "figure 1 is to be a name of small"},
      {"return {figures = {'1'}, on_packet = print}", "figure 1 is to be a name of small"},
      {"return {figures = {'a', 'a'}, on_packet = print}", "figure 2 has a name that another"},
      {"return {figures = {'errors'}, on_packet = print}", "or a count of all plugins has: errors"},
      {"return {", "unexpected symbol"},
  };
  Folder folder;
  for (const auto& [text, message] : cases) {
    const std::string path = folder.path / "plugin.lua";
    std::ofstream(path) << text;
    const auto list = std::make_shared<PluginList>();
    const Status status = list->set({spec_of(path)});
    CHECK(!status.ok());
    if (status.message.find(message) == std::string::npos)
      std::printf("  %s\n", status.message.c_str());
    CHECK(status.message.find(message) != std::string::npos);
    CHECK(status.message.find("plugin") == 0);
  }
}

TEST(lua_plugin_reloaded_while_sessions_live) {
  LuaWorld world(
      "return {figures = {'old', 'new'}, on_packet = function() "
      "bricks.add_figure('old') end}");
  world.send_all(BRICKS_EVENT_PACKET);
  std::ofstream(world.folder.path / "plugin.lua")
      << "return {figures = {'old', 'new'}, on_packet = function() bricks.add_figure('new') end}";
  CHECK(world.list->reload().ok());
  world.manager->refresh();
  world.send(7, BRICKS_EVENT_CLOSING);
  world.end(7);
  world.begin(7);
  world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "old"), 15);
  CHECK_EQ(world.count("plugin", "new"), 1);
  // What no longer compiles changes nothing.
  std::ofstream(world.folder.path / "plugin.lua") << "return {";
  CHECK(!world.list->reload().ok());
  world.send_all(BRICKS_EVENT_PACKET);
  CHECK_EQ(world.count("plugin", "new"), 2);
}
