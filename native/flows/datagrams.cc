#include "flows/datagrams.hh"

#include <algorithm>

#include "flows/key_digest.hh"

namespace bricks::flows {

size_t DatagramHash::operator()(const DatagramKey& key) const noexcept {
  return digest_bytes(&key, sizeof key);
}

Datagrams::Datagram& Datagrams::find(const DatagramKey& key, Nanos now) {
  const auto found = datagrams_.find(key);
  if (found != datagrams_.end()) {
    Datagram& datagram = found->second;
    if (now > datagram.seen + kDatagramTime) {  // another datagram with that id
      settle(datagram);
      datagram.is_known = false;
    }
    datagram.seen = std::max(datagram.seen, now);
    return datagram;
  }
  if (order_.size() == kDatagramsMax) {
    const auto oldest = datagrams_.find(order_.front());
    settle(oldest->second);
    datagrams_.erase(oldest);
    order_.pop_front();
  }
  order_.push_back(key);
  Datagram& datagram = datagrams_[key];
  datagram.seen = now;
  return datagram;
}

bool Datagrams::learn(const DatagramKey& key, const Known& known, Nanos now, Sighting* before) {
  Datagram& datagram = find(key, now);
  datagram.is_known = true;
  datagram.known = known;
  if (!datagram.is_pending) return false;
  *before = datagram.pending;
  datagram.is_pending = false;
  return true;
}

bool Datagrams::resolve(const DatagramKey& key, const Sighting& fragment, Known* known) {
  Datagram& datagram = find(key, fragment.last);
  if (datagram.is_known) {
    *known = datagram.known;
    return true;
  }
  Sighting& pending = datagram.pending;
  if (!datagram.is_pending) {
    datagram.is_pending = true;
    pending = fragment;
    return false;
  }
  pending.count.packets += fragment.count.packets;
  pending.count.bytes += fragment.count.bytes;
  pending.count.payload += fragment.count.payload;
  pending.first = std::min(pending.first, fragment.first);
  pending.last = std::max(pending.last, fragment.last);
  return false;
}

void Datagrams::settle(Datagram& datagram) {
  if (datagram.is_pending) orphans_(context_, datagram.pending);
  datagram.is_pending = false;
}

void Datagrams::settle_all() {
  for (const DatagramKey& key : order_) settle(datagrams_.find(key)->second);
  datagrams_.clear();
  order_.clear();
}

}  // namespace bricks::flows
