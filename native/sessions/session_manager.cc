#include "sessions/session_manager.hh"

#include <algorithm>
#include <atomic>

namespace bricks {

namespace {

std::atomic<uint64_t> managers{0};  // of this process: a session's id says whose it is
constexpr uint32_t kIdBits = 44;
constexpr uint32_t kDuplicatesKnown = 1u << 18;

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
  const auto count = static_cast<uint32_t>(in.size());
  for (uint32_t from = 0; from < count;) {
    const bool one = careful(count - from);
    const uint32_t to = one ? from + 1 : count;
    if (one && tick) table_.tick(batch.packets[in[from]].timestamp);
    while (unsettled()) settle(sink);
    watch_load(to - from);
    look_up(from, to);
    make_waves(from, to);
    uint32_t begin = 0;
    for (uint32_t w = 0; w < waves_; ++w) {
      wave(begin, wave_end_[w], sink);
      begin = wave_end_[w];
    }
    from = to;
  }
  while (unsettled()) settle(sink);
}

void SessionManager::settle(SessionSink& sink) noexcept {
  Events& events = before_;
  for (; first_ended_ != end_ended_ && events.count < kBatchMax; ++first_ended_) {
    bricks_session& session = sessions_[ended_[first_ended_ % kSessionsKept]];
    bricks_event& event = events.all[events.count++];
    event = {};
    event.session = &session;
    event.type = BRICKS_EVENT_CLOSING;
    event.reason = session.close_reason;
    session.state = BRICKS_SESSION_CLOSING;
  }
  sink.lifecycle(events.span());
  for (bricks_event& event : events.span()) {
    bricks_session& session = *event.session;
    sink.over(session);
    count_end(session);
    release(session.owner_[0]);
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
