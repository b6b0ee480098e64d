#include "ports/packet_builder.hh"

#include <algorithm>
#include <cstring>

namespace bricks {
namespace {

constexpr uint32_t kEthernetHeader = 14, kTag = 4, kIpv4Header = 20, kIpv6Header = 40;
constexpr uint32_t kTcpHeader = 20, kUdpHeader = 8;
constexpr uint32_t kLongestHeaders = kEthernetHeader + kTag + kIpv6Header + kTcpHeader;
constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr uint16_t kServerPorts[] = {53, 80, 123, 443, 443, 443, 3306, 8080};

// splitmix64's finisher: every bit of the input moves every bit of the result.
uint64_t scramble(uint64_t value) noexcept {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

void put16(uint8_t* at, uint32_t value) noexcept {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

void put32(uint8_t* at, uint32_t value) noexcept {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

// One's complement sum of 16-bit words, not yet folded.
uint64_t sum_of(const uint8_t* at, uint32_t bytes) noexcept {
  uint64_t sum = 0;
  for (uint32_t i = 0; i + 1 < bytes; i += 2) sum += static_cast<uint32_t>(at[i] << 8 | at[i + 1]);
  if (bytes & 1) sum += static_cast<uint32_t>(at[bytes - 1] << 8);
  return sum;
}

uint16_t checksum(uint64_t sum) noexcept {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

struct Flow {
  uint32_t client, server;  // IPv4 addresses; the low bits of IPv6 ones
  uint16_t client_port, server_port;
  uint8_t protocol;
  bool ipv6, tagged;
  uint16_t vlan;
};

Flow flow_of(const TrafficPlan& plan, uint32_t number) noexcept {
  const uint64_t random = scramble(plan.seed ^ scramble(number));
  // An odd factor permutes the 24 bits: no two flows share a client.
  const uint32_t host = (number * 0x9e3779b1u + static_cast<uint32_t>(plan.seed)) & 0xffffff;
  const uint32_t kind = plan.mix ? random >> 60 & 7 : 0;
  return {.client = 10u << 24 | host,
          .server = 0xac100000u | static_cast<uint32_t>(random & 0xfffff),
          .client_port = static_cast<uint16_t>(1024 + (random >> 20) % 64512),
          .server_port = kServerPorts[random >> 40 & 7],
          .protocol = random >> 44 & 1 ? kTcp : kUdp,
          .ipv6 = kind == 4 || kind == 5 || kind == 7,
          .tagged = kind >= 6,
          .vlan = static_cast<uint16_t>(100 + (random >> 50) % 8)};
}

void put_mac(uint8_t* at, uint32_t address) noexcept {
  put16(at, 0x0200);  // locally administered, one station
  put32(at + 2, address);
}

void put_ipv6_address(uint8_t* at, uint32_t address) noexcept {
  put32(at, 0x20010db8);
  std::memset(at + 4, 0, 8);
  put32(at + 12, address);
}

// Returns the sum of the addresses, as the pseudo header wants it.
uint64_t put_network(uint8_t* at, const Flow& flow, uint32_t from, uint32_t to, uint32_t payload,
                     uint32_t id) noexcept {
  if (flow.ipv6) {
    put32(at, 6u << 28 | (id & 0xfffff));
    put16(at + 4, payload);
    at[6] = flow.protocol;
    at[7] = 64;
    put_ipv6_address(at + 8, from);
    put_ipv6_address(at + 24, to);
    return sum_of(at + 8, 32);
  }
  put16(at, 0x4500);
  put16(at + 2, kIpv4Header + payload);
  put16(at + 4, id & 0xffff);
  put16(at + 6, 0x4000);  // don't fragment
  at[8] = 64;
  at[9] = flow.protocol;
  put16(at + 10, 0);
  put32(at + 12, from);
  put32(at + 16, to);
  put16(at + 10, checksum(sum_of(at, kIpv4Header)));
  return sum_of(at + 12, 8);
}

void put_transport(uint8_t* at, const Flow& flow, bool reverse, uint32_t bytes, uint64_t random,
                   uint64_t address_sum) noexcept {
  put16(at, reverse ? flow.server_port : flow.client_port);
  put16(at + 2, reverse ? flow.client_port : flow.server_port);
  uint32_t check_at = 6;
  if (flow.protocol == kTcp) {
    put32(at + 4, static_cast<uint32_t>(random));
    put32(at + 8, static_cast<uint32_t>(random >> 32));
    put16(at + 12, 0x5010);  // five words of header, ACK
    put16(at + 14, 64240);
    put32(at + 16, 0);
    check_at = 16;
  } else {
    put16(at + 4, bytes);
    put16(at + 6, 0);
  }
  const uint32_t header = flow.protocol == kTcp ? kTcpHeader : kUdpHeader;
  for (uint32_t i = header; i < bytes; ++i)
    at[i] = static_cast<uint8_t>(random >> (i & 7) * 8) ^ static_cast<uint8_t>(i);
  const uint16_t check = checksum(address_sum + flow.protocol + bytes + sum_of(at, bytes));
  put16(at + check_at, check == 0 && flow.protocol == kUdp ? 0xffff : check);
}

uint32_t length_of(const TrafficPlan& plan, uint64_t random) noexcept {
  if (plan.length != 0) return plan.length;
  const uint32_t turn = static_cast<uint32_t>((random >> 32) % 12);
  return turn < 7 ? 60 : turn < 11 ? 590 : 1514;
}

}  // namespace

uint32_t traffic_length_max(const TrafficPlan& plan) noexcept {
  return std::max(plan.length == 0 ? 1514 : plan.length, kLongestHeaders);
}

uint32_t build_packet(const TrafficPlan& plan, uint64_t number, uint8_t* frame) noexcept {
  const auto flow_number = static_cast<uint32_t>(number % plan.flows);
  const Flow flow = flow_of(plan, flow_number);
  const bool reverse = (number / plan.flows + flow_number) & 1;
  const uint64_t random = scramble(scramble(number) + plan.seed);
  const uint32_t link = kEthernetHeader + (flow.tagged ? kTag : 0);
  const uint32_t network = flow.ipv6 ? kIpv6Header : kIpv4Header;
  const uint32_t transport = flow.protocol == kTcp ? kTcpHeader : kUdpHeader;
  const uint32_t length = std::max(length_of(plan, random), link + network + transport);
  const uint32_t from = reverse ? flow.server : flow.client;
  const uint32_t to = reverse ? flow.client : flow.server;
  put_mac(frame, to);
  put_mac(frame + 6, from);
  uint8_t* type = frame + 12;
  if (flow.tagged) {
    put16(type, 0x8100);
    put16(type + 2, flow.vlan);
    type += kTag;
  }
  put16(type, flow.ipv6 ? 0x86dd : 0x0800);
  const uint32_t payload = length - link - network;
  const uint64_t addresses =
      put_network(frame + link, flow, from, to, payload, static_cast<uint32_t>(random >> 16));
  put_transport(frame + link + network, flow, reverse, payload, random, addresses);
  return length;
}

}  // namespace bricks
