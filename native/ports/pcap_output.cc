#include "ports/pcap_output.hh"

#include <algorithm>
#include <bit>
#include <ctime>

namespace bricks {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kSecond = 1'000'000'000, kMegabyte = 1'000'000;
constexpr uint64_t kAroundMax = kCaptureAround;
// Bytes a file may begin with, an interface's description, the statistics at its end.
constexpr uint64_t kHeadersMax = 2048;
constexpr uint64_t kRecordMax = kFrameMax + kAroundMax;  // bytes one packet takes at most

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * kSecond + static_cast<Nanos>(now.tv_nsec);
}

}  // namespace

Status PcapOutput::open(const std::string& path, const PcapFormat& format,
                        std::unique_ptr<Output>* output) {
  std::unique_ptr<PcapOutput> made(new PcapOutput(path, format));
  const uint64_t bytes = std::bit_ceil(std::max<uint64_t>(format.buffer_bytes, 1u << 20));
  Status status = CaptureWriter::start(std::make_unique<CaptureFiles>(path, format.rotation), bytes,
                                       &made->writer_);
  if (status.ok()) *output = std::move(made);
  return status;
}

// A packet is taken while at least this much is free; what it takes, a new file's headers
// included, is then certain to fit.
constexpr uint64_t kFreeForOne = kHeadersMax + kRecordMax + kWriterSlack;

uint32_t PcapOutput::room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  if (writer_->failed_at() != UINT64_MAX) return count;  // nothing to wait for any more
  const uint64_t free = writer_->free_bytes();
  uint64_t taken = kHeadersMax;
  // Each packet may begin a file.
  if (rotates_) count = std::min(count, writer_->cuts_free());
  const uint64_t around = kAroundMax + (rotates_ ? kHeadersMax : 0);
  for (uint32_t i = 0; i < count; ++i) {
    if (taken + kFreeForOne > free) return i;
    taken += batch.packets[picks[i]].length + around;
  }
  return count;
}

void PcapOutput::begin_file(Nanos first) noexcept {
  file_begin_ = writer_->position();
  file_first_ = first;
  file_empty_ = true;
  if (format_.ng) {
    uint8_t section[kCaptureHeadMax];
    return writer_->append(section, encoder_.begin(section, link_), false);
  }
  const ClassicHeader header{.magic = nanos_ ? 0xa1b23c4du : 0xa1b2c3d4u,
                             .link = static_cast<uint32_t>(link_)};
  writer_->append(&header, sizeof header, false);
}

// Another file if this one has no place for packet `i`, or not for its time. False: not now, too
// many files wait to be begun.
bool PcapOutput::turn(const Batch& batch, uint32_t i) noexcept {
  const Rotation& rotation = format_.rotation;
  const Packet& packet = batch.packets[i];
  const uint64_t size = writer_->position() - file_begin_ + packet.length + kAroundMax;
  const bool full = rotation.bytes != 0 && size > rotation.bytes && !file_empty_;
  bool late = false;
  if (rotation.time != 0 && packet.timestamp >= file_first_) {
    late = packet.timestamp - file_first_ >= rotation.time;
  } else if (rotation.time != 0 && file_first_ - packet.timestamp >= rotation.time) {
    file_first_ = packet.timestamp;  // one packet's wrong time must not hold up the others' files
  }
  if (full || late) {
    if (writer_->cuts_free() == 0) return false;
    writer_->cut(packet.timestamp);
    begin_file(packet.timestamp);
  }
  file_empty_ = false;
  return true;
}

void PcapOutput::begin(const Batch& batch, const Index* picks, uint32_t count) noexcept {
  begun_ = true;
  link_ = batch.link;
  nanos_ = format_.precision == PcapPrecision::nanos;
  if (format_.precision == PcapPrecision::automatic) {
    for (uint32_t i = 0; i < count; ++i) nanos_ |= batch.packets[picks[i]].timestamp % 1000 != 0;
  }
  const Nanos first = count ? batch.packets[picks[0]].timestamp : wall_clock();
  if (writer_->first_is_cut()) writer_->cut(first);
  begin_file(first);
}

int PcapOutput::interface_of(LinkType link) noexcept {
  if (!encoder_.described(link)) {
    uint8_t block[kCaptureHeadMax];
    if (const uint32_t bytes = encoder_.describe(block, link)) writer_->append(block, bytes, false);
  }
  return encoder_.interface_of(link);
}

void PcapOutput::put_classic(const Batch& batch, uint32_t i) noexcept {
  const Packet& packet = batch.packets[i];
  const auto seconds = packet.timestamp / kSecond;
  auto fraction = static_cast<uint32_t>(packet.timestamp - seconds * kSecond);
  if (!nanos_) {
    const uint32_t micros = fraction / 1000;
    if (micros * 1000 != fraction) [[unlikely]]
      lost_digits_.store(true, std::memory_order_relaxed);
    fraction = micros;
  }
  const ClassicRecord record{static_cast<uint32_t>(seconds), fraction, packet.length,
                             wire_length(batch, i)};
  writer_->append(&record, sizeof record, false);
  writer_->append(packet.data, packet.length, batch.padded);
}

void PcapOutput::put_block(const Batch& batch, uint32_t i, uint32_t interface) noexcept {
  const Packet& packet = batch.packets[i];
  const uint32_t padding = -packet.length & 3;
  const auto length = static_cast<uint32_t>(sizeof(PacketBlock) + packet.length + padding + 4);
  const PacketBlock block{.length = length,
                          .interface = interface,
                          .time_high = static_cast<uint32_t>(packet.timestamp >> 32),
                          .time_low = static_cast<uint32_t>(packet.timestamp),
                          .captured = packet.length,
                          .wire = wire_length(batch, i)};
  constexpr uint32_t kZeros = 0;
  writer_->append(&block, sizeof block, false);
  writer_->append(packet.data, packet.length, batch.padded);
  writer_->append(&kZeros, padding, false);
  writer_->append(&length, sizeof length, false);
}

void PcapOutput::transmit(Batch& batch, const Index* picks, uint32_t count, bool /*exclusive*/,
                          LedgerCell& cell) noexcept {
  if (count == 0) return;
  if (writer_->failed_at() != UINT64_MAX) return cell.drop(Drop::write_failed, count);
  uint64_t free = writer_->free_bytes();
  if (free < kHeadersMax + kFreeForOne) return cell.drop(Drop::writer_busy, count);
  const uint64_t end = writer_->position() + free - kFreeForOne;
  if (!begun_) begin(batch, picks, count);
  int interface = format_.ng ? interface_of(batch.link) : batch.link == link_ ? 0 : -1;
  if (interface < 0) {
    refused_link_.store(static_cast<int32_t>(batch.link), std::memory_order_relaxed);
    return cell.drop(Drop::link_type, count);
  }
  uint64_t taken = 0, bytes = 0;
  for (; taken < count; ++taken) {
    if (writer_->position() > end) break;
    const Index i = picks[taken];
    if (rotates_) {
      if (!turn(batch, i)) break;
      if (format_.ng) interface = interface_of(batch.link);
    }
    if (format_.ng)
      put_block(batch, i, static_cast<uint32_t>(interface));
    else
      put_classic(batch, i);
    bytes += batch.packets[i].length;
  }
  writer_->commit();
  if (taken < count) cell.drop(Drop::writer_busy, count - taken);
  if (newest_ - oldest_ == kCheckpoints) {  // the last one also stands for these
    Checkpoint& last = checkpoints_[(newest_ - 1) % kCheckpoints];
    last = {writer_->position(), last.packets + taken, last.bytes + bytes};
  } else {
    checkpoints_[newest_++ % kCheckpoints] = {writer_->position(), taken, bytes};
  }
  held_ += taken;
  cell.held = held_;
}

void PcapOutput::settle(LedgerCell& cell) noexcept {
  const uint64_t drained = writer_->drained();
  const uint64_t failed_at = writer_->failed_at();  // after drained: it jumps only behind this
  while (oldest_ != newest_) {
    const Checkpoint& point = checkpoints_[oldest_ % kCheckpoints];
    if (point.position > drained) break;
    if (point.position <= failed_at) {
      cell.delivered += point.packets;
      cell.delivered_bytes += point.bytes;
    } else {
      cell.drop(Drop::write_failed, point.packets);
    }
    held_ -= point.packets;
    ++oldest_;
  }
  cell.held = held_;
}

void PcapOutput::flush(Nanos /*now*/, LedgerCell& cell) noexcept {
  if (held_ == 0) return;
  writer_->nudge();
  settle(cell);
}

void PcapOutput::finish(LedgerCell& cell) noexcept {
  if (held_ != 0) writer_->hurry();
  settle(cell);
}

void PcapOutput::close(LedgerCell& cell) {
  if (!begun_) {  // a file without packets is still a capture
    begin({}, nullptr, 0);
    if (format_.ng) interface_of(LinkType::ethernet);
    writer_->commit();
  }
  if (format_.ng && writer_->free_bytes() > kHeadersMax + kWriterSlack) {
    uint8_t block[kCaptureHeadMax];
    const uint32_t bytes =
        encoder_.statistics(block, link_, wall_clock(), cell.packets, cell.dropped_total());
    if (bytes) writer_->append(block, bytes, false);
    writer_->commit();
  }
  writer_->stop();
  settle(cell);
}

std::string PcapOutput::take_warning() {
  std::string text;
  const auto add = [&](const std::string& line) { text += (text.empty() ? "" : "\n") + line; };
  const int32_t link = refused_link_.load(std::memory_order_relaxed);
  if (link >= 0 && !told_link_) {
    told_link_ = true;
    add("packets of link type " + std::to_string(link) + " do not fit into " + path_ +
        (format_.ng ? ", which has " + std::to_string(kCaptureLinksMax) + " link types already"
                    : ", a pcap file of link type " + std::to_string(static_cast<int>(link_)) +
                          "; write pcap:" + path_ + "?ng=1 to keep all of them"));
  }
  if (lost_digits_.load(std::memory_order_relaxed) && !told_digits_) {
    told_digits_ = true;
    add(path_ + " has microseconds, some packets' timestamps have more digits; write pcap:" +
        path_ + "?ns=1 to keep them");
  }
  if (writer_->failed_at() != UINT64_MAX && !told_error_) {
    told_error_ = true;
    add(system_error(
            "cannot write " + path_ + " after byte " + std::to_string(writer_->failed_at()),
            writer_->error())
            .message +
        "; packets for it are dropped as write_failed");
  }
  return text;
}

std::string PcapOutput::describe() const {
  const Rotation& rotation = format_.rotation;
  std::string text = std::string(format_.ng ? "pcapng" : "pcap") + " file " + path_;
  if (rotates_) text += ", a new one every";
  if (rotation.bytes) text += " " + std::to_string(rotation.bytes / kMegabyte) + " MB";
  if (rotation.bytes && rotation.time) text += " or";
  if (rotation.time) text += " " + std::to_string(rotation.time / kSecond) + " s";
  if (rotation.keep) text += ", the newest " + std::to_string(rotation.keep) + " stay";
  return text;
}

}  // namespace bricks
