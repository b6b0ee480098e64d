// One search for a pattern of Lua's (reference manual 5.1, 5.4.1) in a text. Errors are Lua's:
// nothing here has a destructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <luajit-2.1/lua.hpp>

#include "mem/limits.hh"

namespace bricks {

class LuaMatcher {
 public:
  // budget: loops that are left, of `limit`.
  LuaMatcher(lua_State* lua, double* budget, double limit, const char* text, size_t length,
             const char* pattern, size_t pattern_length) noexcept
      : lua_(lua),
        budget_(budget),
        limit_(limit),
        text_(text),
        text_end_(text + length),
        pattern_end_(pattern + pattern_length) {}

  // The end of the match of `pattern` that begins at `at`, or null.
  const char* match(const char* at, const char* pattern);
  void restart() noexcept {
    level_ = 0;
    depth_ = 0;
  }

  // Onto Lua's stack: all captures, or the whole match where there is none; how many.
  int push_captures(const char* begin, const char* end, bool whole = true);
  void push_capture(int index, const char* begin, const char* end);
  // Work that is no step: reading or copying so many bytes.
  void pay(size_t bytes);

 private:
  static constexpr ptrdiff_t kOpen = -1, kPosition = -2;
  struct Capture {
    const char* begin;
    ptrdiff_t length;
  };

  void step();
  [[noreturn]] void used_up();
  const char* item_end(const char* pattern);
  static bool in_class(uint8_t c, uint8_t letter);
  static bool in_set(uint8_t c, const char* set, const char* set_end);
  bool fits(const char* at, const char* item, const char* item_end);
  const char* many(const char* at, const char* item, const char* end);
  const char* few(const char* at, const char* item, const char* end);
  const char* balanced(const char* at, const char* pair);
  const char* again(const char* at, uint8_t digit);
  const char* begin_capture(const char* at, const char* pattern, ptrdiff_t kind);
  const char* end_capture(const char* at, const char* pattern);

  lua_State* lua_;
  double* budget_;
  double limit_;
  const char *text_, *text_end_, *pattern_end_;
  uint32_t level_ = 0, depth_ = 0;
  Capture captures_[kLuaCapturesMax];
};

}  // namespace bricks
