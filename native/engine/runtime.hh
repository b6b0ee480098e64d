// All engines of this process. The one thing the addon (and any other host) talks to. Thread-safe:
// calls from several threads take turns; none waits for packets but wait_drained.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/drain.hh"
#include "engine/explain.hh"
#include "engine/graph.hh"
#include "engine/listing.hh"
#include "engine/tap.hh"
#include "mem/ledger.hh"
#include "mem/status.hh"
#include "sessions/session.hh"

namespace bricks {

struct EngineOptions {
  int32_t cpu = -1;         // pin the thread to this core; -1: none
  uint32_t batch = 0;       // packets a batch; 0: kBatchDefault
  bool shared = false;      // one region for gen: and all pipes: buffers are exchanged, not copied
  uint32_t pipe_slots = 0;  // 0: kPipeSlotsDefault
  uint32_t spill = 0;       // buffers its full pipes may spill to, all together; 0: none
  uint32_t sessions = 0;    // live flows it can remember; 0: kSessionsDefault
  bool busy = false;        // never sleep: a core of its own, all of it
  int32_t queue = -1;       // hardware queue of its interfaces; -1: all
};

// What can be seen of an engine, all from one and the same breath.
struct EngineSnapshot {
  struct InputRow {
    std::string name, description;
    bool finished, lossless;
    LedgerCell cell;
    std::string brick = {};  // that gets its packets first
  };
  struct BrickRow {
    std::string id, kind;
    LedgerCell cell;
    std::vector<ExplainStep::Way> ways = {};
    std::vector<Figure> figures = {};
    Options options = {};
  };
  struct OutputRow {
    std::string name, brick, description;
    int32_t consumer_pid;  // 0: none attached, or not that kind of port
    uint32_t slots;        // of its ring; 0: no ring
    bool ready;            // Output::ready
    int64_t silent_ms;     // of its consumer's heartbeat; -1: it has none
    LedgerCell cell;
    int memory_fd = -1;  // of its pipe's memory, for observers of this process; -1: no pipe
    uint64_t pipe_offset = 0;
  };
  std::string name;
  bool running, linked, drained;
  int32_t cpu;
  uint32_t batch;
  uint64_t breaths;
  uint32_t spill_free;  // spill buffers not in use
  SessionCounts sessions;
  uint32_t session_capacity;
  std::vector<Figure> fragments;  // none where no brick goes by flows
  std::vector<InputRow> inputs;
  std::vector<BrickRow> bricks;
  std::vector<OutputRow> outputs;
  std::vector<TapRow> taps;
  std::vector<DrainRow> draining;
  // Sums of what was once part of the graph and is no more: the ledger covers an engine's whole
  // life.
  LedgerCell retired_inputs, retired_bricks, retired_outputs;
  std::vector<std::string> warnings;  // since the engine was made
};

class Runtime {
 public:
  static Runtime& instance();  // made at first use, lives as long as the process

  // Serves ports.sock in `run_dir` (made by the caller, 0700) until close_ports.
  Status open_ports(const std::string& run_dir);
  void close_ports();

  Status create_engine(const std::string& name, const EngineOptions& options);
  // Stops if need be, closes every port. no_such_engine.
  Status delete_engine(const std::string& name);
  // Replaces the engine's graph, running or not: at a batch boundary, all or nothing. Ports and
  // bricks named in both graphs stay as they are. The empty graph unlinks everything.
  Status apply(const std::string& name, const Graph& graph);
  Status start(const std::string& name);  // not_linked, already_running
  Status stop(const std::string& name);   // not_running; returns when the thread has ended
  // True when all inputs are finished and every output has delivered what it held; false after
  // timeout_ms. An engine with endless inputs is never drained.
  Status wait_drained(const std::string& name, uint32_t timeout_ms, bool* drained);

  std::vector<EngineSnapshot> snapshot();
  // Where that flow would go in every engine's graph, and why. invalid_argument.
  Status explain(const FlowQuestion& question, std::vector<Explanation>* answers);

  // Makes a pipe that gets a copy of what passes a link; *pipe is its consumer's name. It is there
  // until close_tap, or until the link goes. With `last_ms` it begins with what the link's recorder
  // has of that time. invalid_argument, no_such_pipe.
  Status open_tap(const TapRequest& request, std::string* pipe, uint32_t last_ms = 0);
  Status filter_tap(const std::string& pipe, const std::string& expression);
  void close_tap(const std::string& pipe);
  LinkList links();  // that can be tapped
  // Keeps the last packets of a link, until close_recorder or until the link goes. no_such_engine,
  // no_such_pipe, already_exists, invalid_argument.
  Status open_recorder(const std::string& engine, const std::string& link, uint32_t seconds,
                       uint64_t bytes);
  Status close_recorder(const std::string& engine, const std::string& link);

 private:
  Runtime();
  ~Runtime();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bricks
