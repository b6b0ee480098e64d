#include "engine/tap.hh"

#include <algorithm>

#include "abi/sample.h"
#include "engine/engine.hh"
#include "ports/pipe_output.hh"
#include "ports/recorder_output.hh"

namespace bricks {

namespace {

constexpr uint32_t kTapSlots = 8192;  // several batches of a burst, as nobody waits for a tap

}  // namespace

Status compile_filter(const TapRequest& request, std::unique_ptr<Expression>* filter) {
  if (request.expression.empty()) return {};
  Status status = compile_expression(request.expression, filter);
  if (status.ok()) return {};
  return {status.code, "tap of " + request.link + ": " + status.message};
}

uint32_t Tap::choose(const Batch& batch, const Index* from, uint32_t count) noexcept {
  const Index* chosen = from;
  if (request.sample > 1) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; ++i) {
      const Packet& packet = batch.packets[from[i]];
      picks[kept] = from[i];
      kept += bricks_sampled(packet.data, packet.length, static_cast<uint32_t>(batch.link),
                             request.sample);
    }
    chosen = picks;
    count = kept;
  }
  if (filter) return filter->match(batch, chosen, count, matched);
  std::copy_n(chosen, count, matched);
  return count;
}

// Before a locked filter (engine/locked_filter.hh) its output's name is only passing through: what
// the filter keeps from the output, it keeps from the output's taps.
bool Plan::goes_on(const Node& node, uint32_t outlet) const noexcept {
  const Target& target = node.targets[outlet];
  if (target.is_output) return false;
  const auto& next = nodes_[target.index].slot->place.outlet_names;
  return next.size() == 1 && next[0] == node.slot->place.outlet_names[outlet];
}

// Either end's name will do: links and pipes go by the engine's.
void Plan::set_taps(const std::vector<std::shared_ptr<Tap>>& taps) {
  taps_.clear();
  for (const auto& tap : taps) {
    for (uint32_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i]->name == tap->request.link) taps_.push_back({-1, i, tap.get()});
    }
    for (uint32_t n = 0; n < nodes_.size(); ++n) {
      const auto& names = nodes_[n].slot->place.outlet_names;
      for (uint32_t o = 0; o < names.size(); ++o) {
        if (names[o] == tap->request.link && !goes_on(nodes_[n], o)) {
          taps_.push_back({static_cast<int32_t>(n), o, tap.get()});
        }
      }
    }
  }
}

bool Plan::has_tap(const Tap& tap) const noexcept {
  return std::any_of(taps_.begin(), taps_.end(),
                     [&](const auto& point) { return point.tap == &tap; });
}

// Of node `node`'s outlet, or with -1 of input `which`. What is cut for an output is cut for its
// tap.
void Plan::tap(int32_t node, uint32_t which, Batch& batch, const Index* picks,
               uint32_t count) noexcept {
  for (const TapPoint& point : taps_) {
    if (point.node != node || point.which != which) continue;
    Tap& to = *point.tap;
    to.passed += count;
    static const std::vector<const Cuts*> kNone;
    const std::vector<const Cuts*>* cuts = &kNone;
    if (node >= 0) {
      const Target& target = nodes_[static_cast<uint32_t>(node)].targets[which];
      if (target.is_output) cuts = &leaves_[target.index].cuts;
    }
    for (uint32_t done = 0; done < count;) {
      const uint32_t part = std::min(count - done, kBatchMax);
      const uint32_t wanted = to.choose(batch, picks + done, part);
      done += part;
      if (wanted == 0) continue;
      to.slot.cell.packets += wanted;
      transmit_to(to.slot, *cuts, batch, to.matched, wanted, false);
    }
  }
}

void Plan::finish_taps() noexcept {
  for (const TapPoint& point : taps_) point.tap->slot.port->finish(point.tap->slot.cell);
}

std::vector<ExplainStep::Way> Plan::ways(uint32_t brick) const {
  std::vector<ExplainStep::Way> made;
  const Node& node = nodes_[brick];
  for (uint32_t o = 0; o < node.targets.size(); ++o) {
    const Target& target = node.targets[o];
    made.push_back(
        {node.slot->place.outlet_names[o], target.is_output ? "" : nodes_[target.index].slot->id});
  }
  return made;
}

void Engine::links(LinkList* to) {
  std::lock_guard control(control_);
  const size_t before = to->links.size();
  list_links(*plan_, name_, to);
  for (const auto& tap : taps_) {
    if (!tap->recording) to->taps.push_back(tap->slot.name);
    for (size_t i = before; tap->recording && i < to->links.size(); ++i) {
      if (to->links[i].name == tap->request.link) to->links[i].recording = tap->recording;
    }
  }
}

Status Engine::open_recorder(const std::string& name, Tap* tap) {
  for (const auto& other : taps_) {
    if (other->slot.name == name) {
      return {Code::already_exists, "what passes '" + tap->request.link + "' is recorded already"};
    }
  }
  const TapRequest& wanted = tap->request;
  Status status =
      Recording::create(wanted.link, wanted.record_bytes, wanted.record_s, &tap->recording);
  if (status.ok()) tap->slot.port = std::make_unique<RecorderOutput>(tap->recording);
  return status;
}

Status Engine::open_tap(const TapRequest& request, const std::string& name) {
  auto made = std::make_shared<Tap>();
  made->request = request;
  made->slot.name = name;
  if (Status status = compile_filter(request, &made->filter); !status.ok()) return status;
  std::lock_guard control(control_);
  if (request.record_s) {
    if (Status status = open_recorder(name, made.get()); !status.ok()) return status;
  } else {
    PortContext context;
    context.pipes = context_.pipes;
    context.pipe_slots = kTapSlots;
    context.owner = name_;
    Status status = open_output(name + request.access, context, &made->slot.port);
    if (!status.ok()) return status;
  }
  taps_.push_back(made);
  run_between([&](Plan& plan) {
    plan.set_taps(taps_);
    if (said_finished_) made->slot.port->finish(made->slot.cell);
  });
  return {};
}

// False: not here. What the engine's thread reads changes between two breaths only.
bool Engine::filter_tap(const std::string& name, const std::string& expression, Status* status) {
  std::lock_guard control(control_);
  for (const auto& tap : taps_) {
    if (tap->slot.name != name) continue;
    TapRequest wanted = tap->request;
    wanted.expression = expression;
    std::unique_ptr<Expression> filter;
    *status = compile_filter(wanted, &filter);
    if (!status->ok()) return true;
    run_between([&](Plan&) {
      tap->request.expression = expression;
      tap->filter.swap(filter);
    });
    return true;
  }
  return false;
}

bool Engine::close_tap(const std::string& name) {
  std::lock_guard control(control_);
  const auto found = std::find_if(taps_.begin(), taps_.end(),
                                  [&](const auto& tap) { return tap->slot.name == name; });
  if (found == taps_.end()) return false;
  const std::shared_ptr<Tap> tap = *found;
  taps_.erase(found);
  run_between([&](Plan& plan) { plan.set_taps(taps_); });
  tap->slot.port->close(tap->slot.cell);
  return true;
}

// A tap whose link is gone ends.
void Engine::prune_taps() {
  std::erase_if(taps_, [this](const auto& tap) {
    if (plan_->has_tap(*tap)) return false;
    tap->slot.port->close(tap->slot.cell);
    return true;
  });
}

std::vector<TapRow> Engine::tap_rows() {
  std::vector<TapRow> rows;
  if (taps_.empty()) return rows;
  run_between([&](Plan&) {
    for (const auto& tap : taps_) {
      const PipeOutput* pipe = tap->slot.port->pipe();
      rows.push_back({tap->slot.name, tap->request.link, tap->request.expression,
                      tap->request.sample, pipe ? pipe->share()->consumer_pid.load() : 0,
                      tap->passed, tap->slot.cell, tap->request.record_s,
                      tap->recording ? tap->recording->overwritten() : 0});
    }
  });
  return rows;
}

}  // namespace bricks
