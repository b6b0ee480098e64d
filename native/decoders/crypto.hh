// What decoders need of libcrypto. Contexts are made once, so that nothing is allocated later.
#pragma once

#include <openssl/evp.h>

#include "decoders/cursor.hh"

namespace bricks {

struct QuicKeys {
  uint8_t key[16];  // AES-128-GCM
  uint8_t iv[12];
  uint8_t protection[16];  // AES-128-ECB, of the header
};

class Crypto {
 public:
  Crypto();
  ~Crypto();
  Crypto(const Crypto&) = delete;
  Crypto& operator=(const Crypto&) = delete;
  bool ready() const noexcept { return ready_; }  // false: libcrypto has not got what it takes

  uint64_t hmacs() const noexcept { return hmacs_; }  // so far: what keys have cost

  bool sha256(Bytes message, uint8_t digest[32]) noexcept;
  bool hmac(Bytes key, Bytes message, uint8_t digest[32]) noexcept;
  // HKDF-Expand-Label of RFC 8446 without context; length up to 32.
  bool expand_label(Bytes secret, std::string_view label, uint8_t* to, uint8_t length) noexcept;
  bool protect_header(const QuicKeys& keys, const uint8_t sample[16], uint8_t mask[16]) noexcept;
  // `sealed` with its tag of 16 bytes; `to` takes all but those. False: it is not authentic.
  bool open(const QuicKeys& keys, const uint8_t nonce[12], Bytes header, Bytes sealed,
            uint8_t* to) noexcept;

 private:
  EVP_CIPHER* gcm_ = nullptr;
  EVP_CIPHER* ecb_ = nullptr;
  EVP_CIPHER_CTX* gcm_context_ = nullptr;
  EVP_CIPHER_CTX* ecb_context_ = nullptr;
  uint64_t hmacs_ = 0;
  bool ready_ = false;
};

}  // namespace bricks
