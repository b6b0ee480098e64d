// What a packet's first byte belongs to. Values are LINKTYPE_ numbers (tcpdump.org/linktypes.html);
// any other 16-bit value is carried along untouched.
#pragma once

#include <cstdint>

namespace bricks {

enum class LinkType : uint16_t {
  null = 0,
  ethernet = 1,
  raw_bsd = 12,  // DLT_RAW written into a file as it is
  ppp = 9,
  ppp_hdlc = 50,
  raw = 101,
  c_hdlc = 104,
  loop = 108,
  linux_sll = 113,
  ipv4 = 228,
  ipv6 = 229,
  linux_sll2 = 276,
};

}  // namespace bricks
