// Lines of protocols that are text.
#pragma once

#include <algorithm>
#include <string_view>

namespace bricks {

// The next line, without its end (LF or CR LF), taken off `text`.
inline std::string_view take_line(std::string_view& text) noexcept {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

}  // namespace bricks
