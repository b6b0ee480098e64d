#include "engine/explain.hh"

#include <algorithm>
#include <functional>

#include "engine/engine.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

// What becomes of the flow when the outlet it goes to leaves: a brick as it would be then is asked.
// Live flows that it remembers are not known to that one, and need not be: theirs is the loss.
std::string without(const BrickSlot& slot, uint32_t gone, const Batch& batch) {
  const BrickPlace& now = slot.place;
  BrickPlace place;
  place.level = now.level;
  place.outlets = now.outlets - 1;
  place.outlet_names = now.outlet_names;
  place.outlet_names.erase(place.outlet_names.begin() + gone);
  Options options = slot.options;
  for (auto& [name, value] : options) {  // a list with a value for each outlet: weights
    auto* numbers = std::get_if<std::vector<double>>(&value);
    if (numbers && numbers->size() == now.outlets) numbers->erase(numbers->begin() + gone);
  }
  std::unique_ptr<Brick> brick;
  if (!slot.type->make(options, place, &brick).ok()) return {};
  const Decision decision = brick->explain(batch, 0, place.outlets);
  if (decision.outlets.size() != 1 || decision.outlets[0] >= place.outlets) return {};
  return "if " + now.outlet_names[gone] + " left, it would go to " +
         place.outlet_names[decision.outlets[0]];
}

}  // namespace

// Nodes are in topological order: one pass reaches everything.
void Plan::explain(const Batch& batch, uint32_t input, Explanation* to) const {
  std::vector<bool> reached(nodes_.size(), false);
  reached[entries_[input]] = true;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    if (entries_[i] == entries_[input]) to->inputs.push_back(inputs[i]->name);
  }
  for (uint32_t n = entries_[input]; n < nodes_.size(); ++n) {
    if (!reached[n]) continue;
    const Node& node = nodes_[n];
    const auto outlets = static_cast<uint32_t>(node.targets.size());
    const Decision decision = node.slot->brick->explain(batch, 0, outlets);
    ExplainStep& step = to->steps.emplace_back();
    step.brick = node.slot->id;
    step.kind = node.slot->type->name;
    step.why = decision.why;
    for (const uint32_t outlet : decision.outlets) {
      if (outlet >= outlets) continue;
      const Target& target = node.targets[outlet];
      ExplainStep::Way& way = step.ways.emplace_back();
      way.link = node.slot->place.outlet_names[outlet];
      if (target.is_output) {
        to->outputs.push_back(way.link);
      } else {
        way.brick = nodes_[target.index].slot->id;
        reached[target.index] = true;
      }
    }
  }
}

Status Engine::explain(const FlowQuestion& question, std::vector<Explanation>* answers) {
  std::vector<uint8_t> frame;
  if (Status status = make_probe(question, &frame); !status.ok()) return status;
  auto batch = std::make_unique<Batch>();
  batch->count = 1;
  batch->packets[0] = {};
  batch->packets[0].data = frame.data();
  batch->packets[0].length = static_cast<uint32_t>(frame.size());
  decode(*batch, process_hash_seed());
  batch->decoded = true;
  std::lock_guard control(control_);
  std::vector<Explanation> made;
  run_between([&](Plan& plan) {
    std::vector<uint32_t> seen;  // first bricks that have been walked from
    for (uint32_t i = 0; i < plan.inputs.size(); ++i) {
      const uint32_t entry = plan.entry(i);
      if (std::find(seen.begin(), seen.end(), entry) != seen.end()) continue;
      seen.push_back(entry);
      Explanation& answer = made.emplace_back();
      answer.engine = name_;
      plan.explain(*batch, i, &answer);
    }
  });
  for (Explanation& answer : made) {
    for (ExplainStep& step : answer.steps) {
      const auto slot = std::find_if(plan_->bricks.begin(), plan_->bricks.end(),
                                     [&](const auto& each) { return each->id == step.brick; });
      const auto& names = (*slot)->place.outlet_names;
      if ((*slot)->type->duplicates || names.size() < 2 || step.ways.size() != 1) continue;
      const auto gone = std::find(names.begin(), names.end(), step.ways[0].link);
      step.if_gone = without(**slot, static_cast<uint32_t>(gone - names.begin()), *batch);
    }
    answers->push_back(std::move(answer));
  }
  return {};
}

}  // namespace bricks
