// Session: Stellar's session layer as a brick. Sessions, contexts of plugins and what waits in
// queues go on when the brick is made anew with other options, as long as plugins and tenant stay.
#include <algorithm>
#include <atomic>
#include <cstring>

#include "bricks/session_options.hh"
#include "plugins/session_worker.hh"
#include "queues/egress_queues.hh"

namespace bricks {

namespace {

// A session's entry is its own until its last packet has left the queues, though it may have been
// told of its end.
class WaitingSessions final : public QueuedSessions {
 public:
  std::unique_ptr<SessionWorker> worker;  // null: nobody cares any more
  uint64_t dropped = 0;                   // packets of sessions

  void queued(uint32_t session) noexcept override { ++worker->manager().track(session).queued; }
  void left(uint32_t session, bool delivered) noexcept override {
    if (!worker) return;
    if (!delivered) refused(session);
    worker->manager().left_queue(session);
  }
  void refused(uint32_t session) noexcept override {
    ++dropped;
    ++worker->manager().track(session).queue_drops;
  }
};

// What bricks of one id have in common, one after the other.
struct Shared {
  // Not on the engine's thread: entries of packets that are still here stay taken.
  ~Shared() {
    const std::unique_ptr<SessionWorker> last = std::move(waiting.worker);
    queues.reset();
  }
  SessionWorker& worker() const noexcept { return *waiting.worker; }

  WaitingSessions waiting;  // the queues'
  std::unique_ptr<EgressQueues> queues;
  uint64_t plugins;
  bool tenant;
  std::atomic<uint64_t> newest{0};  // of the bricks, by their number; they may never run
};

class Session final : public Brick {
 public:
  Session(std::shared_ptr<Shared> shared, const Options& options, const SessionRules& rules,
          uint32_t outputs)
      : shared_(std::move(shared)), options_(options), rules_(rules), outputs_(outputs) {
    before_ = shared_->newest.load();
    number_ = before_ + 1;
    shared_->newest.store(number_);
  }
  // One that never ran leaves everything to the one before it.
  ~Session() override {
    if (!runs_) shared_->newest.store(before_);
  }

  const std::shared_ptr<Shared>& shared() const noexcept { return shared_; }
  const Options& options() const noexcept { return options_; }

  void expect(std::span<const Source* const> sources) override {
    sources_.assign(sources.begin(), sources.end());
    if (runs_) return;
    runs_ = true;
    shared_->worker().set(rules_, outputs_);
  }

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    SessionWorker& worker = shared_->worker();
    EgressQueues& queues = *shared_->queues;
    queues.set_virtual_time(batch.packet_time);
    for (size_t done = 0; done < in.size();) {
      const Picks part = in.subspan(done, std::min<size_t>(in.size() - done, kBatchMax));
      done += part.size();
      worker.run(batch, part, batch.packet_time);
      tell_applications(batch, part);
      bool waiting = queues.held() != 0;
      if (worker.all_pass() && !waiting) {
        out.put_some(0, part);
        continue;
      }
      for (uint32_t i = 0; i < part.size(); ++i) {
        const SessionWorker::Verdict& verdict = worker.verdict(i);
        if (__builtin_expect(verdict.dropped, 0)) {
          out.cell().drop(verdict.reason);
          continue;
        }
        if (__builtin_expect(verdict.grouped || waiting, 0)) {
          waiting = true;
          if (enqueue(batch, part[i], i, out) != Enqueued::pass) continue;
        }
        out.put(verdict.output < out.count() ? verdict.output : 0, part[i]);
      }
      worker.forget_verdicts();
    }
  }

  bool due(Nanos now, bool all) const noexcept override {
    const bool last = all && is_last();
    return shared_->worker().unsettled() || (last && shared_->worker().live() != 0) ||
           shared_->queues->due(now, last);
  }

  // Ends that nobody has been told of, one batch; then packets from the queues.
  void release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept override {
    batch.count = 0;
    SessionWorker& worker = shared_->worker();
    EgressQueues& queues = *shared_->queues;
    const bool last = all && is_last();
    if (last && worker.live() != 0 && !worker.unsettled()) {
      worker.end_some(has_ended() ? BRICKS_CLOSE_EOF : BRICKS_CLOSE_SHUTDOWN, now);
    }
    if (worker.unsettled()) worker.settle(now);
    if (!queues.due(now, last)) return;
    queues.release(batch, now, last, out.cell());
    for (uint32_t i = 0; i < batch.count; ++i) {
      const auto packet = static_cast<Index>(i);
      const EgressQueues::Leaving& leaving = queues.leaving(packet);
      if (leaving.cut != UINT32_MAX) out.cut(packet, leaving.cut);
      out.put(leaving.note < out.count() ? leaving.note : 0, packet);
    }
  }
  void recycle(Batch&) noexcept override { shared_->queues->recycle(); }
  bool asks_room() const noexcept override { return shared_->queues->asks_room(); }
  void room(uint32_t packets, Nanos now) noexcept override {
    shared_->queues->follow_room(packets, now);
  }
  Nanos due_at() const noexcept override { return shared_->queues->due_at(); }

  uint32_t figures(Figure* to) const noexcept override;
  Decision explain(const Batch& batch, Index packet, uint32_t outlets) const override;

 private:
  // For Filters and LoadBalancers behind it. Another Session before may have told of packets that
  // do not come here.
  void tell_applications(Batch& batch, Picks part) noexcept {
    SessionWorker& worker = shared_->worker();
    if (!worker.identifies()) return;
    if (!batch.has_applications) std::memset(batch.applications, 0, batch.count);
    batch.has_applications = true;
    for (uint32_t i = 0; i < part.size(); ++i) {
      const uint8_t speaks = worker.verdict(i).application;
      if (speaks) batch.applications[part[i]] = speaks;
    }
  }

  Enqueued enqueue(const Batch& batch, Index packet, uint32_t i, Outlets& out) noexcept {
    SessionWorker& worker = shared_->worker();
    const SessionWorker::Verdict& verdict = worker.verdict(i);
    const Nanos now = batch.packet_time ? batch.packets[packet].timestamp : batch.now;
    return shared_->queues->enqueue(batch, packet, worker.groups(i), verdict.session, now,
                                    out.cell(), verdict.output, out.cut_before(packet));
  }
  bool has_ended() const noexcept {
    return !sources_.empty() && std::all_of(sources_.begin(), sources_.end(),
                                            [](const Source* source) { return source->ended; });
  }
  // Nobody goes on with its sessions.
  bool is_last() const noexcept { return has_ended() || shared_->newest.load() == number_; }

  std::shared_ptr<Shared> shared_;
  const Options options_;
  const SessionRules rules_;
  const uint32_t outputs_;
  uint64_t number_, before_;
  bool runs_ = false;
  std::vector<const Source*> sources_;
};

constexpr FigureDescriptor kFigures[] = {
#define X(name, kind, text) {#name, FigureKind::kind, text},
    BRICKS_SESSION_COUNTS(X)
#undef X
        {"streams_delivered", FigureKind::counter, "bytes of TCP payload given in order"},
    {"streams_missing", FigureKind::counter, "bytes of TCP payload in gaps"},
    {"streams_conflicts", FigureKind::counter,
     "TCP segments whose bytes were not those that came before"},
    {"stream_memory", FigureKind::gauge,
     "bytes of TCP payload that wait, or are kept to be compared"},
    {"records", FigureKind::counter, "messages of protocols that were read"},
    {"queued", FigureKind::gauge, "packets that wait in queues of groups, now"},
    {"queue_dropped", FigureKind::counter,
     "packets of sessions that queues of groups have dropped"},
    {"unknown_groups", FigureKind::counter,
     "groups of packets that nobody had created, or that are gone"},
    {"plugin_generations", FigureKind::gauge, "loadings of the plugins that sessions still use"},
    {"children", FigureKind::gauge, "sessions that plugins have opened beneath others, now"},
};
static_assert(sizeof kFigures / sizeof kFigures[0] <= kFiguresMax);

uint32_t Session::figures(Figure* to) const noexcept {
  SessionWorker& worker = shared_->worker();
  const SessionManagerCounts& counts = worker.manager().counts();
  uint32_t count = 0;
#define X(name, kind, text) to[count++] = {#name, counts.name};
  BRICKS_SESSION_COUNTS(X)
#undef X
  const streams::StreamCounts& streams = worker.payload().stream_counts();
  to[count++] = {"streams_delivered", streams.delivered};
  to[count++] = {"streams_missing", streams.missing};
  to[count++] = {"streams_conflicts", streams.rexmit_conflict};
  to[count++] = {"stream_memory", worker.payload().stream_bytes()};
  uint64_t records = 0;
  for (const uint64_t kind : worker.payload().inspector_counts().records) records += kind;
  to[count++] = {"records", records};
  to[count++] = {"queued", shared_->queues->held()};
  to[count++] = {"queue_dropped", shared_->waiting.dropped};
  to[count++] = {"unknown_groups", shared_->queues->unknown_group()};
  to[count++] = {"plugin_generations", worker.plugins().counts().generations};
  to[count++] = {"children", worker.plugins().counts().children};
  return count;
}

const char* state_name(uint8_t state) {
  static constexpr const char* kNames[] = {"new", "opening", "active", "closing", "closed"};
  return kNames[std::min<uint8_t>(state, BRICKS_SESSION_CLOSED)];
}

Decision Session::explain(const Batch& batch, Index packet, uint32_t outlets) const {
  const bricks_session* session = shared_->worker().manager().find(batch, packet);
  if (!session) return {{0}, "it has no session here: what plugins would say is not known"};
  const uint32_t output = session->flow->output < outlets ? session->flow->output : 0;
  std::string why = "session " + std::to_string(session->flow->id) + ", " +
                    state_name(session->state) + ", " +
                    std::to_string(session->packets[0] + session->packets[1]) + " packets";
  const SessionTrack& track = shared_->worker().manager().track(entry_of(*session));
  if (track.queued || track.queue_drops) {
    why += ", " + std::to_string(track.queued) + " wait in queues, which have dropped " +
           std::to_string(track.queue_drops);
  }
  if (session->owner_ & kFateDoomed) return {{}, why + "; a plugin has failed: it is dropped"};
  return {{output}, why + "; plugins may say otherwise of each packet"};
}

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  SessionSettings settings;
  if (Status status = read_session_options(options, place, &settings); !status.ok()) return status;
  const auto plugins = static_cast<uint64_t>(option_integer(options, "plugins"));
  const auto* before = dynamic_cast<const Session*>(place.before);
  std::shared_ptr<Shared> shared;
  if (before && before->shared()->plugins == plugins &&
      before->shared()->tenant == settings.rules.tenant) {
    shared = before->shared();
    if (!same_payload_options(before->options(), options)) {
      return {Code::invalid_argument,
              place.id +
                  ": options of streams and of protocols are those of the brick's first "
                  "start; unlink it, and link it with others"};
    }
  } else {
    std::shared_ptr<PluginList> list = plugins ? find_plugin_list(plugins) : nullptr;
    if (plugins && !list) {
      return {Code::invalid_argument, place.id + ": there is no list of plugins with the number " +
                                          std::to_string(plugins)};
    }
    if (!list) list = std::make_shared<PluginList>();
    if (!place.sessions) return {Code::invalid_argument, place.id + ": no session table"};
    shared = std::make_shared<Shared>();
    shared->plugins = plugins;
    shared->tenant = settings.rules.tenant;
    const std::string owner = place.id + ", plugins " + std::to_string(plugins);
    Status status = SessionWorker::create(owner, settings, *place.sessions, std::move(list),
                                          place.outlets, &shared->waiting.worker);
    EgressOptions egress;
    egress.packets = static_cast<uint32_t>(option_integer(options, "queue_packets"));
    egress.sessions = place.sessions->entries();
    if (status.ok()) {
      status = EgressQueues::create(place.id, egress, process_queue_groups(), &shared->waiting,
                                    &shared->queues);
    }
    if (!status.ok()) return status;
  }
  *brick = std::make_unique<Session>(std::move(shared), options, settings.rules, place.outlets);
  return {};
}

}  // namespace

extern const BrickType kSession = {
    .name = "Session",
    .summary = "follows sessions and lets plugins see and steer them",
    .details =
        "Finds the session of every packet, says when one opens, becomes active and closes, and "
        "gives what happens to plugins in C, Lua and TypeScript (docs/plugins.md): packets, TCP "
        "payload in order, messages of protocols. Each session has exactly one OPENING and one "
        "CLOSING, whatever happens. Plugins drop packets, send a session's packets to another "
        "output, limit its rate, end it. What has no session (not IP, TCP whose beginning nobody "
        "saw unless `midstream` is set) passes to the first output.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .holds = true,
    .options = session_option_table(),
    .figures = kFigures,
    .make = make,
};

}  // namespace bricks
