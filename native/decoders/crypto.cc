// SHA-256 by its plain functions: EVP's allocate a context for each digest until OpenSSL 3.1.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "decoders/crypto.hh"

#include <openssl/sha.h>

namespace bricks {

Crypto::Crypto() {
  gcm_ = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  ecb_ = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
  gcm_context_ = EVP_CIPHER_CTX_new();
  ecb_context_ = EVP_CIPHER_CTX_new();
  if (!gcm_ || !ecb_ || !gcm_context_ || !ecb_context_) return;
  ready_ = EVP_DecryptInit_ex(gcm_context_, gcm_, nullptr, nullptr, nullptr) == 1 &&
           EVP_EncryptInit_ex(ecb_context_, ecb_, nullptr, nullptr, nullptr) == 1 &&
           EVP_CIPHER_CTX_set_padding(ecb_context_, 0) == 1;
}

Crypto::~Crypto() {
  EVP_CIPHER_CTX_free(ecb_context_);
  EVP_CIPHER_CTX_free(gcm_context_);
  EVP_CIPHER_free(ecb_);
  EVP_CIPHER_free(gcm_);
}

bool Crypto::sha256(Bytes message, uint8_t digest[32]) noexcept {
  SHA256_CTX hash;
  return SHA256_Init(&hash) == 1 && SHA256_Update(&hash, message.data(), message.size()) == 1 &&
         SHA256_Final(digest, &hash) == 1;
}

bool Crypto::hmac(Bytes key, Bytes message, uint8_t digest[32]) noexcept {
  ++hmacs_;
  uint8_t inner[64], outer[64];
  if (key.size() > sizeof inner) return false;
  for (size_t i = 0; i < sizeof inner; ++i) {
    const uint8_t byte = i < key.size() ? key[i] : uint8_t{0};
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  uint8_t first[32];
  SHA256_CTX hash;
  return SHA256_Init(&hash) == 1 && SHA256_Update(&hash, inner, sizeof inner) == 1 &&
         SHA256_Update(&hash, message.data(), message.size()) == 1 &&
         SHA256_Final(first, &hash) == 1 && SHA256_Init(&hash) == 1 &&
         SHA256_Update(&hash, outer, sizeof outer) == 1 &&
         SHA256_Update(&hash, first, sizeof first) == 1 && SHA256_Final(digest, &hash) == 1;
}

bool Crypto::expand_label(Bytes secret, std::string_view label, uint8_t* to,
                          uint8_t length) noexcept {
  constexpr std::string_view kPrefix = "tls13 ";
  uint8_t info[64] = {0, length, static_cast<uint8_t>(kPrefix.size() + label.size())};
  size_t used = 3;
  if (length > 32 || used + kPrefix.size() + label.size() + 2 > sizeof info) return false;
  std::memcpy(info + used, kPrefix.data(), kPrefix.size());
  used += kPrefix.size();
  std::memcpy(info + used, label.data(), label.size());
  used += label.size();
  info[used++] = 0;  // no context
  info[used++] = 1;  // the first block of the expansion is all that is needed
  uint8_t block[32];
  if (!hmac(secret, {info, used}, block)) return false;
  std::memcpy(to, block, length);
  return true;
}

bool Crypto::protect_header(const QuicKeys& keys, const uint8_t sample[16],
                            uint8_t mask[16]) noexcept {
  int length = 0;
  return EVP_EncryptInit_ex(ecb_context_, nullptr, nullptr, keys.protection, nullptr) == 1 &&
         EVP_EncryptUpdate(ecb_context_, mask, &length, sample, 16) == 1 && length == 16;
}

bool Crypto::open(const QuicKeys& keys, const uint8_t nonce[12], Bytes header, Bytes sealed,
                  uint8_t* to) noexcept {
  constexpr size_t kTag = 16;
  if (sealed.size() < kTag || sealed.size() > 65535 || header.size() > 65535) return false;
  uint8_t tag[kTag];
  const Bytes text = sealed.first(sealed.size() - kTag);
  std::memcpy(tag, sealed.data() + text.size(), kTag);
  EVP_CIPHER_CTX* context = gcm_context_;
  int length = 0, last = 0;
  return EVP_DecryptInit_ex(context, nullptr, nullptr, keys.key, nonce) == 1 &&
         EVP_DecryptUpdate(context, nullptr, &length, header.data(),
                           static_cast<int>(header.size())) == 1 &&
         EVP_DecryptUpdate(context, to, &length, text.data(), static_cast<int>(text.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTag, tag) == 1 &&
         EVP_DecryptFinal_ex(context, to + length, &last) == 1;
}

}  // namespace bricks
