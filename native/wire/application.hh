// Names of what sessions speak (enum bricks_protocol): "dns", "http", ...; 0 is "unknown".
#pragma once

#include <cstdint>
#include <string_view>

#include "abi/bricks_protocols.h"

namespace bricks {

// "unknown" where there is no such number.
const char* protocol_name(uint8_t protocol) noexcept;
// False where there is none of that name; "unknown" is one.
bool protocol_from_name(std::string_view name, uint8_t* protocol) noexcept;
// All of them, as options list their choices: "unknown|dns|http|...".
inline constexpr const char* kProtocolChoices =
    "unknown|dns|http|tls|quic|ssh|sip|rtp|ftp|dhcp|ntp";

}  // namespace bricks
