// Captures as bytes: classic pcap (draft-ietf-opsawg-pcap) and pcapng (draft-ietf-opsawg-pcapng),
// little-endian, in microseconds or nanoseconds.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "ports/frame_queue.hh"
#include "wire/packet.hh"

namespace bricks {

inline constexpr uint32_t kCaptureSnapLength = 262144;
inline constexpr uint32_t kCaptureHeadMax = 2048;  // bytes of begin(), describe() or statistics()
inline constexpr uint32_t kCaptureAround = 36;     // bytes around a frame: pcapng's block, padding
inline constexpr uint32_t kCaptureLinksMax = 64;   // link types of one pcapng section

struct ClassicHeader {
  uint32_t magic;
  uint16_t major = 2, minor = 4;
  uint32_t zone = 0, accuracy = 0, snap_length = kCaptureSnapLength, link;
};
static_assert(sizeof(ClassicHeader) == 24);

struct ClassicRecord {
  uint32_t seconds, fraction, captured, wire;
};

struct PacketBlock {  // pcapng's enhanced packet block, before the frame
  uint32_t type = 6, length, interface, time_high, time_low, captured, wire;
};
static_assert(sizeof(PacketBlock) == 28);

struct CaptureStyle {
  bool ng = false;
  bool nanos = false;             // classic only: pcapng always has nanoseconds
  uint32_t snap_length = 262144;  // what a classic header says; frames are not cut here
  std::string name;               // pcapng: the interface's name, at most kNameMax bytes
  std::string description;        // pcapng: of the interface, cut to kNameMax bytes
};

// The bytes of one capture, piece by piece. `to` has room for kCaptureHeadMax bytes, or for
// record_size(). All calls return how many bytes they wrote.
class CaptureEncoder {
 public:
  explicit CaptureEncoder(CaptureStyle style) : style_(std::move(style)) {}

  // What a capture begins with; forgets the link types of the one before.
  uint32_t begin(uint8_t* to, LinkType link) noexcept;
  bool holds(LinkType link) const noexcept;
  // pcapng: describes the interface for that link type where it is new; else nothing. holds().
  uint32_t describe(uint8_t* to, LinkType link) noexcept;
  bool described(LinkType link) const noexcept { return interface_of(link) >= 0; }
  uint32_t record_size(const FrameRecord& record) const noexcept;
  // described().
  uint32_t record(uint8_t* to, const FrameRecord& record) const noexcept;
  // pcapng: how many packets the interface of `link` (described) got up to `now`, and how many of
  // them are not in this capture; classic: nothing.
  uint32_t statistics(uint8_t* to, LinkType link, Nanos now, uint64_t received,
                      uint64_t dropped) const noexcept;

  int interface_of(LinkType link) const noexcept;  // -1: not described
  const CaptureStyle& style() const noexcept { return style_; }

 private:
  CaptureStyle style_;
  LinkType link_ = LinkType::ethernet;  // classic: the file's
  std::array<LinkType, kCaptureLinksMax> links_{};
  uint32_t link_count_ = 0;
};

}  // namespace bricks
