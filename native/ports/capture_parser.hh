// Finds the packets in the bytes of a capture: pcap (all byte orders and resolutions, the modified
// kind with longer records, too) and pcapng (any number of sections and interfaces). Every field is
// bounded before it is used; nothing is copied.
#pragma once

#include <memory>
#include <string>

#include "ports/capture_window.hh"
#include "wire/packet.hh"

namespace bricks {

inline constexpr uint32_t kCaptureInterfacesMax = 16384;  // interfaces of one pcapng section

// What a call found, for the ledger. `packets` includes those left out.
struct CaptureTally {
  uint64_t packets = 0, bytes = 0, oversize = 0, malformed = 0;
};

// Nothing when `bytes` can begin a capture, else what they are instead ("gzip data", ...).
// `size` is what the file has, up to kCaptureHeaderBytes.
inline constexpr size_t kCaptureHeaderBytes = 32;
std::string not_a_capture_because(const uint8_t* bytes, size_t size);

class CaptureParser {
 public:
  enum class Halt : uint8_t {
    full,        // as many packets as were asked for
    need_more,   // needed() bytes from the window's beginning; it has fewer
    other_link,  // the next packet has another link type than this batch
    damaged,     // the file goes on, but not as a capture: damage() says what is wrong
  };

  CaptureParser();
  void restart() noexcept;  // a new file begins

  // Takes records off the window and fills batch.packets[from...) with up to `max` packets, without
  // moving the window. Sets batch.link when `from` is 0. Returns how many; halt() says why no more.
  uint32_t next(CaptureWindow& window, Batch& batch, uint32_t from, uint32_t max,
                CaptureTally& tally) noexcept;
  Halt halt() const noexcept { return halt_; }
  size_t needed() const noexcept { return needed_; }
  const char* damage() const noexcept { return damage_; }
  // Bytes of the file that the last packet's record took: unconsume() them to see it again.
  size_t last_record() const noexcept { return last_record_; }

 private:
  enum class Format : uint8_t { unknown, pcap, pcapng };
  struct Interface {
    LinkType link;
    uint32_t snap_length;  // 0: none
    uint64_t factor;       // timestamp = ticks * factor / divisor >> shift, then + offset
    uint64_t divisor;
    int64_t offset;
    uint8_t shift;
  };
  struct Block {
    const uint8_t* at;
    uint32_t type, length;
  };

  bool begin(CaptureWindow& window) noexcept;
  bool need(CaptureWindow& window, size_t bytes) noexcept;
  bool stop(const char* damage) noexcept;
  template <bool kSwapped>
  uint32_t next_records(CaptureWindow&, Batch&, uint32_t from, uint32_t max,
                        CaptureTally&) noexcept;
  uint32_t next_blocks(CaptureWindow&, Batch&, uint32_t from, uint32_t max, CaptureTally&) noexcept;
  bool find_block(CaptureWindow&, Block*) noexcept;
  bool take_block(const Block&) noexcept;
  bool begin_section(const Block&) noexcept;
  bool add_interface(const Block&) noexcept;
  const Interface* read_packet(const Block&, Packet*, uint32_t* wire, CaptureTally&) noexcept;
  Nanos to_nanos(const Interface&, uint64_t ticks) const noexcept;
  uint16_t load16(const uint8_t* at) const noexcept;
  uint32_t load32(const uint8_t* at) const noexcept;

  Format format_ = Format::unknown;
  Halt halt_ = Halt::need_more;
  bool swapped_ = false;
  bool lengths_swapped_ = false, lengths_doubtful_ = false;  // pcap before version 2.4
  uint16_t record_header_ = 16;
  uint32_t fraction_ = 1000;  // nanoseconds of a record's second timestamp field's unit
  LinkType link_ = LinkType::ethernet;
  uint32_t interface_count_ = 0;
  size_t needed_ = 0, last_record_ = 0;
  const char* damage_ = "";
  std::unique_ptr<Interface[]> interfaces_;  // untouched memory until a section uses it
};

}  // namespace bricks
