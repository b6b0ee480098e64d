#include "ports/netmap_name.hh"

#include <net/if.h>

#include "mem/limits.hh"

namespace bricks {
namespace {

constexpr size_t kNameBytes = 64;  // nmreq_header.nr_name, with its NUL
constexpr size_t kDigitsMax = 4;

Status refuse(const std::string& target, const std::string& why) {
  return {Code::invalid_port_name,
          "\"netmap:" + target + "\" names no netmap port: " + why +
              "; right ones are netmap:eth3, netmap:eth3-2 (one ring), netmap:eth3^ (the host's "
              "rings), netmap:eth3* (both), netmap:vale0:x"};
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() <= kDigitsMax &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

// The ring's number behind the sign at `at`.
Status take_ring(const std::string& target, size_t at, NetmapName* name) {
  const std::string digits = target.substr(at + 1);
  if (!is_number(digits)) return refuse(target, "after the sign comes a ring's number");
  const unsigned long ring = std::stoul(digits);
  if (ring >= kNetmapRingsMax) {
    return refuse(target, "rings are 0 to " + std::to_string(kNetmapRingsMax - 1));
  }
  name->ring = static_cast<uint16_t>(ring);
  name->port = target.substr(0, at);
  return {};
}

}  // namespace

Status parse_netmap_name(const std::string& target, int32_t queue, NetmapName* name) {
  *name = {};
  name->port = target;
  name->vale = target.starts_with("vale") && target.find(':') != std::string::npos;
  name->pipe = target.find_first_of("{}") != std::string::npos;
  const size_t sign = target.find_last_of("-^*");
  const bool whole = sign == std::string::npos || name->pipe || if_nametoindex(target.c_str()) != 0;
  if (!whole && target[sign] == '*' && sign + 1 == target.size()) {
    name->part = NetmapPart::both;
    name->port = target.substr(0, sign);
  } else if (!whole && target[sign] == '^') {
    const bool one = sign + 1 < target.size();
    name->part = one ? NetmapPart::one_host : NetmapPart::host;
    name->port = target.substr(0, sign);
    if (Status s = one ? take_ring(target, sign, name) : Status{}; !s.ok()) return s;
  } else if (!whole && target[sign] == '-' && is_number(target.substr(sign + 1))) {
    name->part = NetmapPart::one_hardware;
    if (Status s = take_ring(target, sign, name); !s.ok()) return s;
  } else if (queue >= 0 && name->interface()) {
    name->part = NetmapPart::one_hardware;
    name->ring = static_cast<uint16_t>(queue);
  }
  if (name->port.empty()) return refuse(target, "the port is missing");
  if (name->port.size() >= kNameBytes) {
    return refuse(target,
                  "the port's name has more than " + std::to_string(kNameBytes - 1) + " bytes");
  }
  if (name->vale && (name->part == NetmapPart::host || name->part == NetmapPart::one_host)) {
    return refuse(target, "a port of a VALE switch has no host behind it");
  }
  return {};
}

}  // namespace bricks
