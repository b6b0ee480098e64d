#include "plugins/lua_guard.hh"

#include <algorithm>
#include <array>

namespace bricks {

namespace {

constexpr std::string_view kPrefix = "local bricks_budget_=... return function(...)";
constexpr std::string_view kSuffix = "\nend";  // a comment may be the source's last line
constexpr std::string_view kCheck =
    " bricks_budget_.left=bricks_budget_.left-1 "
    "if bricks_budget_.left<0 then bricks_budget_.over()end ";
constexpr std::array<std::string_view, 21> kReserved = {
    "and", "break", "do", "else",  "elseif", "end",    "false", "for",  "function", "if",   "in",
    "nil", "not",   "or", "local", "repeat", "return", "then",  "true", "until",    "while"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;  // LuaJIT takes them in names
}
bool is_reserved(std::string_view word) {
  return std::find(kReserved.begin(), kReserved.end(), word) != kReserved.end();
}

enum class Kind { end, name, symbol, other };
struct Token {
  Kind kind = Kind::end;
  std::string_view text;
  size_t begin = 0;
};

// Lua's tokens, as far as it takes to tell code from strings, numbers and comments.
class Tokens {
 public:
  explicit Tokens(std::string_view source) : source_(source) {}

  Token next() {
    skip_blanks();
    const size_t begin = at_;
    if (begin >= source_.size()) return {Kind::end, {}, source_.size()};
    const char c = source_[begin];
    Kind kind = Kind::other;
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      take_number();
    } else if (is_name(c)) {
      while (is_name(peek(0))) ++at_;
      kind = Kind::name;
    } else if (c == '"' || c == '\'') {
      take_string(c);
    } else if (!take_long_bracket()) {
      // `..` and `::` are no `.` and no `:`.
      for (++at_; (c == '.' || c == ':') && peek(0) == c;) ++at_;
      kind = Kind::symbol;
    }
    return {kind, source_.substr(begin, at_ - begin), begin};
  }

 private:
  char peek(size_t ahead) const {
    return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0';
  }
  void skip_blanks() {
    for (; at_ < source_.size();) {
      const char c = source_[at_];
      if (c == '-' && peek(1) == '-') {
        at_ += 2;
        if (!take_long_bracket())
          at_ = std::min(source_.find_first_of("\r\n", at_), source_.size());
      } else if (c == ' ' || (c >= '\t' && c <= '\r')) {
        ++at_;
      } else {
        return;
      }
    }
  }
  // As greedy as LuaJIT's own: what follows a number without a blank is part of it.
  void take_number() {
    for (char before = 0;
         is_name(peek(0)) || peek(0) == '.' ||
         ((peek(0) == '+' || peek(0) == '-') &&
          std::string_view("eEpP").find(before) != std::string_view::npos && before != 0);
         ++at_)
      before = peek(0);
  }
  void take_string(char quote) {
    for (++at_; at_ < source_.size() && source_[at_] != quote; ++at_)
      if (source_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, source_.size());
  }
  bool take_long_bracket() {
    if (peek(0) != '[') return false;
    size_t level = 0;
    while (peek(1 + level) == '=') ++level;
    if (peek(1 + level) != '[') return false;
    const std::string close = "]" + std::string(level, '=') + "]";
    const size_t found = source_.find(close, at_ + level + 2);
    at_ = found == std::string_view::npos ? source_.size() : found + close.size();
    return true;
  }

  std::string_view source_;
  size_t at_ = 0;
};

}  // namespace

std::string guard_loops(std::string_view source) {
  std::string out(kPrefix);
  out.reserve(source.size() * 2 + kPrefix.size());
  Tokens tokens(source);
  size_t copied = 0;
  const auto check_at = [&](size_t place) {
    out += source.substr(copied, place - copied);
    out += kCheck;
    copied = place;
  };
  // Of a function's head: looking for the opening, then for the closing parenthesis.
  enum class Head { none, open, close } head = Head::none;
  size_t jump = std::string_view::npos;  // where a goto may have been
  std::string_view before;
  for (Token token = tokens.next(); token.kind != Kind::end; token = tokens.next()) {
    const size_t end = token.begin + token.text.size();
    if (jump != std::string_view::npos && token.kind == Kind::name && !is_reserved(token.text))
      check_at(jump);
    jump = std::string_view::npos;
    const bool field = before == "." || before == ":";  // t.goto
    if (token.kind == Kind::name && !field) {
      if (token.text == "do" || token.text == "repeat") check_at(end);
      if (token.text == "function") head = Head::open;
      if (token.text == "goto") jump = token.begin;
    } else if (head == Head::open && token.text == "(") {
      head = Head::close;
    } else if (head == Head::close && token.text == ")") {
      check_at(end);
      head = Head::none;
    }
    before = token.text;
  }
  out += source.substr(copied);
  out += kSuffix;
  return out;
}

}  // namespace bricks
