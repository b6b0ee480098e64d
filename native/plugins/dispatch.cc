// Dispatch: each plugin in order gets the events that are its own. Waves of packets of sessions in
// which nothing is special go by as they are; all else is looked up event by event.
#include <time.h>

#include "plugins/plugin_call.hh"
#include "plugins/plugin_manager.hh"

namespace bricks {

namespace {

constexpr uint32_t kSampled = 32;  // one call in so many is measured
// PACKET events of a call, a batch as engines have them: 64 at a time were 10 percent slower for a
// plugin in C, and 13 for one in Lua.
constexpr uint32_t kEventsTogether = 128;

uint64_t monotonic() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

uint32_t lowest(uint64_t bits) noexcept { return static_cast<uint32_t>(__builtin_ctzll(bits)); }

}  // namespace

void PluginManager::dispatch(std::span<bricks_event> events, Nanos now) noexcept {
  now_ = now;
  while (!events.empty()) {
    const size_t count = std::min<size_t>(events.size(), kBatchMax);
    const std::span<bricks_event> some = events.first(count);
    if (!dispatch_settled(some)) dispatch_some(some);
    events = events.subspan(count);
  }
  tell_children();
}

// PACKET events alone, of sessions of one generation in which every plugin is as it was at first.
bool PluginManager::dispatch_settled(std::span<bricks_event> events) noexcept {
  const uint32_t word = events[0].session->owner_ & kSettledMask;
  if (!(word & kSettled)) return false;
  uint32_t odd = 0;
  for (const bricks_event& event : events) {
    odd |= (event.session->owner_ & kSettledMask) ^ word;
    odd |= event.type ^ uint32_t { BRICKS_EVENT_PACKET };
  }
  WorkerGeneration& generation = *slots_[word & kSlotMask];
  if (odd || generation.disabled) return false;
  for (bricks_event& event : events) event.context = generation.context(event, 0);
  call_in_turn(generation, events);
  return true;
}

uint32_t PluginManager::packets_together() const noexcept {
  return scripts_ ? kBatchMax : kEventsTogether;  // a script on another thread is waited for once
}

void PluginManager::dispatch(const PlainWave& wave, Nanos now) noexcept {
  WorkerGeneration& generation = *slots_[wave.all & kSlotMask];
  const bool alike = !((wave.all ^ wave.any) & kSettledMask) && wave.all & kSettled;
  if (!alike || generation.disabled) return dispatch(wave.events, now);
  now_ = now;
  call_in_turn(generation, wave.events);
  tell_children();
}

// Each plugin that gets packets. The events have the first one's contexts.
void PluginManager::call_in_turn(WorkerGeneration& generation,
                                 std::span<bricks_event> events) noexcept {
  changed_ = false;
  for (uint64_t left = generation.by_event[BRICKS_EVENT_PACKET]; left; left &= left - 1) {
    const uint32_t place = lowest(left);
    if (place) {
      for (bricks_event& event : events) {
        event.context = generation.context(event, place);
        __builtin_prefetch(event.context, 0, 2);
      }
    }
    call(generation, place, events);
    if (!changed_) continue;
    bricks_event* rest[kBatchMax];
    for (size_t i = 0; i < events.size(); ++i) rest[i] = &events[i];
    run(generation, {rest, events.size()}, place + 1);
    break;
  }
}

void PluginManager::dispatch_some(std::span<bricks_event> events) noexcept {
  bool slots[kPluginGenerationsMax] = {};
  for (const bricks_event& event : events) {
    const uint32_t word = event.session->owner_;
    slots[word & kSlotMask] = true;
    if (!(word & kSettled)) __builtin_prefetch(&extra(event), 1);
    if (word & kFateDoomed && event.packet) {
      ++interventions_;
      const_cast<bricks_packet_view*>(event.packet)->dropped = 1;
    }
  }
  bricks_event* own[kBatchMax];
  for (uint32_t slot = 0; slot < kPluginGenerationsMax; ++slot) {
    if (!slots[slot]) continue;
    uint32_t count = 0;
    for (bricks_event& event : events) {
      if ((event.session->owner_ & kSlotMask) != slot) continue;
      if (event.type == BRICKS_EVENT_CLOSING) end_children(*event.session);
      own[count++] = &event;
    }
    run(*slots_[slot], {own, count}, 0);
  }
}

// Which plugins an event is for, whatever those before them do. CLOSING: A.3.1's last column.
uint64_t PluginManager::candidates(WorkerGeneration& generation, bricks_event& event) noexcept {
  const uint64_t wanted = generation.wanted(event);
  if (event.type != BRICKS_EVENT_CLOSING) return wanted;
  SessionExtra& session = extra(event);
  release_lock(generation, session);
  session.flags |= kExtraClosing;
  unsettle(*event.session);
  if (!session.owner) return wanted & session.alive;
  return wanted & session.alive & (session.called | uint64_t{1} << (session.owner - 1));
}

// Its turn has come: is it still to see the event?
bool PluginManager::is_due(WorkerGeneration& generation, bricks_event& event,
                           uint32_t place) noexcept {
  const uint64_t bit = uint64_t{1} << place;
  if (event.session->owner_ & kSettled && event.type == BRICKS_EVENT_PACKET &&
      !generation.disabled) {
    return true;
  }
  SessionExtra& session = extra(event);
  if (!(session.alive & bit)) return false;
  const bool closing = event.type == BRICKS_EVENT_CLOSING;
  if (!closing && session.owner && session.owner != place + 1) return false;
  if (generation.disabled & bit) return leave_out(generation, place, event), false;
  session.called |= bit;
  return true;
}

// The plugins from `from` on, with events of sessions of that generation.
void PluginManager::run(WorkerGeneration& generation, std::span<bricks_event*> events,
                        uint32_t from) noexcept {
  uint64_t masks[kBatchMax], any = 0;
  for (size_t i = 0; i < events.size(); ++i) {
    masks[i] = candidates(generation, *events[i]);
    any |= masks[i];
  }
  if (from > 0) any = from < 64 ? any & ~uint64_t{0} << from : 0;
  for (uint64_t left = any; left; left &= left - 1) {
    const uint32_t place = lowest(left);
    uint32_t count = 0, closing = 0;
    for (size_t i = 0; i < events.size(); ++i) {
      bricks_event& event = *events[i];
      if (!(masks[i] >> place & 1) || !is_due(generation, event, place)) continue;
      closing += event.type == BRICKS_EVENT_CLOSING;
      batch_[count] = event;
      batch_[count++].context = generation.context(event, place);
    }
    if (closing)
      generation.members[place].plugin->counts().add(PluginCount::closing_calls, closing);
    if (count) call(generation, place, {batch_, count});
  }
  if (generation.disabled) return;
  const uint64_t packets = generation.by_event[BRICKS_EVENT_PACKET];
  for (bricks_event* event : events) {
    if (event->type != BRICKS_EVENT_PACKET || event->session->owner_ & kSettled) continue;
    const SessionExtra& session = extra(*event);
    const bool plain = session.alive == generation.all && !session.owner;
    if (plain && (session.called & packets) == packets) event->session->owner_ |= kSettled;
  }
}

void PluginManager::call(WorkerGeneration& generation, uint32_t place,
                         std::span<bricks_event> events) noexcept {
  WorkerGeneration::Member& member = generation.members[place];
  PluginCounts& counts = member.plugin->counts();
  counts.add(PluginCount::events, events.size());
  plugin_call = {this, &generation, place, {}, 0, nullptr};
  const RunningPlugin running(member.plugin->name().c_str());
  const bool measured = member.turn++ % kSampled == 0;
  const uint64_t began = measured ? monotonic() : 0;
  while (!events.empty()) {
    uint32_t at = 0;
    bool failed = false;
    plugin_call.events = events;
    plugin_call.hint = 0;
    detached_count_ = 0;
    counts.add(PluginCount::calls);
    try {
      failed = member.functions->handle(member.state, events.data(),
                                        static_cast<uint32_t>(events.size()), &at) != 0;
    } catch (...) {
      failed = true;
    }
    if (detached_count_) finish_detached(generation, place, events.data());
    if (!failed) break;
    at = std::min(at, static_cast<uint32_t>(events.size()) - 1);
    fail(generation, place, events[at]);
    events = events.subspan(at + 1);
    if (!(generation.disabled >> place & 1)) continue;
    for (bricks_event& event : events) leave_out(generation, place, event);
    break;
  }
  if (measured) counts.add(PluginCount::ns, (monotonic() - began) * kSampled);
  plugin_call = {};
}

}  // namespace bricks
