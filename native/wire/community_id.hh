// Community ID, version 1 (github.com/corelight/community-id-spec): one short name for a flow in
// every tool's log.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bricks {

inline constexpr size_t kCommunityIdSize = 31;  // "1:", 28 characters, and a NUL

// Index 0: who sent the first packet.
struct CommunityFlow {
  const uint8_t* address[2];  // 4 or 16 bytes
  uint16_t port[2];           // in host order
  uint8_t ip_version, protocol;
  bool has_icmp;  // the next two are there: of the first packet
  uint8_t icmp_type, icmp_code;
};

// Made with seed 0.
void community_id(const CommunityFlow& flow, char (&text)[kCommunityIdSize]) noexcept;

}  // namespace bricks
