// The classic capture file: a header of 24 bytes, then records of 16 (or 24) bytes and the packet.
#include <bit>
#include <cstring>

#include "ports/capture_parser.hh"

namespace bricks {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint32_t kMicros = 0xa1b2c3d4, kNanos = 0xa1b23c4d, kModified = 0xa1b2cd34;
constexpr uint32_t kSection = 0x0a0d0d0a;
constexpr uint32_t kOrder = 0x1a2b3c4d;
constexpr size_t kFileHeader = 24, kSectionHeader = 28;
// Bits of the link type field that are one; the upper ones tell of a frame check sequence.
constexpr uint32_t kLinkBits = 0x03ffffff;

template <bool kSwapped>
uint32_t load(const uint8_t* at) noexcept {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return kSwapped ? __builtin_bswap32(value) : value;
}

// Version 2, whatever comes behind its dot, and NetScaler's own number.
bool is_version(uint32_t versions) noexcept {
  const uint32_t major = versions & 0xffff, minor = versions >> 16;
  return major == 2 || (major == 543 && minor == 0);
}

bool is_magic(uint32_t value) noexcept {
  return value == kMicros || value == kNanos || value == kModified;
}

}  // namespace

std::string not_a_capture_because(const uint8_t* bytes, size_t size) {
  if (size == 0) return "it is empty";
  if (size < 4) return "it has " + std::to_string(size) + " bytes, a capture at least 24";
  const uint32_t magic = load<false>(bytes);
  const bool classic = is_magic(magic) || is_magic(__builtin_bswap32(magic));
  if (!classic && magic != kSection) {
    if (bytes[0] == 0x1f && bytes[1] == 0x8b) return "it is gzip data; unpack it with gunzip";
    if (magic == 0xfd2fb528) return "it is zstd data; unpack it with unzstd";
    if (std::memcmp(bytes,
                    "\xfd"
                    "7zX",
                    4) == 0)
      return "it is xz data; unpack it with unxz";
    return "its first bytes are neither pcap's nor pcapng's";
  }
  if (size < (classic ? kFileHeader : kSectionHeader)) {
    return "it ends inside its file header, after " + std::to_string(size) + " bytes";
  }
  if (classic) {
    // Swapped as one word the two halves change places, as two they do not.
    uint32_t versions = is_magic(magic) ? load<false>(bytes + 4) : load<true>(bytes + 4);
    if (!is_magic(magic)) versions = versions << 16 | versions >> 16;
    if (!is_version(versions)) return "its format has an unknown version";
    const uint32_t link = is_magic(magic) ? load<false>(bytes + 20) : load<true>(bytes + 20);
    return (link & kLinkBits) > 65535 ? "its link type is none" : "";
  }
  const uint32_t order = load<false>(bytes + 8);
  if (order != kOrder && order != __builtin_bswap32(kOrder)) {
    return "its section header has no byte order";
  }
  return "";
}

bool CaptureParser::begin(CaptureWindow& window) noexcept {
  if (!need(window, 4)) return false;
  const uint8_t* at = window.data();
  uint32_t magic = load<false>(at);
  if (magic == kSection) {
    format_ = Format::pcapng;
    return true;
  }
  const bool swapped = is_magic(__builtin_bswap32(magic));
  if (swapped) magic = __builtin_bswap32(magic);
  if (!is_magic(magic)) return stop("its first bytes are neither pcap's nor pcapng's");
  if (!need(window, kFileHeader)) return false;
  swapped_ = swapped;
  fraction_ = magic == kNanos ? 1 : 1000;
  record_header_ = magic == kModified ? 24 : 16;
  const uint16_t major = load16(at + 4), minor = load16(at + 6);
  if (!is_version(static_cast<uint32_t>(minor) << 16 | major)) {
    return stop("its format has an unknown version");
  }
  lengths_swapped_ = major == 2 && minor < 3;
  lengths_doubtful_ = major == 2 && minor == 3;
  const uint32_t link = load32(at + 20) & kLinkBits;
  if (link > 65535) return stop("its link type is none");
  link_ = static_cast<LinkType>(link);
  window.consume(kFileHeader);
  format_ = Format::pcap;
  return true;
}

uint32_t CaptureParser::next(CaptureWindow& window, Batch& batch, uint32_t from, uint32_t max,
                             CaptureTally& tally) noexcept {
  if (window.skipping()) {
    needed_ = 1;
    halt_ = Halt::need_more;
    return 0;
  }
  if (format_ == Format::unknown && !begin(window)) return 0;
  if (format_ == Format::pcapng) return next_blocks(window, batch, from, max, tally);
  if (from == 0) batch.link = link_;
  return swapped_ ? next_records<true>(window, batch, from, max, tally)
                  : next_records<false>(window, batch, from, max, tally);
}

template <bool kSwapped>
uint32_t CaptureParser::next_records(CaptureWindow& window, Batch& batch, uint32_t from,
                                     uint32_t max, CaptureTally& tally) noexcept {
  const uint8_t* const begin = window.data();
  const uint8_t* const end = begin + window.size();
  const uint8_t* at = begin;
  const size_t header = record_header_;
  const uint64_t fraction = fraction_;
  uint64_t bytes = 0;
  uint32_t count = 0;
  size_t beyond = 0;  // of a record too long to be a frame: what lies behind the window
  halt_ = Halt::full;
  while (count < max) {
    const size_t left = static_cast<size_t>(end - at);
    if (left < header) {
      halt_ = Halt::need_more;
      needed_ = header;
      break;
    }
    uint32_t length = load<kSwapped>(at + 8), wire = load<kSwapped>(at + 12);
    if (lengths_swapped_ || (lengths_doubtful_ && length > wire)) std::swap(length, wire);
    if (length > kFrameMax) [[unlikely]] {
      if (length > kCaptureRecordMax) {
        if (from + count == 0) ++tally.packets, ++tally.malformed;  // else the next call's
        stop("a packet's length there cannot be true");
        break;
      }
      ++tally.packets;
      ++tally.oversize;
      const size_t record = header + length;
      if (record > left) {
        beyond = record - left;
        at = end;
        halt_ = Halt::need_more;
        needed_ = 1;
        break;
      }
      at += record;
      continue;
    }
    if (left - header < length) {
      halt_ = Halt::need_more;
      needed_ = header + length;
      break;
    }
    Packet& packet = batch.packets[from + count];
    packet.data = const_cast<uint8_t*>(at) + header;
    packet.length = length;
    packet.timestamp =
        load<kSwapped>(at) * Nanos{1'000'000'000} + load<kSwapped>(at + 4) * fraction;
    packet.buffer = kNoBuffer;
    packet.flags = wire != length ? kPacketCut : 0;
    batch.wire_lengths[from + count] = wire;
    bytes += length;
    ++count;
    at += header + length;
    last_record_ = header + length;
  }
  tally.packets += count;
  tally.bytes += bytes;
  window.consume(static_cast<uint64_t>(at - begin) + beyond);
  return count;
}

template uint32_t CaptureParser::next_records<false>(CaptureWindow&, Batch&, uint32_t, uint32_t,
                                                     CaptureTally&) noexcept;
template uint32_t CaptureParser::next_records<true>(CaptureWindow&, Batch&, uint32_t, uint32_t,
                                                    CaptureTally&) noexcept;

}  // namespace bricks
