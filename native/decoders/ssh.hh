// SSH's first words (RFC 4253): the banner's line and the KEXINIT message.
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// `line`: without its end. False: it is no banner.
bool read_ssh_banner(std::string_view line, bricks_ssh_banner* made) noexcept;
// `payload`: of a binary packet, from the message's number on.
bool read_ssh_kexinit(Bytes payload, bricks_ssh_kexinit* made) noexcept;

}  // namespace bricks
