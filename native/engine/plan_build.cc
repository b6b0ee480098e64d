// Building a plan from a graph: what is new is opened, what was there is taken over.
#include <algorithm>
#include <cassert>
#include <map>
#include <set>

#include "engine/locked_filter.hh"
#include "engine/plan.hh"
#include "ports/spill_pool.hh"

namespace bricks {

namespace {

// A packet that Duplicators bring to one Merge many times over: so often, and no more.
constexpr uint64_t kMultiplicityMax = 4096;

template <typename Slot>
std::shared_ptr<Slot> find_by_name(const std::vector<std::shared_ptr<Slot>>& slots,
                                   const std::string& name) {
  for (const auto& slot : slots) {
    if (slot->name == name) return slot;
  }
  return nullptr;
}

Status check_shape(const Graph& graph) {
  if (graph.inlets.size() > kInletsMax || graph.bricks.size() > kBricksMax) {
    return {Code::limit_reached, "the graph has " + std::to_string(graph.inlets.size()) +
                                     " inputs and " + std::to_string(graph.bricks.size()) +
                                     " bricks; an engine takes " + std::to_string(kInletsMax) +
                                     " and " + std::to_string(kBricksMax)};
  }
  std::set<std::string> inputs, outputs, ids;
  for (const Graph::Inlet& inlet : graph.inlets) {
    if (inlet.brick >= graph.bricks.size()) {
      return {Code::invalid_graph, "input " + inlet.port + " leads to no brick"};
    }
    if (!inputs.insert(inlet.port).second) {
      return {Code::invalid_graph, "input " + inlet.port + " is there twice"};
    }
  }
  for (const Graph::Node& node : graph.bricks) {
    if (!ids.insert(node.id).second) {
      return {Code::invalid_graph, "brick " + node.id + " is there twice"};
    }
    for (const Graph::Outlet& outlet : node.outlets) {
      if (outlet.brick >= static_cast<int64_t>(graph.bricks.size())) {
        return {Code::invalid_graph, "link " + outlet.name + " leads to no brick"};
      }
      if (!outputs.insert(outlet.name).second) {
        return {Code::invalid_graph, "output " + outlet.name + " is there twice"};
      }
    }
  }
  return {};
}

}  // namespace

Status Plan::build(const Graph& asked, const Plan* current, const PortContext& context,
                   std::unique_ptr<Plan>* plan, SessionTable* sessions) {
  auto made = std::make_unique<Plan>();
  std::vector<uint32_t> sorted;
  Status status = check_shape(asked);
  const Graph graph = with_locked_filters(asked);
  if (status.ok()) status = made->order(graph, &sorted);
  if (status.ok()) status = made->add_bricks(graph, current, sorted, sessions);
  if (status.ok()) status = made->size_lists(graph, sorted);
  if (current) made->fragments = current->fragments;
  if (status.ok() && made->reads_flows_ && !made->fragments) {
    status = FragmentTracker::create(context.owner, &made->fragments);
  }
  if (status.ok()) status = made->add_inputs(graph, current, context);
  if (status.ok()) status = made->add_outputs(graph, current, context);
  if (!status.ok()) return status;
  if (status = made->watch_outlets(context); !status.ok()) return status;
  made->find_exclusive();
  made->find_cuts();
  made->find_sources();
  *plan = std::move(made);
  return {};
}

Status Plan::order(const Graph& graph, std::vector<uint32_t>* sorted) const {
  std::vector<uint32_t> waiting(graph.bricks.size(), 0);
  for (const Graph::Node& node : graph.bricks) {
    for (const Graph::Outlet& outlet : node.outlets) {
      if (outlet.brick >= 0) ++waiting[static_cast<size_t>(outlet.brick)];
    }
  }
  for (uint32_t i = 0; i < waiting.size(); ++i) {
    if (waiting[i] == 0) sorted->push_back(i);
  }
  for (size_t next = 0; next < sorted->size(); ++next) {
    for (const Graph::Outlet& outlet : graph.bricks[(*sorted)[next]].outlets) {
      if (outlet.brick < 0) continue;
      const auto child = static_cast<uint32_t>(outlet.brick);
      if (--waiting[child] == 0) sorted->push_back(child);
    }
  }
  if (sorted->size() == graph.bricks.size()) return {};
  const auto stuck = std::find_if(waiting.begin(), waiting.end(), [](uint32_t n) { return n; });
  return {Code::invalid_graph, "the links run in a circle through brick " +
                                   graph.bricks[static_cast<size_t>(stuck - waiting.begin())].id};
}

Status Plan::add_bricks(const Graph& graph, const Plan* current,
                        const std::vector<uint32_t>& sorted, SessionTable* sessions) {
  place_.resize(graph.bricks.size());
  for (const uint32_t index : sorted) {
    const Graph::Node& node = graph.bricks[index];
    const BrickType* type = find_brick_type(node.kind);
    if (!type) return {Code::unknown_brick, "no brick of kind " + node.kind};
    if (node.outlets.size() < type->outputs.minimum ||
        node.outlets.size() > type->outputs.maximum) {
      return {Code::invalid_graph, node.id + " has " + std::to_string(node.outlets.size()) +
                                       " outputs; a " + node.kind + " takes " +
                                       std::to_string(type->outputs.minimum) + " to " +
                                       std::to_string(type->outputs.maximum)};
    }
    auto slot = std::make_shared<BrickSlot>();
    slot->id = node.id;
    slot->type = type;
    slot->options = node.options;
    if (Status status = check_options(node.kind, type->options, &slot->options); !status.ok()) {
      return status;
    }
    slot->place = {static_cast<uint32_t>(node.outlets.size()), node.level, {}};
    for (const Graph::Outlet& outlet : node.outlets) {
      slot->place.outlet_names.push_back(bare_pipe_name(outlet.name));
    }
    slot->place.id = node.id;
    slot->place.sessions = sessions;
    std::shared_ptr<BrickSlot> kept;
    for (size_t i = 0; current && i < current->bricks.size(); ++i) {
      const auto& old = current->bricks[i];
      if (old->id == slot->id && old->type == type) slot->place.before = old->brick.get();
      if (old->id == slot->id && old->type == type && old->options == slot->options &&
          old->place.level == slot->place.level &&
          old->place.outlet_names == slot->place.outlet_names) {
        kept = old;
      }
    }
    if (!kept) {
      if (Status status = type->make(slot->options, slot->place, &slot->brick); !status.ok()) {
        return status;
      }
      slot->place.before = nullptr;  // it may be gone before this one
      kept = std::move(slot);
    }
    place_[index] = static_cast<uint32_t>(nodes_.size());
    bricks.push_back(kept);
    reads_flows_ |= type->reads_flows;
    Node& made = nodes_.emplace_back();
    made.slot = kept.get();
  }
  return {};
}

// How long every list can get, and memory for it.
Status Plan::size_lists(const Graph& graph, const std::vector<uint32_t>& sorted) {
  for (const Graph::Inlet& inlet : graph.inlets) {
    Node& node = nodes_[place_[inlet.brick]];
    node.multiplicity = std::max<uint64_t>(node.multiplicity, 1);
  }
  // What it holds it gives out once, be there an input before it or not.
  for (Node& node : nodes_) {
    if (node.slot->type->holds) node.multiplicity = std::max<uint64_t>(node.multiplicity, 1);
  }
  for (const uint32_t index : sorted) {
    Node& node = nodes_[place_[index]];
    if (node.multiplicity > kMultiplicityMax) {
      return {Code::invalid_graph, "brick " + graph.bricks[index].id + " could get one packet " +
                                       std::to_string(node.multiplicity) + " times; " +
                                       std::to_string(kMultiplicityMax) + " is the most"};
    }
    for (const Graph::Outlet& outlet : graph.bricks[index].outlets) {
      if (outlet.brick < 0) continue;
      Node& child = nodes_[place_[static_cast<size_t>(outlet.brick)]];
      ++child.parents;
      child.multiplicity += node.multiplicity;
    }
    const size_t length = std::max<uint64_t>(node.multiplicity, 1) * kBatchMax;
    const size_t outlets = graph.bricks[index].outlets.size();
    node.storage.resize(length * outlets);
    for (size_t o = 0; o < outlets; ++o) {
      Index* own = node.storage.data() + o * length;
      node.lists.push_back({own, own, own});
    }
    node.merged.resize(node.parents > 1 ? length : 0);
  }
  return {};
}

Status Plan::add_inputs(const Graph& graph, const Plan* current, const PortContext& context) {
  for (const Graph::Inlet& inlet : graph.inlets) {
    auto slot = current ? find_by_name(current->inputs, inlet.port) : nullptr;
    if (!slot) {
      slot = std::make_shared<InputSlot>();
      slot->name = inlet.port;
      Status status = open_input(inlet.port, context, &slot->port);
      if (!status.ok()) return status;
    }
    input_sources_.push_back(&slot->source);
    inputs.push_back(std::move(slot));
    entries_.push_back(place_[inlet.brick]);
  }
  return {};
}

Status Plan::add_outputs(const Graph& graph, const Plan* current, const PortContext& context) {
  for (size_t index = 0; index < graph.bricks.size(); ++index) {
    for (const Graph::Outlet& outlet : graph.bricks[index].outlets) {
      Node& node = nodes_[place_[index]];
      if (outlet.brick >= 0) {
        node.targets.push_back({false, place_[static_cast<size_t>(outlet.brick)]});
        continue;
      }
      auto slot = current ? find_by_name(current->outputs, outlet.name) : nullptr;
      if (!slot) {
        slot = std::make_shared<OutputSlot>();
        slot->name = outlet.name;
        Status status = open_output(outlet.name, context, &slot->port);
        if (!status.ok()) return status;
      }
      node.targets.push_back({true, static_cast<uint32_t>(leaves_.size())});
      Leaf& leaf = leaves_.emplace_back();
      leaf.slot = slot.get();
      outputs.push_back(std::move(slot));
      output_bricks.push_back(graph.bricks[index].id);
    }
  }
  return {};
}

void Plan::mark_leaves(const Target& target, std::vector<bool>& seen) const {
  if (target.is_output) {
    seen[target.index] = true;
    return;
  }
  for (const Target& next : nodes_[target.index].targets) mark_leaves(next, seen);
}

// Outputs behind two different outlets of a brick that duplicates may hold the same packet: only
// the last of them may exchange its buffer, and none that can be reached both ways.
void Plan::find_exclusive() {
  for (const Node& node : nodes_) {
    if (!node.slot->type->duplicates || node.targets.size() < 2) continue;
    std::vector<uint32_t> reached(leaves_.size(), 0);
    uint32_t last = 0;
    for (const Target& target : node.targets) {
      std::vector<bool> seen(leaves_.size(), false);
      mark_leaves(target, seen);
      for (uint32_t leaf = 0; leaf < seen.size(); ++leaf) {
        if (!seen[leaf]) continue;
        ++reached[leaf];
        last = std::max(last, leaf);
      }
    }
    for (uint32_t leaf = 0; leaf < reached.size(); ++leaf) {
      // Conservative: leaves of the last one's own branch could exchange too, but are not worth it.
      if (reached[leaf] > 1 || (reached[leaf] == 1 && leaf != last))
        leaves_[leaf].exclusive = false;
    }
  }
}

Status Plan::watch_outlets(const PortContext& context) {
  std::vector<std::shared_ptr<SpillPool>> pools(leaves_.size());
  for (const Node& node : nodes_) {
    const BrickType& type = *node.slot->type;
    const bool spills = type.spills && type.spills(node.slot->options);
    std::shared_ptr<SpillPool> pool;
    if (spills) {
      if (Status status = context.spills->get(&pool); !status.ok()) return status;
    }
    for (uint32_t o = 0; o < node.targets.size(); ++o) {
      std::vector<uint32_t> behind;
      if (node.targets[o].is_output) {
        behind.push_back(node.targets[o].index);
      } else {
        std::vector<bool> seen(leaves_.size(), false);
        mark_leaves(node.targets[o], seen);
        for (uint32_t leaf = 0; leaf < seen.size(); ++leaf) {
          if (seen[leaf]) behind.push_back(leaf);
        }
      }
      for (const uint32_t leaf : behind) {
        if (spills) pools[leaf] = pool;
      }
      watch.add_outlet(node.slot, o, std::move(behind));
    }
  }
  for (uint32_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    watch.add_output(leaves_[leaf].slot, std::move(pools[leaf]));
  }
  return {};
}

void Plan::mark_cut(const Target& target, const Cuts* cuts) {
  if (target.is_output) return;
  Node& node = nodes_[target.index];
  if (std::find(node.cuts_before.begin(), node.cuts_before.end(), cuts) != node.cuts_before.end()) {
    return;
  }
  node.cuts_before.push_back(cuts);
  for (const Target& next : node.targets) mark_cut(next, cuts);
}

// A brick that holds packets remembers how they were cut before it, and cuts them so again.
void Plan::find_cuts() {
  for (Node& node : nodes_) {
    if (!node.slot->type->cuts && !node.slot->type->holds) continue;
    node.cuts = std::make_unique<Cuts>();
    cuts_.push_back(node.cuts.get());
    std::vector<bool> seen(leaves_.size(), false);
    for (const Target& target : node.targets) {
      mark_leaves(target, seen);
      mark_cut(target, node.cuts.get());
    }
    for (uint32_t leaf = 0; leaf < seen.size(); ++leaf) {
      if (seen[leaf]) leaves_[leaf].cuts.push_back(node.cuts.get());
    }
  }
}

// Which inputs, or bricks that hold, are the last before each brick; and whether one is lossless.
void Plan::find_sources() {
  std::vector<std::set<const Source*>> reach(nodes_.size());
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    reach[entries_[i]].insert(&inputs[i]->source);
    nodes_[entries_[i]].lossless |= inputs[i]->port->lossless();
  }
  for (uint32_t n = 0; n < nodes_.size(); ++n) {
    Node& node = nodes_[n];
    if (node.slot->type->holds) {
      node.sources.assign(reach[n].begin(), reach[n].end());
      reach[n] = {&node.slot->source};
      holders_.insert(holders_.begin(), n);
    }
    for (const Target& target : node.targets) {
      // With a lossless input they are waited for, and have room without end.
      if (target.is_output && node.slot->type->holds && !node.lossless) {
        node.room_of.push_back(leaves_[target.index].slot);
      }
      if (target.is_output) continue;
      reach[target.index].insert(reach[n].begin(), reach[n].end());
      nodes_[target.index].lossless |= node.lossless;
    }
  }
}

}  // namespace bricks
