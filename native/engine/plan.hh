// A graph made ready to run: inputs, bricks in topological order, outputs, and the lists of packets
// between them. Built and taken down by the control thread; run by the engine's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/explain.hh"
#include "engine/fragment_tracker.hh"
#include "engine/graph.hh"
#include "engine/outlet_watch.hh"
#include "engine/plan_parts.hh"
#include "ports/port_registry.hh"
#include "wire/flow_hash.hh"

namespace bricks {

struct Tap;  // engine/tap.hh

class Plan {
 public:
  // Opens what `graph` names and `current` (may be null) does not have yet, and takes over the
  // rest. On error nothing has changed: whatever was opened is closed again.
  static Status build(const Graph& graph, const Plan* current, const PortContext& context,
                      std::unique_ptr<Plan>* plan, SessionTable* sessions = nullptr);

  // Decodes the batch of input `i`, pushes it through the bricks and leaves it at the outputs.
  void route(uint32_t input, const HashSeed& seed) noexcept;
  // The parts of it; the last takes any batch as if it had come by that input, or part of it.
  void decode_input(uint32_t input, const HashSeed& seed) noexcept;
  void tap_input(uint32_t input, Batch& batch) noexcept;
  void route_from(uint32_t input, Batch& batch, Picks picks) noexcept;

  // What a holding brick has due: released into `batch` and routed. Whoever calls it before each
  // batch until nothing is due keeps the order, since those nearest to the outputs come first.
  // `all`: due or not. The brick gets the batch back by recycle().
  struct Released {
    Brick* brick = nullptr;  // null: nothing is due
    bool lossless = false;   // outputs are to be waited for
  };
  Released release(Batch& batch, Nanos now, bool all, const HashSeed& seed) noexcept;
  bool due(Nanos now, bool all) const noexcept;
  bool holding() const noexcept;
  Nanos due_at() const noexcept;  // 0: nothing is held
  // Tells bricks that hold where packets come from: once, before the plan runs.
  void introduce_sources() noexcept;
  // Once a breath, before due(): a brick's own source follows those before it.
  void refresh_sources() noexcept;
  bool wants(const Source& source) const noexcept;  // every brick behind it that holds does
  // Bricks that `next` does not have are to release all they hold.
  void prepare_leaving(const Plan& next) noexcept;

  // Hands the outputs what route left them. `lossless`: only what they have room for; false when
  // something is left, to be handed over by another call. Else takes what fits and returns true.
  bool transmit(Batch& batch, bool lossless) noexcept;
  // `output` is going away: what transmit still had for it is counted as unread.
  void abandon(const OutputSlot& output) noexcept;
  // All outputs, or those that got something since the last flush.
  void flush(Nanos now, bool all) noexcept;
  // Packets that transmit still has for outputs[i].
  uint32_t waiting(uint32_t output) const noexcept { return leaves_[output].count; }
  uint64_t waiting_in_all() const noexcept;
  // Which brick gets an input's packets first, and where one would go (engine/explain.hh).
  uint32_t entry(uint32_t input) const noexcept { return entries_[input]; }
  void explain(const Batch& batch, uint32_t input, Explanation* to) const;
  std::vector<ExplainStep::Way> ways(uint32_t brick) const;  // of bricks[brick]

  void set_taps(const std::vector<std::shared_ptr<Tap>>& taps);  // engine/tap.hh; between breaths
  bool has_tap(const Tap& tap) const noexcept;
  void finish_taps() noexcept;
  bool awaits_reader() const noexcept;  // one of those has somebody who may read it

  std::vector<std::shared_ptr<InputSlot>> inputs;
  std::vector<std::shared_ptr<BrickSlot>> bricks;  // in topological order
  std::vector<std::shared_ptr<OutputSlot>> outputs;
  std::vector<std::string> output_bricks;      // per output: id of the brick that feeds it
  OutletWatch watch;                           // of the consumers behind each outlet
  std::shared_ptr<FragmentTracker> fragments;  // of all inputs; null: no brick goes by flows
 private:
  using Target = PlanTarget;
  using Node = PlanNode;
  using Leaf = PlanLeaf;
  using TapPoint = PlanTapPoint;

  Status order(const Graph& graph, std::vector<uint32_t>* sorted) const;
  Status add_bricks(const Graph& graph, const Plan* current, const std::vector<uint32_t>& sorted,
                    SessionTable* sessions);
  Status add_inputs(const Graph& graph, const Plan* current, const PortContext& context);
  Status add_outputs(const Graph& graph, const Plan* current, const PortContext& context);
  Status size_lists(const Graph& graph, const std::vector<uint32_t>& sorted);
  void find_exclusive();
  void find_cuts();
  Status watch_outlets(const PortContext& context);
  bool goes_on(const Node& node, uint32_t outlet) const noexcept;
  void tap(int32_t node, uint32_t which, Batch& batch, const Index* picks, uint32_t count) noexcept;
  static void transmit_to(OutputSlot& slot, const std::vector<const Cuts*>& cuts, Batch& batch,
                          const Index* picks, uint32_t count, bool exclusive) noexcept;
  void find_sources();
  static void tell_room(const Node& node, Nanos now) noexcept;
  void mark_leaves(const Target& target, std::vector<bool>& seen) const;
  void mark_cut(const Target& target, const Cuts* cuts);
  void run(uint32_t first, Batch& batch) noexcept;
  Released release_fragments(Batch& batch, Nanos now, bool all) noexcept;
  void pass_on(uint32_t node, Batch& batch) noexcept;
  void hand_over(Node& node, const Index* picks, uint32_t count) noexcept;

  std::vector<uint32_t> entries_;  // per input: index of its node
  std::vector<uint32_t> place_;    // per graph brick: index of its node
  std::vector<Node> nodes_;
  std::vector<Leaf> leaves_;
  std::array<Index, kBatchMax> fragment_picks_;  // what an input's FragmentTracker lets pass
  std::vector<Cuts*> cuts_;                      // all nodes'
  std::vector<uint32_t> holders_;  // nodes whose type holds, last in topological order first
  std::vector<TapPoint> taps_;
  std::vector<const Source*> input_sources_;
  bool reads_flows_ = false;  // some brick does: decode
};

}  // namespace bricks
