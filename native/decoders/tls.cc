#include "decoders/tls.hh"

namespace bricks {

namespace {

enum Extension : uint16_t {
  kServerName = 0,
  kGroups = 10,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kVersions = 43,
  kKeyShare = 51,
  kEncryptedHello = 0xfe0d,
};

// SHA-256 of "HelloRetryRequest": the random of a ServerHello that is one (RFC 8446, 4.1.3).
constexpr uint8_t kRetryRandom[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

// Numbers of 16 bits; returns how many there were, `*kept` are in `to`.
uint32_t read_list(Bytes bytes, uint16_t* to, uint32_t most, uint32_t* kept) noexcept {
  const auto total = static_cast<uint32_t>(bytes.size() / 2);
  *kept = std::min(total, most);
  for (uint32_t i = 0; i < *kept; ++i) to[i] = load_be16(bytes.data() + i * 2);
  return total;
}

bool read_server_name(Bytes extension, bricks_text* name) noexcept {
  Cursor all(extension);
  Cursor names(all.take16());
  while (all.ok() && names.ok() && names.left() > 0) {
    const uint8_t type = names.u8();
    const Bytes bytes = names.take16();
    if (type == 0 && names.ok()) {
      *name = text_of(bytes);
      return true;
    }
  }
  return all.ok() && names.ok();
}

bool read_alpn(Bytes extension, HelloScratch* scratch, uint32_t* count) noexcept {
  Cursor all(extension);
  Cursor names(all.take16());
  *count = 0;
  while (all.ok() && names.ok() && names.left() > 0) {
    const Bytes name = names.take8();
    if (names.ok() && *count < BRICKS_TLS_SHORT_MAX) scratch->alpn[(*count)++] = text_of(name);
  }
  return all.ok() && names.ok();
}

bool read_client_extension(uint16_t type, Bytes bytes, HelloScratch* scratch,
                           bricks_tls_client_hello* made) noexcept {
  Cursor cursor(bytes);
  switch (type) {
    case kServerName:
      // An empty one is a server's, or a client's that says nothing.
      return bytes.empty() || read_server_name(bytes, &made->server_name);
    case kAlpn:
      return read_alpn(bytes, scratch, &made->alpn_count);
    case kGroups:
      read_list(cursor.take16(), scratch->groups, BRICKS_TLS_LIST_MAX, &made->groups_count);
      return cursor.ok();
    case kSignatureAlgorithms:
      read_list(cursor.take16(), scratch->signature_algorithms, BRICKS_TLS_LIST_MAX,
                &made->signature_algorithms_count);
      return cursor.ok();
    case kVersions:
      read_list(cursor.take8(), scratch->versions, BRICKS_TLS_SHORT_MAX, &made->versions_count);
      return cursor.ok();
    case kEncryptedHello:
      made->ech = 1;
      return true;
    default:
      return true;
  }
}

uint16_t highest_version(const bricks_tls_client_hello& hello) noexcept {
  uint16_t highest = 0;
  for (uint32_t i = 0; i < hello.versions_count; ++i) {
    if (!is_grease(hello.versions[i])) highest = std::max(highest, hello.versions[i]);
  }
  return highest ? highest : hello.legacy_version;
}

// Their types into the scratch, as many as there is room for; `read` is given each one.
template <typename Hello, typename Read>
bool read_extensions(Bytes all, HelloScratch* scratch, Hello* made, const Read& read) noexcept {
  Cursor extensions(all);
  while (extensions.left() > 0) {
    const uint16_t type = extensions.u16();
    const Bytes bytes = extensions.take16();
    if (!extensions.ok()) return false;
    if (made->extensions_count < BRICKS_TLS_LIST_MAX) {
      scratch->extensions[made->extensions_count++] = type;
    }
    ++made->extensions_total;
    if (!read(type, bytes)) return false;
  }
  return true;
}

}  // namespace

bool read_client_hello(Bytes body, HelloScratch* scratch, bricks_tls_client_hello* made) noexcept {
  *made = {};
  made->ciphers = scratch->ciphers;
  made->extensions = scratch->extensions;
  made->alpn = scratch->alpn;
  made->versions = scratch->versions;
  made->groups = scratch->groups;
  made->signature_algorithms = scratch->signature_algorithms;
  Cursor cursor(body);
  made->legacy_version = cursor.u16();
  cursor.copy(made->random, sizeof made->random);
  const Bytes session_id = cursor.take8();
  made->session_id = text_of(session_id);
  const Bytes ciphers = cursor.take16();
  const Bytes compression = cursor.take8();
  if (!cursor.ok() || made->legacy_version >> 8 != 3 || session_id.size() > 32) return false;
  if (ciphers.size() % 2 != 0 || compression.empty()) return false;
  made->ciphers_total =
      read_list(ciphers, scratch->ciphers, BRICKS_TLS_LIST_MAX, &made->ciphers_count);
  if (cursor.left() > 0) {
    const auto read = [&](uint16_t type, Bytes bytes) {
      return read_client_extension(type, bytes, scratch, made);
    };
    if (!read_extensions(cursor.take16(), scratch, made, read)) return false;
  }
  made->version = highest_version(*made);
  return cursor.ok();
}

bool read_server_hello(Bytes body, HelloScratch* scratch, bricks_tls_server_hello* made) noexcept {
  *made = {};
  made->extensions = scratch->extensions;
  Cursor cursor(body);
  made->legacy_version = made->version = cursor.u16();
  cursor.copy(made->random, sizeof made->random);
  made->session_id = text_of(cursor.take8());
  made->cipher = cursor.u16();
  cursor.u8();  // compression
  if (!cursor.ok() || made->legacy_version >> 8 != 3 || made->session_id.length > 32) return false;
  made->retry = std::memcmp(made->random, kRetryRandom, sizeof kRetryRandom) == 0;
  if (cursor.left() == 0) return true;
  const auto read = [&](uint16_t type, Bytes bytes) {
    if (type == kVersions && bytes.size() == 2) made->version = load_be16(bytes.data());
    if (type == kKeyShare && bytes.size() >= 2) made->group = load_be16(bytes.data());
    uint32_t count = 0;
    if (type == kAlpn && read_alpn(bytes, scratch, &count) && count > 0) {
      made->alpn = scratch->alpn[0];
    }
    return true;
  };
  return read_extensions(cursor.take16(), scratch, made, read) && cursor.ok();
}

}  // namespace bricks
