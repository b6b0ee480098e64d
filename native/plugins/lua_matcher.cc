#include "plugins/lua_matcher.hh"

#include <cctype>
#include <cstring>

namespace bricks {

namespace {

constexpr double kStep = 1.0 / kLuaStepsOfLoop;  // of a loop
constexpr char kEscape = '%';

uint8_t byte(const char* at) noexcept { return static_cast<uint8_t>(*at); }

}  // namespace

void LuaMatcher::used_up() {
  luaL_error(lua_, "budget: %d loops and calls for one event are used up",
             static_cast<int>(limit_));
  __builtin_unreachable();
}

void LuaMatcher::step() {
  *budget_ -= kStep;
  if (*budget_ < 0) [[unlikely]]
    used_up();
}

void LuaMatcher::pay(size_t bytes) {
  *budget_ -= static_cast<double>(bytes) / kLuaBytesOfLoop;
  if (*budget_ < 0) [[unlikely]]
    used_up();
}

// Behind one character's item: a letter, an escape, a set.
const char* LuaMatcher::item_end(const char* pattern) {
  const char first = *pattern++;
  if (first == kEscape) {
    if (pattern == pattern_end_) luaL_error(lua_, "malformed pattern (ends with '%%')");
    return pattern + 1;
  }
  if (first != '[') return pattern;
  if (pattern < pattern_end_ && *pattern == '^') ++pattern;
  do {  // a ] that comes first is one of the set
    if (pattern == pattern_end_) luaL_error(lua_, "malformed pattern (missing ']')");
    const char inner = *pattern++;
    if (inner == kEscape && pattern < pattern_end_) ++pattern;
  } while (pattern == pattern_end_ || *pattern != ']');
  return pattern + 1;
}

bool LuaMatcher::in_class(uint8_t c, uint8_t letter) {
  bool is;
  switch (std::tolower(letter)) {
    case 'a':
      is = std::isalpha(c);
      break;
    case 'c':
      is = std::iscntrl(c);
      break;
    case 'd':
      is = std::isdigit(c);
      break;
    case 'g':
      is = std::isgraph(c);
      break;
    case 'l':
      is = std::islower(c);
      break;
    case 'p':
      is = std::ispunct(c);
      break;
    case 's':
      is = std::isspace(c);
      break;
    case 'u':
      is = std::isupper(c);
      break;
    case 'w':
      is = std::isalnum(c);
      break;
    case 'x':
      is = std::isxdigit(c);
      break;
    case 'z':
      is = c == 0;
      break;
    default:
      return letter == c;
  }
  return std::isupper(letter) ? !is : is;
}

// set: its [, set_end: its ].
bool LuaMatcher::in_set(uint8_t c, const char* set, const char* set_end) {
  bool found = true;
  if (set[1] == '^') {
    found = false;
    ++set;
  }
  while (++set < set_end) {
    if (*set == kEscape) {
      ++set;
      if (in_class(c, byte(set))) return found;
    } else if (set[1] == '-' && set + 2 < set_end) {
      set += 2;
      if (byte(set - 2) <= c && c <= byte(set)) return found;
    } else if (byte(set) == c) {
      return found;
    }
  }
  return !found;
}

bool LuaMatcher::fits(const char* at, const char* item, const char* item_end) {
  step();
  if (at >= text_end_) return false;
  switch (*item) {
    case '.':
      return true;
    case kEscape:
      return in_class(byte(at), byte(item + 1));
    case '[':
      pay(static_cast<size_t>(item_end - item));
      return in_set(byte(at), item, item_end - 1);
    default:
      return *item == *at;
  }
}

// As many as there are, then fewer.
const char* LuaMatcher::many(const char* at, const char* item, const char* end) {
  ptrdiff_t count = 0;
  while (fits(at + count, item, end)) ++count;
  for (; count >= 0; --count) {
    step();
    if (const char* found = match(at + count, end + 1)) return found;
  }
  return nullptr;
}

// As few as do.
const char* LuaMatcher::few(const char* at, const char* item, const char* end) {
  for (;; ++at) {
    if (const char* found = match(at, end + 1)) return found;
    if (!fits(at, item, end)) return nullptr;
  }
}

const char* LuaMatcher::balanced(const char* at, const char* pair) {
  if (pattern_end_ - pair < 2) luaL_error(lua_, "unbalanced pattern");
  if (at >= text_end_ || *at != pair[0]) return nullptr;
  for (int depth = 1; ++at < text_end_;) {
    step();
    if (*at == pair[1]) {
      if (--depth == 0) return at + 1;
    } else if (*at == pair[0]) {
      ++depth;
    }
  }
  return nullptr;
}

// What a capture has matched, once more.
const char* LuaMatcher::again(const char* at, uint8_t digit) {
  const int index = digit - '1';
  if (index < 0 || index >= static_cast<int>(level_) || captures_[index].length == kOpen)
    luaL_error(lua_, "invalid capture index");
  const ptrdiff_t length = captures_[index].length;
  const auto bytes = static_cast<size_t>(length);
  if (length < 0 || text_end_ - at < length) return nullptr;
  pay(bytes);
  return std::memcmp(captures_[index].begin, at, bytes) == 0 ? at + length : nullptr;
}

const char* LuaMatcher::begin_capture(const char* at, const char* pattern, ptrdiff_t kind) {
  if (level_ >= kLuaCapturesMax) luaL_error(lua_, "too many captures");
  captures_[level_++] = {at, kind};
  const char* found = match(at, pattern);
  if (!found) --level_;
  return found;
}

const char* LuaMatcher::end_capture(const char* at, const char* pattern) {
  int index = static_cast<int>(level_) - 1;
  while (index >= 0 && captures_[index].length != kOpen) --index;
  if (index < 0) luaL_error(lua_, "invalid pattern capture");
  captures_[index].length = at - captures_[index].begin;
  const char* found = match(at, pattern);
  if (!found) captures_[index].length = kOpen;
  return found;
}

const char* LuaMatcher::match(const char* at, const char* pattern) {
  if (++depth_ > kLuaPatternDepth) luaL_error(lua_, "pattern too complex");
  const auto out = [this](const char* found) {
    --depth_;
    return found;
  };
  while (pattern != pattern_end_) {
    step();
    const bool escaped = *pattern == kEscape && pattern + 1 != pattern_end_;
    if (*pattern == '(') {
      const bool position = pattern + 1 != pattern_end_ && pattern[1] == ')';
      return out(position ? begin_capture(at, pattern + 2, kPosition)
                          : begin_capture(at, pattern + 1, kOpen));
    }
    if (*pattern == ')') return out(end_capture(at, pattern + 1));
    if (*pattern == '$' && pattern + 1 == pattern_end_) return out(at == text_end_ ? at : nullptr);
    if (escaped && pattern[1] == 'b') {
      at = balanced(at, pattern + 2);
      if (!at) return out(nullptr);
      pattern += 4;
      continue;
    }
    if (escaped && pattern[1] == 'f') {  // where a set begins: not before, but from here on
      const char* set = pattern + 2;
      if (set == pattern_end_ || *set != '[')
        luaL_error(lua_, "missing '[' after '%%f' in pattern");
      const char* end = item_end(set);
      const uint8_t before = at == text_ ? 0 : byte(at - 1), here = at == text_end_ ? 0 : byte(at);
      if (in_set(before, set, end - 1) || !in_set(here, set, end - 1)) return out(nullptr);
      pattern = end;
      continue;
    }
    if (escaped && std::isdigit(byte(pattern + 1))) {
      at = again(at, byte(pattern + 1));
      if (!at) return out(nullptr);
      pattern += 2;
      continue;
    }
    const char* end = item_end(pattern);
    const char repeat = end == pattern_end_ ? '\0' : *end;
    if (repeat == '*') return out(many(at, pattern, end));
    if (repeat == '-') return out(few(at, pattern, end));
    const bool one = fits(at, pattern, end);
    if (repeat == '+') return out(one ? many(at + 1, pattern, end) : nullptr);
    if (repeat == '?') {
      const char* found = one ? match(at + 1, end + 1) : nullptr;
      if (found) return out(found);
      pattern = end + 1;
      continue;
    }
    if (!one) return out(nullptr);
    ++at;
    pattern = end;
  }
  return out(at);
}

void LuaMatcher::push_capture(int index, const char* begin, const char* end) {
  if (index >= static_cast<int>(level_)) {
    if (index != 0) luaL_error(lua_, "invalid capture index");
    lua_pushlstring(lua_, begin, static_cast<size_t>(end - begin));
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.length == kOpen) luaL_error(lua_, "unfinished capture");
  if (capture.length == kPosition) {
    lua_pushinteger(lua_, capture.begin - text_ + 1);
  } else {
    lua_pushlstring(lua_, capture.begin, static_cast<size_t>(capture.length));
  }
}

int LuaMatcher::push_captures(const char* begin, const char* end, bool whole) {
  const int count = level_ == 0 && whole ? 1 : static_cast<int>(level_);
  luaL_checkstack(lua_, count, "too many captures");
  for (int i = 0; i < count; ++i) push_capture(i, begin, end);
  return count;
}

}  // namespace bricks
