// What a session speaks, by its first bytes.
#pragma once

#include "decoders/inspection.hh"
#include "decoders/sip.hh"

namespace bricks {

// What the first bytes of one direction of a stream look like.
struct StreamGuess {
  Guess guess = Guess::no;
  uint8_t protocol = BRICKS_PROTOCOL_UNKNOWN;   // yes: this one
  bool client = false;                          // yes: it is the client who speaks
  bool ftp_server = false, ftp_client = false;  // maybe: FTP, if the other side agrees
};
StreamGuess guess_stream(Bytes bytes, const uint16_t port[2], DnsScratch* scratch) noexcept;

// What a datagram is, for all that it shows; may remember it in at.state for the next one.
uint8_t identify_datagram(const Inspection& at, Bytes payload) noexcept;

}  // namespace bricks
