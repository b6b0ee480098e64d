#include "packet_io/packet_pool.hh"

#include <functional>

namespace bricks::packet_io_library {

Status PacketPool::create(uint32_t packets, std::unique_ptr<PacketPool>* pool) {
  std::unique_ptr<PacketPool> made(new PacketPool(packets));
  Status status = HeldPackets::create("packet_io", packets, &made->held_);
  if (!status.ok()) return status;
  made->packets_.resize(made->held_->capacity());
  made->out_.resize(made->held_->capacity());
  made->zeros_.resize(kFrameMax);
  *pool = std::move(made);
  return {};
}

struct packet* PacketPool::take(const Batch& batch, Index index) noexcept {
  if (free() == 0) return nullptr;
  const HeldPackets::Place place = held_->take(batch, index);
  if (place == HeldPackets::kNowhere) return nullptr;
  const Packet& from = batch.packets[index];
  struct packet& made = packets_[place];
  made.data = held_->data(place);
  made.length = from.length;
  made.wire_length = wire_length(batch, index);
  made.timestamp = from.timestamp;
  made.link_type = static_cast<uint32_t>(batch.link);
  made.owner_ = place;
  out_[place] = true;
  return &made;
}

struct packet* PacketPool::make(uint32_t length) noexcept {
  one_->count = 1;
  one_->packets[0] = {};
  one_->packets[0].data = zeros_.data();
  one_->packets[0].length = length;
  return take(*one_, 0);
}

bool PacketPool::owns(const struct packet* packet) const noexcept {
  const struct packet* first = packets_.data();
  if (std::less<>()(packet, first) || !std::less<>()(packet, first + packets_.size())) return false;
  const auto offset = static_cast<size_t>(reinterpret_cast<const char*>(packet) -
                                          reinterpret_cast<const char*>(first));
  return offset % sizeof *packet == 0 && out_[offset / sizeof *packet];
}

int PacketPool::first_wrong(struct packet** packets, int n) noexcept {
  int wrong = -1;
  int seen = 0;
  for (; seen < n && wrong < 0; ++seen) {
    if (!owns(packets[seen])) {
      wrong = seen;
      break;
    }
    out_[static_cast<size_t>(packets[seen] - packets_.data())] = false;
  }
  for (int i = 0; i < seen; ++i) out_[static_cast<size_t>(packets[i] - packets_.data())] = true;
  return wrong;
}

void PacketPool::give_back(struct packet* packet) noexcept {
  const auto place = static_cast<HeldPackets::Place>(packet - packets_.data());
  out_[place] = false;
  held_->discard(place);
}

}  // namespace bricks::packet_io_library
