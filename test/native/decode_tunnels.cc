// Every encapsulation around one flow: the flow is that inside, both ways, whatever is around it.
#include <cstring>
#include <memory>

#include "check.hh"
#include "encapsulations.hh"
#include "wire/decode.hh"
#include "wire/flow_key.hh"
#include "wire/udp_tunnels.hh"

namespace bricks {

using namespace frames;

namespace {

const HashSeed& kHashSeed = process_hash_seed();

struct Decoded {
  Packet packet;
  uint64_t digest;
  Layers layers;
  uint32_t faults;
  FlowKey key, outer_key, tenant_key, addresses_key;
  uint64_t outer, tenant, addresses;
  bool reverse() const { return packet.flags & kPacketReverse; }
};

// In memory of just that size: a sanitizer sees every byte too far.
Decoded decoded(const Bytes& frame, LinkType link = LinkType::ethernet, uint32_t wire = 0) {
  static auto batch = std::make_unique<Batch>();
  const auto exact = std::make_unique<uint8_t[]>(frame.size());
  std::copy(frame.begin(), frame.end(), exact.get());
  batch->count = 1;
  batch->link = link;
  batch->packets[0] = {};
  batch->packets[0].data = exact.get();
  batch->packets[0].length = static_cast<uint32_t>(frame.size());
  batch->layers[0] = {};
  if (wire != 0) {
    batch->packets[0].flags = kPacketCut;
    batch->wire_lengths[0] = wire;
  }
  decode(*batch, kHashSeed);
  Decoded made = {};
  made.packet = batch->packets[0];
  made.digest = batch->digests[0];
  if (made.packet.flags & kPacketLayers) made.layers = batch->layers[0];
  for (const uint32_t count : batch->header_faults) made.faults += count;
  made.key = flow_key(*batch, 0, {});
  made.outer_key = flow_key(*batch, 0, {.outer = true});
  made.tenant_key = flow_key(*batch, 0, {.tenant = true});
  made.addresses_key = flow_key(*batch, 0, {.addresses_only = true});
  made.outer = flow_digest(*batch, 0, {.outer = true});
  made.tenant = flow_digest(*batch, 0, {.tenant = true});
  made.addresses = flow_digest(*batch, 0, {.addresses_only = true});
  return made;
}

const Ends kThere = {}, kBack = kThere.reversed();

Decoded plain(uint8_t version) {
  return decoded(version == 4 ? ethernet(kThere, 0x0800, inner4(kThere))
                              : ethernet(kThere, 0x86dd, inner6(kThere)));
}

}  // namespace

TEST(decode_follows_every_encapsulation) {
  const auto there = encapsulations(kThere), back = encapsulations(kBack);
  for (size_t i = 0; i < there.size(); ++i) {
    const Decoded a = decoded(there[i].frame), b = decoded(back[i].frame);
    const Decoded inner = plain(a.packet.ip_version);
    const bool right = a.packet.ip_version != 0 && a.digest == inner.digest && a.key == inner.key &&
                       b.digest == a.digest && b.key == a.key && a.reverse() == inner.reverse() &&
                       a.reverse() != b.reverse() && a.faults == 0 && b.faults == 0 &&
                       a.outer == b.outer && a.outer_key == b.outer_key && a.tenant == b.tenant &&
                       a.tenant_key == b.tenant_key && a.addresses == inner.addresses &&
                       b.addresses_key == inner.addresses_key;
    if (!right) std::printf("  %s\n", there[i].name.c_str());
    CHECK(right);
    const uint32_t headers = a.packet.flags & kPacketLayers ? a.layers.headers : 1;
    if (headers != there[i].headers) std::printf("  %s\n", there[i].name.c_str());
    CHECK_EQ(headers, uint32_t{there[i].headers});
    CHECK_EQ(a.tenant_key.vlan, there[i].vlan);
    CHECK_EQ(a.tenant_key.vni, there[i].vni);
    CHECK_EQ(a.outer == a.digest, headers == 1);
    CHECK_EQ(a.outer_key == a.key, headers == 1);
  }
  CHECK(there.size() > 55);
}

// Cut anywhere, a packet keeps the flow of the last header that is whole: never another's.
TEST(decode_of_cut_packets_is_symmetric) {
  const auto there = encapsulations(kThere), back = encapsulations(kBack);
  for (size_t i = 0; i < there.size(); ++i) {
    const auto wire = static_cast<uint32_t>(there[i].frame.size());
    for (uint32_t length = 0; length < wire; ++length) {
      const Bytes cut_there(there[i].frame.begin(), there[i].frame.begin() + length);
      const Bytes cut_back(back[i].frame.begin(), back[i].frame.begin() + length);
      const Decoded a = decoded(cut_there, LinkType::ethernet, wire);
      const Decoded b = decoded(cut_back, LinkType::ethernet, wire);
      if (a.digest != b.digest) std::printf("  %s at %u\n", there[i].name.c_str(), length);
      CHECK_EQ(a.digest, b.digest);
      CHECK(a.key == b.key);
      CHECK(a.layers.fault == HeaderFault::none || a.layers.fault == HeaderFault::cut_short);
    }
  }
}

TEST(decode_leaves_plain_udp_on_a_tunnel_port_alone) {
  for (const uint16_t port : kTunnelPorts) {
    for (const uint8_t fill : Bytes{0x00, 0x08, 0x30, 0x45, 0xff}) {
      const Decoded a = decoded(outer_udp(kThere, port, Bytes(40, fill)));
      CHECK_EQ(a.packet.ip_version, 4);
      CHECK_EQ(a.packet.network, 14);
      CHECK_EQ(a.faults, 0u);
      CHECK_EQ(a.key.protocol, 17);
      CHECK(a.key.port[0] != 0 && a.key.port[1] != 0);
      CHECK(a.outer_key == a.key);
    }
  }
}

TEST(decode_gives_icmp_errors_the_flow_they_quote) {
  const Decoded inner4_ = plain(4), inner6_ = plain(6);
  for (const uint8_t type : Bytes{3, 4, 5, 11, 12}) {
    for (const size_t quoted : {28u, 46u}) {  // the header and eight bytes, or all
      Bytes quote = inner4(kThere);
      quote.resize(quoted);
      // From a router of another net, back to the sender.
      const Bytes frame =
          ethernet(kBack, 0x0800, ip4(kBack, {.protocol = 1, .net = 77}, icmp(type, 1, quote)));
      const Decoded a = decoded(frame);
      CHECK_EQ(a.digest, inner4_.digest);
      CHECK(a.key == inner4_.key);
      CHECK(a.reverse() != inner4_.reverse());  // against what it quotes
      CHECK_EQ(a.packet.network, 14);
      CHECK_EQ(a.layers.key_network, 42);
      CHECK_EQ(a.layers.headers, 1);
      CHECK_EQ(a.faults, 0u);
      CHECK_EQ(a.outer, a.digest);
      CHECK(a.outer_key == a.key);
    }
  }
  for (const uint8_t type : Bytes{1, 2, 3, 4}) {
    const Decoded a = decoded(ethernet(
        kBack, 0x86dd, ip6(kBack, {.protocol = 58, .net = 77}, icmp(type, 0, inner6(kThere)))));
    CHECK_EQ(a.digest, inner6_.digest);
    CHECK(a.key == inner6_.key);
    CHECK(a.reverse() != inner6_.reverse());
  }
  // Behind extension headers; of a tunnelled packet; inside a tunnel.
  const Bytes far = ip6(kThere, {.protocol = 0}, Bytes{6, 0, 1, 4, 0, 0, 0, 0} + tcp(kThere));
  CHECK_EQ(decoded(ethernet(kBack, 0x86dd, ip6(kBack, {.protocol = 58}, icmp(1, 0, far)))).digest,
           inner6_.digest);
  const Bytes error = ip4(kBack, {.protocol = 1, .net = 77}, icmp(3, 3, inner4(kThere)));
  const Decoded tunnelled = decoded(outer4(kBack, 4, error));
  CHECK_EQ(tunnelled.digest, inner4_.digest);
  CHECK_EQ(tunnelled.layers.headers, 2);
  CHECK(tunnelled.outer_key.protocol == 4);
  // What is no error, or quotes nothing, goes by addresses and protocol.
  for (const uint8_t type : Bytes{0, 8, 13}) {
    const Bytes echo = ethernet(kThere, 0x0800, ip4(kThere, {.protocol = 1}, icmp(type, 0, {})));
    const Decoded a = decoded(echo);
    CHECK_EQ(a.key.protocol, 1);
    CHECK_EQ(a.key.port[0], 0);
    CHECK_EQ(a.faults, 0u);
  }
  const Bytes empty = ethernet(kThere, 0x0800, ip4(kThere, {.protocol = 1}, icmp(3, 0, Bytes(4))));
  CHECK_EQ(decoded(empty).key.protocol, 1);
  CHECK_EQ(decoded(empty).faults, 1u);
}

TEST(decode_names_every_header_fault) {
  const auto fault = [](const Bytes& ip, uint16_t type = 0x0800) {
    return decoded(ethernet(kThere, type, ip)).layers.fault;
  };
  Bytes ip = inner4(kThere);
  ip[0] = 0x40;
  CHECK(fault(ip) == HeaderFault::bad_length);  // IHL 0
  ip[0] = 0x65;
  CHECK(fault(ip) == HeaderFault::bad_version);
  ip = inner4(kThere);
  put16(ip, 2, 19);
  CHECK(fault(ip) == HeaderFault::bad_length);  // a total below its header: no flow is named
  CHECK_EQ(decoded(ethernet(kThere, 0x0800, ip)).key.ip_version, 0);
  put16(ip, 2, 22);
  CHECK(fault(ip) == HeaderFault::bad_length);  // no room for ports
  put16(ip, 2, 4000);
  CHECK(fault(ip) == HeaderFault::bad_length);  // more than there is
  put16(ip, 2, 0);
  CHECK(fault(ip) == HeaderFault::none);  // segmentation offload
  ip.resize(30);
  CHECK(fault(ip) == HeaderFault::none);
  ip.resize(22);
  CHECK(fault(ip) == HeaderFault::cut_short);
  ip.resize(12);
  CHECK(fault(ip) == HeaderFault::cut_short);
  Bytes six = inner6(kThere);
  put16(six, 4, 4000);
  CHECK(fault(six, 0x86dd) == HeaderFault::bad_length);
  Bytes tags = inner4(kThere);
  for (int i = 0; i < 9; ++i) tags = tag(1, i == 0 ? 0x0800 : 0x8100, tags);
  CHECK(fault(tags, 0x8100) == HeaderFault::too_deep);
  Bytes options = tcp(kThere);
  for (int i = 0; i < 9; ++i) {
    options = Bytes{static_cast<uint8_t>(i == 0 ? 6 : 60), 0, 1, 4, 0, 0, 0, 0} + options;
  }
  CHECK(fault(ip6(kThere, {.protocol = 60}, options), 0x86dd) == HeaderFault::too_deep);
  Bytes tunnels = inner4(kThere);
  for (int i = 0; i < 9; ++i) tunnels = ip4(kThere, {.protocol = 4}, tunnels);
  CHECK(fault(tunnels) == HeaderFault::too_deep);
  // A routing bit in GRE is refused: the flow is that of the tunnel.
  const Decoded routed = decoded(outer_gre(kThere, 0x4000, 0x0800, be32(0), inner4(kThere)));
  CHECK_EQ(routed.key.protocol, 47);
  CHECK_EQ(decoded(outer4(kThere, 50, Bytes(40))).key.protocol, 50);  // ESP ends it
}

}  // namespace bricks
