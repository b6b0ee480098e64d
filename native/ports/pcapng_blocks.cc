// pcapng: a chain of blocks, each with its type and length in front and its length again behind.
#include <algorithm>
#include <cstring>

#include "ports/capture_parser.hh"

namespace bricks {
namespace {

constexpr uint32_t kSectionBlock = 0x0a0d0d0a, kInterfaceBlock = 1, kOldPacketBlock = 2,
                   kSimplePacketBlock = 3, kPacketBlock = 6;
constexpr uint32_t kOrder = 0x1a2b3c4d;
constexpr uint16_t kOptionEnd = 0, kOptionResolution = 9, kOptionOffset = 14;
constexpr uint64_t kSecond = 1'000'000'000;

bool is_packet_block(uint32_t type) noexcept {
  return type == kPacketBlock || type == kOldPacketBlock || type == kSimplePacketBlock;
}

uint64_t power_of_ten(uint32_t exponent) noexcept {
  uint64_t value = 1;
  while (exponent-- > 0) value *= 10;
  return value;
}

}  // namespace

CaptureParser::CaptureParser() : interfaces_(new Interface[kCaptureInterfacesMax]) {}

void CaptureParser::restart() noexcept {
  format_ = Format::unknown;
  halt_ = Halt::need_more;
  swapped_ = lengths_swapped_ = lengths_doubtful_ = false;
  interface_count_ = 0;
  needed_ = 4;
  last_record_ = 0;
  damage_ = "";
}

bool CaptureParser::need(CaptureWindow& window, size_t bytes) noexcept {
  if (window.size() >= bytes) return true;
  halt_ = Halt::need_more;
  needed_ = bytes;
  return false;
}

bool CaptureParser::stop(const char* damage) noexcept {
  halt_ = Halt::damaged;
  damage_ = damage;
  return false;
}

uint16_t CaptureParser::load16(const uint8_t* at) const noexcept {
  uint16_t value;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap16(value) : value;
}

uint32_t CaptureParser::load32(const uint8_t* at) const noexcept {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return swapped_ ? __builtin_bswap32(value) : value;
}

// The block at the window's beginning: whole, or only its head when the rest is not wanted. False:
// halt() is set.
bool CaptureParser::find_block(CaptureWindow& window, Block* block) noexcept {
  if (!need(window, 12)) return false;
  const uint8_t* at = window.data();
  if (load32(at) == kSectionBlock) {  // reads the same in both orders; what follows does not
    uint32_t order;
    std::memcpy(&order, at + 8, sizeof order);
    if (order != kOrder && order != __builtin_bswap32(kOrder)) {
      return stop("the section header there has no byte order");
    }
    swapped_ = order != kOrder;
  }
  *block = {at, load32(at), load32(at + 4)};
  if (block->length < 12 || block->length % 4 != 0) {
    return stop("the block's length there cannot be true");
  }
  const bool skipped = block->type != kSectionBlock && block->type != kInterfaceBlock &&
                       (!is_packet_block(block->type) || block->length > kCaptureRecordMax);
  if (skipped) return true;
  if (block->length > kCaptureRecordMax) return stop("the block's length there cannot be true");
  if (!need(window, block->length)) return false;
  if (load32(at + block->length - 4) != block->length) {
    return stop("the block there has two lengths");
  }
  return true;
}

bool CaptureParser::begin_section(const Block& block) noexcept {
  if (block.length < 28) return stop("the section header there is too short");
  if (load16(block.at + 12) != 1) return stop("the section there has an unknown version");
  interface_count_ = 0;
  return true;
}

bool CaptureParser::add_interface(const Block& block) noexcept {
  if (block.length < 20) return stop("the interface description there is too short");
  if (interface_count_ == kCaptureInterfacesMax) return stop("the section has too many interfaces");
  Interface& added = interfaces_[interface_count_++];
  added = {static_cast<LinkType>(load16(block.at + 8)), load32(block.at + 12), 1000, 1, 0, 0};
  const uint8_t* option = block.at + 16;
  const uint8_t* const end = block.at + block.length - 4;
  while (end - option >= 4) {
    const uint16_t code = load16(option), length = load16(option + 2);
    const size_t padded = (length + size_t{3}) & ~size_t{3};
    option += 4;
    if (code == kOptionEnd || static_cast<size_t>(end - option) < padded) break;
    if (code == kOptionResolution && length >= 1) {
      const uint8_t exponent = option[0] & 0x7f;
      if (option[0] & 0x80) {
        added.factor = kSecond;
        added.divisor = 1;
        added.shift = exponent;
      } else if (exponent <= 9) {
        added.factor = power_of_ten(9 - exponent);
      } else {
        added.factor = exponent <= 28 ? 1 : 0;  // finer than 64 bits of ticks can make a nanosecond
        added.divisor = power_of_ten(std::min(exponent - 9, 19));
      }
    } else if (code == kOptionOffset && length >= 8) {
      uint64_t seconds;
      std::memcpy(&seconds, option, sizeof seconds);
      added.offset = static_cast<int64_t>(swapped_ ? __builtin_bswap64(seconds) : seconds);
    }
    option += padded;
  }
  return true;
}

// Hostile times and offsets wrap around; they stay defined and hurt nobody.
Nanos CaptureParser::to_nanos(const Interface& interface, uint64_t ticks) const noexcept {
  const uint64_t offset = static_cast<uint64_t>(interface.offset) * kSecond;
  if (interface.divisor == 1 && interface.shift == 0) [[likely]] {
    return ticks * interface.factor + offset;
  }
  unsigned __int128 nanos = static_cast<unsigned __int128>(ticks) * interface.factor;
  nanos = interface.shift < 128 ? nanos / interface.divisor >> interface.shift : 0;
  return static_cast<uint64_t>(nanos) + offset;
}

// The packet of a packet block, and its interface; nullptr: counted and left out.
const CaptureParser::Interface* CaptureParser::read_packet(const Block& block, Packet* packet,
                                                           uint32_t* wire,
                                                           CaptureTally& tally) noexcept {
  const bool simple = block.type == kSimplePacketBlock;
  const uint32_t around = simple ? 16 : 32;
  uint32_t number = 0;
  if (block.type == kPacketBlock) number = load32(block.at + 8);
  if (block.type == kOldPacketBlock) number = load16(block.at + 8);
  if (block.length < around || number >= interface_count_) {
    ++tally.packets, ++tally.malformed;
    return nullptr;
  }
  const Interface& interface = interfaces_[number];
  const uint32_t room = block.length - around;
  uint32_t length;
  if (simple) {
    *wire = load32(block.at + 8);
    length = std::min(*wire, room);
    if (interface.snap_length != 0) length = std::min(length, interface.snap_length);
    packet->timestamp = 0;  // this kind of block has none
  } else {
    length = load32(block.at + 20);
    *wire = load32(block.at + 24);
    const uint64_t ticks = uint64_t{load32(block.at + 12)} << 32 | load32(block.at + 16);
    packet->timestamp = to_nanos(interface, ticks);
  }
  if (length > room || length > kFrameMax) {
    ++tally.packets;
    ++(length > room ? tally.malformed : tally.oversize);
    return nullptr;
  }
  packet->data = const_cast<uint8_t*>(block.at) + (simple ? 12 : 28);
  packet->length = length;
  packet->buffer = kNoBuffer;
  packet->flags = *wire != length ? kPacketCut : 0;
  return &interface;
}

// What is no packet: a section, an interface, or something to step over.
bool CaptureParser::take_block(const Block& block) noexcept {
  if (block.type == kSectionBlock) return begin_section(block);
  if (block.type == kInterfaceBlock) return add_interface(block);
  return true;
}

uint32_t CaptureParser::next_blocks(CaptureWindow& window, Batch& batch, uint32_t from,
                                    uint32_t max, CaptureTally& tally) noexcept {
  uint32_t count = 0;
  while (count < max) {
    if (window.skipping() && !need(window, 1)) return count;
    Block block;
    if (!find_block(window, &block)) return count;
    if (!is_packet_block(block.type)) {
      if (!take_block(block)) return count;
    } else if (block.length > kCaptureRecordMax) {
      ++tally.packets, ++tally.oversize;
    } else {
      const uint32_t place = from + count;
      const Interface* interface =
          read_packet(block, &batch.packets[place], &batch.wire_lengths[place], tally);
      if (interface) {
        if (place == 0) batch.link = interface->link;
        if (batch.link != interface->link) {
          halt_ = Halt::other_link;
          return count;
        }
        ++count;
        ++tally.packets;
        tally.bytes += batch.packets[place].length;
        last_record_ = block.length;
      }
    }
    window.consume(block.length);
  }
  halt_ = Halt::full;
  return count;
}

}  // namespace bricks
