// Sessions and generations: who is there.
#include "plugins/plugin_manager.hh"

#include "plugins/plugin_call.hh"

namespace bricks {

thread_local PluginCall plugin_call BRICKS_STATIC_TLS;
thread_local const char* running_plugin BRICKS_STATIC_TLS;

Status PluginManager::create(std::shared_ptr<PluginList> list, uint32_t capacity, uint32_t worker,
                             uint32_t outputs, std::unique_ptr<PluginManager>* manager) {
  std::unique_ptr<PluginManager> made(new PluginManager);
  made->list_ = std::move(list);
  made->capacity_ = capacity;
  made->worker_ = worker;
  made->outputs_ = outputs;
  if (!made->extras_.reserve(uint64_t{capacity} + kSessionChildrenMax) ||
      !made->metadata_.reserve() || !made->children_.reserve(made->extras_.data(), capacity)) {
    return system_error("memory for what plugins know of sessions", errno);
  }
  made->version_ = made->list_->version();
  auto first = std::make_unique<WorkerGeneration>();
  Status status = first->reserve(made->list_->current(), capacity + kSessionChildrenMax);
  if (!status.ok()) return status;
  made->events_ = first->events;
  made->protocols_ = first->protocols;
  made->scripts_ = first->scripts;
  made->slots_[0] = std::move(first);
  made->counts_.generations = 1;
  made->retiring_ = true;  // the first refresh() starts it
  *manager = std::move(made);
  return {};
}

PluginManager::~PluginManager() {
  for (auto& slot : slots_) {
    if (!slot) continue;
    std::shared_ptr<const PluginGeneration> of = slot->of;
    slot.reset();
    list_->retire(std::move(of));
  }
}

void PluginManager::renew() noexcept {
  if (!slots_[current_]->running) slots_[current_]->start(worker_, *list_);
  if (list_->version() != version_) adopt();
  let_go();
  events_ = protocols_ = scripts_ = 0;
  for (const auto& slot : slots_) {
    if (!slot) continue;
    events_ |= slot->events;
    protocols_ |= slot->protocols;
    scripts_ += slot->scripts;
  }
}

// False: the generation that was stays that of new sessions.
bool PluginManager::adopt() noexcept {
  version_ = list_->version();
  std::shared_ptr<const PluginGeneration> next = list_->current();
  for (auto& slot : slots_) {
    if (slot) slot->look_for_disabled();
    if (slot && slot->of == next) return true;
  }
  uint32_t place = 0;
  while (place < kPluginGenerationsMax && slots_[place]) ++place;
  if (place == kPluginGenerationsMax) {
    list_->warn("sessions of " + std::to_string(kPluginGenerationsMax) +
                " generations of plugins live, which is the most (kPluginGenerationsMax): new "
                "sessions keep the generation they have; b:reload() when some have ended");
    return false;
  }
  auto made = std::make_unique<WorkerGeneration>();
  const Status status = made->reserve(next, capacity_ + kSessionChildrenMax);
  if (!status.ok()) {
    list_->warn(status.message + ": new sessions keep the generation of plugins they have");
    return false;
  }
  made->start(worker_, *list_);
  slots_[place] = std::move(made);
  ++counts_.generations;
  current_ = place;
  retiring_ = counts_.generations > 1;
  return true;
}

void PluginManager::let_go() noexcept {
  for (uint32_t place = 0; place < kPluginGenerationsMax; ++place) {
    if (place == current_ || !slots_[place] || slots_[place]->sessions) continue;
    std::shared_ptr<const PluginGeneration> of = slots_[place]->of;
    slots_[place].reset();
    --counts_.generations;
    list_->retire(std::move(of));  // exit is for the control thread
  }
  retiring_ = counts_.generations > 1;
}

void PluginManager::begin_session(bricks_session& session) noexcept {
  if (!slots_[current_]->running) renew();
  const bool child = children_.is_child_entry(entry_of(session));
  const uint32_t slot = child ? session.owner_ & kSlotMask : current_;
  SessionExtra& known = extra(session);
  const SessionExtra before = known;
  known = SessionExtra{};
  known.parent = before.parent;
  known.sibling = before.sibling;
  known.alive = slots_[slot]->all;
  known.flags = kExtraLive;
  session.owner_ = slot;
  ++slots_[slot]->sessions;
}

void PluginManager::end_session(bricks_session& session) noexcept {
  SessionExtra& known = extra(session);
  WorkerGeneration& generation = generation_of(session);
  for (uint32_t place = 0; place < generation.members.size(); ++place) {
    void** context = generation.context(session, place);
    if (!*context) continue;
    // What failed could not free it; the rest has forgotten.
    if (known.alive >> place & 1 && !generation.members[place].plugin->collects()) {
      generation.members[place].plugin->counts().add(PluginCount::ctx_leaks);
    }
    free_context(generation, place, context);
  }
  if (known.flags & kExtraErrors) {
    for (uint32_t place = 0; place < generation.members.size(); ++place) {
      generation.errors_of(entry_of(session), place) = 0;
    }
  }
  Metadata::Garbage garbage;
  while (metadata_.remove_newest(known, &garbage)) free_value(session, garbage);
  known.flags = 0;
  --generation.sessions;
}

void PluginManager::free_context(WorkerGeneration& generation, uint32_t place,
                                 void** context) noexcept {
  void* value = *context;
  *context = nullptr;
  const WorkerGeneration::Member& member = generation.members[place];
  if (!member.functions->free_context || !member.started) return;
  const RunningPlugin running(member.plugin->name().c_str());
  const PluginCall before = plugin_call;
  plugin_call = {};
  try {
    member.functions->free_context(member.state, value);
  } catch (...) {
    ++counts_.free_errors;
    member.plugin->counts().add(PluginCount::errors);
  }
  plugin_call = before;
}

void PluginManager::free_value(const bricks_session& session,
                               const Metadata::Garbage& garbage) noexcept {
  if (!garbage.free) return;
  LoadedPlugin& plugin = *generation_of(session).members[garbage.plugin].plugin;
  const RunningPlugin running(plugin.name().c_str());
  const bricks_session* before = plugin_call.freeing;
  plugin_call.freeing = &session;
  try {
    garbage.free(garbage.value, garbage.size);
  } catch (...) {
    ++counts_.free_errors;
    plugin.counts().add(PluginCount::errors);
  }
  plugin_call.freeing = before;
}

uint32_t PluginManager::groups(const bricks_session& session, uint8_t direction,
                               uint32_t* to) const noexcept {
  const SessionExtra& known = extra(session);
  uint32_t count = 0;
  for (uint32_t i = 0; i < known.group_count; ++i) {
    if (known.group_directions[i] >> (direction & 1) & 1) to[count++] = known.group[i];
  }
  return count;
}

}  // namespace bricks
