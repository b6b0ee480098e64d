// A thread of C++ that plays a script's: it takes turns as src/plugins/turns.ts does.
#pragma once

#include <functional>
#include <map>
#include <thread>

#include "plugins/script_worker.hh"

namespace script_test {

using namespace bricks;

// What bricks_host was asked for, and what it says.
struct Asked {
  static inline std::vector<std::string> calls;
  static inline int answer = 0;
  static inline std::map<uint32_t, int64_t> figures;
  static inline std::mutex mutex;

  static void add(const std::string& call) {
    const std::lock_guard<std::mutex> lock(mutex);
    calls.push_back(call);
  }
  static int64_t figure(ScriptFigure which) {
    const std::lock_guard<std::mutex> lock(mutex);
    return figures[static_cast<uint32_t>(which)];
  }
};

inline bricks_host test_host() {
  bricks_host host{};
  host.detach_me = [](bricks_session* session) {
    Asked::add("detach " + std::to_string(session->flow->id));
    return Asked::answer;
  };
  host.drop_packet = [](bricks_session* session) {
    Asked::add("drop " + std::to_string(session->flow->id));
    return Asked::answer;
  };
  host.kill = [](bricks_session* session) {
    Asked::add("kill " + std::to_string(session->flow->id));
    return Asked::answer;
  };
  host.set_output = [](bricks_session* session, uint32_t output) {
    Asked::add("output " + std::to_string(session->flow->id) + " " + std::to_string(output));
    return Asked::answer;
  };
  host.add_group = [](bricks_session* session, uint32_t group, int direction) {
    Asked::add("group " + std::to_string(session->flow->id) + " " + std::to_string(group) + " " +
               std::to_string(direction));
    return Asked::answer;
  };
  host.set_metadata = [](bricks_session*, const char* key, bricks_value_type type, void* value,
                         size_t size, bricks_free*) {
    Asked::add("set " + std::string(key) + " " + std::to_string(type) + " " +
               std::string(static_cast<char*>(value), size));
    return Asked::answer;
  };
  host.get_metadata = [](bricks_session*, const char* key, bricks_value_type* type, void** value,
                         size_t* size) {
    static char held[] = "kept";
    Asked::add("get " + std::string(key));
    *type = std::string(key) == "pointer" ? BRICKS_OPAQUE : BRICKS_BYTES;
    *value = held;
    *size = 4;
    return Asked::answer;
  };
  host.add_figure = [](uint32_t, uint32_t figure, int64_t value) {
    const std::lock_guard<std::mutex> lock(Asked::mutex);
    Asked::figures[figure] += value;
    return 0;
  };
  return host;
}

// What the script does with one turn: how many events went well, and whether the next one failed.
struct Did {
  uint32_t done;
  bool failed;
};
using Script = std::function<Did(ScriptHost&, const ScriptTurn&, ScriptRing&)>;

class ScriptThreads {
 public:
  explicit ScriptThreads(Script script) : script_(std::move(script)) {
    auto starter = std::make_shared<ScriptStarter>();
    starter->start = [this](uint64_t id, uint32_t epoch, const std::string&, uint32_t) {
      const std::lock_guard<std::mutex> lock(mutex_);
      threads_.emplace_back([this, id, epoch] { run(id, epoch); });
    };
    // A thread of C++ cannot be ended by others: it sees for itself.
    starter->stop = [this](uint64_t, uint32_t epoch, const std::string& why) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!why.empty()) given_up_ = epoch;
      why_ = why.empty() ? why_ : why;
    };
    serve_scripts(std::move(starter));
  }
  ~ScriptThreads() {
    for (std::thread& thread : threads_) thread.join();
    serve_scripts(nullptr);
  }
  std::string why() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return why_;
  }

 private:
  void run(uint64_t id, uint32_t epoch) {
    const std::shared_ptr<ScriptHost> host = ScriptHost::find(id);
    ScriptDefinition definition;
    definition.name = "played";
    definition.events = 0x7f;
    definition.wants.payload = 64;
    if (!host->describe(epoch, std::move(definition)).ok()) return;
    Did did{0, false};
    for (;;) {
      ScriptTurn turn{};
      host->finish(did.done, did.failed);
      did = {0, false};
      switch (host->next(epoch, 1000, &turn)) {
        case ScriptTask::end:
          return;
        case ScriptTask::start:
          host->started(epoch);
          break;
        case ScriptTask::events:
          did = script_(*host, turn, *host->ring(turn.worker));
          break;
        default:
          break;
      }
      // It was given up: src/plugins/threads.ts ends such a thread, and says so.
      if (given_up(epoch)) {
        host->exited(epoch, why());
        return;
      }
    }
  }
  bool given_up(uint32_t epoch) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return given_up_ == epoch;
  }

  Script script_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::string why_;
  uint32_t given_up_ = 0;
};

}  // namespace script_test
