#include "sessions/session_manager.hh"

#include <algorithm>
#include <atomic>

namespace bricks {

namespace {

std::atomic<uint64_t> managers{0};  // of this process: a session's id says whose it is
constexpr uint32_t kIdBits = 44;
constexpr uint32_t kDuplicatesKnown = 1u << 18;
// Of the table that those that have ended may have; the oldest are forgotten.
constexpr uint32_t kLingeringShare = 8, kLingeringMin = 1024;
constexpr uint32_t kTogether = 1024;  // sessions that may end before somebody is told

}  // namespace

SessionManager::SessionManager(const SessionRules& rules, SessionTable& table)
    : rules_(rules), table_(table), idle_(rules.idle), next_id_(++managers << kIdBits) {}

Status SessionManager::create(const std::string& owner, const SessionRules& rules,
                              SessionTable& table, std::unique_ptr<SessionManager>* manager) {
  std::unique_ptr<SessionManager> made(new SessionManager(rules, table));
  made->rule_.tenant = rules.tenant;
  // A name of its own: a brick of another kind with that id goes by SessionBits.
  Status status = table.open_scope(owner + " (sessions)", made->rule_, &made->scope_);
  if (status.ok() && made->scope_->owner_of_sessions()) {
    status = {Code::busy, owner + ": another Session of that name is still there"};
  }
  const std::string what = owner + ": no room beside the session table";
  if (status.ok()) status = made->sessions_.reserve(what, table.entries());
  if (status.ok()) status = made->tcp_.reserve(what, table.entries());
  if (status.ok()) status = made->tracks_.reserve(what, table.entries());
  if (status.ok()) status = DuplicateTable::create(kDuplicatesKnown, &made->seen_);
  if (!status.ok()) return status;
  made->scope_->set_owner_of_sessions(made.get());
  *manager = std::move(made);
  return {};
}

SessionManager::~SessionManager() {
  if (scope_) scope_->set_owner_of_sessions(nullptr);
}

void SessionManager::set_rules(const SessionRules& rules) noexcept {
  rules_ = rules;
  idle_ = rules.idle;
  if (emergency_) {
    for (Nanos& idle : idle_) idle /= 6;
  }
  sweep_left_ = high_;
}

void SessionManager::run(const Batch& batch, Picks in, bool tick, SessionSink& sink) noexcept {
  batch_ = &batch;
  in_ = in;
  layered_ = false;
  const auto count = static_cast<uint32_t>(in.size());
  for (uint32_t from = 0; from < count;) {
    uint32_t to = careful(count - from) ? from + 1 : count;
    if (tick) to = go_on(from, to, sink);
    watch_load(to - from);
    while (unsettled()) settle(sink);
    find_digests(from, to);
    plain_waves(from, to, sink);
    make_waves();
    turned_ = false;
    uint32_t begin = 0;
    for (uint32_t w = 0; w < waves_; ++w) {
      wave(begin, wave_end_[w], sink);
      sink.settled({order_ + begin, wave_end_[w] - begin});
      begin = wave_end_[w];
    }
    if (alone_) sink.settled({order_ + begin, alone_});
    // None of this batch's packets knows entries from here on.
    const uint64_t lingering = std::max(table_.capacity() / kLingeringShare, kLingeringMin);
    for (uint32_t i = from; i < to && counts_.lingering > lingering; ++i) {
      give_way(SessionList::lingering);
    }
    from = to;
  }
  while (unsettled()) settle(sink);
}

// Sessions live by packets' times: brings the table's clock to that of the first of these packets,
// and returns where it would have to go on.
uint32_t SessionManager::go_on(uint32_t from, uint32_t to, SessionSink& sink) noexcept {
  const auto time = [this](uint32_t i) { return batch_->packets[in_[i]].timestamp; };
  do {
    table_.tick(time(from), kTogether);
    while (unsettled()) settle(sink);
  } while (table_.is_behind(time(from)));
  const Nanos tick = time(from) >> kSessionTickShift;
  uint32_t end = from + 1;
  while (end < to && time(end) >> kSessionTickShift == tick) ++end;
  return end;
}

void SessionManager::settle(SessionSink& sink) noexcept {
  Events& events = before_;
  for (; first_ended_ != end_ended_ && events.count < kBatchMax; ++first_ended_) {
    bricks_session& session = sessions_[ended_[first_ended_ % kSessionsKept]];
    bricks_event& event = events.all[events.count++];
    event = {};
    event.session = &session;
    event.entry_ = entry_of(session);
    event.type = BRICKS_EVENT_CLOSING;
    event.reason = session.close_reason;
    session.state = BRICKS_SESSION_CLOSING;
  }
  sink.lifecycle(events.span());
  for (bricks_event& event : events.span()) {
    bricks_session& session = *event.session;
    sink.over(session);
    count_end(session);
    release(entry_of(session));
  }
  events.count = 0;
}

bool SessionManager::end_some(bricks_close_reason reason) noexcept {
  uint32_t most = kBatchMax;
  for (uint32_t looked_at = 0; most && looked_at < high_ && !crowded(); ++looked_at) {
    cursor_ = cursor_ < high_ ? cursor_ + 1 : 1;
    bricks_session& session = sessions_[cursor_];
    if (session.state == 0 || session.close_reason != BRICKS_CLOSE_NONE) {
      if (session.state != BRICKS_SESSION_CLOSED) continue;
      table_.take_out(cursor_);
      release(cursor_);
    } else {
      end_later(cursor_, reason);
    }
    --most;
  }
  return live() != 0;
}

}  // namespace bricks
