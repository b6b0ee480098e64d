// What the hosts of scripts and whoever runs JavaScript tell each other.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plugins/script_request.hh"

namespace bricks {

struct ScriptStarter {
  // Begins a thread, which then calls ScriptHost::attach; says ScriptHost::exited at its end.
  std::function<void(uint64_t host, uint32_t epoch, const std::string& path, uint32_t memory_mb)>
      start;
  // Ends it, whatever it does. `why`: for the log; empty: in order.
  std::function<void(uint64_t host, uint32_t epoch, const std::string& why)> stop;
};
// Null: nobody any more.
void serve_scripts(std::shared_ptr<ScriptStarter> starter);

struct ScriptOption {
  std::string name, summary, preset;
  char type = 's';  // as bricks_option's
  bool has_preset = false;
};

// What a file exports.
struct ScriptDefinition {
  std::string name, summary;
  uint32_t events = 0, protocols = 0;
  ScriptWants wants;
  std::vector<ScriptOption> options;
  std::vector<std::string> figures;
  bool same_as(const ScriptDefinition& other) const;  // in what the rest of the process relies on
};

struct ScriptSettings {
  std::string name, path;
  bool waits = true;  // for the answer; else: what it says holds from the session's next packet on
  uint32_t timeout_ms = 0, memory_mb = 0;
  uint32_t on_error = 0;  // OnError, while nobody answers: 0 pass, 1 drop, 2 close
};

// What a script's thread is to do next.
enum class ScriptTask : int32_t { end = -1, idle = 0, start = 1, events = 2, gone = 3 };
struct ScriptTurn {
  uint32_t worker, first, count, waits;
};

}  // namespace bricks
