// DHCP of IPv4 (RFC 2131, 2132, 4702) and of IPv6 (RFC 8415, 4704).
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// False: it has not got DHCP's fixed part and cookie.
bool read_dhcp4(Bytes datagram, bricks_dhcp4* made) noexcept;
// False: its head is not there, or its type unknown.
bool read_dhcp6(Bytes datagram, bricks_dhcp6* made) noexcept;

}  // namespace bricks
