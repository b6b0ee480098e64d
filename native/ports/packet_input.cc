#include "ports/packet_input.hh"

#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace bricks {
namespace {

constexpr Nanos kStatisticsEvery = 250'000'000;
constexpr Nanos kErrorEvery = 10'000'000;
constexpr uint32_t kTagBytes = 4;
constexpr uint32_t kAddressBytes = 12;  // two MAC addresses, then the tag
constexpr uint32_t kAhead = 4;          // packets to prefetch ahead

enum News : uint32_t { kNewsDown = 1, kNewsGone = 2, kNewsCut = 4 };

inline uint32_t load_status(const tpacket_block_desc* block) noexcept {
  return __atomic_load_n(&block->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
}

// The kernel took the tag out of the frame: the addresses move down into the headroom.
inline uint8_t* put_tag_back(uint8_t* data, const tpacket3_hdr* header) noexcept {
  uint8_t* front = data - kTagBytes;
  std::memmove(front, data, kAddressBytes);
  const uint16_t type =
      header->tp_status & TP_STATUS_VLAN_TPID_VALID ? header->hv1.tp_vlan_tpid : uint16_t{0x8100};
  const uint32_t tag = uint32_t{type} << 16 | (header->hv1.tp_vlan_tci & 0xffff);
  const uint32_t wire = __builtin_bswap32(tag);
  std::memcpy(front + kAddressBytes, &wire, sizeof wire);
  return front;
}

}  // namespace

Status PacketInput::open(const std::string& name, const PacketSettings& settings,
                         std::unique_ptr<Input>* input) {
  Interface interface;
  if (Status status = find_interface(name, &interface); !status.ok()) return status;
  std::unique_ptr<PacketInput> made(new PacketInput(interface, settings));
  if (Status status = made->ring_.open(interface, settings); !status.ok()) return status;
  made->blocks_.resize(made->ring_.blocks());
  if (!interface.up) made->news_ = kNewsDown;
  *input = std::move(made);
  return {};
}

// False: the kernel is still filling the next block, or we have not given it back.
bool PacketInput::open_block() noexcept {
  if (blocks_[current_].walked) return false;
  const auto* block = reinterpret_cast<const tpacket_block_desc*>(ring_.block(current_));
  if (!(load_status(block) & TP_STATUS_USER)) return false;
  left_ = block->hdr.bh1.num_pkts;
  next_ = ring_.block(current_) + block->hdr.bh1.offset_to_first_pkt;
  return true;
}

void PacketInput::give_back(uint32_t i) noexcept {
  blocks_[i].walked = false;
  auto* block = reinterpret_cast<tpacket_block_desc*>(ring_.block(i));
  __atomic_store_n(&block->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

// From the current block into batch.packets[count...]; returns the new count.
uint32_t PacketInput::read_block(Batch& batch, uint32_t count, uint32_t max) noexcept {
  const uint32_t end = count + std::min(left_, max - count);
  left_ -= end - count;
  const bool tags = interface_.ethernet;
  uint8_t* at = next_;
  for (; count < end; ++count) {
    const auto* header = reinterpret_cast<const tpacket3_hdr*>(at);
    const uint32_t stride = header->tp_next_offset;
    __builtin_prefetch(at + kAhead * stride);
    __builtin_prefetch(at + kAhead * stride + 64);
    uint8_t* data = at + header->tp_mac;
    uint32_t length = header->tp_snaplen;
    uint32_t wire = header->tp_len;
    if ((header->tp_status & TP_STATUS_VLAN_VALID) && tags && length >= kAddressBytes) {
      data = put_tag_back(data, header);
      length += kTagBytes;
      wire += kTagBytes;
    }
    length = std::min(length, settings_.snaplen);
    Packet& packet = batch.packets[count];
    packet.data = data;
    packet.length = length;
    packet.timestamp = header->tp_sec * Nanos{1'000'000'000} + header->tp_nsec;
    packet.buffer = kNoBuffer;
    packet.flags = 0;
    if (length < wire) {
      packet.flags = kPacketCut;
      batch.wire_lengths[count] = wire;
      if (wire > kFrameMax) news_.fetch_or(kNewsCut, std::memory_order_relaxed);
    }
    bytes_ += length;
    at += stride;
  }
  next_ = at;
  return count;
}

uint32_t PacketInput::receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept {
  assert(max <= kBatchMax);
  bytes_ = 0;
  uint32_t count = 0;
  while (count < max && (left_ > 0 || open_block())) {
    if (left_ > 0) {
      count = read_block(batch, count, max);
      ++blocks_[current_].batches;
    }
    if (left_ > 0) break;
    blocks_[current_].walked = true;
    if (blocks_[current_].batches == 0) give_back(current_);
    if (++current_ == ring_.blocks()) current_ = 0;
  }
  batch.count = count;
  batch.link = interface_.link;
  batch.padded = true;
  batch.region = nullptr;
  cell.packets += count;
  cell.bytes += bytes_;
  if (now - statistics_at_ >= kStatisticsEvery) {
    statistics_at_ = now;
    read_statistics(cell);
  }
  if (count == 0 && now - error_at_ >= kErrorEvery) {
    error_at_ = now;
    look_for_error();
  }
  return count;
}

// A batch holds packets of consecutive blocks, from its first packet's to its last packet's.
void PacketInput::release(Batch& batch) noexcept {
  if (batch.count == 0) return;
  const uint32_t last = ring_.block_of(batch.packets[batch.count - 1].data);
  for (uint32_t i = ring_.block_of(batch.packets[0].data);;) {
    assert(i < blocks_.size());
    Block& block = blocks_[i];
    // Empty blocks in between were given back at once.
    if (block.batches > 0 && --block.batches == 0 && block.walked) give_back(i);
    if (i == last) break;
    if (++i == ring_.blocks()) i = 0;
  }
}

// Reading the kernel's counters sets them to zero.
void PacketInput::read_statistics(LedgerCell& cell) noexcept {
  tpacket_stats_v3 statistics{};
  socklen_t length = sizeof statistics;
  if (getsockopt(ring_.fd(), SOL_PACKET, PACKET_STATISTICS, &statistics, &length) != 0) return;
  cell.packets += statistics.tp_drops;
  cell.drop(Drop::kernel, statistics.tp_drops);
}

// An error makes the socket readable until somebody asks for it: an interface that went down or
// away.
void PacketInput::look_for_error() noexcept {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(ring_.fd(), SOL_SOCKET, SO_ERROR, &error, &length) != 0 || error == 0) return;
  ifreq request{};
  request.ifr_ifindex = interface_.index;
  const bool there = ioctl(ring_.fd(), SIOCGIFNAME, &request) == 0;
  news_.fetch_or(there ? kNewsDown : kNewsGone, std::memory_order_relaxed);
}

std::string PacketInput::take_warning() {
  const uint32_t news = news_.exchange(0, std::memory_order_relaxed);
  const std::string& name = interface_.name;
  std::string text;
  warn_of_absence(name, news & kNewsDown, news & kNewsGone, &text);
  if (news & kNewsCut) {
    add_warning(&text, "interface " + name +
                           " gave frames of more than 65535 bytes, which are cut; `ethtool -K " +
                           name + " gro off` stops the kernel from joining packets");
  }
  return text;
}

std::string PacketInput::describe() const {
  std::string text = "AF_PACKET on " + interface_.name + ", TPACKET_V3, " +
                     std::to_string(settings_.ring_mib) + " MiB";
  if (settings_.queue >= 0) text += ", queue " + std::to_string(settings_.queue);
  if (settings_.promiscuous && interface_.ethernet) text += ", promiscuous";
  return text;
}

}  // namespace bricks
