#include "plugins/lua_texts.hh"

// The files themselves, so that there is one of each. The Makefile knows of them.
#define EMBED(symbol, path)            \
  asm(".section .rodata\n" #symbol     \
      "_begin:\n"                      \
      ".incbin \"" path "\"\n" #symbol \
      "_end:\n"                        \
      ".previous\n");                  \
  extern "C" const char symbol##_begin[], symbol##_end[]

EMBED(bricks_text_host, "plugins/lua_host.lua");
EMBED(bricks_text_driver, "plugins/lua_driver.lua");
EMBED(bricks_text_error, "abi/bricks_error.h");
EMBED(bricks_text_session, "abi/bricks_session.h");
EMBED(bricks_text_event, "abi/bricks_event.h");
EMBED(bricks_text_plugin, "abi/bricks_plugin.h");
EMBED(bricks_text_protocols, "abi/bricks_protocols.h");

namespace bricks {

namespace {

#define TEXT(symbol) \
  std::string_view { symbol##_begin, static_cast<size_t>(symbol##_end - symbol##_begin) }

// Without the preprocessor's lines; of a header that marks it, the part between the marks.
std::string declarations(std::string_view header) {
  static constexpr std::string_view kBegin = "/* cdef begin */", kEnd = "/* cdef end */";
  if (const size_t begin = header.find(kBegin); begin != std::string_view::npos)
    header = header.substr(begin, header.find(kEnd) - begin);
  std::string out;
  bool continued = false;  // a macro's next line
  while (!header.empty()) {
    const size_t end = header.find('\n');
    const std::string_view line = header.substr(0, end);
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + 1);
    const bool macro = continued || (!line.empty() && line[0] == '#');
    continued = macro && !line.empty() && line.back() == '\\';
    if (!macro) (out += line) += '\n';
  }
  return out;
}

}  // namespace

std::string_view lua_host_text() noexcept { return TEXT(bricks_text_host); }
std::string_view lua_driver_text() noexcept { return TEXT(bricks_text_driver); }

std::string lua_declarations() {
  return declarations(TEXT(bricks_text_error)) + declarations(TEXT(bricks_text_session)) +
         declarations(TEXT(bricks_text_event)) + declarations(TEXT(bricks_text_plugin)) +
         declarations(TEXT(bricks_text_protocols));
}

}  // namespace bricks
