#include "wire/application.hh"

namespace bricks {

namespace {

constexpr const char* kNames[] = {"unknown", "dns", "http", "tls",  "quic", "ssh",
                                  "sip",     "rtp", "ftp",  "dhcp", "ntp"};
static_assert(sizeof kNames / sizeof kNames[0] == BRICKS_PROTOCOL_COUNT);

}  // namespace

const char* protocol_name(uint8_t protocol) noexcept {
  return kNames[protocol < BRICKS_PROTOCOL_COUNT ? protocol : 0];
}

bool protocol_from_name(std::string_view name, uint8_t* protocol) noexcept {
  for (uint8_t i = 0; i < BRICKS_PROTOCOL_COUNT; ++i) {
    if (name != kNames[i]) continue;
    *protocol = i;
    return true;
  }
  return false;
}

}  // namespace bricks
