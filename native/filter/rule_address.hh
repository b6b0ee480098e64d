// Addresses as rules write them.
#pragma once

#include <cstdint>
#include <string>

#include "filter/rule.hh"

namespace bricks {

struct AddressPrefix {
  int version = 0;  // 4, 6; 0: any address
  uint8_t bytes[16] = {};
  uint32_t bits = 0;  // of the prefix
};

// Each returns what is wrong, as the end of a sentence that began "src is"; empty: nothing.
std::string parse_prefix(const std::string& text, AddressPrefix* prefix);
std::string parse_mac_address(const std::string& text, uint64_t* mac48);

// Puts the prefix in its place of the key and its mask. Bits beyond the prefix do not count.
void place_prefix(const AddressPrefix& prefix, bool target, RuleKey* key) noexcept;

}  // namespace bricks
