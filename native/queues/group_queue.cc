#include "queues/group_queue.hh"

#include <algorithm>

namespace bricks {
namespace {

constexpr Nanos kLease = Nanos{kQueueLeaseMs} * 1000000;
constexpr uint64_t kNever = uint64_t{1} << 62;  // tokens that no bucket has

}  // namespace

bool GroupQueue::open(QueueGroupSlot& from, QueueMember& to, uint32_t at, Flows::Flow* flow_memory,
                      uint32_t number) noexcept {
  *this = GroupQueue();
  if (!from.read(&setting, &version)) return false;
  slot = &from;
  member = &to;
  place = at;
  id = number;
  has_flows = parameters().discipline == QueueDiscipline::fq_codel;
  if (has_flows) flows.begin(flow_memory, parameters().flows, parameters().quantum);
  random = CounterRandom(parameters().seed ^ uint64_t{id} << 32);
  red.set(parameters().red);
  pie.set(parameters().pie);
  return true;
}

// The algorithm of a queue with packets in it stays until it is empty.
void GroupQueue::adopt(const QueueSetting& next) noexcept {
  const QueueDiscipline discipline = parameters().discipline;
  const uint32_t flow_count = parameters().flows;
  setting = next;
  if (waits()) {
    setting.parameters.discipline = discipline;
    setting.parameters.flows = flow_count;
  }
  flows.set_quantum(parameters().quantum);
  red.set(parameters().red);
  pie.set(parameters().pie);
}

uint64_t GroupQueue::size_of(uint32_t ip_bytes) const noexcept {
  const int64_t size = int64_t{ip_bytes} + parameters().overhead;
  return static_cast<uint64_t>(std::max<int64_t>(size, 1));
}

bool GroupQueue::fits(uint64_t size) const noexcept {
  return kind() == QueueKind::aqm || parameters().borrow || size <= parameters().cbs;
}

uint64_t GroupQueue::needed_for(uint64_t size) const noexcept {
  return std::min(size, parameters().cbs) * kTokensPerByte;
}

// The group's time, which it is told of.
Nanos GroupQueue::there(Nanos now, uint32_t clock) noexcept {
  const Nanos time = now + static_cast<Nanos>(offset);
  std::atomic<uint64_t>& latest = slot->buckets[clock].latest;
  if (time > latest.load(std::memory_order_relaxed)) {
    latest.store(time, std::memory_order_relaxed);
  }
  return time;
}

bool GroupQueue::take_leased(uint64_t needed, uint64_t taken, Nanos now, uint32_t clock) noexcept {
  SharedBucket& bucket = slot->buckets[clock].committed;
  const TokenStream& stream = setting.committed[clock];
  if (credit > 0 && now >= lease_end) {
    bucket.give_back(static_cast<uint64_t>(credit));
    credit = 0;
  }
  const auto cost = static_cast<int64_t>(taken);
  if (credit < cost) {
    // A portion, if there is one; else what is missing.
    const uint64_t missing = taken - static_cast<uint64_t>(credit);
    const uint64_t portion =
        std::min(stream.rate * kTokensPerByte * kQueueLeaseMs / 1000, stream.size / 8);
    if (portion > missing && bucket.take(stream, portion, portion, now)) {
      credit += static_cast<int64_t>(portion);
      lease_end = now + kLease;
    } else if (bucket.take(stream, missing - (taken - needed), missing, now)) {
      credit += static_cast<int64_t>(missing);
    } else {
      return false;
    }
  }
  credit -= cost;
  return true;
}

bool GroupQueue::take_committed(uint64_t size, Nanos now, uint32_t clock,
                                uint64_t* spilled) noexcept {
  const uint64_t needed = needed_for(size), taken = size * kTokensPerByte;
  if (parameters().leased) return take_leased(needed, taken, now, clock);
  return slot->buckets[clock].committed.take(setting.committed[clock], needed, taken, now, spilled);
}

Colour GroupQueue::judge(uint64_t size, Nanos worker_now, uint32_t clock, Colour before) noexcept {
  const Nanos now = there(worker_now, clock);
  QueueGroupSlot::Buckets& buckets = slot->buckets[clock];
  const uint64_t needed = needed_for(size), all = size * kTokensPerByte;
  const uint64_t at_hand = credit > 0 ? static_cast<uint64_t>(credit) : 0;
  const bool green = before == Colour::green && fits(size) &&
                     (needed <= at_hand ||
                      buckets.committed.holds(setting.committed[clock], needed - at_hand, now));
  switch (parameters().meter) {
    case QueueMeter::single:
      return green ? Colour::green : Colour::red;
    case QueueMeter::srtcm: {
      uint64_t spilled = 0;
      buckets.committed.take(setting.committed[clock], kNever, 0, now, &spilled);
      buckets.excess.pour(spilled, parameters().ebs * kTokensPerByte);
      if (green) return Colour::green;
      return before != Colour::red && buckets.excess.holds(all) ? Colour::yellow : Colour::red;
    }
    case QueueMeter::trtcm:
    case QueueMeter::rfc4115: {
      const bool peak = before != Colour::red && buckets.peak.holds(setting.peak[clock], all, now);
      if (parameters().meter == QueueMeter::trtcm && !peak) return Colour::red;
      return green ? Colour::green : peak ? Colour::yellow : Colour::red;
    }
  }
  return Colour::red;
}

Colour GroupQueue::take(uint64_t size, Nanos worker_now, uint32_t clock, Colour before) noexcept {
  const Nanos now = there(worker_now, clock);
  QueueGroupSlot::Buckets& buckets = slot->buckets[clock];
  const uint64_t all = size * kTokensPerByte;
  const bool may_be_green = before == Colour::green && fits(size);
  switch (parameters().meter) {
    case QueueMeter::single:
      return may_be_green && take_committed(size, now, clock, nullptr) ? Colour::green
                                                                       : Colour::red;
    case QueueMeter::srtcm: {
      uint64_t spilled = 0;
      const bool green = buckets.committed.take(setting.committed[clock],
                                                may_be_green ? all : kNever, all, now, &spilled);
      buckets.excess.pour(spilled, parameters().ebs * kTokensPerByte);
      if (green) return Colour::green;
      return before != Colour::red && buckets.excess.take(all) ? Colour::yellow : Colour::red;
    }
    case QueueMeter::trtcm:
      if (before == Colour::red || !buckets.peak.take(setting.peak[clock], all, all, now)) {
        return Colour::red;
      }
      return may_be_green && take_committed(size, now, clock, nullptr) ? Colour::green
                                                                       : Colour::yellow;
    case QueueMeter::rfc4115:
      if (may_be_green && take_committed(size, now, clock, nullptr)) return Colour::green;
      return before != Colour::red && buckets.peak.take(setting.peak[clock], all, all, now)
                 ? Colour::yellow
                 : Colour::red;
  }
  return Colour::red;
}

void GroupQueue::give_back(uint64_t size, uint32_t clock, Colour taken) noexcept {
  if (taken == Colour::red) return;
  QueueGroupSlot::Buckets& buckets = slot->buckets[clock];
  const uint64_t all = size * kTokensPerByte;
  const QueueMeter meter = parameters().meter;
  if (taken == Colour::green) buckets.committed.give_back(all);
  if (meter == QueueMeter::trtcm) buckets.peak.give_back(all);
  if (taken == Colour::yellow && meter == QueueMeter::rfc4115) buckets.peak.give_back(all);
  if (taken == Colour::yellow && meter == QueueMeter::srtcm) {
    buckets.excess.give_back(all, parameters().ebs * kTokensPerByte);
  }
}

GroupQueue::Grant GroupQueue::reserve(uint64_t size, Nanos worker_now, uint32_t clock) noexcept {
  Grant grant{this, 0, true, size * kTokensPerByte};
  if (kind() == QueueKind::aqm) {
    grant.tokens = 0;
    return grant;
  }
  const Nanos now = there(worker_now, clock);
  uint64_t needed = needed_for(size), taken = grant.tokens;
  if (parameters().leased) {
    // Of what is at hand first; expired, it is given back by take_leased().
    if (credit >= static_cast<int64_t>(taken)) {
      credit -= static_cast<int64_t>(taken);
      return grant;
    }
    const auto have = static_cast<uint64_t>(std::max<int64_t>(credit, 0));
    credit = 0;
    taken -= have;
    needed -= std::min(needed, have);
  }
  grant.position =
      slot->buckets[clock].committed.reserve(setting.committed[clock], needed, taken, now);
  grant.instant = false;
  return grant;
}

Nanos GroupQueue::ready_at(const Grant& grant, Nanos worker_now, uint32_t clock) const noexcept {
  if (grant.instant) return worker_now;
  const Nanos now = worker_now + static_cast<Nanos>(offset);
  const Nanos at = setting.committed[clock].when(grant.position, now);
  return at == UINT64_MAX ? at : at - static_cast<Nanos>(offset);
}

void GroupQueue::use(const Grant& grant, Nanos worker_now, uint32_t clock) noexcept {
  if (grant.instant) return;
  slot->buckets[clock].committed.use(setting.committed[clock], grant.tokens,
                                     there(worker_now, clock));
}

Nanos GroupQueue::would_be_ready(uint64_t size, Nanos worker_now, uint32_t clock) noexcept {
  if (kind() == QueueKind::aqm) return worker_now;
  const Nanos now = there(worker_now, clock);
  const TokenStream& stream = setting.committed[clock];
  const int64_t have = slot->buckets[clock].committed.tokens(stream, now) + credit;
  const int64_t missing = static_cast<int64_t>(needed_for(size)) - have;
  if (missing <= 0) return worker_now;
  const Nanos at = stream.when(stream.at(now) + static_cast<uint64_t>(missing), now);
  return at == UINT64_MAX ? at : at - static_cast<Nanos>(offset);
}

bool GroupQueue::drops_arrival(Nanos now, bool* forced) noexcept {
  *forced = false;
  switch (parameters().discipline) {
    case QueueDiscipline::red: {
      const Red::Judgement judgement = red.arrive(packets, now, random);
      *forced = judgement == Red::Judgement::forced;
      return judgement != Red::Judgement::accept;
    }
    case QueueDiscipline::pie: {
      const Pie::Judgement judgement = pie.arrive(packets, now, random);
      *forced = judgement == Pie::Judgement::forced;
      return judgement != Pie::Judgement::accept;
    }
    default:
      return false;
  }
}

void GroupQueue::push(QueueItems& items, Place item) noexcept {
  const WaitingPacket& packet = items.all[item];
  ++packets;
  bytes += packet.size;
  slot->backlog.fetch_add(1, std::memory_order_relaxed);
  slot->backlog_bytes.fetch_add(packet.size, std::memory_order_relaxed);
  member->add(QueueCount::backlog);
  member->add(QueueCount::backlog_bytes, packet.size);
  if (!has_flows) {
    line.push(items, item);
    return;
  }
  // One session is one flow; the hash is seeded, so nobody outside chooses whom to meet.
  const uint64_t hash = (items.held->hash(item) ^ parameters().seed) * 0x9e3779b97f4a7c15;
  flows.push(items, item, static_cast<uint32_t>((hash >> 32) * parameters().flows >> 32));
}

GroupQueue::Place GroupQueue::pull(QueueItems& items, Nanos now) noexcept {
  items.queue = this;
  const QueueParameters& p = parameters();
  if (has_flows) return flows.pull(items, p.codel, p.ecn, now);
  if (p.discipline != QueueDiscipline::codel) return line.pop(items);
  CodelView<QueueItems> view(items, line, p.ecn);
  return codel.pull(view, p.codel, now);
}

GroupQueue::Place GroupQueue::pop_any(QueueItems& items) noexcept {
  return has_flows ? flows.pop_any(items) : line.pop(items);
}

void GroupQueue::gone(uint64_t size) noexcept {
  --packets;
  bytes -= size;
  slot->backlog.fetch_sub(1, std::memory_order_relaxed);
  slot->backlog_bytes.fetch_sub(size, std::memory_order_relaxed);
  member->subtract(QueueCount::backlog, 1);
  member->subtract(QueueCount::backlog_bytes, size);
}

}  // namespace bricks
