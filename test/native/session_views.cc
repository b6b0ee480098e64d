// A packet's view made the short way is the one that is made the long way.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>

#include "check.hh"
#include "frames.hh"
#include "sessions/packet_views.hh"
#include "wire/decode.hh"

using namespace bricks;

namespace {

constexpr uint32_t kTries = 200'000, kSeed = 20261121;

class Random {
 public:
  uint32_t below(size_t end) { return static_cast<uint32_t>(made_() % end); }

 private:
  std::mt19937_64 made_{kSeed};
};

// TCP or UDP whose lengths say anything, whole or cut.
frames::Bytes random_frame(Random& random) {
  const frames::Ends ends;
  const frames::Bytes data(random.below(40), 'x');
  const bool tcp = random.below(2);
  const frames::Bytes inner = tcp ? frames::tcp(ends, data) : frames::udp(53, 4000, data);
  frames::Bytes ip = frames::ip4(ends, {.protocol = static_cast<uint8_t>(tcp ? 6 : 17)}, inner);
  if (random.below(2)) frames::put16(ip, 2, random.below(90));  // the IP packet's length
  if (random.below(3) == 0) ip[20 + 12] = static_cast<uint8_t>(random.below(256));  // TCP's header
  if (random.below(3) == 0) frames::put16(ip, 20 + 4, random.below(60));            // UDP's length
  frames::Bytes frame = frames::ethernet(ends, 0x0800, ip);
  frame.resize(std::max<size_t>(frame.size(), 60));
  if (random.below(4) == 0) frame.resize(20 + random.below(frame.size() - 20));
  return frame;
}

}  // namespace

TEST(session_views_the_short_way_are_those_of_the_long_way) {
  Random random;
  std::printf("  seed %u\n", kSeed);
  uint32_t plain = 0, usual = 0;
  auto batch = std::make_unique<Batch>();
  for (uint32_t i = 0; i < kTries; ++i) {
    frames::Bytes frame = random_frame(random);
    const size_t length = frame.size();
    frame.resize(length + 64);
    batch->count = 1;
    batch->packets[0] = {};
    batch->packets[0].data = frame.data();
    batch->packets[0].length = static_cast<uint32_t>(length);
    decode(*batch, process_hash_seed());
    const Packet& packet = batch->packets[0];
    bricks_packet_view quick, slow;
    std::memset(&quick, 0xff, sizeof quick);
    const uint32_t direction = direction_of(packet, random.below(2));
    PlainPacket seen = {};
    uint8_t protocol = kUdpProtocol;
    // Of what is sure of usual packets nobody need ask again.
    if (batch->usual) {
      PlainPacket quick_seen = {};
      const bool udp = packet.data[23] == kUdpProtocol;
      const bool is_seen = udp ? see_plain<kUdpProtocol, true>(packet, &quick_seen)
                               : see_plain<kTcpProtocol, true>(packet, &quick_seen);
      const bool is_wanted = udp ? see_plain<kUdpProtocol, false>(packet, &seen)
                                 : see_plain<kTcpProtocol, false>(packet, &seen);
      // The longer question wants 20 bytes behind the IP header, also of UDP.
      CHECK(is_seen == is_wanted || (is_seen && udp && length < 54));
      if (is_wanted) {
        CHECK(quick_seen.payload == seen.payload && quick_seen.payload_at == seen.payload_at &&
              quick_seen.payload_length == seen.payload_length);
      }
      ++usual;
    }
    if (see_plain<kUdpProtocol, false>(packet, &seen)) {
      view_plain<kUdpProtocol>(packet, seen, direction, &quick);
    } else if (see_plain<kTcpProtocol, false>(packet, &seen)) {
      protocol = kTcpProtocol;
      view_plain<kTcpProtocol>(packet, seen, direction, &quick);
    } else {
      continue;
    }
    ++plain;
    view_packet(*batch, 0, &slow);
    slow.direction = static_cast<uint8_t>(direction);
    CHECK(std::memcmp(&quick, &slow, sizeof quick) == 0);
    CHECK_EQ(protocol, slow.protocol);
    CHECK_EQ(seen.payload_length, slow.payload_length);
    CHECK_EQ(seen.payload_at, slow.payload);
    CHECK(seen.payload == (slow.payload ? slow.data + slow.payload : nullptr));
  }
  std::printf("  %u of %u are plain, %u usual\n", plain, kTries, usual);
  CHECK(plain > kTries / 8 && usual > kTries / 8);
}
