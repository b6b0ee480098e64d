#include "ports/capture_format.hh"

#include <algorithm>
#include <bit>
#include <string_view>

namespace bricks {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr uint64_t kSecond = 1'000'000'000;
enum Block : uint32_t { kSection = 0x0a0d0d0a, kInterface = 1, kStatistics = 5 };
// Options of blocks; 1 is a comment in each of them.
enum : uint16_t { kComment = 1, kUserApplication = 4 };
enum : uint16_t { kInterfaceName = 2, kInterfaceDescription = 3, kTimeResolution = 9 };
enum : uint16_t { kReceived = 4, kDropped = 5 };

// A block with options, whose length is known at its end.
class BlockWriter {
 public:
  BlockWriter(uint8_t* to, Block type) : begin_(to), at_(to) {
    put(static_cast<uint32_t>(type));
    put(uint32_t{0});
  }
  template <typename T>
  void put(T value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  void option(uint16_t code, const void* value, size_t length) {
    put(code);
    put(static_cast<uint16_t>(length));
    std::memcpy(at_, value, length);
    at_ += length;
    while ((at_ - begin_) % 4) *at_++ = 0;
  }
  void option(uint16_t code, std::string_view text) {
    text = text.substr(0, kNameMax);
    if (!text.empty()) option(code, text.data(), text.size());
  }
  uint32_t end() {
    put(uint32_t{0});  // the end of options
    const auto length = static_cast<uint32_t>(at_ - begin_ + 4);
    put(length);
    std::memcpy(begin_ + 4, &length, sizeof length);
    return length;
  }

 private:
  uint8_t* const begin_;
  uint8_t* at_;
};

}  // namespace

uint32_t CaptureEncoder::begin(uint8_t* to, LinkType link) noexcept {
  link_ = link;
  link_count_ = 0;
  if (!style_.ng) {
    const ClassicHeader header{.magic = style_.nanos ? 0xa1b23c4du : 0xa1b2c3d4u,
                               .snap_length = style_.snap_length,
                               .link = static_cast<uint32_t>(link)};
    std::memcpy(to, &header, sizeof header);
    links_[link_count_++] = link;
    return sizeof header;
  }
  BlockWriter block(to, kSection);
  block.put(uint32_t{0x1a2b3c4d});
  block.put(uint32_t{1});  // version 1.0
  block.put(UINT64_MAX);   // length: unknown
  block.option(kUserApplication, "bricks");
  return block.end();
}

int CaptureEncoder::interface_of(LinkType link) const noexcept {
  for (uint32_t i = 0; i < link_count_; ++i)
    if (links_[i] == link) return static_cast<int>(i);
  return -1;
}

bool CaptureEncoder::holds(LinkType link) const noexcept {
  if (!style_.ng) return link == link_;
  return interface_of(link) >= 0 || link_count_ < kCaptureLinksMax;
}

uint32_t CaptureEncoder::describe(uint8_t* to, LinkType link) noexcept {
  if (!style_.ng || interface_of(link) >= 0 || link_count_ == kCaptureLinksMax) return 0;
  links_[link_count_++] = link;
  BlockWriter block(to, kInterface);
  block.put(static_cast<uint16_t>(link));
  block.put(uint16_t{0});
  block.put(uint32_t{0});  // packets have any length
  block.option(kInterfaceName, style_.name);
  block.option(kInterfaceDescription, style_.description);
  const uint8_t nanoseconds = 9;
  block.option(kTimeResolution, &nanoseconds, 1);
  return block.end();
}

uint32_t CaptureEncoder::record_size(const FrameRecord& record) const noexcept {
  if (!style_.ng) return static_cast<uint32_t>(sizeof(ClassicRecord)) + record.length;
  return static_cast<uint32_t>(sizeof(PacketBlock)) + ((record.length + 3) & ~3u) + 4;
}

uint32_t CaptureEncoder::record(uint8_t* to, const FrameRecord& record) const noexcept {
  if (!style_.ng) {
    const uint64_t seconds = record.timestamp / kSecond;
    const auto fraction = static_cast<uint32_t>(record.timestamp - seconds * kSecond);
    const ClassicRecord head{static_cast<uint32_t>(seconds),
                             style_.nanos ? fraction : fraction / 1000, record.length,
                             record.wire_length};
    std::memcpy(to, &head, sizeof head);
    std::memcpy(to + sizeof head, record.data(), record.length);
    return static_cast<uint32_t>(sizeof head) + record.length;
  }
  const uint32_t length = record_size(record);
  const auto interface = interface_of(static_cast<LinkType>(record.link));
  const PacketBlock head{.length = length,
                         .interface = static_cast<uint32_t>(interface),
                         .time_high = static_cast<uint32_t>(record.timestamp >> 32),
                         .time_low = static_cast<uint32_t>(record.timestamp),
                         .captured = record.length,
                         .wire = record.wire_length};
  std::memset(to + length - 8, 0, 4);  // what the frame does not overwrite is padding
  std::memcpy(to, &head, sizeof head);
  std::memcpy(to + sizeof head, record.data(), record.length);
  std::memcpy(to + length - 4, &length, sizeof length);
  return length;
}

uint32_t CaptureEncoder::statistics(uint8_t* to, LinkType link, Nanos now, uint64_t received,
                                    uint64_t dropped) const noexcept {
  const int interface = interface_of(link);
  if (!style_.ng || interface < 0) return 0;
  BlockWriter block(to, kStatistics);
  block.put(static_cast<uint32_t>(interface));
  block.put(static_cast<uint32_t>(now >> 32));
  block.put(static_cast<uint32_t>(now));
  block.option(kComment, "counted by bricks for this output");
  block.option(kReceived, &received, sizeof received);
  block.option(kDropped, &dropped, sizeof dropped);
  return block.end();
}

}  // namespace bricks
