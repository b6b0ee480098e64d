// A worker's packets leave: when their time has come, at the end, or with their group.
#include <algorithm>

#include "queues/queue_worker.hh"

namespace bricks {

void QueueWorker::run(Nanos until, uint32_t limit) noexcept {
  while (next() && next()->due <= until && ready.packets < limit) {
    GroupQueue& queue = *next();
    const Nanos now = clock == 1 ? queue.due : until;
    unschedule_first();
    leave(queue, now);
    pull(queue, now);
    close_if_deleted(queue);
  }
}

// The policers among a waiting packet's groups are asked when it goes: until then it has taken
// nothing of theirs. False: one of them refuses it, and it is gone.
bool QueueWorker::police(Place place, GroupQueue& queue, Nanos now) noexcept {
  const WaitingPacket& packet = items.all[place];
  GroupQueue* all[kQueueGroupsOfPacket];
  const uint32_t count = groups_of(packet, queue, now, all);
  uint8_t* header = items.held->data(place) + packet.ip_offset;
  const Colour of_dscp =
      packet.ip_version ? colour_of(dscp_of(header, packet.ip_version)) : Colour::green;
  Colour taken[kQueueGroupsOfPacket] = {};
  int8_t dscp = -1;
  for (uint32_t i = 0; i < count; ++i) {
    GroupQueue& each = *all[i];
    const QueueParameters& p = each.parameters();
    const uint64_t size = each.size_of(packet.bytes);
    if (each.kind() != QueueKind::policer) continue;
    taken[i] = each.take(size, now, clock, p.aware ? of_dscp : Colour::green);
    if (taken[i] == Colour::yellow && p.yellow_dscp >= 0) dscp = p.yellow_dscp;
    if (taken[i] == Colour::green || (taken[i] == Colour::yellow && !p.drop_yellow)) continue;
    for (uint32_t k = 0; k <= i; ++k) {
      if (all[k]->kind() == QueueKind::policer) {
        all[k]->give_back(all[k]->size_of(packet.bytes), clock, taken[k]);
      }
    }
    for (uint32_t k = 0; k < queue.grants; ++k) {
      const GroupQueue::Grant& grant = queue.granted[k];
      grant.queue->slot->buckets[clock].committed.give_back(grant.tokens);
    }
    each.member->add(QueueCount::enqueued);
    each.member->add(QueueCount::enqueued_bytes, size);
    count_lost(each, size, Drop::policed);
    return false;
  }
  for (uint32_t i = 0; i < count; ++i) {
    GroupQueue& each = *all[i];
    if (&each == &queue) continue;
    const uint64_t size = each.size_of(packet.bytes);
    each.member->add(QueueCount::enqueued);
    each.member->add(QueueCount::enqueued_bytes, size);
    each.member->add(QueueCount::dequeued);
    each.member->add(QueueCount::dequeued_bytes, size);
    if (taken[i] == Colour::yellow) each.member->add(QueueCount::yellow);
  }
  if (dscp >= 0 && packet.ip_version) {
    set_dscp(header, packet.ip_version, static_cast<uint8_t>(dscp));
  }
  return true;
}

void QueueWorker::leave(GroupQueue& queue, Nanos now) noexcept {
  const Place place = queue.pulled;
  const WaitingPacket& packet = items.all[place];
  const bool passes = police(place, queue, now);
  queue.gone(packet.size);
  left_queue(packet);
  queue.member->add(QueueCount::dequeued);
  queue.member->add(QueueCount::dequeued_bytes, packet.size);
  if (queue.parameters().discipline == QueueDiscipline::pie) {
    queue.pie.advance(now);
    queue.pie.left(now > packet.came ? now - packet.came : 0, queue.packets);
  }
  if (!passes) return discard(place, Drop::policed);
  for (uint32_t k = 0; k < queue.grants; ++k) {
    queue.granted[k].queue->use(queue.granted[k], now, clock);
  }
  const Nanos waited = now > packet.first ? now - packet.first : 0;
  queue.member->add(QueueCount::delay_us, waited / 1000);
  queue.member->add_delay(waited);
  make_ready(place, now);
}

void QueueWorker::drop_all(GroupQueue& queue) noexcept {
  if (queue.pulled != QueueItems::kNone) {
    std::erase(heap, &queue);
    // Whoever has called makes a heap of it again.
    for (uint32_t k = 0; k < queue.grants; ++k) {
      const GroupQueue::Grant& grant = queue.granted[k];
      grant.queue->slot->buckets[clock].committed.give_back(grant.tokens);
    }
  }
  for (Place place = queue.pulled;; place = queue.pop_any(items)) {
    if (place == QueueItems::kNone) {
      if (queue.pulled == QueueItems::kNone) break;
      queue.pulled = QueueItems::kNone;
      continue;
    }
    queue.pulled = QueueItems::kNone;
    count_lost(queue, items.all[place].size, Drop::queue_gone);
    queue.gone(items.all[place].size);
    left_queue(items.all[place]);
    discard(place, Drop::queue_gone);
  }
}

void QueueWorker::drop_ending() noexcept {
  for (const uint16_t place : opened) {
    if (queues[place].waits() && queues[place].parameters().drop_at_end) drop_all(queues[place]);
  }
  reorder();
}

void QueueWorker::flush(uint32_t limit) noexcept {
  drop_ending();
  std::sort(heap.begin(), heap.end(), [](const GroupQueue* a, const GroupQueue* b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
  });
  while (!heap.empty() && ready.packets < limit) {
    GroupQueue* queue = heap.front();
    const WaitingPacket& packet = items.all[queue->pulled];
    if (packet.session != kNoSession && !packet.moved && sessions[packet.session].in_first) {
      queue = &queues[sessions[packet.session].first];  // older ones of its session are there
    }
    const Place place = queue->pulled;
    const WaitingPacket& leaves = items.all[place];
    for (uint32_t k = 0; k < queue->grants; ++k) {
      const GroupQueue::Grant& grant = queue->granted[k];
      grant.queue->slot->buckets[clock].committed.give_back(grant.tokens);
    }
    queue->gone(leaves.size);
    left_queue(leaves);
    queue->member->add(QueueCount::dequeued);
    queue->member->add(QueueCount::dequeued_bytes, leaves.size);
    queue->member->add(QueueCount::drained);
    make_ready(place, std::max(time, queue->due));
    queue->grants = 0;
    queue->pulled = queue->pop_any(items);
    if (queue->pulled != QueueItems::kNone) continue;
    std::erase(heap, queue);
    close_if_deleted(*queue);
  }
}

}  // namespace bricks
