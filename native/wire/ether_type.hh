// The EtherTypes that decode() knows (IANA's and IEEE's registries), GRE's among them.
#pragma once

#include <cstdint>

namespace bricks {

enum EtherType : uint16_t {
  kNoType = 0,
  kIpv4 = 0x0800,
  kArp = 0x0806,
  kTransparentBridging = 0x6558,
  kVlan = 0x8100,
  kIpv6 = 0x86dd,
  kMpls = 0x8847,
  kMplsMulticast = 0x8848,
  kPppoeSession = 0x8864,
  kPpp = 0x880b,
  kErspan = 0x88be,
  kQinq = 0x88a8,
  kMacInMac = 0x88e7,
  kVnTag = 0x8926,
  kNsh = 0x894f,
  kQinqOld = 0x9100,
  kQinqOlder = 0x9200,
  kErspan3 = 0x22eb,
  kWccp = 0x883e,
};

}  // namespace bricks
