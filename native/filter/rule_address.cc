#include "filter/rule_address.hh"

#include <arpa/inet.h>

#include <cstring>

#include "wire/bytes.hh"

namespace bricks {

namespace {

std::string quoted(const std::string& text) { return '"' + text.substr(0, 80) + '"'; }

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string parse_prefix(const std::string& text, AddressPrefix* prefix) {
  const size_t slash = text.find('/');
  const std::string address = text.substr(0, slash);
  AddressPrefix made;
  if (address.find('\0') != std::string::npos) return quoted(address) + ", which is no address";
  if (inet_pton(AF_INET, address.c_str(), made.bytes) == 1) {
    made.version = 4;
  } else if (inet_pton(AF_INET6, address.c_str(), made.bytes) == 1) {
    made.version = 6;
  } else {
    return quoted(text) +
           ", which must be an IPv4 or IPv6 address with or without /PREFIX, as "
           "10.0.0.0/8 or 2001:db8::1";
  }
  const uint32_t most = made.version == 4 ? 32 : 128;
  made.bits = most;
  if (slash != std::string::npos) {
    const std::string bits = text.substr(slash + 1);
    const bool digits = !bits.empty() && bits.size() <= 3 &&
                        bits.find_first_not_of("0123456789") == std::string::npos;
    made.bits = digits ? static_cast<uint32_t>(std::stoul(bits)) : most + 1;
    if (made.bits > most) {
      return quoted(text) + ": the prefix of an IPv" + std::to_string(made.version) +
             " address is 0 to " + std::to_string(most);
    }
  }
  *prefix = made;
  return {};
}

std::string parse_mac_address(const std::string& text, uint64_t* mac48) {
  uint8_t bytes[8] = {};
  bool sound = text.size() == 17;
  for (size_t i = 0; sound && i < 6; ++i) {
    const int high = hex_digit(text[i * 3]), low = hex_digit(text[i * 3 + 1]);
    sound = high >= 0 && low >= 0 && (i == 5 || text[i * 3 + 2] == ':' || text[i * 3 + 2] == '-');
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (!sound) return quoted(text) + ", which must be six bytes in hex, as 02:00:00:00:00:01";
  *mac48 = load<uint64_t>(bytes);
  return {};
}

void place_prefix(const AddressPrefix& prefix, bool target, RuleKey* key) noexcept {
  if (prefix.version == 0) return;
  uint8_t mask[16] = {}, bytes[16] = {};
  for (uint32_t i = 0; i < prefix.bits; ++i) {
    mask[i / 8] = static_cast<uint8_t>(mask[i / 8] | 0x80 >> i % 8);
  }
  for (uint32_t i = 0; i < 16; ++i) bytes[i] = prefix.bytes[i] & mask[i];
  if (prefix.version == 4) {
    const uint32_t shift = target ? 32 : 0;
    key->mask[0] |= uint64_t{load<uint32_t>(mask)} << shift;
    key->key[0] |= uint64_t{load<uint32_t>(bytes)} << shift;
    return;
  }
  for (uint32_t half = 0; half < 2; ++half) {
    const uint32_t at = (target ? 2u : 0u) + half;
    key->mask[at] = load<uint64_t>(mask + half * 8);
    key->key[at] = load<uint64_t>(bytes + half * 8);
  }
}

}  // namespace bricks
