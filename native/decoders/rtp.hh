// RTP and RTCP packets (RFC 3550).
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// False: its header cannot be. That it is RTP is seen by the next one (inspector).
bool read_rtp(Bytes datagram, bricks_rtp* made) noexcept;
// The next packet of a compound one; `at` moves behind it. False: it cannot be, or was the last.
bool read_rtcp(Bytes datagram, size_t* at, bricks_rtcp* made) noexcept;
// Whether all of the datagram is a compound packet that begins with a report.
bool is_rtcp(Bytes datagram) noexcept;

}  // namespace bricks
