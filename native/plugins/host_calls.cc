// What a plugin may do to the sessions of the call it is in: bricks_host. Arguments are hostile;
// a session is looked at only once it is known to be one of the call's.
#include "plugins/host_calls.hh"

#include <cstring>

#include "plugins/plugin_manager.hh"
#include "wire/bytes.hh"
#include "wire/community_id.hh"

namespace bricks {

int HostCalls::find(const bricks_session* session, Place* found) noexcept {
  PluginCall& call = plugin_call;
  if (!session) return BRICKS_EINVAL;
  if (!call.manager) return BRICKS_ENOCTX;
  const auto count = static_cast<uint32_t>(call.events.size());
  // Plugins go through their events in order: it is this one or the next, as a rule.
  for (uint32_t i = 0, at = call.hint; i < count; ++i, at = at + 1 == count ? 0 : at + 1) {
    if (call.events[at].session != session) continue;
    call.hint = at;
    bricks_event& event = call.events[at];
    *found = {call.manager,
              call.generation,
              event.session,
              &call.manager->extra(event),
              &event,
              call.place,
              at};
    return BRICKS_DONE;
  }
  if (!call.manager->children_.has(session)) return BRICKS_ENOCTX;
  const uint32_t parent = call.manager->children_.parent_of(*session);
  for (const bricks_event& event : call.events) {
    if (event.entry_ != parent) continue;
    *found = {call.manager,
              call.generation,
              const_cast<bricks_session*>(session),
              &call.manager->extra(*session),
              nullptr,
              call.place,
              0};
    return BRICKS_DONE;
  }
  return BRICKS_ENOCTX;
}

uint32_t HostCalls::milliseconds(const PluginManager& manager) noexcept {
  return static_cast<uint32_t>(manager.now_ / 1000000);
}

// Another plugin's lock, if its time is not over.
bool HostCalls::locked(const Place& found) noexcept {
  SessionExtra& session = *found.extra;
  if (!session.holder || session.holder == found.place + 1) return false;
  if (milliseconds(*found.manager) - session.locked_at <= kSessionLockMs) return true;
  ++found.manager->counts_.locks_expired;
  found.manager->release_lock(*found.generation, session);
  return false;
}

int HostCalls::detach_me(bricks_session* session) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (!found.event) return BRICKS_ENOTSUP;  // a child whose events these are not
  const uint64_t bit = uint64_t{1} << found.place;
  if (!(found.extra->alive & bit)) return BRICKS_DONE;
  found.extra->alive &= ~bit;
  found.manager->unsettle(*found.session);
  found.manager->changed_ = true;
  found.manager->detached_[found.manager->detached_count_++] = static_cast<uint16_t>(found.at);
  return BRICKS_DONE;
}

int HostCalls::take_over(bricks_session* session) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (!(found.extra->alive >> found.place & 1)) return BRICKS_ESTATE;
  if (!found.event) return BRICKS_ENOTSUP;
  if (found.extra->owner == found.place + 1) return BRICKS_DONE;
  if (locked(found)) return BRICKS_EBUSY;
  found.extra->owner = static_cast<uint8_t>(found.place + 1);
  found.manager->unsettle(*found.session);
  found.manager->changed_ = true;
  counts(found).add(PluginCount::takeovers);
  return BRICKS_DONE;
}

int HostCalls::drop_packet(bricks_session* session) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (!found.event || !found.event->packet) return BRICKS_ESTATE;
  ++found.manager->interventions_;
  const_cast<bricks_packet_view*>(found.event->packet)->dropped = 1;
  return BRICKS_DONE;
}

int HostCalls::add_group(bricks_session* session, uint32_t group, int direction) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (direction < -1 || direction > 1) return BRICKS_EINVAL;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (locked(found)) return BRICKS_EBUSY;
  if (!has_group(group)) return BRICKS_ENOENT;
  SessionExtra& known = *found.extra;
  const auto directions = static_cast<uint8_t>(direction < 0 ? 3 : 1 << direction);
  uint32_t i = 0;
  while (i < known.group_count && known.group[i] != group) ++i;
  if (i == kSessionGroupsMax) return BRICKS_ENOMEM;
  if (i == known.group_count) {
    known.group[i] = group;
    known.group_directions[i] = 0;
    ++known.group_count;
  }
  known.group_directions[i] |= directions;
  ++found.manager->interventions_;
  found.session->owner_ |= kFateGroups;
  return BRICKS_DONE;
}

int HostCalls::remove_group(bricks_session* session, uint32_t group) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (locked(found)) return BRICKS_EBUSY;
  SessionExtra& known = *found.extra;
  uint32_t i = 0;
  while (i < known.group_count && known.group[i] != group) ++i;
  if (i == known.group_count) return BRICKS_ENOENT;
  ++found.manager->interventions_;
  for (--known.group_count; i < known.group_count; ++i) {
    known.group[i] = known.group[i + 1];
    known.group_directions[i] = known.group_directions[i + 1];
  }
  if (!known.group_count) found.session->owner_ &= ~uint32_t{kFateGroups};
  return BRICKS_DONE;
}

int HostCalls::set_metadata(bricks_session* session, const char* key, bricks_value_type type,
                            void* value, size_t size, bricks_free* free) noexcept {
  Place found;
  if (session && plugin_call.freeing == session) return BRICKS_EPERM;
  if (const int error = find(session, &found)) return error;
  if (locked(found)) return BRICKS_EBUSY;
  Metadata& metadata = found.manager->metadata_;
  Metadata::Change change;
  const int error = metadata.prepare(*found.extra, key, type, value, size, &change);
  if (error == BRICKS_ENOMEM) ++found.manager->counts_.metadata_refused;
  if (error) return error;
  found.manager->free_value(*found.session, change.old);
  metadata.put(*found.extra, change, key, type, value, size, free,
               static_cast<uint8_t>(found.place));
  return BRICKS_DONE;
}

int HostCalls::get_metadata(bricks_session* session, const char* key, bricks_value_type* type,
                            void** value, size_t* size) noexcept {
  Place found;
  if (session && plugin_call.freeing == session) return BRICKS_EPERM;
  if (const int error = find(session, &found)) return error;
  return found.manager->metadata_.get(*found.extra, key, type, value, size);
}

int HostCalls::del_metadata(bricks_session* session, const char* key) noexcept {
  Place found;
  if (session && plugin_call.freeing == session) return BRICKS_EPERM;
  if (const int error = find(session, &found)) return error;
  if (locked(found)) return BRICKS_EBUSY;
  Metadata::Garbage old;
  const int error = found.manager->metadata_.remove(*found.extra, key, &old);
  if (!error) found.manager->free_value(*found.session, old);
  return error;
}

int HostCalls::lock(bricks_session* session, uint32_t plugin) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (plugin != number(found)) return BRICKS_EPERM;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (locked(found)) return BRICKS_EBUSY;
  if (found.extra->holder) return BRICKS_EALREADY;
  found.extra->holder = static_cast<uint8_t>(found.place + 1);
  found.extra->locked_at = milliseconds(*found.manager);
  return BRICKS_DONE;
}

int HostCalls::unlock(bricks_session* session, uint32_t plugin) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (plugin != number(found)) return BRICKS_EPERM;
  if (locked(found)) return BRICKS_EPERM;
  if (!found.extra->holder) return BRICKS_ENOENT;
  found.extra->holder = 0;
  return BRICKS_DONE;
}

int HostCalls::set_output(bricks_session* session, uint32_t output) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (output >= found.manager->outputs_) return BRICKS_ENOENT;
  if (locked(found)) return BRICKS_EBUSY;
  ++found.manager->interventions_;
  flow_of(*found.session).flow.output = static_cast<uint16_t>(output);
  found.session->owner_ |= kSessionOutput;
  return BRICKS_DONE;
}

int HostCalls::kill(bricks_session* session) noexcept {
  Place found;
  if (const int error = find(session, &found)) return error;
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (found.session->flow->child_type) found.manager->children_.close(*found.session);
  ++found.manager->interventions_;
  found.session->owner_ |= kFateKill;
  return BRICKS_DONE;
}

int HostCalls::open_child(bricks_session* parent, uint32_t type, bricks_session** child) noexcept {
  Place found;
  if (const int error = find(parent, &found)) return error;
  if (!child || type == 0 || type > 65535) return BRICKS_EINVAL;
  if (found.session->flow->child_type) return BRICKS_ENOTSUP;  // children have none
  if (found.extra->flags & kExtraClosing) return BRICKS_ESTATE;
  if (locked(found)) return BRICKS_EBUSY;
  PluginManager& manager = *found.manager;
  bricks_session* made = manager.children_.open(*found.session, static_cast<uint16_t>(type));
  if (!made) return BRICKS_ENOMEM;
  manager.begin_session(*made);
  manager.counts_.children = manager.children_.count();
  *child = made;
  return BRICKS_DONE;
}

int HostCalls::close_child(bricks_session* child) noexcept {
  Place found;
  if (const int error = find(child, &found)) return error;
  if (!found.session->flow->child_type) return BRICKS_EINVAL;
  return found.manager->children_.close(*found.session) ? BRICKS_DONE : BRICKS_ESTATE;
}

int HostCalls::emit(uint32_t plugin, const char* line, size_t length) noexcept {
  if (!line && length) return BRICKS_EINVAL;
  const PluginCall& call = plugin_call;
  if (call.manager) {
    LoadedPlugin& own = *call.generation->members[call.place].plugin;
    if (own.number() == plugin) return own.emit(line, length);
  }
  const std::shared_ptr<LoadedPlugin> other = find_plugin(plugin);
  return other ? other->emit(line, length) : BRICKS_ENOENT;
}

int HostCalls::add_figure(uint32_t plugin, uint32_t figure, int64_t value) noexcept {
  const PluginCall& call = plugin_call;
  if (call.manager) {
    LoadedPlugin& own = *call.generation->members[call.place].plugin;
    if (own.number() == plugin) return own.add_figure(figure, value);
  }
  const std::shared_ptr<LoadedPlugin> other = find_plugin(plugin);
  return other ? other->add_figure(figure, value) : BRICKS_ENOENT;
}

int HostCalls::community_id(const bricks_event* event, char* text) noexcept {
  if (!event || !event->session || !text) return BRICKS_EINVAL;
  const bricks_session& session = *event->session;
  const bricks_packet_view* packet = event->packet;
  CommunityFlow flow{};
  for (int i = 0; i < 2; ++i) {
    flow.address[i] = session.flow->address[i];
    flow.port[i] = load_be16(reinterpret_cast<const uint8_t*>(&session.flow->port[i]));
  }
  flow.ip_version = session.ip_version;
  flow.protocol = session.protocol;
  const bool icmp = flow.protocol == 1 || flow.protocol == 58;
  if (icmp && packet && packet->transport && packet->transport + 2u <= packet->length) {
    flow.has_icmp = true;
    flow.icmp_type = packet->data[packet->transport];
    flow.icmp_code = packet->data[packet->transport + 1];
    if (event->direction == 1) std::swap(flow.address[0], flow.address[1]);
  }
  char made[kCommunityIdSize];
  bricks::community_id(flow, made);
  std::memcpy(text, made, sizeof made);
  return BRICKS_DONE;
}

PluginCounts& HostCalls::counts(const Place& found) noexcept {
  return found.generation->members[found.place].plugin->counts();
}

uint32_t HostCalls::number(const Place& found) noexcept {
  return found.generation->members[found.place].plugin->number();
}

const bricks_host* plugin_host() noexcept {
  static constexpr bricks_host kHost = {
      BRICKS_PLUGIN_ABI,       sizeof(bricks_host),     HostCalls::detach_me,
      HostCalls::take_over,    HostCalls::drop_packet,  HostCalls::add_group,
      HostCalls::remove_group, HostCalls::set_metadata, HostCalls::get_metadata,
      HostCalls::del_metadata, HostCalls::lock,         HostCalls::unlock,
      HostCalls::set_output,   HostCalls::kill,         HostCalls::open_child,
      HostCalls::close_child,  HostCalls::create_group, HostCalls::delete_group,
      HostCalls::emit,         HostCalls::add_figure,   HostCalls::community_id,
  };
  return &kHost;
}

}  // namespace bricks
