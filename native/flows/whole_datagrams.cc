#include "flows/whole_datagrams.hh"

#include <algorithm>

namespace bricks::flows {

// The oldest gives way.
void WholeDatagrams::make_room() {
  while (!order_.empty() && (bytes_ > kPartialBytesMax || partial_.size() > kDatagramsMax)) {
    const auto oldest = partial_.find(order_.front());
    if (oldest != partial_.end()) {
      bytes_ -= oldest->second.bytes.size();
      partial_.erase(oldest);
    }
    order_.pop_front();
  }
}

const WholeDatagrams::Datagram* WholeDatagrams::add(const DatagramKey& key, Nanos now, uint32_t at,
                                                    bool more, const uint8_t* bytes,
                                                    uint32_t length, const FlowKey* first,
                                                    uint8_t from) {
  if (uint64_t{at} + length > kFrameMax) return nullptr;
  auto [found, is_new] = partial_.try_emplace(key);
  Partial& it = found->second;
  if (is_new) order_.push_back(key);
  if (!is_new && now > it.seen + kDatagramTime) {  // another one of that id
    bytes_ -= it.bytes.size();
    it = Partial{};
  }
  it.seen = now;
  if (first && !it.knows_flow) {
    it.key = *first;
    it.from = from;
    it.knows_flow = true;
  }
  if (!more && !it.end) it.end = at + length;
  if (at + length > it.bytes.size()) {
    const size_t added = at + length - it.bytes.size();
    bytes_ += added;
    it.missing += static_cast<uint32_t>(added);
    it.bytes.resize(at + length);
    it.has.resize(at + length);
  }
  for (uint32_t i = 0; i < length; ++i) {
    if (it.has[at + i]) continue;
    it.has[at + i] = true;
    it.bytes[at + i] = bytes[i];
    --it.missing;
  }
  if (it.missing == 0 && it.end && it.bytes.size() >= it.end && it.knows_flow) {
    it.bytes.resize(it.end);
    whole_ = std::move(static_cast<Datagram&>(it));
    bytes_ -= it.has.size();
    partial_.erase(found);
    return &whole_;
  }
  make_room();
  return nullptr;
}

}  // namespace bricks::flows
