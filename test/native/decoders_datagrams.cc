// RTP and RTCP, DHCP of both kinds, NTP; and what gives up.
#include "inspected.hh"
#include "mem/limits.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

std::string show(uint8_t kind, const void* record) {
  switch (kind) {
    case BRICKS_RECORD_RTP: {
      const auto& m = *static_cast<const bricks_rtp*>(record);
      return "rtp " + std::to_string(m.sequence) + " type " + std::to_string(m.payload_type) + " " +
             shown(m.payload);
    }
    case BRICKS_RECORD_RTCP: {
      const auto& m = *static_cast<const bricks_rtcp*>(record);
      return "rtcp " + std::to_string(m.type) + " " + std::to_string(m.packets) + " " +
             shown(m.canonical_name);
    }
    case BRICKS_RECORD_DHCP4: {
      const auto& m = *static_cast<const bricks_dhcp4*>(record);
      return "dhcp " + std::to_string(m.type) + " " + shown(m.host_name) + " " +
             std::to_string(m.requested[3]) + " " + std::to_string(m.lease) + " " +
             shown(m.client_fqdn) + (m.malformed ? " malformed" : "");
    }
    case BRICKS_RECORD_DHCP6: {
      const auto& m = *static_cast<const bricks_dhcp6*>(record);
      return "dhcp6 " + std::to_string(m.type) + " relays " + std::to_string(m.relays) + " " +
             shown(m.client_id) + " addresses " + std::to_string(m.addresses_count) + " " +
             std::to_string(m.addresses[0][15]) + (m.malformed ? " malformed" : "");
    }
    case BRICKS_RECORD_NTP: {
      const auto& m = *static_cast<const bricks_ntp*>(record);
      return "ntp " + std::to_string(m.version) + " mode " + std::to_string(m.mode) + " stratum " +
             std::to_string(m.stratum) + " at " + std::to_string(m.transmit_time >> 32);
    }
    default:
      return "another";
  }
}

Text be32(uint32_t value) { return be16(value >> 16) + be16(value & 0xffff); }
Text rtp(unsigned sequence, unsigned type = 0, const Text& payload = "sound") {
  return Text(1, static_cast<char>(0x80)) + Text(1, static_cast<char>(type)) + be16(sequence) +
         be32(sequence * 160) + be32(0xabcd) + payload;
}
const Text kReport = from_hex("80 c8 0006 0000abcd 00000001 00000002 00000003 00000007 00000009") +
                     from_hex("81 ca 0003 0000abcd") + Text("\1\4n@me\0\0", 8);

Text dhcp4(const Text& options) {
  return from_hex("01 01 06 00 deadbeef 0000 8000") + Text(16, 0) + Text("macmac", 6) +
         Text(10 + 64 + 128, 0) + from_hex("63825363") + options;
}
const Text kDiscover =
    dhcp4(from_hex("35 01 01 0c 04") + "host" +
          from_hex("32 04 0a000009 33 04 00000e10 51 06 000000") + "fqd" + Text("\0\0\xff", 3));

Text option6(unsigned code, const Text& body) { return be16(code) + be16(body.size()) + body; }
const Text kSolicit = from_hex("01 123456") + option6(1, "duid") +
                      option6(3, Text(12, 0) + option6(5, Text(15, 0) + Text(1, 9) + Text(8, 0))) +
                      option6(6, be16(23));
const Text kRelayed = Text(1, 12) + Text(33, 0) + option6(9, kSolicit);

const Text kNtp = from_hex("23 02 06 ec 00000100 00000200 0a000001") + Text(24, 0) +
                  from_hex("e0000001 80000000");

}  // namespace

TEST(decoders_rtp_is_known_by_its_second_packet) {
  CHECK_EQ(
      joined(
          converse({{0, rtp(7)}, {1, rtp(900)}, {0, rtp(8)}, {1, rtp(5, 8)}, {0, kReport}}, show)),
      "is rtp\n> rtp 8 type 0 sound\n< rtp 5 type 8 sound\n> rtcp 200 7 \n> rtcp 202 0 n@me\n");
  // A report alone is enough; around the end of the numbers it goes on.
  CHECK_EQ(converse({{0, kReport}}, show).size(), 3u);
  CHECK_EQ(joined(converse({{0, rtp(65535)}, {0, rtp(0)}}, show)),
           "is rtp\n> rtp 0 type 0 sound\n");
  CHECK(converse({{0, rtp(7)}, {0, rtp(9)}, {1, rtp(10)}}, show).empty());
  // Padding that lies, lists of sources and extensions beyond the end.
  Text padded = rtp(9, 0, Text("so\2\2", 4));
  padded[0] = static_cast<char>(0xa0);
  CHECK_EQ(converse({{0, rtp(7)}, {0, rtp(8)}, {0, padded}}, show).back(), "> rtp 9 type 0 so");
  padded.back() = 9;
  CHECK_EQ(converse({{0, rtp(7)}, {0, rtp(8)}, {0, padded}}, show).size(), 2u);
  survives({{0, rtp(7)}, {0, rtp(8)}, {0, kReport}, {0, padded}}, show, 4000, true);
}

TEST(decoders_dhcp_reads_both_kinds) {
  CHECK_EQ(joined(converse({{0, kDiscover}}, show, 67)), "is dhcp\n> dhcp 1 host 9 3600 fqd\n");
  CHECK_EQ(joined(converse({{0, dhcp4(from_hex("35 01 03 0c 20") + "no")}}, show)),
           "is dhcp\n> dhcp 3  0 0  malformed\n");
  CHECK_EQ(joined(converse({{0, kSolicit}}, show, 547)),
           "is dhcp\n> dhcp6 1 relays 0 duid addresses 1 9\n");
  CHECK_EQ(joined(converse({{0, kRelayed}}, show, 547)),
           "is dhcp\n> dhcp6 1 relays 1 duid addresses 1 9\n");
  Text deep = kSolicit;
  for (int i = 0; i < 20; ++i) deep = Text(1, 12) + Text(33, 0) + option6(9, deep);
  CHECK(converse({{0, deep}}, show, 547).empty());
  survives({{0, kDiscover}}, show, 67, true);
  survives({{0, kRelayed}}, show, 547, true);
}

TEST(decoders_ntp_reads_packets_on_its_port) {
  CHECK_EQ(joined(converse({{0, kNtp}}, show, 123)),
           "is ntp\n> ntp 4 mode 3 stratum 2 at 3758096385\n");
  CHECK(converse({{0, kNtp}}, show, 4000).empty());
  Text strange = kNtp;
  strange[0] = 0x3b;  // version 7
  CHECK(converse({{0, strange}}, show, 123).empty());
  survives({{0, kNtp}}, show, 123, true);
}

TEST(decoders_give_up_in_time) {
  std::vector<Said> noise(16, Said{0, Text(40, 'x')});
  CHECK_EQ(joined(converse(noise, show)), "is unknown\n");
  noise.pop_back();
  CHECK(converse(noise, show).empty());
  // A stream that says nothing known, on both sides or for long.
  CHECK_EQ(joined(follow({{0, "\1\2\3"}, {1, "\4\5\6"}}, show)), "is unknown\n");
  CHECK_EQ(joined(follow({{0, Text(20000, '\1')}}, show, 1000)), "is unknown\n");
}

TEST(decoders_pool_has_a_bound_and_gives_numbers_back) {
  std::unique_ptr<Inspectors> pool;
  CHECK(!Inspectors::create(0, 1, &pool).ok());
  CHECK(!Inspectors::create(kSessionsMax + 1, 1, &pool).ok());
  CHECK(Inspectors::create(2, 1, &pool).ok());
  const uint32_t first = pool->open(17, 1, 2), second = pool->open(17, 1, 2);
  CHECK(first != 0 && second != 0 && first != second);
  CHECK_EQ(pool->open(17, 1, 2), 0u);
  Collector collector(show);
  pool->datagram(first, 0, bytes_of(kNtp), collector);
  pool->close(first);
  const uint32_t again = pool->open(17, 123, 2);
  CHECK_EQ(again, first);
  CHECK_EQ(pool->protocol(again), uint8_t{BRICKS_PROTOCOL_UNKNOWN});
  pool->datagram(again, 0, bytes_of(kNtp), collector);
  CHECK_EQ(pool->protocol(again), uint8_t{BRICKS_PROTOCOL_NTP});
  pool->close(0);
  for (uint8_t i = 0; i < BRICKS_PROTOCOL_COUNT; ++i) {
    uint8_t number = 99;
    CHECK(protocol_from_name(protocol_name(i), &number));
    CHECK_EQ(number, i);
  }
  uint8_t number = 99;
  CHECK(!protocol_from_name("smtp", &number));
}
