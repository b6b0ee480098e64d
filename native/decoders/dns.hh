// DNS messages (RFC 1035, 2782, 6891, 6762).
#pragma once

#include "decoders/cursor.hh"

namespace bricks {

// What a record of a message points into.
struct DnsScratch {
  bricks_dns_record records[BRICKS_DNS_RECORDS_MAX];
  char text[32768];
  uint32_t used;
};

// `message`: all of it, without the length that TCP puts in front. False: the header and the first
// question are not there. `used`: bytes that made sense.
bool read_dns(Bytes message, DnsScratch* scratch, bricks_dns* made, size_t* used) noexcept;

// Whether a message that has been read is DNS beyond doubt: by a port where DNS is spoken it needs
// to be plausible only, elsewhere every byte of it has to make sense.
bool is_dns(const bricks_dns& message, size_t length, size_t used, bool port_hint) noexcept;

}  // namespace bricks
