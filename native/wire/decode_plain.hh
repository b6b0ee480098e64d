// What a plain packet is, for the loops of the fast path (wire/decode_batch.cc,
// wire/decode_pairs.cc).
#pragma once

#include <cstdint>

#include "wire/bytes.hh"
#include "wire/flow_hash.hh"
#include "wire/packet.hh"
#include "wire/udp_tunnels.hh"

namespace bricks {

inline constexpr uint32_t kFastBytes = 38;  // through the ports
inline constexpr uint32_t kTotalMin = 24;   // what the IP header's total length covers of them
inline constexpr uint32_t kTcpUdp = 1u << 6 | 1u << 17;

// Bytes 12..27 of the frame: ethertype 0800; version 4, IHL 5; no fragment bits; protocol 0-7 or
// 16-23 (kTcpUdp decides which of those).
alignas(16) inline constexpr uint8_t kPlainMask[16] = {0xff, 0xff, 0xff, 0,    0, 0,
                                                       0,    0,    0x3f, 0xff, 0, 0xe8};
alignas(16) inline constexpr uint8_t kPlainWanted[16] = {0x08, 0x00, 0x45};
// From bytes 22..37 (ttl protocol csum csum src4 dst4 sport2 dport2): address, port, protocol, 0.
alignas(16) inline constexpr uint8_t kEndpoints[16] = {4, 5, 6,  7,  12, 13, 1, 0x80,
                                                       8, 9, 10, 11, 14, 15, 1, 0x80};
// Either port (bytes 12-13 and 14-15 of the same), eight times.
alignas(16) inline constexpr uint8_t kSourcePort[16] = {12, 13, 12, 13, 12, 13, 12, 13,
                                                        12, 13, 12, 13, 12, 13, 12, 13};
alignas(16) inline constexpr uint8_t kTargetPort[16] = {14, 15, 14, 15, 14, 15, 14, 15,
                                                        14, 15, 14, 15, 14, 15, 14, 15};
struct WirePorts {
  alignas(16) uint8_t bytes[16];
};
inline constexpr WirePorts kWireTunnelPorts = [] {
  WirePorts ports{};
  for (uint32_t i = 0; i < 8; ++i) {
    ports.bytes[2 * i] = static_cast<uint8_t>(kTunnelPorts[i] >> 8);
    ports.bytes[2 * i + 1] = static_cast<uint8_t>(kTunnelPorts[i]);
  }
  return ports;
}();

// Total length: no less than we read, no more than there is (a packet that is cut goes the slow
// way).
inline bool total_fits(const uint8_t* frame, uint32_t length) noexcept {
  return load_be16(frame + 16) - kTotalMin <= length - kFastBytes;
}

// Decodes plain packets, two at a time, from number `i` on, up to a pair that are not both plain or
// the last one alone: returns its number. For processors with x86-64-v3.
uint32_t decode_pairs(Batch& batch, uint32_t i, const HashSeed& seed) noexcept;

}  // namespace bricks
