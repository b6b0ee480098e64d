// The engine's side of a script's plugin: what bricks_plugin's handle does for one worker.
#pragma once

#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "plugins/script_host.hh"
#include "plugins/script_later.hh"

namespace bricks {

// Counts of every script's plugin, behind its own figures.
#define BRICKS_SCRIPT_FIGURES(X)                                                         \
  X(script_lost, "events that nobody looked at: the script was not there, or too slow")  \
  X(script_timeouts, "times it did not answer within timeout_ms")                        \
  X(script_restarts, "times its thread was started anew")                                \
  X(script_late, "asynchronous calls whose session had no packet any more, or too many") \
  X(script_errors, "events that it failed at, asynchronously")

enum class ScriptFigure : uint32_t {
#define X(name, text) name,
  BRICKS_SCRIPT_FIGURES(X)
#undef X
};
inline constexpr const char* kScriptFigures[] = {
#define X(name, text) #name,
    BRICKS_SCRIPT_FIGURES(X)
#undef X
};

class ScriptWorker {
 public:
  ScriptWorker(ScriptHost& host, uint32_t id, std::shared_ptr<ScriptRing> ring);

  // The engine's thread.
  int handle(bricks_event* events, uint32_t count, uint32_t* at) noexcept;
  void free_context(void* context) noexcept;
  void leave() { host_.remove_worker(this); }  // this is gone then

  // The script's thread.
  int ask_later(const ScriptRequest& request) noexcept;
  // Numbers of contexts that are over, as many as there is room for.
  uint32_t take_freed(uint32_t* numbers, uint32_t room) noexcept;

  uint32_t id() const noexcept { return id_; }
  const std::shared_ptr<ScriptRing>& ring() const noexcept { return ring_; }

 private:
  enum class Outcome { done, failed, gone };
  int converse(bricks_event* events, uint32_t count, uint32_t* at, uint32_t epoch) noexcept;
  int tell(bricks_event* events, uint32_t count, uint32_t* at, uint32_t epoch) noexcept;
  int alone(bricks_event* events, uint32_t count, uint32_t* at) noexcept;
  Outcome wait(bricks_event* events, uint32_t count, uint32_t* at, uint32_t epoch,
               uint32_t* done) noexcept;
  void take_back(bricks_event* events, uint32_t count, uint32_t of, uint32_t* at,
                 uint32_t epoch) noexcept;
  void serve(ScriptRequest* request, bricks_event& event) noexcept;
  int set_metadata(const ScriptRequest& request, bricks_session* session) noexcept;
  int get_metadata(ScriptRequest* request, bricks_session* session) noexcept;
  int community_id(ScriptRequest* request, const bricks_event& event) noexcept;
  int open_child(ScriptRequest* request, bricks_session* parent) noexcept;
  bricks_session* session_of(uint64_t id, const bricks_event& event) const noexcept;
  int apply(const ScriptLater::Entry& entry, bricks_event& event) noexcept;
  uint32_t context_number(const void* context, uint32_t epoch) const noexcept;

  ScriptHost& host_;
  uint32_t id_;
  std::shared_ptr<ScriptRing> ring_;
  uint64_t heard_ = 0;  // when it last made progress; asynchronously
  std::vector<std::pair<uint64_t, bricks_session*>> children_;
  size_t children_kept_ = 64;  // so many, before those that are over are looked for
  std::unique_ptr<ScriptLater> later_;
  static constexpr uint32_t kFreed = 4096;
  std::atomic<uint32_t> freed_[kFreed];
  alignas(64) std::atomic<uint32_t> freed_put_{0};
  alignas(64) std::atomic<uint32_t> freed_taken_{0};
};

}  // namespace bricks
