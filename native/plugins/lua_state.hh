// One LuaJIT state: a plugin's file in it, with memory of its own that is bounded, and a budget of
// loops and calls for each event. Not for two threads at a time.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "abi/bricks_plugin.h"
#include "mem/status.hh"

struct lua_State;

namespace bricks {

// The files of one loading, as they were then: later workers run the same text.
class LuaSources {
 public:
  explicit LuaSources(std::string path);
  // path: absolute, or as seen from the plugin's folder. no_such_file, limit_reached.
  Status read(const std::string& path, const std::string** text);
  const std::string& path() const noexcept { return path_; }

 private:
  const std::string path_;
  std::string folder_;
  std::mutex mutex_;
  std::map<std::string, std::string> texts_;
};

// What the file returns, checked.
struct LuaDescription {
  struct Option {
    std::string name, summary, preset;
    char type = 's';
    bool has_preset = false;
  };
  std::string name, summary;
  uint32_t events = 0, protocols = 0, batch = 0;
  uint32_t loops = 0, memory_mb = 0;
  std::vector<Option> options;
  std::vector<std::string> figures;
};
using LuaValue = std::variant<std::string, double, bool>;
using LuaOptions = std::vector<std::pair<std::string, LuaValue>>;

// Shared with Lua, which has the same declaration (lua_state.cc).
struct LuaCall {
  bricks_event* events = nullptr;
  uint32_t count = 0, at = 0, first = 0;
  int32_t mark = -1;           // of on_batch: the event it is at, from `first` on
  double left = 0, limit = 0;  // loops and calls; Lua reckons in doubles
  uint32_t freed_count = 0, plugin = 0;
  uint32_t batched = 0;      // the first events, up to here: all of kinds that go to on_batch
  int32_t* freed = nullptr;  // contexts that are over
  const bricks_host* host = nullptr;
  int (*community_id)(const bricks_event* event, char* text) = nullptr;
};

class LuaState {
 public:
  // Runs the file and reads what it returns. Messages begin with the file's path.
  static Status open(std::shared_ptr<LuaSources> sources, std::unique_ptr<LuaState>* state);
  ~LuaState();
  LuaState(const LuaState&) = delete;

  const LuaDescription& description() const noexcept { return description_; }
  // Before any call of the plugin: from here on it has a host.
  Status start(const bricks_host* host, uint32_t plugin, const LuaOptions& options);
  // The plugin's function of that name, if it has one: init, worker_init, worker_exit, exit.
  Status call(const char* function, uint32_t argument);
  // As bricks_plugin.handle. 1: error() says why.
  int handle(bricks_event* events, uint32_t count, uint32_t* at) noexcept;
  // A session is over with this context. Runs no Lua, so that it may come in a call from Lua.
  void free_context(void* context) noexcept;
  const std::string& error() const noexcept { return error_; }
  size_t bytes() const noexcept { return used_; }

 private:
  LuaState() = default;
  static void* allocate(void* state, void* old, size_t old_size, size_t size) noexcept;
  static int set_up(lua_State* lua);
  static int read_description(lua_State* lua);
  static int set_options(lua_State* lua);
  static int call_function(lua_State* lua);
  static int door(lua_State* lua);
  static int read_file(lua_State* lua);
  void relieve() noexcept;
  Status protect(int (*function)(lua_State*), void* argument);
  std::string message() const;

  lua_State* lua_ = nullptr;
  std::shared_ptr<LuaSources> sources_;
  LuaDescription description_;
  LuaCall call_;
  size_t used_ = 0, bound_ = 0;  // bytes; what the plugin may have
  size_t ceiling_ = 0;           // and in this call
  size_t relief_ = 0;            // more than that in use: garbage is collected
  int drive_ = 0;                // of the registry: the function that handle() calls
  std::string error_;
};

}  // namespace bricks
