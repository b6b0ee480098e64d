// Who leaves a session, by its own wish or for its errors, and what becomes of the session.
#include "plugins/plugin_call.hh"
#include "plugins/plugin_manager.hh"

namespace bricks {

// After a call in which sessions were left: detached_ has their places in `events`.
void PluginManager::finish_detached(WorkerGeneration& generation, uint32_t place,
                                    bricks_event* events) noexcept {
  PluginCounts& counts = generation.members[place].plugin->counts();
  for (uint32_t i = 0; i < detached_count_; ++i) {
    bricks_session& session = *events[detached_[i]].session;
    SessionExtra& known = extra(session);
    counts.add(PluginCount::detached);
    void** context = generation.context(session, place);
    if (*context) {
      if (!generation.members[place].plugin->collects()) counts.add(PluginCount::ctx_leaks);
      free_context(generation, place, context);
    }
    if (known.holder == place + 1) release_lock(generation, known);
    if (known.owner == place + 1) counts.add(PluginCount::orphans);
  }
  detached_count_ = 0;
}

// It has failed at that event.
void PluginManager::fail(WorkerGeneration& generation, uint32_t place,
                         bricks_event& event) noexcept {
  LoadedPlugin& plugin = *generation.members[place].plugin;
  const PluginSpec& spec = plugin.spec();
  bricks_session& session = *event.session;
  SessionExtra& known = extra(session);
  const uint64_t bit = uint64_t{1} << place;
  plugin.counts().add(PluginCount::errors);
  if (WorkerGeneration::Member& member = generation.members[place]; !member.told) {
    member.told = true;
    const std::string why = plugin.why(member.state);
    if (!why.empty()) list_->warn(plugin.name() + ": " + why + " (the first error is told)");
  }
  if (plugin.count_error()) {
    generation.disabled |= bit;
    list_->warn(plugin.name() + ": " + std::to_string(spec.max_errors_total) +
                " errors (max_errors_total): it is not called any more; its sessions go on by its "
                "on_error. Mend it and b:reload()");
  }
  if (known.holder == place + 1) release_lock(generation, known);
  bool last = spec.max_errors <= 1;
  if (!last) {
    uint8_t& errors = generation.errors_of(entry_of(session), place);
    known.flags |= kExtraErrors;
    last = ++errors >= spec.max_errors;
  }
  const OnError policy = known.owner == place + 1 ? spec.takeover_error : spec.on_error;
  if (known.alive & bit && last) {
    known.alive &= ~bit;
    unsettle(session);
    changed_ = true;
    plugin.counts().add(PluginCount::detached);
    if (known.owner == place + 1) plugin.counts().add(PluginCount::orphans);
    void** context = generation.context(session, place);
    if (*context) free_context(generation, place, context);
  }
  if (known.flags & kExtraClosing) return;
  if (last) {
    apply_policy(policy, event);
  } else if (policy == OnError::drop && event.packet) {
    ++interventions_;
    const_cast<bricks_packet_view*>(event.packet)->dropped = 1;
  }
}

// Its turn would be here, but it is disabled, or its worker has not started.
void PluginManager::leave_out(WorkerGeneration& generation, uint32_t place,
                              bricks_event& event) noexcept {
  const PluginSpec& spec = generation.members[place].plugin->spec();
  SessionExtra& known = extra(*event.session);
  known.alive &= ~(uint64_t{1} << place);
  unsettle(*event.session);
  changed_ = true;
  if (known.flags & kExtraClosing) return;
  apply_policy(known.owner == place + 1 ? spec.takeover_error : spec.on_error, event);
}

void PluginManager::apply_policy(OnError policy, bricks_event& event) noexcept {
  ++interventions_;
  uint32_t& fate = event.session->owner_;
  if (policy == OnError::close) fate |= kFateKill | kFatePoisoned;
  if (policy != OnError::drop) return;
  fate |= kFateDoomed;
  if (event.packet) const_cast<bricks_packet_view*>(event.packet)->dropped = 1;
}

// Not by the holder's wish.
void PluginManager::release_lock(WorkerGeneration& generation, SessionExtra& session) noexcept {
  if (!session.holder) return;
  const WorkerGeneration::Member& member = generation.members[session.holder - 1];
  member.plugin->counts().add(PluginCount::locks_lost);
  session.holder = 0;
}

// One event of a child, and its end if that is what comes of it.
void PluginManager::tell_child(bricks_session& child, bricks_event_type type,
                               bricks_close_reason reason) noexcept {
  bricks_event event = {};
  event.session = &child;
  event.entry_ = entry_of(child);
  event.type = static_cast<uint8_t>(type);
  if (type == BRICKS_EVENT_CLOSING) {
    event.reason = static_cast<uint16_t>(reason);
    child.state = BRICKS_SESSION_CLOSING;
    child.close_reason = static_cast<uint8_t>(reason);
  }
  bricks_event* one = &event;
  run(generation_of(child), {&one, 1}, 0);
  if (type == BRICKS_EVENT_CLOSING) {
    end_session(child);
    child.state = BRICKS_SESSION_CLOSED;
    children_.remove(child);
  } else if (child.owner_ & kFateKill) {
    tell_child(child, BRICKS_EVENT_CLOSING, kill_reason(child));
  }
  counts_.children = children_.count();
}

void PluginManager::end_children(bricks_session& parent) noexcept {
  while (const uint32_t child = extra(parent).child) {
    tell_child(children_.at(child), BRICKS_EVENT_CLOSING, BRICKS_CLOSE_PARENT);
  }
}

// What children wait to be told since they were opened or closed.
void PluginManager::tell_children() noexcept {
  bricks_event_type type;
  while (bricks_session* child = children_.take(&type)) {
    const bool killed = child->owner_ & kFateKill;
    tell_child(*child, type, killed ? kill_reason(*child) : BRICKS_CLOSE_PLUGIN_KILL);
  }
}

}  // namespace bricks
