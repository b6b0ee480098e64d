// Fuzzes the readers of FTP, SIP, RTSP and TFTP (sessions/announcements.hh) and the table that
// remembers what they say: the first byte of an input picks the protocol and who speaks, the rest
// is the payload, in memory of just that size. Whatever it is, no reader leaves it, none gives more
// than there is room for, and nobody is expected for ever. Run: docs/flows.md.
#include "sessions/announcements.hh"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "must.hh"
#include "sessions/related_flows.hh"

namespace bricks {

namespace {

constexpr uint16_t big_endian(uint16_t value) noexcept {
  return static_cast<uint16_t>(value << 8 | value >> 8);
}

// Of an announcer's well-known port.
struct Speaker {
  uint16_t port;
  uint8_t protocol;
};
constexpr Speaker kSpeakers[] = {{21, 6}, {5060, 17}, {554, 6}, {69, 17}};

void check_readers(Payload payload, bool from_client) noexcept {
  Announced to[kAnnouncedMax + 1];
  std::memset(to, 0x5a, sizeof to);
  const uint32_t counts[] = {read_ftp(payload, to), read_sdp(payload, 4, to),
                             read_sdp(payload, 6, to), read_rtsp(payload, from_client, to),
                             read_tftp(payload, 0x1234, to)};
  for (const uint32_t count : counts) MUST(count <= kAnnouncedMax);
  uint8_t untouched[sizeof(Announced)];
  std::memset(untouched, 0x5a, sizeof untouched);
  MUST(std::memcmp(&to[kAnnouncedMax], untouched, sizeof untouched) == 0);
}

void check_table(const uint8_t* payload, uint32_t length, uint8_t pick) noexcept {
  static const auto batch = std::make_unique<Batch>();
  const Speaker& speaker = kSpeakers[pick & 3];
  const bool reverse = pick & 4, six = pick & 8;
  const uint32_t ip = six ? 40 : 20, transport = speaker.protocol == 6 ? 20 : 8;
  const uint32_t head = 14 + ip + transport;
  const auto frame = std::make_unique<uint8_t[]>(head + length);
  frame[14] = six ? 0x60 : 0x45;
  if (speaker.protocol == 6) frame[14 + ip + 12] = 0x50;  // a header of 20 bytes
  std::copy_n(payload, length, frame.get() + head);
  Packet& packet = batch->packets[0];
  packet = {};
  packet.data = frame.get();
  packet.length = head + length;
  packet.timestamp = 1000;
  packet.network = 14;
  packet.ip_version = six ? 6 : 4;
  packet.flags = reverse ? kPacketReverse : 0;
  FlowKey key{};
  key.address[0][0] = 10;
  key.address[1][0] = 20;
  key.port[0] = big_endian(40000);
  key.port[1] = big_endian(speaker.port);
  key.protocol = speaker.protocol;
  key.ip_version = packet.ip_version;
  MUST(RelatedFlows::announces(key));
  RelatedFlows related;
  related.read(*batch, 0, key, 77);
  if (length == 0) MUST(related.empty());
  FlowKey other = key;
  other.port[1] = big_endian(50000);
  const uint64_t parent = related.parent_of(other, 2000);
  MUST(parent == 0 || parent == 77);
  MUST(related.parent_of(other, UINT64_MAX) == 0);
  MUST(related.empty());
}

}  // namespace

}  // namespace bricks

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const auto length = static_cast<uint32_t>(std::min<size_t>(size - 1, 65000));
  const auto exact = std::make_unique<uint8_t[]>(length);
  std::copy_n(data + 1, length, exact.get());
  bricks::check_readers({exact.get(), length}, data[0] & 4);
  bricks::check_table(exact.get(), length, data[0]);
  return 0;
}
