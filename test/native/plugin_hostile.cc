// Plugins that cannot be loaded, that fail, that crash: each is named, nothing is half applied.
#include <signal.h>
#include <sys/wait.h>

#include "plugin_fixture.hh"

using namespace plugin_fixture;

namespace {

// What loading says, after a list that holds one good plugin; it is still there.
std::string refusal(const std::vector<PluginSpec>& specs, Code code) {
  World world;
  CHECK(world.load({spec_of(built_plugin("scripted"))}));
  const uint64_t version = world.list->version();
  const Status status = world.list->set(specs);
  CHECK_EQ(status.code, code);
  CHECK_EQ(world.list->version(), version);
  CHECK_EQ(world.list->list().size(), size_t{1});
  return status.message;
}

void says(const std::string& text, const std::string& part) {
  const bool there = text.find(part) != std::string::npos;
  if (!there) std::printf("  \"%s\" has no \"%s\"\n", text.c_str(), part.c_str());
  CHECK(there);
}

PluginSpec hostile(const std::string& how, Options keys = {}) {
  return spec_of(built_plugin("hostile"), {{"how", how}}, std::move(keys));
}

std::string spec_refusal(Options keys) {
  PluginSpec spec;
  const Status status = read_plugin_spec("plugins, #1", std::move(keys), {}, &spec);
  CHECK_EQ(status.code, Code::invalid_argument);
  return status.message;
}

}  // namespace

TEST(plugins_refused_when_loaded) {
  Folder folder;
  says(refusal({spec_of(folder.path / "none.so")}, Code::no_such_file), "none: ");
  std::ofstream(folder.path / "text.so") << "no library";
  says(refusal({spec_of(folder.path / "text.so")}, Code::invalid_argument), "text.so");
  says(refusal({spec_of(built_plugin("wrong_abi"))}, Code::unsupported),
       "made for plugin ABI 3, and this bricks has 2");
  says(refusal({spec_of(built_plugin("later_event"))}, Code::invalid_argument),
       "wants events that there are not: 384");
  says(refusal({spec_of(built_plugin("no_entry"))}, Code::invalid_argument),
       "does not export bricks_plugin_entry");
  says(refusal({hostile("init")}, Code::failed), "hostile: init failed (5): the moon is full");
  says(refusal({hostile("init throws")}, Code::failed), "thrown by init");
  const PluginSpec scripted = spec_of(built_plugin("scripted"));
  says(refusal({scripted, scripted}, Code::already_exists), "two plugins of the list");
  says(refusal(std::vector<PluginSpec>(65, scripted), Code::limit_reached), "kPluginsMax");
}

TEST(plugins_refused_options) {
  says(refusal({spec_of(built_plugin("hostile"))}, Code::invalid_argument),
       "option how must be given");
  says(refusal({spec_of(built_plugin("hostile"), {{"how", ""}, {"hwo", 1.0}})},
               Code::invalid_argument),
       "there is no option \"hwo\"; options: how, times, really");
  says(refusal({spec_of(built_plugin("hostile"), {{"how", ""}, {"times", "often"}})},
               Code::invalid_argument),
       "times");
  says(refusal({spec_of(built_plugin("scripted"), {{"file", "/nowhere/at/all"}})},
               Code::no_such_file),
       "scripted: file: cannot write to /nowhere/at/all");
  says(spec_refusal({{"path", "fw.so"}, {"max_error", 1.0}}), "max_error");
  says(spec_refusal({{"path", "fw.dll"}}), "they end with .so");
  says(spec_refusal({}), "no file is given");
  says(spec_refusal({{"path", "fw.so"}, {"on_error", "panic"}}), "pass|drop|close");
  says(spec_refusal({{"path", "fw.so"}, {"events", std::vector<std::string>{"open"}}}),
       "there is no event \"open\"");
  says(spec_refusal({{"path", "a b.so"}}), "is no name");
}

TEST(plugins_not_required_are_left_out) {
  World world;
  CHECK(world.load(
      {spec_of("/nowhere/x.so", {}, {{"required", false}}), spec_of(built_plugin("scripted"))}));
  CHECK_EQ(world.list->list().size(), size_t{1});
  const auto warnings = world.list->take_warnings();
  CHECK_EQ(warnings.size(), size_t{1});
  says(warnings.empty() ? "" : warnings[0], "not required");
}

TEST(plugins_whose_worker_fails) {
  for (const char* how : {"worker", "worker throws"}) {
    World world;
    CHECK(world.load({hostile(how, {{"on_error", "drop"}}),
                      spec_of(built_plugin("scripted"), {{"letter", "s"}})}));
    world.start();
    const auto warnings = world.list->warnings();
    CHECK_EQ(warnings.size(), size_t{1});
    says(warnings.empty() ? "" : warnings[0], "worker_init failed");
    world.begin(1);
    world.send(1, BRICKS_EVENT_OPENING);
    CHECK(world.sessions[1].owner_ & kFateDoomed);
    world.send(1, BRICKS_EVENT_PACKET);
    CHECK_EQ(world.packets[1].dropped, 1);
    CHECK_EQ(world.text_metadata(1, "calls"), std::string("sO s2"));  // nobody else is disturbed
    world.end(1);
  }
}

// An `at` that is none of its events, contexts whose free throws, exits that throw.
TEST(plugins_that_lie) {
  World world;
  CHECK(world.load({hostile("at"), hostile("context", {{"name", "b"}}),
                    hostile("exit throws", {{"name", "c"}})}));
  world.start();
  for (uint32_t i = 0; i < 3; ++i) world.begin(i);
  std::vector<bricks_event> events;
  for (uint32_t i = 0; i < 3; ++i) events.push_back(world.event(i, BRICKS_EVENT_OPENING));
  world.manager->dispatch(events, world.now);
  CHECK_EQ(world.count("hostile", "errors"), int64_t{1});
  for (uint32_t i = 0; i < 3; ++i) world.end(i);
  CHECK_EQ(world.count("b", "ctx_leaks"), int64_t{3});
  CHECK_EQ(world.manager->counts().free_errors, uint64_t{3});
}

// The process cannot survive it; its last words name the plugin.
TEST(plugins_that_crash_are_named) {
  for (const auto& [how, signal_name] : std::vector<std::pair<std::string, std::string>>{
           {"crash", "SIGSEGV"}, {"abort", "SIGABRT"}}) {
    Folder folder;
    const std::string words = folder.path / "words";
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      if (!std::freopen(words.c_str(), "w", stderr)) _exit(3);
      World world;
      if (!world.load({hostile(how, {{"name", "the_culprit"}})})) _exit(4);
      world.start();
      world.begin(1);
      world.send(1, BRICKS_EVENT_OPENING);
      _exit(0);
    }
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    // Sanitizers end the process themselves: 1 address', 66 thread's.
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    CHECK(WIFSIGNALED(status) || code == 1 || code == 66);
    says(read_all(words), "bricks: " + signal_name + " in plugin the_culprit");
  }
}
