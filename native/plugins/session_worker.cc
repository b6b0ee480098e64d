#include "plugins/session_worker.hh"

#include <algorithm>
#include <atomic>

namespace bricks {

namespace {

std::atomic<uint32_t> workers{0};  // of this process

}  // namespace

Status SessionWorker::create(const std::string& owner, const SessionSettings& settings,
                             SessionTable& table, std::shared_ptr<PluginList> plugins,
                             uint32_t outputs, std::unique_ptr<SessionWorker>* worker) {
  std::unique_ptr<SessionWorker> made(new SessionWorker);
  Status status = PluginManager::create(std::move(plugins), table.entries(), ++workers, outputs,
                                        &made->plugins_);
  if (status.ok()) {
    status = SessionPayload::create(settings.payload, table.entries(), &made->payload_);
  }
  if (status.ok()) {
    status = SessionManager::create(owner, settings.rules, table, &made->manager_);
  }
  if (!status.ok()) return {status.code, owner + ": " + status.message};
  *worker = std::move(made);
  return {};
}

void SessionWorker::run(const Batch& batch, Picks in, bool tick) noexcept {
  batch_ = &batch;
  in_ = in;
  now_ = batch.now;
  forget_verdicts();
  passing_ = 0;
  plugins_->refresh();
  manager_->run(batch, in, tick, *this);
  if (manager_->layered()) {
    write_passing();
    follow_fragments();
  }
  payload_->recycle();
}

void SessionWorker::forget_verdicts() noexcept {
  while (kept_count_) manager_->left_queue(kept_[--kept_count_]);
}

void SessionWorker::settle(Nanos now) noexcept {
  now_ = now;
  forget_verdicts();
  plugins_->refresh();
  manager_->settle(*this);
  payload_->recycle();
}

void SessionWorker::end_some(bricks_close_reason reason, Nanos now) noexcept {
  now_ = now;
  manager_->end_some(reason);
}

void SessionWorker::began(bricks_session& session) noexcept {
  plugins_->begin_session(session);
  payload_->begin(session);
}

void SessionWorker::over(bricks_session& session) noexcept { plugins_->end_session(session); }

void SessionWorker::lifecycle(std::span<bricks_event> events) noexcept {
  if (events.empty()) return;
  const auto type = static_cast<bricks_event_type>(events[0].type);
  if (type == BRICKS_EVENT_CLOSING) {
    for (bricks_event& event : events) payload_->finish(*event.session, *plugins_, now_);
  }
  plugins_->dispatch(events, now_);
  if (type != BRICKS_EVENT_CLOSING) look_at_fates(events);
}

void SessionWorker::packets(std::span<bricks_event> events) noexcept {
  if (plugins_->events() & BRICKS_ON(BRICKS_EVENT_PACKET)) {
    plugins_->dispatch(events, now_);
    look_at_fates(events);
  }
  if (!payload_->wanted(*plugins_)) return;
  for (bricks_event& event : events) {
    if (!event.packet->dropped) payload_->packet(event, *plugins_, now_);
  }
  look_at_fates(events);
}

void SessionWorker::plain(const PlainWave& wave) noexcept {
  constexpr uint32_t kFates = kFateGroups | kFateKill | kFateDoomed;
  const uint64_t before = plugins_->interventions();
  const bool read = payload_->wanted(*plugins_);
  if (!read && plugins_->events() & BRICKS_ON(BRICKS_EVENT_PACKET)) {
    plugins_->dispatch(wave, now_);
  } else if (read) {
    packets(wave.events);
  }
  const bool marked = (wave.any & kFates) != 0;
  const bool told = wave.any & kSessionOutput || (wave.any & kSessionApplication && identifies());
  if (__builtin_expect(!read && !marked && !told && plugins_->interventions() == before, 1)) {
    std::copy(wave.places.begin(), wave.places.end(), pass_ + passing_);
    passing_ += static_cast<uint32_t>(wave.places.size());
    return;
  }
  look_at_fates(wave.events);
  settled(wave.places);
}

void SessionWorker::write_passing() noexcept {
  for (uint32_t k = 0; k < passing_; ++k) {
    const Index i = pass_[k];
    verdicts_[i] = {manager_->entry(i),          0, false, false, Drop::plugin,
                    manager_->view(i).direction, 0, 0};
  }
  passing_ = 0;
}

void SessionWorker::look_at_fates(std::span<bricks_event> events) noexcept {
  for (bricks_event& event : events) {
    bricks_session& session = *event.session;
    if (__builtin_expect(session.owner_ & kFateKill, 0)) {
      manager_->close(session, PluginManager::kill_reason(session), event.packet);
    }
  }
}

void SessionWorker::settled(std::span<const Index> places) noexcept {
  constexpr uint32_t kFates = kFateGroups | kFateDoomed;
  for (const Index i : places) {
    Verdict& made = verdicts_[i];
    const uint32_t entry = manager_->entry(i);
    const bricks_packet_view& view = manager_->view(i);
    const bricks_session& of = manager_->session(entry);
    const bool plain =
        manager_->place(i) == PacketPlace::session && !view.dropped && !(of.owner_ & kFates);
    if (__builtin_expect(plain, 1)) {
      made = {entry,        of.flow->output, false, false,
              Drop::plugin, view.direction,  0,     static_cast<uint8_t>(of.flow->application)};
      continue;
    }
    made = {};
    made.session = entry;
    made.direction = view.direction;
    if (made.session) {
      const bricks_session& session = manager_->session(made.session);
      made.output = session.flow->output;
      made.application = static_cast<uint8_t>(session.flow->application);
      if (__builtin_expect(session.owner_ & kFateGroups, 0)) {
        made.grouped = true;
        ++manager_->track(entry).queued;
        kept_[kept_count_++] = entry;
        made.group_count =
            static_cast<uint8_t>(plugins_->groups(session, view.direction, groups_[i]));
      }
      made.dropped = view.dropped || session.owner_ & kFateDoomed;
      made.reason = Drop::plugin;
    }
    const PacketPlace place = manager_->place(i);
    if (__builtin_expect(place == PacketPlace::session, 1)) continue;
    if (place == PacketPlace::full && manager_->rules().drop_when_full) {
      made.dropped = true;
      made.reason = Drop::sessions_full;
    } else if (place == PacketPlace::blocked) {
      made.dropped = true;
      made.reason = Drop::session_killed;
    } else if (place == PacketPlace::duplicate) {
      made.dropped = true;
      made.reason = Drop::duplicate;
    }
  }
}

// What one fragment has come to, all others of its datagram do, those that came before it, too.
void SessionWorker::follow_fragments() noexcept {
  const auto count = static_cast<uint32_t>(in_.size());
  for (uint32_t i = 0; i < count; ++i) {
    if (verdicts_[i].dropped && DroppedDatagrams::is_fragment(*batch_, in_[i])) {
      dropped_datagrams_.add(*batch_, in_[i]);
    }
  }
  for (uint32_t i = 0; i < count; ++i) {
    if (verdicts_[i].dropped || !DroppedDatagrams::is_fragment(*batch_, in_[i])) continue;
    if (!dropped_datagrams_.has(*batch_, in_[i])) continue;
    verdicts_[i].dropped = true;
    verdicts_[i].reason = Drop::plugin;
  }
}

}  // namespace bricks
