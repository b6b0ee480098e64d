// JA4, the TLS client fingerprint, after FoxIO's description of it (BSD-licensed; the rest of JA4+
// is not, and not here): PVVDCCEEAA_ciphers_extensions.
#include "decoders/tls.hh"

namespace bricks {

namespace {

constexpr char kHex[] = "0123456789abcdef";

class Line {
 public:
  void put(char c) noexcept {
    if (used_ < sizeof text_) text_[used_++] = c;
  }
  void put_value(uint16_t value) noexcept {
    if (used_ > 0 && text_[used_ - 1] != '_') put(',');
    for (int shift = 12; shift >= 0; shift -= 4) put(kHex[value >> shift & 15]);
  }
  Bytes bytes() const noexcept { return {reinterpret_cast<const uint8_t*>(text_), used_}; }

 private:
  char text_[BRICKS_TLS_LIST_MAX * 10 + 1];
  size_t used_ = 0;
};

std::string_view version_word(uint16_t version) noexcept {
  switch (version) {
    case 0x0304:
      return "13";
    case 0x0303:
      return "12";
    case 0x0302:
      return "11";
    case 0x0301:
      return "10";
    case 0x0300:
      return "s3";
    case 0x0002:
      return "s2";
    default:
      return "00";
  }
}

bool is_alphanumeric(char c) noexcept {
  const char small = small_letter(c);
  return (c >= '0' && c <= '9') || (small >= 'a' && small <= 'z');
}

void put_number(uint32_t number, char* to) noexcept {
  number = std::min(number, 99u);
  to[0] = static_cast<char>('0' + number / 10);
  to[1] = static_cast<char>('0' + number % 10);
}

void put_alpn(const bricks_tls_client_hello& hello, char* to) noexcept {
  to[0] = to[1] = '0';
  if (hello.alpn_count == 0 || hello.alpn[0].length == 0) return;
  const std::string_view name = view_of(hello.alpn[0]);
  if (is_alphanumeric(name.front()) && is_alphanumeric(name.back())) {
    to[0] = name.front();
    to[1] = name.back();
    return;
  }
  to[0] = kHex[static_cast<uint8_t>(name.front()) >> 4];
  to[1] = kHex[static_cast<uint8_t>(name.back()) & 15];
}

// `values` without GREASE, and without SNI and ALPN where `named` says they are extensions.
uint32_t keep(const uint16_t* values, uint32_t count, bool named, uint16_t* to) noexcept {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint16_t value = values[i];
    if (is_grease(value) || (named && (value == 0 || value == 16))) continue;
    to[kept++] = value;
  }
  return kept;
}

bool put_hash(Crypto& crypto, const Line& line, char* to) noexcept {
  uint8_t digest[32];
  if (!crypto.sha256(line.bytes(), digest)) return false;
  for (uint32_t i = 0; i < 6; ++i) {
    to[i * 2] = kHex[digest[i] >> 4];
    to[i * 2 + 1] = kHex[digest[i] & 15];
  }
  return true;
}

bool put_ciphers(Crypto& crypto, const uint16_t* sorted, uint32_t count, char* to) noexcept {
  std::memset(to, '0', 12);
  if (count == 0) return true;
  Line line;
  for (uint32_t i = 0; i < count; ++i) line.put_value(sorted[i]);
  return put_hash(crypto, line, to);
}

bool put_extensions(Crypto& crypto, const bricks_tls_client_hello& hello, char* to) noexcept {
  std::memset(to, '0', 12);
  uint16_t kept[BRICKS_TLS_LIST_MAX];
  const uint32_t count = keep(hello.extensions, hello.extensions_count, true, kept);
  if (count == 0) return true;
  std::sort(kept, kept + count);
  Line line;
  for (uint32_t i = 0; i < count; ++i) line.put_value(kept[i]);
  const uint32_t algorithms =
      keep(hello.signature_algorithms, hello.signature_algorithms_count, false, kept);
  if (algorithms > 0) line.put('_');
  for (uint32_t i = 0; i < algorithms; ++i) line.put_value(kept[i]);
  return put_hash(crypto, line, to);
}

}  // namespace

bool make_ja4(Crypto& crypto, bricks_tls_client_hello* hello) noexcept {
  std::memset(hello->ja4, 0, sizeof hello->ja4);
  if (hello->ciphers_total > hello->ciphers_count) return false;
  if (hello->extensions_total > hello->extensions_count) return false;
  uint16_t ciphers[BRICKS_TLS_LIST_MAX], extensions[BRICKS_TLS_LIST_MAX];
  const uint32_t cipher_count = keep(hello->ciphers, hello->ciphers_count, false, ciphers);
  const uint32_t extension_count =
      keep(hello->extensions, hello->extensions_count, false, extensions);
  std::sort(ciphers, ciphers + cipher_count);
  const bool named = std::find(hello->extensions, hello->extensions + hello->extensions_count, 0) !=
                     hello->extensions + hello->extensions_count;
  char* to = hello->ja4;
  to[0] = hello->quic ? 'q' : 't';
  std::memcpy(to + 1, version_word(hello->version).data(), 2);
  to[3] = named ? 'd' : 'i';
  put_number(cipher_count, to + 4);
  put_number(extension_count, to + 6);
  put_alpn(*hello, to + 8);
  to[10] = to[23] = '_';
  return put_ciphers(crypto, ciphers, cipher_count, to + 11) &&
         put_extensions(crypto, *hello, to + 24);
}

}  // namespace bricks
