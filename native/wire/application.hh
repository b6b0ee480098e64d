// What sessions speak, and names of it (enum bricks_protocol): "dns", "http", ...; 0 is "unknown".
#pragma once

#include <cstdint>
#include <string_view>

#include "abi/bricks_protocols.h"
#include "wire/packet.hh"

namespace bricks {

// "unknown" where there is no such number.
const char* protocol_name(uint8_t protocol) noexcept;
// False where there is none of that name; "unknown" is one.
bool protocol_from_name(std::string_view name, uint8_t* protocol) noexcept;
// All of them, as options list their choices: "unknown|dns|http|...".
inline constexpr const char* kProtocolChoices =
    "unknown|dns|http|tls|quic|ssh|sip|rtp|ftp|dhcp|ntp";

// What a packet's session speaks; 0: not known, or nobody asked.
inline uint8_t application(const Batch& batch, uint32_t i) noexcept {
  return batch.has_applications ? batch.applications[i] : uint8_t{0};
}

}  // namespace bricks
