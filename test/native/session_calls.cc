// Reads test/cases/session-calls.tsv and plays each row; T1 to T10 are tests of their own.
#include "session_calls.hh"

#include <map>
#include <utility>

#include "plugin_fixture.hh"

namespace session_calls {

using namespace plugin_fixture;

namespace {

struct Row {
  std::string name, plugins, actions, keys, calls, results, after;
};

std::vector<Row> read_rows() {
  std::ifstream file(source_folder() / "test/cases/session-calls.tsv");
  std::vector<Row> rows;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto cells = split(line, '\t');
    CHECK_EQ(cells.size(), size_t{7});
    if (cells.size() != 7) continue;
    rows.push_back({cells[0], cells[1], cells[2], cells[3], cells[4], cells[5], cells[6]});
  }
  return rows;
}

const std::map<char, std::pair<bricks_event_type, const char*>> kEvents = {
    {'O', {BRICKS_EVENT_OPENING, "opening"}}, {'1', {BRICKS_EVENT_ACTIVE, "active"}},
    {'2', {BRICKS_EVENT_PACKET, "packet"}},   {'C', {BRICKS_EVENT_CONFLICT, "conflict"}},
    {'X', {BRICKS_EVENT_CLOSING, "closing"}},
};

std::string code_text(const std::string& number) {
  static const std::map<std::string, std::string> kNames = {
      {"-1", "EPERM"},    {"-2", "ENOENT"},   {"-12", "ENOMEM"},  {"-16", "EBUSY"},
      {"-17", "EEXIST"},  {"-22", "EINVAL"},  {"-95", "ENOTSUP"}, {"-114", "EALREADY"},
      {"-200", "ESTATE"}, {"-201", "ENOCTX"},
  };
  const auto found = kNames.find(number);
  return found == kNames.end() ? number : found->second;
}

// Words of `list` that begin with the letter, without it, joined again.
std::string own_part(const std::string& list, char letter) {
  std::string part;
  for (const std::string& word : split(list, ' ')) {
    if (word.empty() || word[0] != letter) continue;
    part += (part.empty() ? "" : " ") + word.substr(1);
  }
  return part;
}

struct Play {
  const Row& row;
  World world;
  Folder folder;
  std::vector<std::string> letters;
  uint64_t dropped = 0;
  uint32_t fate = 0;
  std::string calls;

  explicit Play(const Row& which) : row(which) {}

  bool load(const std::string& path) {
    std::vector<PluginSpec> specs;
    for (const std::string& plugin : split(row.plugins, ' ')) {
      const std::string letter(1, plugin[0]);
      letters.push_back(letter);
      Options keys = {{"name", letter}};
      std::vector<std::string> events;
      for (const char event : plugin.substr(2)) events.push_back(kEvents.at(event).second);
      keys["events"] = events;
      for (const std::string& key : split(row.keys, ' ')) {
        if (key.rfind(letter + ".", 0) != 0) continue;
        const size_t equals = key.find('=');
        keys[key.substr(2, equals - 2)] = key.substr(equals + 1);
      }
      specs.push_back(spec_of(path,
                              {{"letter", letter},
                               {"do", own_part(row.actions, plugin[0])},
                               {"file", (folder.path / letter).string()}},
                              keys));
    }
    return world.load(specs);
  }

  void run() {
    world.start();
    world.begin(7);
    static const bricks_conflict kVersions = {reinterpret_cast<const uint8_t*>("e"),
                                              reinterpret_cast<const uint8_t*>("E"), 1, 2};
    const bool conflicts = row.plugins.find('C') != std::string::npos;
    for (const char event : std::string(conflicts ? "O12CX" : "O12X")) {
      if (event != 'X' && fate & kFateKill) continue;
      if (event == 'C' && row.plugins.find(event) == std::string::npos) continue;
      bricks_event one = world.event(7, kEvents.at(event).first);
      if (event == 'C') {
        one.data = &kVersions;
        one.offset = one.length = 1;
        one.reason = BRICKS_CONFLICT_DELIVERED;
      }
      world.sessions[7].state = event == 'X' ? BRICKS_SESSION_CLOSING : BRICKS_SESSION_ACTIVE;
      world.manager->dispatch({&one, 1}, world.now);
      dropped += std::exchange(world.packets[7].dropped, 0);
      fate |= world.sessions[7].owner_;
    }
    calls = world.text_metadata(7, "calls");
    world.end(7);
  }

  void check_after() {
    for (const std::string& fact : split(row.after, ' ')) {
      const size_t equals = fact.find('=');
      const std::string name = fact.substr(0, equals);
      if (fact == "-") continue;
      if (fact == "kill") CHECK(fate & kFateKill);
      if (fact == "poisoned") CHECK(fate & kFatePoisoned);
      if (fact == "doomed") CHECK(fate & kFateDoomed);
      if (equals == std::string::npos) continue;
      const std::string value = fact.substr(equals + 1);
      if (name == "dropped") {
        CHECK_EQ(std::to_string(dropped), value);
      } else if (name == "disabled") {
        for (const PluginInfo& info : world.list->list())
          CHECK_EQ(info.disabled, info.spec.name == value);
      } else {
        CHECK_EQ(std::to_string(world.count(name.substr(0, 1), name.substr(2))), value);
      }
    }
  }

  // After the lists are gone: all lines are in the files then.
  void check_results() {
    for (const std::string& letter : letters) {
      std::string written;
      for (const std::string& line : split(read_all(folder.path / letter), '\n')) {
        const size_t equals = line.find('=');
        written += (written.empty() ? "" : " ") + line.substr(0, equals + 1) +
                   code_text(line.substr(equals + 1));
      }
      CHECK_EQ(written, own_part(row.results, letter[0]));
    }
  }
};

void play(const Row& row, const std::string& path) {
  const int before = check::failures;
  {
    Play play(row);
    const bool loaded = play.load(path);
    CHECK(loaded);
    if (loaded) {
      play.run();
      if (row.calls != "-") CHECK_EQ(play.calls, row.calls);
      play.check_after();
      play.world.manager.reset();
      CHECK(play.world.list->set({}).ok());
      play.world.list->take_warnings();  // what was retired goes
      play.check_results();
    }
  }
  if (check::failures != before) std::printf("  row \"%s\"\n", row.name.c_str());
}

bool is_vector(const std::string& name) { return name.size() <= 3 && name[0] == 'T'; }

}  // namespace

void check_vector(const std::string& name, const std::string& path) {
  for (const Row& row : read_rows()) {
    if (row.name == name) return play(row, path);
  }
  CHECK(!"the file has such a vector");
}

void check_edges(const std::string& path, const std::map<std::string, const char*>& without) {
  size_t left_out = 0;
  for (const Row& row : read_rows()) {
    if (is_vector(row.name)) continue;
    if (const auto found = without.find(row.name); found != without.end()) {
      std::printf("  not in this language: %s: %s\n", row.name.c_str(), found->second);
      ++left_out;
    } else {
      play(row, path);
    }
  }
  CHECK_EQ(left_out, without.size());
}

}  // namespace session_calls

using plugin_fixture::built_plugin;
using session_calls::check_vector;

TEST(take_over_t1_c) { check_vector("T1", built_plugin("scripted")); }
TEST(take_over_t2_c) { check_vector("T2", built_plugin("scripted")); }
TEST(take_over_t3_c) { check_vector("T3", built_plugin("scripted")); }
TEST(take_over_t4_c) { check_vector("T4", built_plugin("scripted")); }
TEST(take_over_t5_c) { check_vector("T5", built_plugin("scripted")); }
TEST(take_over_t6_c) { check_vector("T6", built_plugin("scripted")); }
TEST(take_over_t7_c) { check_vector("T7", built_plugin("scripted")); }
TEST(take_over_t8_c) { check_vector("T8", built_plugin("scripted")); }
TEST(take_over_t9_c) { check_vector("T9", built_plugin("scripted")); }
TEST(take_over_t10_c) { check_vector("T10", built_plugin("scripted")); }

TEST(edge_case_02_closing_only) {
  check_vector("before the owner, never called, CLOSING only", built_plugin("scripted"));
}
TEST(edge_case_04_detach_in_opening) { check_vector("T4", built_plugin("scripted")); }
TEST(edge_case_05_metadata_same_pointer) {
  check_vector("metadata set to what it is", built_plugin("scripted"));
}
TEST(edge_case_13_child_and_parent) {
  check_vector("a child and its parent's end", built_plugin("scripted"));
}
TEST(edge_case_14_lock_held_by_plugin_that_fails) {
  check_vector("lock goes with an error", built_plugin("scripted"));
}

TEST(session_calls_edges_c) { session_calls::check_edges(built_plugin("scripted")); }
