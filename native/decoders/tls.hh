// TLS hellos (RFC 8446, 6066, 7301) and JA4 (FoxIO).
#pragma once

#include "decoders/crypto.hh"

namespace bricks {

// What a hello's record points into.
struct HelloScratch {
  uint16_t ciphers[BRICKS_TLS_LIST_MAX], extensions[BRICKS_TLS_LIST_MAX];
  uint16_t versions[BRICKS_TLS_SHORT_MAX], groups[BRICKS_TLS_LIST_MAX];
  uint16_t signature_algorithms[BRICKS_TLS_LIST_MAX];
  bricks_text alpn[BRICKS_TLS_SHORT_MAX];
};

// `body`: a handshake message without its head of four bytes. False: it is not well formed.
// record_version and ja4 are left to the caller.
bool read_client_hello(Bytes body, HelloScratch* scratch, bricks_tls_client_hello* made) noexcept;
bool read_server_hello(Bytes body, HelloScratch* scratch, bricks_tls_server_hello* made) noexcept;

// Fills hello.ja4, made of `quic` and the lists. False, and empty: they are not all there.
bool make_ja4(Crypto& crypto, bricks_tls_client_hello* hello) noexcept;

// RFC 8701.
constexpr bool is_grease(uint16_t value) noexcept {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

}  // namespace bricks
