// What the Runtime keeps. Private to runtime*.cc.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "engine/engine.hh"
#include "engine/port_services.hh"
#include "engine/recorded_tap.hh"
#include "engine/runtime.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_server.hh"

namespace bricks {

struct Runtime::State {
  explicit State(Runtime& runtime) : services(runtime, pipes) {}
  std::atomic<uint64_t> taps{0};  // how many there have been: their names
  std::mutex mutex;               // guards the list; engines have locks of their own
  PipeDirectory pipes;
  PortServices services;
  std::unique_ptr<PipeServer> server;
  std::vector<std::pair<std::string, std::shared_ptr<Engine>>> engines;  // in order of creation
  struct Recorded {
    std::string engine;
    std::shared_ptr<RecordedTap> tap;
  };
  std::map<std::string, Recorded> recorded;  // by the consumer's name

  void add_recorded(std::vector<EngineSnapshot>* to);

  std::vector<std::shared_ptr<Engine>> all() {
    std::lock_guard lock(mutex);
    std::vector<std::shared_ptr<Engine>> made;
    for (const auto& [name, engine] : engines) made.push_back(engine);
    return made;
  }

  std::vector<std::pair<std::string, std::shared_ptr<Engine>>> named() {
    std::lock_guard lock(mutex);
    return engines;
  }

  Status find(const std::string& name, std::shared_ptr<Engine>* engine) {
    std::lock_guard lock(mutex);
    for (const auto& [known, made] : engines) {
      if (known != name) continue;
      *engine = made;
      return {};
    }
    return {Code::no_such_engine, "no engine is called " + name};
  }
};

}  // namespace bricks
