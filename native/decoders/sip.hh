// SIP messages (RFC 3261), over UDP and TCP.
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// "METHOD uri SIP/2.0", "SIP/2.0 200 OK". no: never; maybe: with more bytes.
enum class Guess : uint8_t { no, maybe, yes };
Guess guess_sip(std::string_view text) noexcept;

// A message at the beginning of `text`, whose head has to be complete. `response`: which it is;
// `used`: bytes of head and body, also where the body is not all there. False: it is none.
bool read_sip(std::string_view text, bricks_sip* made, bool* response, size_t* used) noexcept;

}  // namespace bricks
