// A world for plugins: a list, a manager, and sessions whose events a test makes by hand.
#pragma once

#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "check.hh"
#include "plugins/plugin_call.hh"
#include "plugins/plugin_manager.hh"

namespace plugin_fixture {

using namespace bricks;

inline std::filesystem::path build_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}
inline std::filesystem::path source_folder() {
  return build_folder().parent_path().parent_path().parent_path();
}
inline std::string built_plugin(const std::string& name) {
  return build_folder() / "plugins" / (name + ".so");
}

// A folder of the test's own.
struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "bricks-plugins-XXXXXX";
    path = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

inline std::string read_all(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts;
  std::stringstream rest(text);
  for (std::string part; std::getline(rest, part, by);) parts.push_back(part);
  return parts;
}

inline PluginSpec spec_of(const std::string& path, Options options = {}, Options keys = {}) {
  keys["path"] = path;
  PluginSpec spec;
  const Status status = read_plugin_spec("test", std::move(keys), std::move(options), &spec);
  if (!status.ok()) std::printf("  %s\n", status.message.c_str());
  CHECK(status.ok());
  return spec;
}

struct World {
  static constexpr uint32_t kSessions = 4096;
  std::shared_ptr<PluginList> list = std::make_shared<PluginList>();
  std::unique_ptr<PluginManager> manager;
  std::vector<bricks_session> sessions = std::vector<bricks_session>(kSessions);
  std::vector<SessionFlow> flows = std::vector<SessionFlow>(kSessions);
  std::vector<bricks_packet_view> packets = std::vector<bricks_packet_view>(kSessions);
  Nanos now = 1000000000;

  // False: the list could not be loaded; the message is printed.
  bool load(std::vector<PluginSpec> specs) {
    const Status status = list->set(std::move(specs));
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    return status.ok();
  }
  void start() {
    CHECK(PluginManager::create(list, kSessions, 0, 2, &manager).ok());
    manager->refresh();
  }
  bricks_session& begin(uint32_t entry) {
    bricks_session& session = sessions[entry];
    session = {};
    flows[entry] = {{}, entry};
    flows[entry].flow.id = entry + 1;
    session.state = BRICKS_SESSION_OPENING;
    session.flow = &flows[entry].flow;
    manager->begin_session(session);
    return session;
  }
  bricks_event event(uint32_t entry, bricks_event_type type) {
    bricks_event made = {};
    made.session = &sessions[entry];
    made.entry_ = entry;
    made.type = static_cast<uint8_t>(type);
    packets[entry].dropped = 0;
    if (type != BRICKS_EVENT_CLOSING) made.packet = &packets[entry];
    return made;
  }
  void send(uint32_t entry, bricks_event_type type) {
    bricks_event one = event(entry, type);
    manager->dispatch({&one, 1}, now);
  }
  void end(uint32_t entry) { manager->end_session(sessions[entry]); }

  // Calls of the host as if the plugin at that place were in a call with that session.
  template <typename Body>
  void inside(uint32_t entry, uint32_t place, WorkerGeneration* generation, Body body) {
    bricks_event one = event(entry, BRICKS_EVENT_ACTIVE);
    plugin_call = {manager.get(), generation, place, {&one, 1}, 0, nullptr};
    body(*plugin_host(), &sessions[entry]);
    plugin_call = {};
  }
  std::string text_metadata(uint32_t entry, const char* key) {
    std::string text;
    inside(entry, 0, nullptr, [&](const bricks_host& host, bricks_session* session) {
      bricks_value_type type;
      void* value = nullptr;
      size_t size = 0;
      if (host.get_metadata(session, key, &type, &value, &size) == 0)
        text.assign(static_cast<const char*>(value), size);
    });
    return text;
  }
  int64_t count(const std::string& plugin, const std::string& what) {
    for (const PluginInfo& info : list->list()) {
      if (info.spec.name != plugin) continue;
      for (const auto& [name, value] : info.counts)
        if (name == what) return value;
    }
    return -1;
  }
};

}  // namespace plugin_fixture
