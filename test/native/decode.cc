// The flow hash: fast path and slow path agree, both directions agree, nothing is read out of
// bounds.
#include "wire/decode.hh"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {

namespace {

constexpr uint64_t kSeed = 0xdec0de;
const HashSeed kHashSeed = make_hash_seed(7);

void put16(Bytes& frame, size_t at, uint32_t value) {
  frame[at] = static_cast<uint8_t>(value >> 8);
  frame[at + 1] = static_cast<uint8_t>(value);
}

struct Ends {
  uint32_t source, target;
  uint16_t source_port, target_port;
  Ends reversed() const { return {target, source, target_port, source_port}; }
};

Bytes ipv4(const Ends& ends, uint8_t protocol, size_t length = 60) {
  Bytes frame(length);
  put16(frame, 12, 0x0800);
  frame[14] = 0x45;
  put16(frame, 16, static_cast<uint32_t>(length - 14));
  frame[22] = 64;
  frame[23] = protocol;
  std::memcpy(&frame[26], &ends.source, 4);
  std::memcpy(&frame[30], &ends.target, 4);
  put16(frame, 34, ends.source_port);
  put16(frame, 36, ends.target_port);
  return frame;
}

Bytes ipv6(const Ends& ends, uint8_t protocol, const Bytes& extensions = {}, uint8_t first = 0) {
  Bytes frame(54 + extensions.size() + 20);
  put16(frame, 12, 0x86dd);
  frame[14] = 0x60;
  frame[20] = extensions.empty() ? protocol : first;
  std::memcpy(&frame[22], &ends.source, 4);
  frame[37] = 1;
  std::memcpy(&frame[38], &ends.target, 4);
  frame[53] = 1;
  std::copy(extensions.begin(), extensions.end(), frame.begin() + 54);
  put16(frame, 54 + extensions.size(), ends.source_port);
  put16(frame, 56 + extensions.size(), ends.target_port);
  return frame;
}

Bytes with_shim(const Bytes& frame, const Bytes& shim) {  // after the MAC addresses
  Bytes made(frame.begin(), frame.begin() + 12);
  made.insert(made.end(), shim.begin(), shim.end());
  made.insert(made.end(), frame.begin() + 12, frame.end());
  return made;
}

Packet decoded(Bytes& frame, LinkType link = LinkType::ethernet) {
  static Batch batch;
  batch.count = 1;
  batch.link = link;
  batch.packets[0] = {};
  batch.packets[0].data = frame.data();
  batch.packets[0].length = static_cast<uint32_t>(frame.size());
  decode(batch, kHashSeed);
  return batch.packets[0];
}

uint32_t hash_of(Bytes frame, LinkType link = LinkType::ethernet) {
  return decoded(frame, link).hash;
}

const Ends kEnds = {0x0100000a, 0x0200000a, 1000, 80};

}  // namespace

TEST(decode_fast_and_slow_paths_agree) {
  std::printf("  seed %llx\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  uint64_t differ = 0, unlike = 0, plain = 0, usual = 0;
  auto batch = std::make_unique<Batch>();
  std::vector<Bytes> frames(kBatchMax);
  for (int round = 0; round < 4000; ++round) {
    // Mixtures, and batches with few others among them; cut packets only where a batch may have
    // any.
    const uint32_t rate = round & 1 ? 2 : 100;
    batch->plain = round & 2;
    batch->count = kBatchMax - random.below(4);
    for (uint32_t i = 0; i < kBatchMax; ++i) {
      const Ends ends = {static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next()),
                         static_cast<uint16_t>(random.next()),
                         static_cast<uint16_t>(random.next())};
      frames[i] = ipv4(ends, random.below(2) ? 6 : 17, 38 + random.below(40));
      // Some get a byte of their headers changed: version, options, fragments, protocol, type.
      if (random.below(rate) == 0)
        frames[i][12 + random.below(12)] = static_cast<uint8_t>(random.next());
      if (random.below(rate * 4) == 0) frames[i].resize(random.below(60));
      if (frames[i].size() > 37 && random.below(rate * 4) == 0)
        put16(frames[i], 34 + 2 * random.below(2), 4789);
      batch->packets[i] = {};
      if (!batch->plain && random.below(2)) batch->packets[i].flags = kPacketCut;
      batch->packets[i].data = frames[i].data();
      batch->packets[i].length = static_cast<uint32_t>(frames[i].size());
    }
    decode(*batch, kHashSeed);
    usual += batch->usual;
    for (uint32_t i = 0; i < batch->count; ++i) {
      const Packet fast = batch->packets[i];
      const uint64_t digest = batch->digests[i];
      batch->packets[i].hash = 0, batch->digests[i] = 0;
      decode_slow(*batch, static_cast<Index>(i), kHashSeed);
      const Packet& slow = batch->packets[i];
      differ += slow.hash != fast.hash || slow.network != fast.network ||
                slow.ip_version != fast.ip_version || slow.flags != fast.flags ||
                batch->digests[i] != digest || digest >> 32 != slow.hash;
      unlike += batch->usual && (slow.network != 14 || slow.ip_version != 4 ||
                                 slow.flags & (kPacketLayers | kPacketFragment));
      plain += fast.ip_version == 4;
    }
  }
  CHECK_EQ(differ, 0u);
  CHECK_EQ(unlike, 0u);
  CHECK(plain > 600000 && usual > 10);
}

TEST(decode_is_symmetric) {
  Random random{kSeed};
  uint64_t differ = 0;
  for (int i = 0; i < 100000; ++i) {
    const Ends ends = {static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next()),
                       static_cast<uint16_t>(random.next()), static_cast<uint16_t>(random.next())};
    const uint8_t protocol = random.below(2) ? 6 : 17;
    differ += hash_of(ipv4(ends, protocol)) != hash_of(ipv4(ends.reversed(), protocol));
    differ += hash_of(ipv6(ends, protocol)) != hash_of(ipv6(ends.reversed(), protocol));
  }
  CHECK_EQ(differ, 0u);
}

TEST(decode_counts_every_part_of_the_key) {
  const uint32_t hash = hash_of(ipv4(kEnds, 6));
  for (int bit = 0; bit < 32; ++bit) {
    Ends other = kEnds;
    other.source ^= 1u << bit;
    CHECK(hash_of(ipv4(other, 6)) != hash);
    CHECK(hash_of(ipv6(other, 6)) != hash_of(ipv6(kEnds, 6)));
  }
  Ends other = kEnds;
  other.target_port = 81;
  CHECK(hash_of(ipv4(other, 6)) != hash);
  CHECK(hash_of(ipv4(kEnds, 17)) != hash);
  Bytes far = ipv6(kEnds, 6);
  far[37] = 2;  // the last byte of the source address
  CHECK(hash_of(far) != hash_of(ipv6(kEnds, 6)));
}

TEST(decode_looks_through_shims) {
  const Bytes plain = ipv4(kEnds, 6);
  const uint32_t hash = hash_of(plain);
  CHECK_EQ(hash_of(with_shim(plain, {0x81, 0x00, 0x00, 0x05})), hash);
  CHECK_EQ(hash_of(with_shim(plain, {0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 6})), hash);
  CHECK_EQ(hash_of(with_shim(plain, {0x91, 0x00, 0, 5, 0x81, 0x00, 0, 6})), hash);
  Bytes mpls = with_shim(plain, {0x88, 0x47, 0, 1, 0x00, 64, 0, 2, 0x01, 64});
  mpls.erase(mpls.begin() + 22, mpls.begin() + 24);  // no ethertype behind labels
  CHECK_EQ(hash_of(mpls), hash);
  Bytes pppoe = with_shim(plain, {0x88, 0x64, 0x11, 0, 0, 1, 0, 48, 0x00, 0x21});
  pppoe.erase(pppoe.begin() + 22, pppoe.begin() + 24);
  CHECK_EQ(hash_of(pppoe), hash);
  Bytes snap = with_shim(plain, {0, 54, 0xaa, 0xaa, 3, 0, 0, 0});
  CHECK_EQ(hash_of(snap), hash);
}

TEST(decode_knows_link_types) {
  const Bytes ethernet = ipv4(kEnds, 6);
  const uint32_t hash = hash_of(ethernet);
  const Bytes ip(ethernet.begin() + 14, ethernet.end());
  const auto behind = [&ip](Bytes head) {
    head.insert(head.end(), ip.begin(), ip.end());
    return head;
  };
  CHECK_EQ(hash_of(ip, LinkType::raw), hash);
  CHECK_EQ(hash_of(ip, LinkType::ipv4), hash);
  CHECK_EQ(hash_of(behind({2, 0, 0, 0}), LinkType::null), hash);
  CHECK_EQ(hash_of(behind({0, 0, 0, 2}), LinkType::loop), hash);
  CHECK_EQ(hash_of(behind({0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0}), LinkType::linux_sll),
           hash);
  CHECK_EQ(hash_of(behind({8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}),
                   LinkType::linux_sll2),
           hash);
  CHECK_EQ(hash_of(behind({0xff, 3, 0, 0x21}), LinkType::ppp), hash);
  CHECK_EQ(hash_of(behind({0x0f, 0, 8, 0}), LinkType::c_hdlc), hash);
}

// What only captures have (native/wire/other_links.cc).
TEST(decode_knows_links_of_captures) {
  const Bytes ethernet = ipv4(kEnds, 6);
  const uint32_t hash = hash_of(ethernet);
  const Bytes ip(ethernet.begin() + 14, ethernet.end());
  const auto hash_behind = [&ip](uint16_t link, std::initializer_list<Bytes> heads) {
    Bytes frame;
    for (const Bytes& head : heads) frame.insert(frame.end(), head.begin(), head.end());
    frame.insert(frame.end(), ip.begin(), ip.end());
    return hash_of(frame, LinkType{link});
  };
  const Bytes snap = {0xaa, 0xaa, 3, 0, 0, 0, 8, 0}, macs(12, 2),
              radio = {0, 0, 9, 0, 0, 0, 0, 0, 0};
  const auto wlan = [](uint8_t kind, uint8_t flags, size_t bytes) {
    Bytes head(bytes, 0);
    head[0] = kind;
    head[1] = flags;
    return head;
  };
  CHECK_EQ(hash_behind(10, {{0x50}, macs, snap}), hash);                  // FDDI
  CHECK_EQ(hash_behind(105, {wlan(8, 1, 24), snap}), hash);               // 802.11
  CHECK_EQ(hash_behind(105, {wlan(8, 3, 30), snap}), hash);               // four addresses
  CHECK_EQ(hash_behind(127, {radio, wlan(0x88, 1, 26), snap}), hash);     // QoS
  CHECK_EQ(hash_behind(127, {radio, wlan(0x88, 0x81, 30), snap}), hash);  // HT control
  Bytes aggregate = wlan(0x88, 1, 26);
  aggregate[24] = 0x80;
  CHECK_EQ(hash_behind(105, {aggregate, macs, {0, 60}, snap}), hash);
  CHECK(hash_behind(105, {wlan(8, 0x41, 24), snap}) != hash);  // encrypted
  CHECK(hash_behind(105, {wlan(0x48, 1, 24), snap}) != hash);  // no data
  CHECK(hash_behind(105, {wlan(0x80, 1, 24), snap}) != hash);  // a beacon
  CHECK_EQ(hash_behind(107, {{0x18, 0x61, 8, 0}}), hash);      // Frame Relay, Cisco's
  CHECK_EQ(hash_behind(107, {{0x18, 0x61, 3, 0xcc}}), hash);   // RFC 2427
  CHECK_EQ(hash_behind(107, {{0x18, 0x60, 0x61, 3, 0, 0x80, 0, 0, 0, 8, 0}}), hash);
  CHECK(hash_behind(107, {{0x18, 0x60, 0x60, 0x60, 0x61, 8, 0}}) != hash);
  CHECK_EQ(hash_behind(129, {{1, 2, 0, 0, 0xf0}}), hash);           // ARCNET, RFC 1051
  CHECK_EQ(hash_behind(129, {{1, 2, 0, 0, 0xd4, 0, 0, 1}}), hash);  // RFC 1201
  CHECK(hash_behind(129, {{1, 2, 0, 0, 0xd4, 1, 0, 1}}) != hash);   // a part of a packet
  const Bytes ppi = {0, 0, 12, 0, 1, 0, 0, 0, 9, 9, 9, 9};
  CHECK_EQ(hash_behind(192, {ppi, macs, {8, 0}}), hash);  // PPI
  CHECK_EQ(hash_behind(226, {Bytes(24, 1)}), hash);       // IPNET
  CHECK_EQ(hash_behind(239, {{2, 0, 0, 1}, {5, 0, 10, 0, 'x', 0, 0, 0}, {44, 0, 9, 0}}), hash);
  CHECK(hash_behind(239, {{2, 0, 0, 1}, {3, 0, 10, 0}, {44, 0, 9, 0}}) != hash);  // no length
  Bytes many = {2, 0, 0, 1};
  for (int i = 0; i < 24; ++i) many.insert(many.end(), {4, 0, 1, 0});
  CHECK(hash_behind(239, {many, {44, 0, 9, 0}}) != hash);
}

TEST(decode_walks_ipv6_extensions) {
  const uint32_t hash = hash_of(ipv6(kEnds, 6));
  const Bytes hop_by_hop = {6, 0, 1, 4, 0, 0, 0, 0};
  CHECK_EQ(hash_of(ipv6(kEnds, 6, hop_by_hop, 0)), hash);
  const Bytes two = {60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0};
  CHECK_EQ(hash_of(ipv6(kEnds, 6, two, 0)), hash);
  Bytes endless;  // more of them than anybody sends: bounded, and the same both ways
  for (int i = 0; i < 40; ++i) endless.insert(endless.end(), {60, 0, 1, 4, 0, 0, 0, 0});
  CHECK_EQ(hash_of(ipv6(kEnds, 6, endless, 60)), hash_of(ipv6(kEnds.reversed(), 6, endless, 60)));
}

TEST(decode_other_traffic_goes_by_mac_pair) {
  Bytes arp(60);
  arp[5] = 1;
  arp[11] = 2;
  put16(arp, 12, 0x0806);
  Bytes back = arp;
  std::swap(back[5], back[11]);
  CHECK_EQ(hash_of(arp), hash_of(back));
  Bytes other = arp;
  other[11] = 3;
  CHECK(hash_of(other) != hash_of(arp));
}

// Every packet ends right before memory that may not be touched.
TEST(decode_never_reads_beyond_the_packet) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  auto* memory = static_cast<uint8_t*>(
      mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(memory != MAP_FAILED);
  CHECK_EQ(mprotect(memory + page, page, PROT_NONE), 0);
  Random random{kSeed};
  const LinkType links[] = {
      LinkType::ethernet,   LinkType::raw, LinkType::null,   LinkType::linux_sll,
      LinkType::linux_sll2, LinkType::ppp, LinkType::c_hdlc, LinkType::loop,
      LinkType{10},         LinkType{105}, LinkType{107},    LinkType{127},
      LinkType{129},        LinkType{192}, LinkType{226},    LinkType{239}};
  const uint16_t types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x8847, 0x8864, 60};
  auto batch = std::make_unique<Batch>();
  uint64_t decoded_packets = 0;
  for (int round = 0; round < 400000; ++round) {
    const uint32_t length = random.below(100);
    uint8_t* frame = memory + page - length;
    for (uint32_t i = 0; i < length; ++i) frame[i] = static_cast<uint8_t>(random.next() >> 16);
    if (length > 14) {
      const uint16_t type = types[random.below(7)];
      frame[12] = static_cast<uint8_t>(type >> 8);
      frame[13] = static_cast<uint8_t>(type);
      if (random.below(2))
        frame[14] = static_cast<uint8_t>(type == 0x86dd ? 0x60 : 0x40 | random.below(16));
      if (length > 20 && random.below(2)) frame[20] = static_cast<uint8_t>(random.below(64));
    }
    batch->count = 1;
    batch->link = random.below(2) ? LinkType::ethernet : links[random.below(16)];
    batch->packets[0] = {};
    batch->packets[0].data = frame;
    batch->packets[0].length = length;
    decode(*batch, kHashSeed);
    decoded_packets += batch->packets[0].ip_version != 0;
    hash_addresses(batch->packets[0], kHashSeed);
  }
  CHECK(decoded_packets > 8000);
  munmap(memory, 2 * page);
}

}  // namespace bricks
