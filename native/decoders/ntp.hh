// NTP packets (RFC 5905).
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// False: too short, or a version or mode that there is not.
bool read_ntp(Bytes datagram, bricks_ntp* made) noexcept;

}  // namespace bricks
