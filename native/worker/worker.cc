// The calls of abi/bricks_worker.h: SessionWorker and EgressQueues for packets of a packet_io.
#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "abi/bricks_worker.h"
#include "packet_io/packet_device.hh"
#include "packet_io/packet_place.hh"
#include "plugins/session_worker.hh"
#include "queues/egress_queues.hh"
#include "wire/decode.hh"

using namespace bricks;
using packet_io_library::fail;
using packet_io_library::PacketPool;

struct bricks_worker {
  PacketPool* pool;
  bool packet_time = false;
  bool finished = false;
  std::unique_ptr<SessionTable> table;  // outlives those that use it
  std::unique_ptr<SessionWorker> sessions;
  std::unique_ptr<EgressQueues> queues;
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  std::unique_ptr<Batch> one = std::make_unique<Batch>();
  std::unique_ptr<Batch> released = std::make_unique<Batch>();
  uint32_t taken = 0;  // of released
  LedgerCell cell;
};

namespace {

constexpr uint32_t kQueuedDefault = 65536;

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

OptionValue value_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (!text.empty() && *end == 0) return number;
  return text;
}

Status read_options(const std::string& where, const char* text, Options* options) {
  std::string rest = text ? text : "";
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(';'), rest.size());
    const std::string pair = rest.substr(0, end);
    rest.erase(0, end + 1);
    const size_t equal = pair.find('=');
    if (pair.empty()) continue;
    if (equal == std::string::npos || equal == 0) {
      return {Code::invalid_argument, where + ": options are name=value;name=value, not " + pair};
    }
    (*options)[pair.substr(0, equal)] = value_of(pair.substr(equal + 1));
  }
  return {};
}

Status load(const bricks_worker_plugin* plugins, int count, PluginList* list) {
  std::vector<PluginSpec> specs;
  for (int i = 0; i < count; ++i) {
    const std::string where = "plugin #" + std::to_string(i + 1);
    Options options;
    PluginSpec spec;
    Status status = read_options(where, plugins[i].options, &options);
    if (status.ok()) {
      Options keys;
      keys["path"] = std::string(plugins[i].path ? plugins[i].path : "");
      status = read_plugin_spec(where, std::move(keys), std::move(options), &spec);
    }
    if (!status.ok()) return status;
    specs.push_back(std::move(spec));
  }
  return list->set(std::move(specs));
}

Status build(bricks_worker& worker, const bricks_worker_plugin* plugins, int count,
             const bricks_worker_settings& wanted) {
  auto list = std::make_shared<PluginList>();
  Status status = load(plugins, count, list.get());
  const uint32_t sessions = wanted.sessions ? wanted.sessions : kSessionsDefault;
  if (status.ok()) status = SessionTable::create("worker", sessions, &worker.table);
  if (!status.ok()) return status;
  SessionSettings settings;
  settings.rules.midstream = wanted.midstream;
  status = SessionWorker::create("worker", settings, *worker.table, std::move(list), UINT16_MAX,
                                 &worker.sessions);
  if (!status.ok()) return status;
  EgressOptions egress;
  egress.packets = wanted.queued ? wanted.queued : kQueuedDefault;
  egress.sessions = worker.table->entries();
  egress.virtual_time = wanted.packet_time;
  return EgressQueues::create("worker", egress, process_queue_groups(), nullptr, &worker.queues);
}

void begin(Batch& batch, const bricks_worker& worker, uint32_t link_type) noexcept {
  batch.count = 0;
  batch.not_ip = 0;
  batch.fragments = 0;
  batch.region = nullptr;
  batch.padded = true;
  batch.plain = false;
  batch.link = static_cast<LinkType>(link_type);
  batch.now = wall_clock();
  batch.packet_time = worker.packet_time;
}

void settle(bricks_worker& worker) {
  while (worker.sessions->unsettled()) worker.sessions->settle(wall_clock());
}

bricks_verdict verdict_of(bricks_worker& worker, uint32_t i) {
  const SessionWorker::Verdict& from = worker.sessions->verdict(i);
  bricks_verdict made = {};
  made.session = from.session;
  made.output = from.output;
  made.direction = from.direction;
  made.dropped = from.dropped;
  made.group_count = from.group_count;
  std::copy_n(worker.sessions->groups(i).data(), from.group_count, made.groups);
  return made;
}

}  // namespace

bricks_worker* worker_create(packet_io* io, const bricks_worker_plugin* plugins, int plugin_count,
                             const bricks_worker_settings* settings, int* error) {
  PacketPool* pool = packet_io_library::pool_of(io);
  auto made = std::make_unique<bricks_worker>();
  const bricks_worker_settings wanted = settings ? *settings : bricks_worker_settings{};
  int code = BRICKS_DONE;
  if (!pool || plugin_count < 0 || (plugin_count && !plugins)) {
    code = fail(BRICKS_EINVAL, "worker_create: a packet_io and a list of plugins are wanted");
  } else {
    made->pool = pool;
    made->packet_time = wanted.packet_time;
    const Status status = build(*made, plugins, plugin_count, wanted);
    if (!status.ok()) code = fail(status);
  }
  if (error) *error = code;
  return code == BRICKS_DONE ? made.release() : nullptr;
}

void worker_destroy(bricks_worker* worker) {
  worker_finish(worker);
  worker->queues.reset();
  worker->sessions.reset();
  delete worker;
}

int worker_ingress(bricks_worker* worker, struct packet** packets, int n,
                   bricks_verdict* verdicts) {
  if (n < 1 || n > static_cast<int>(kBatchMax) || worker->pool->first_wrong(packets, n) >= 0) {
    return fail(BRICKS_EINVAL, "worker_ingress: 1 to 256 packets of the caller's are wanted");
  }
  Batch& batch = *worker->batch;
  Index picks[kBatchMax];
  for (int done = 0; done < n;) {
    begin(batch, *worker, packets[done]->link_type);
    while (done + static_cast<int>(batch.count) < n) {
      const struct packet& next = *packets[done + static_cast<int>(batch.count)];
      if (next.link_type != static_cast<uint32_t>(batch.link)) break;
      picks[batch.count] = static_cast<Index>(batch.count);
      place_packet(batch, next);
    }
    decode(batch, process_hash_seed());
    batch.decoded = true;
    worker->table->tick(worker->packet_time ? batch.packets[0].timestamp : batch.now);
    worker->sessions->run(batch, {picks, batch.count}, worker->packet_time);
    for (uint32_t i = 0; i < batch.count; ++i) verdicts[done++] = verdict_of(*worker, i);
    settle(*worker);
  }
  return n;
}

int worker_idle(bricks_worker* worker) {
  if (!worker->packet_time) worker->table->tick(wall_clock());
  settle(*worker);
  return BRICKS_DONE;
}

int worker_finish(bricks_worker* worker) {
  while (worker->sessions->live() != 0) {
    settle(*worker);
    worker->sessions->end_some(BRICKS_CLOSE_EOF, wall_clock());
  }
  settle(*worker);
  worker->finished = true;
  return BRICKS_DONE;
}

int aqm_enqueue(bricks_worker* worker, struct packet* packet, const bricks_verdict* verdict) {
  if (worker->pool->first_wrong(&packet, 1) >= 0 || verdict->group_count > kQueueGroupsOfPacket) {
    return fail(BRICKS_EINVAL,
                "aqm_enqueue: the packet is not the caller's, or has more groups "
                "than 4");
  }
  Batch& one = *worker->one;
  begin(one, *worker, packet->link_type);
  place_packet(one, *packet);
  decode(one, process_hash_seed());
  one.decoded = true;
  const Nanos now = worker->packet_time ? packet->timestamp : one.now;
  const Enqueued done =
      worker->queues->enqueue(one, 0, {verdict->groups, verdict->group_count}, verdict->session,
                              now, worker->cell, verdict->output);
  if (done == Enqueued::pass) return AQM_PASS;
  worker->pool->give_back(packet);  // the queue has a copy
  return done == Enqueued::stolen ? AQM_STOLEN : AQM_DROP;
}

int aqm_dequeue(bricks_worker* worker, struct packet** packets, int n) {
  Batch& released = *worker->released;
  EgressQueues& queues = *worker->queues;
  int given = 0;
  while (given < n) {
    if (worker->taken == released.count) {
      const Nanos now = worker->packet_time ? 0 : wall_clock();
      if (!queues.due(now, worker->finished)) break;
      queues.recycle();
      worker->taken = released.count = 0;
      queues.release(released, now, worker->finished, worker->cell);
      continue;
    }
    struct packet* made = worker->pool->take(released, static_cast<Index>(worker->taken));
    if (!made) break;  // the caller has as many as may be
    packets[given++] = made;
    if (++worker->taken == released.count) queues.recycle();
  }
  return given;
}

uint64_t aqm_next(bricks_worker* worker) {
  if (worker->taken != worker->released->count) return 1;
  return worker->queues->due_at();
}

int aqm_group_create(uint32_t group, uint64_t cir, uint64_t cbs) {
  const Status status = process_queue_groups().create(group, default_queue(cir, cbs));
  return status.ok() ? BRICKS_DONE : fail(status);
}

int aqm_group_delete(uint32_t group) {
  const Status status = process_queue_groups().remove(group);
  return status.ok() ? BRICKS_DONE : fail(BRICKS_ENOENT, status.message);
}

int aqm_group_stats(uint32_t group, aqm_counts* counts) {
  QueueGroupInfo info{};
  const Status status = process_queue_groups().get(group, &info);
  if (!status.ok()) return fail(BRICKS_ENOENT, status.message);
  using enum QueueCount;
  const QueueStats& stats = info.stats;
  *counts = {stats[enqueued],       stats[dequeued],       stats.dropped(),
             stats[marked],         stats[moved],          stats[backlog],
             stats[enqueued_bytes], stats[dequeued_bytes], stats[dropped_bytes],
             stats[backlog_bytes]};
  return BRICKS_DONE;
}
