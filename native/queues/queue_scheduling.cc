// A worker's packets: how they come to a queue, when they leave it, and how they are lost.
#include <algorithm>

#include "queues/queue_worker.hh"

namespace bricks {

namespace {

QueueCount count_of(Drop reason) noexcept {
  switch (reason) {
    case Drop::policed:
      return QueueCount::policed;
    case Drop::queue_full:
      return QueueCount::queue_full;
    case Drop::oversize:
      return QueueCount::oversize;
    case Drop::aqm_drop:
      return QueueCount::aqm_drop;
    default:
      return QueueCount::queue_gone;
  }
}

void count_came(GroupQueue& queue, uint64_t size) noexcept {
  queue.member->add(QueueCount::enqueued);
  queue.member->add(QueueCount::enqueued_bytes, size);
}

void count_went(GroupQueue& queue, uint64_t size) noexcept {
  queue.member->add(QueueCount::dequeued);
  queue.member->add(QueueCount::dequeued_bytes, size);
}

bool is_refused(const GroupQueue& queue, Colour colour) noexcept {
  return colour == Colour::red || (colour == Colour::yellow && queue.parameters().drop_yellow);
}

Colour colour_before(const GroupQueue& queue, Colour of_dscp) noexcept {
  return queue.parameters().aware ? of_dscp : Colour::green;
}

}  // namespace

bool QueueItems::mark(Item item) noexcept {
  const WaitingPacket& packet = all[item];
  if (packet.ip_version == 0) return false;
  if (!mark_congestion(held->data(item) + packet.ip_offset, packet.ip_version)) return false;
  queue->member->add(QueueCount::marked);
  return true;
}

void QueueItems::drop(Item item) noexcept {
  worker_.count_lost(*queue, all[item].size, Drop::aqm_drop);
  queue->gone(all[item].size);
  worker_.left_queue(all[item]);
  worker_.discard(item, Drop::aqm_drop);
}

void QueueWorker::count_lost(GroupQueue& queue, uint64_t size, Drop reason) noexcept {
  queue.member->add(count_of(reason));
  queue.member->add(QueueCount::dropped_bytes, size);
}

void QueueWorker::left_queue(const WaitingPacket& packet) noexcept {
  bytes -= packet.bytes;
  if (packet.session == kNoSession) return;
  SessionQueues& session = sessions[packet.session];
  --(packet.moved ? session.in_first : session.in_rear);
}

void QueueWorker::discard(Place place, Drop reason) noexcept {
  const WaitingPacket& packet = items.all[place];
  cell->drop(reason);
  --cell->held;
  if (watcher && packet.session != kNoSession) watcher->left(packet.session, false);
  items.held->discard(place);
}

bool QueueWorker::has_room(GroupQueue& queue, uint32_t session, uint64_t size) noexcept {
  const QueueParameters& p = queue.parameters();
  if (session != kNoSession && p.share < 100) {
    const SessionQueues& has = sessions[session];
    if ((uint64_t{has.in_first} + has.in_rear + 1) * 100 > uint64_t{p.share} * p.packets) {
      return false;
    }
  }
  const auto fits = [&] {
    return queue.slot->backlog.load(std::memory_order_relaxed) < p.packets &&
           queue.slot->backlog_bytes.load(std::memory_order_relaxed) + size <= p.bytes;
  };
  if (fits()) return true;
  if (!queue.has_flows) return false;
  items.queue = &queue;
  queue.flows.drop_fattest(items);
  return fits();
}

QueueWorker::Place QueueWorker::hold(const Offer& offer, uint32_t size, Nanos now) noexcept {
  if (offer.bytes > options.bytes - std::min(options.bytes, bytes)) return QueueItems::kNone;
  const Place place = items.held->take(offer.batch, offer.packet, offer.cut);
  if (place == QueueItems::kNone) return place;
  WaitingPacket& packet = items.all[place];
  packet.came = packet.first = now;
  packet.bytes = offer.bytes;
  packet.size = size;
  packet.session = offer.session;
  packet.note = offer.note;
  packet.group_count = static_cast<uint8_t>(offer.count);
  for (uint32_t i = 0; i < offer.count; ++i) packet.groups[i] = offer.queues[i]->id;
  packet.ip_version = offer.ip_version;
  packet.ip_offset = offer.ip_offset;
  packet.moved = false;
  ++cell->held;
  if (watcher && offer.session != kNoSession) watcher->queued(offer.session);
  return place;
}

Enqueued QueueWorker::join(GroupQueue& queue, const Offer& offer, bool moved, Nanos now) noexcept {
  const auto size = static_cast<uint32_t>(queue.size_of(offer.bytes));
  const auto lose = [&](Drop reason) {
    count_lost(queue, size, reason);
    return this->lose(offer, reason);
  };
  count_came(queue, size);
  if (!queue.fits(size)) return lose(Drop::oversize);
  if (!has_room(queue, offer.session, size)) return lose(Drop::queue_full);
  bool forced = false;
  const bool unwanted = queue.drops_arrival(now, &forced);
  const bool may_mark = queue.parameters().ecn && !forced;
  if (unwanted && !may_mark) return lose(Drop::aqm_drop);
  const Place place = hold(offer, size, now);
  if (place == QueueItems::kNone) return lose(Drop::queue_full);
  items.queue = &queue;
  if (unwanted && !items.mark(place)) {
    count_lost(queue, size, Drop::aqm_drop);
    discard(place, Drop::aqm_drop);
    return Enqueued::dropped;
  }
  WaitingPacket& packet = items.all[place];
  packet.moved = moved;
  bytes += packet.bytes;
  if (offer.session != kNoSession) {
    SessionQueues& session = sessions[offer.session];
    (moved ? session.first : session.rear) = static_cast<uint16_t>(queue.place);
    ++(moved ? session.in_first : session.in_rear);
  }
  queue.push(items, place);
  if (queue.pulled == QueueItems::kNone) pull(queue, now);
  return Enqueued::stolen;
}

Enqueued QueueWorker::lose(const Offer& offer, Drop reason) noexcept {
  cell->drop(reason);
  if (watcher && offer.session != kNoSession) watcher->refused(offer.session);
  return Enqueued::dropped;
}

Enqueued QueueWorker::refuse(GroupQueue& queue, const Offer& offer, Drop reason) noexcept {
  const uint64_t size = queue.size_of(offer.bytes);
  count_came(queue, size);
  count_lost(queue, size, reason);
  return lose(offer, reason);
}

Enqueued QueueWorker::take(const Offer& offer, Nanos now) noexcept {
  const SessionQueues* session = offer.session ? &sessions[offer.session] : nullptr;
  if (session && session->in_rear) return join(queues[session->rear], offer, false, now);
  if (session && session->in_first) return join(queues[session->first], offer, true, now);
  GroupQueue* waits = nullptr;
  for (uint32_t i = 0; i < offer.count; ++i) {
    GroupQueue& queue = *offer.queues[i];
    if (queue.kind() == QueueKind::aqm) {
      if (!waits && (queue.waits() || ready.packets >= room)) waits = &queue;
      continue;
    }
    const uint64_t size = queue.size_of(offer.bytes);
    if (queue.parameters().meter == QueueMeter::single && !queue.fits(size)) {
      return refuse(queue, offer, Drop::oversize);
    }
    const Colour colour = queue.judge(size, now, clock, colour_before(queue, offer.colour));
    if (queue.kind() == QueueKind::policer) {
      if (is_refused(queue, colour)) return refuse(queue, offer, Drop::policed);
    } else if (!waits && (queue.waits() || colour != Colour::green)) {
      waits = &queue;
    }
  }
  return waits ? join(*waits, offer, false, now) : pass(offer, now);
}

// All groups have the tokens, or had them a moment ago: another worker may have been faster.
Enqueued QueueWorker::pass(const Offer& offer, Nanos now) noexcept {
  Colour taken[kQueueGroupsOfPacket] = {};
  int8_t dscp = -1;
  for (uint32_t i = 0; i < offer.count; ++i) {
    GroupQueue& queue = *offer.queues[i];
    const QueueParameters& p = queue.parameters();
    if (p.kind == QueueKind::aqm) continue;
    const Colour before = colour_before(queue, offer.colour);
    taken[i] = queue.take(queue.size_of(offer.bytes), now, clock, before);
    if (taken[i] == Colour::yellow && p.yellow_dscp >= 0) dscp = p.yellow_dscp;
    if (!is_refused(queue, taken[i])) continue;
    for (uint32_t k = 0; k <= i; ++k) {
      GroupQueue& other = *offer.queues[k];
      if (other.kind() == QueueKind::aqm) continue;
      other.give_back(other.size_of(offer.bytes), clock, taken[k]);
    }
    if (p.kind == QueueKind::shaper) return join(queue, offer, false, now);
    return refuse(queue, offer, Drop::policed);
  }
  for (uint32_t i = 0; i < offer.count; ++i) {
    GroupQueue& queue = *offer.queues[i];
    const uint64_t size = queue.size_of(offer.bytes);
    count_came(queue, size);
    count_went(queue, size);
    queue.member->add(QueueCount::passed);
    if (taken[i] == Colour::yellow) queue.member->add(QueueCount::yellow);
  }
  if (room != UINT32_MAX && room > 0) --room;
  const bool writes = dscp >= 0 && offer.ip_version;
  // Nothing may overtake those that are about to leave.
  if (!writes && ready.packets == 0) return Enqueued::pass;
  const Place place = hold(offer, 0, now);
  if (place == QueueItems::kNone) return lose(offer, Drop::queue_full);
  if (writes) {
    set_dscp(items.held->data(place) + offer.ip_offset, offer.ip_version,
             static_cast<uint8_t>(dscp));
  }
  make_ready(place, now);
  return Enqueued::stolen;
}

void QueueWorker::make_ready(Place place, Nanos now) noexcept {
  const WaitingPacket& packet = items.all[place];
  if (clock == 1) items.held->set_timestamp(place, now - time_offset);
  if (packet.session != kNoSession) ++sessions[packet.session].in_ready;
  ready.push(items, place);
}

// With the queue it waits in, if that is of its groups: that one counts even when it is deleted.
uint32_t QueueWorker::groups_of(const WaitingPacket& packet, GroupQueue& queue, Nanos now,
                                GroupQueue** to) noexcept {
  uint32_t ids[kQueueGroupsOfPacket];
  uint32_t others = 0;
  bool own = false;
  for (uint32_t i = 0; i < packet.group_count; ++i) {
    if (packet.groups[i] == queue.id) {
      own = true;
    } else {
      ids[others++] = packet.groups[i];
    }
  }
  uint32_t count = find_queues({ids, others}, now, to);
  if (own) to[count++] = &queue;
  return count;
}

void QueueWorker::pull(GroupQueue& queue, Nanos now) noexcept {
  queue.pulled = QueueItems::kNone;
  while (true) {
    const Place place = queue.pull(items, now);
    if (place == QueueItems::kNone) {
      queue.red.emptied(now);
      return;
    }
    const WaitingPacket& packet = items.all[place];
    // Packets of its session that went to another queue are to leave first.
    if (packet.session != kNoSession && !packet.moved && sessions[packet.session].in_first) {
      GroupQueue& ahead = queues[sessions[packet.session].first];
      if (&ahead != &queue) {
        move(place, queue, ahead, now);
        continue;
      }
    }
    GroupQueue* all[kQueueGroupsOfPacket];
    const uint32_t count = groups_of(packet, queue, now, all);
    GroupQueue* last = &queue;
    Nanos last_at = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (all[i]->kind() == QueueKind::policer) continue;
      const Nanos at = all[i]->would_be_ready(all[i]->size_of(packet.bytes), now, clock);
      if (at > last_at || (at == last_at && all[i] == &queue)) last = all[i], last_at = at;
    }
    // It waits where it has to wait longest, so that it holds nobody up elsewhere.
    if (last != &queue && last_at > now && !packet.moved) {
      move(place, queue, *last, now);
      continue;
    }
    queue.pulled = place;
    queue.due = now;
    queue.grants = 0;
    for (uint32_t i = 0; i < count; ++i) {
      if (all[i]->kind() == QueueKind::policer) continue;
      const uint64_t size = all[i]->size_of(packet.bytes);
      GroupQueue::Grant& grant = queue.granted[queue.grants++];
      grant = all[i]->reserve(size, now, clock);
      queue.due = std::max(queue.due, all[i]->ready_at(grant, now, clock));
    }
    schedule(queue);
    return;
  }
}

void QueueWorker::move(Place place, GroupQueue& from, GroupQueue& to, Nanos now) noexcept {
  WaitingPacket& packet = items.all[place];
  from.member->add(QueueCount::moved);
  from.member->add(QueueCount::moved_bytes, packet.size);
  from.gone(packet.size);
  left_queue(packet);
  packet.moved = true;
  packet.came = now;
  packet.size = static_cast<uint32_t>(to.size_of(packet.bytes));
  count_came(to, packet.size);
  bool forced = false;
  Drop reason = Drop::aqm_drop;
  bool lost = false;
  if (!to.fits(packet.size)) {
    lost = true, reason = Drop::oversize;
  } else if (!has_room(to, packet.session, packet.size)) {
    lost = true, reason = Drop::queue_full;
  } else if (to.drops_arrival(now, &forced)) {
    items.queue = &to;
    lost = forced || !to.parameters().ecn || !items.mark(place);
  }
  if (lost) {
    count_lost(to, packet.size, reason);
    discard(place, reason);
    return;
  }
  bytes += packet.bytes;
  if (packet.session != kNoSession) {
    sessions[packet.session].first = static_cast<uint16_t>(to.place);
    ++sessions[packet.session].in_first;
  }
  to.push(items, place);
  if (to.pulled == QueueItems::kNone) pull(to, now);
}

}  // namespace bricks
