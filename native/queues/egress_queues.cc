#include "queues/egress_queues.hh"

#include <algorithm>

#include "queues/queue_worker.hh"

namespace bricks {

namespace {

constexpr Nanos kLookAgain = 1000000;  // whether there is room

}  // namespace

EgressQueues::EgressQueues(std::unique_ptr<QueueWorker> worker) : worker_(std::move(worker)) {}
EgressQueues::~EgressQueues() = default;

Status EgressQueues::create(const std::string& what, const EgressOptions& options,
                            QueueGroups& groups, QueuedSessions* sessions,
                            std::unique_ptr<EgressQueues>* queues) {
  auto worker = std::make_unique<QueueWorker>(options, groups, sessions);
  Status status = worker->reserve(what);
  if (!status.ok()) return status;
  queues->reset(new EgressQueues(std::move(worker)));
  return {};
}

Enqueued EgressQueues::enqueue(const Batch& batch, Index packet, std::span<const uint32_t> groups,
                               uint32_t session, Nanos now, LedgerCell& cell, uint32_t note,
                               uint32_t cut) noexcept {
  QueueWorker& w = *worker_;
  w.cell = &cell;
  const Nanos time = w.advance(now);
  w.synchronise(time);
  if (w.clock == 1) w.run(time, UINT32_MAX);
  Offer offer{batch, packet, session < w.options.sessions ? session : kNoSession,
              note,  cut,    0,
              0,     0,      Colour::green,
              0,     {}};
  offer.count = w.find_queues(groups, time, offer.queues);
  if (offer.count == 0 && w.ready.packets == 0 && !has_packets(session)) return Enqueued::pass;
  offer.bytes = ip_bytes(batch, packet);
  offer.ip_offset = static_cast<uint16_t>(ip_offset(batch, packet, &offer.ip_version));
  if (offer.ip_version) {
    const uint8_t* header = batch.packets[packet].data + offer.ip_offset;
    offer.colour = colour_of(dscp_of(header, offer.ip_version));
  }
  return w.take(offer, time);
}

bool EgressQueues::has_packets(uint32_t session) const noexcept {
  const QueueWorker& w = *worker_;
  if (session == kNoSession || session >= w.options.sessions) return false;
  const SessionQueues& has = w.sessions[session];
  return has.in_first || has.in_rear || has.in_ready;
}

bool EgressQueues::due(Nanos now, bool all) const noexcept {
  const QueueWorker& w = *worker_;
  if (all) return held() != 0;
  if (w.room == 0) return false;
  if (w.ready.packets) return true;
  return w.clock == 0 && w.next() && w.next()->due <= w.look_ahead(now);
}

Nanos EgressQueues::due_at() const noexcept {
  const QueueWorker& w = *worker_;
  if (w.room == 0) return held() ? w.room_told + kLookAgain : 0;
  if (w.ready.packets) return 1;
  if (w.clock == 1 || !w.next()) return 0;
  return std::max<Nanos>(w.next()->due - w.time_offset, 1);
}

void EgressQueues::release(Batch& batch, Nanos now, bool all, LedgerCell& cell) noexcept {
  QueueWorker& w = *worker_;
  w.cell = &cell;
  const Nanos time = w.clock == 1 ? w.time : w.advance(now);
  w.synchronise(time);
  const uint32_t limit = all ? kBatchMax : std::min(w.room, kBatchMax);
  if (!all) {
    if (w.clock == 0) w.run(time, limit);
  } else if (w.clock == 0) {
    w.flush(limit);
  } else {
    w.drop_ending();
    w.run(UINT64_MAX, limit);
  }
  w.items.held->begin(batch);
  while (w.ready.packets && batch.count < limit) {
    const QueueWorker::Place place = w.ready.head;
    if (!w.items.held->give(place, batch)) break;
    w.ready.pop(w.items);
    const WaitingPacket& packet = w.items.all[place];
    w.leaving[batch.count - 1] = {packet.note, w.items.held->cut(place), packet.session};
    --cell.held;
    if (w.room != UINT32_MAX && !all) --w.room;
    if (packet.session == kNoSession) continue;
    --w.sessions[packet.session].in_ready;
    if (w.watcher) w.watcher->left(packet.session, true);
  }
}

const EgressQueues::Leaving& EgressQueues::leaving(Index packet) const noexcept {
  return worker_->leaving[packet];
}

void EgressQueues::recycle() noexcept { worker_->items.held->recycle(); }

void EgressQueues::set_room(uint32_t packets) noexcept { worker_->room = packets; }

bool EgressQueues::asks_room() const noexcept {
  return worker_->without_rate != 0 || worker_->room != UINT32_MAX;
}

void EgressQueues::follow_room(uint32_t packets, Nanos now) noexcept {
  worker_->room = worker_->without_rate ? packets : UINT32_MAX;
  worker_->room_told = now;
}

void EgressQueues::set_virtual_time(bool on) noexcept {
  QueueWorker& w = *worker_;
  if (w.options.virtual_time == on) return;
  w.options.virtual_time = on;
  w.clock = on;
  w.time = w.time_offset = 0;
  w.clock_changed = true;
}

uint32_t EgressQueues::held() const noexcept { return worker_->items.held->count(); }
uint64_t EgressQueues::clock_back() const noexcept { return worker_->clock_back; }
uint64_t EgressQueues::unknown_group() const noexcept { return worker_->unknown; }

}  // namespace bricks
