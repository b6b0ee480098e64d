// QUIC Initial packets of a client, sealed by hand, for tests and the bench of decoders.
#pragma once

#include <openssl/evp.h>

#include <algorithm>

#include "decoders/quic.hh"
#include "hellos.hh"

namespace bricks::inspected {

inline constexpr uint32_t kVersion2 = 0x6b3343cf;
inline const Text kDestination = from_hex("8394c8f03e515708");

inline Text variable(uint64_t value) {  // always of four bytes
  return be16(0x8000 | value >> 16) + be16(value & 0xffff);
}
inline Text crypto_frame(size_t offset, const Text& bytes) {
  return Text(1, 6) + variable(offset) + variable(bytes.size()) + bytes;
}

// An Initial packet of the client with these frames, padded.
inline Text initial(const Text& frames, uint8_t number = 0, uint32_t version = 1,
                    const Text& destination = kDestination, const Text& token = "") {
  Crypto crypto;
  QuicKeys keys;
  CHECK(make_quic_keys(crypto, version, bytes_of(destination), &keys));
  const Text plain = frames + Text(std::max<size_t>(1100, frames.size()) - frames.size(), 0);
  const Text version_bytes = be16(version >> 16) + be16(version & 0xffff);
  Text packet = Text(1, static_cast<char>(version == 1 ? 0xc0 : 0xd0)) + version_bytes +
                with8(destination) + with8("source") + variable(token.size()) + token +
                variable(plain.size() + 1 + 16);
  const size_t number_at = packet.size();
  packet += static_cast<char>(number);
  uint8_t nonce[12], tag[16];
  std::memcpy(nonce, keys.iv, sizeof nonce);
  nonce[11] ^= number;
  Text sealed(plain.size(), 0);
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  int length = 0;
  CHECK(EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nullptr, keys.key, nonce) == 1);
  EVP_EncryptUpdate(context, nullptr, &length, bytes_of(packet).data(),
                    static_cast<int>(packet.size()));
  EVP_EncryptUpdate(context, reinterpret_cast<uint8_t*>(sealed.data()), &length,
                    bytes_of(plain).data(), static_cast<int>(plain.size()));
  EVP_EncryptFinal_ex(context, nullptr, &length);
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, 16, tag);
  EVP_CIPHER_CTX_free(context);
  packet += sealed + Text(reinterpret_cast<char*>(tag), 16);
  uint8_t mask[16];
  CHECK(crypto.protect_header(keys, bytes_of(packet).data() + number_at + 4, mask));
  packet[0] = static_cast<char>(packet[0] ^ (mask[0] & 0x0f));
  packet[number_at] = static_cast<char>(packet[number_at] ^ mask[1]);
  return packet;
}

}  // namespace bricks::inspected
