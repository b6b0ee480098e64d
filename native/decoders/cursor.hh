// Reads payload that anybody may have written: never beyond its end. What is not there reads as 0
// and is remembered: ask ok() before believing.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "abi/bricks_protocols.h"
#include "wire/bytes.hh"

namespace bricks {

using Bytes = std::span<const uint8_t>;

class Cursor {
 public:
  explicit Cursor(Bytes bytes) noexcept : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
  bool ok() const noexcept { return ok_; }
  size_t left() const noexcept { return static_cast<size_t>(end_ - at_); }
  const uint8_t* at() const noexcept { return at_; }
  uint8_t u8() noexcept { return has(1) ? *at_++ : uint8_t{0}; }
  uint16_t u16() noexcept {
    if (!has(2)) return 0;
    at_ += 2;
    return load_be16(at_ - 2);
  }
  uint32_t u24() noexcept {
    const uint32_t high = u8();
    return high << 16 | u16();
  }
  uint32_t u32() noexcept {
    if (!has(4)) return 0;
    at_ += 4;
    return load_be32(at_ - 4);
  }
  uint64_t u64() noexcept {
    const uint64_t high = u32();
    return high << 32 | u32();
  }
  // Empty where there are not so many.
  Bytes take(size_t count) noexcept {
    if (!has(count)) return {};
    at_ += count;
    return {at_ - count, count};
  }
  Bytes rest() noexcept { return take(left()); }
  // What follows a length of one byte, or of two.
  Bytes take8() noexcept { return take(u8()); }
  Bytes take16() noexcept { return take(u16()); }
  // To `to`, zeros where they are not there.
  void copy(void* to, size_t count) noexcept {
    const Bytes bytes = take(count);
    std::memset(to, 0, count);
    if (!bytes.empty()) std::memcpy(to, bytes.data(), count);
  }

 private:
  bool has(size_t count) noexcept {
    if (left() >= count) return true;
    ok_ = false;
    at_ = end_;
    return false;
  }
  const uint8_t* at_;
  const uint8_t* end_;
  bool ok_ = true;
};

inline bricks_text text_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<uint32_t>(bytes.size()), 0};
}
inline bricks_text text_of(std::string_view text) noexcept {
  return {text.data(), static_cast<uint32_t>(text.size()), 0};
}
inline std::string_view view_of(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline std::string_view view_of(const bricks_text& text) noexcept {
  return {text.data, text.length};
}

// ASCII letters alike, whatever the locale.
inline char small_letter(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
inline bool same_word(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return small_letter(x) == small_letter(y);
         });
}
inline bool begins_with(std::string_view text, std::string_view with) noexcept {
  return text.substr(0, with.size()) == with;
}
inline std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return text.substr(text.size());
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}
// A decimal number of the whole of `text`, up to `most`.
inline bool read_number(std::string_view text, uint64_t most, uint64_t* value) noexcept {
  if (text.empty() || text.size() > 19) return false;
  uint64_t number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return false;
    number = number * 10 + static_cast<uint64_t>(digit - '0');
  }
  *value = number;
  return number <= most;
}

}  // namespace bricks
