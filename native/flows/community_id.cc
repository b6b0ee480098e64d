#include "flows/community_id.hh"

#include "wire/bytes.hh"
#include "wire/community_id.hh"

namespace bricks::flows {

std::string community_id(const Flow& flow) {
  const FlowKey& key = flow.key;
  CommunityFlow wanted{};
  for (int i = 0; i < 2; ++i) {
    const int end = i == 0 ? flow.a : 1 - flow.a;
    wanted.address[i] = key.address[end];
    wanted.port[i] = load_be16(reinterpret_cast<const uint8_t*>(&key.port[end]));
  }
  wanted.ip_version = key.ip_version;
  wanted.protocol = key.protocol;
  wanted.has_icmp = flow.has_icmp;
  wanted.icmp_type = flow.icmp_type;
  wanted.icmp_code = flow.icmp_code;
  char text[kCommunityIdSize];
  bricks::community_id(wanted, text);
  return text;
}

}  // namespace bricks::flows
