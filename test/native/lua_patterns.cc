// Patterns of Lua with a bound: the same answers and errors as LuaJIT's own, and an end.
#include "plugins/lua_patterns.hh"

#include <ctime>
#include <luajit-2.1/lua.hpp>
#include <random>
#include <string>

#include "check.hh"
#include "plugins/lua_state.hh"

using namespace bricks;

namespace {

// All four functions, as one text: values with their types, or the error.
constexpr char kAsk[] = R"(
  local function shown(...)
    local out = {}
    for i = 1, select('#', ...) do
      local value = select(i, ...)
      out[i] = type(value) .. ' ' .. tostring(value)
    end
    return table.concat(out, ', ')
  end
  return function(text, pattern, replacement, init, most)
    local out = {
      shown(pcall(string.find, text, pattern, init)),
      shown(pcall(string.find, text, pattern, init, true)),
      shown(pcall(string.match, text, pattern, init)),
      shown(pcall(string.gsub, text, pattern, replacement, most)),
      shown(pcall(string.gsub, text, pattern, {a = 'A', ab = 7, b = false})),
      shown(pcall(string.gsub, text, pattern, function(...) return '<' .. shown(...) .. '>' end)),
      shown(pcall(text.gsub, text, pattern, function() return {} end)),
    }
    local count = 0
    out[#out + 1] = shown(pcall(function()
      for a, b in string.gmatch(text, pattern) do
        count = count + 1
        out[#out + 1] = shown(a, b)
        if count > 30 then break end
      end
    end))
    return table.concat(out, '\n')
  end)";

struct Lua {
  LuaCall call;
  lua_State* lua;
  explicit Lua(bool bounded, double loops = 1e12) : lua(luaL_newstate()) {
    call.left = call.limit = loops;
    luaL_openlibs(lua);
    if (bounded) bound_lua_patterns(lua, &call);
    CHECK_EQ(luaL_dostring(lua, kAsk), 0);
  }
  ~Lua() { lua_close(lua); }
  std::string ask(const std::string& text, const std::string& pattern,
                  const std::string& replacement = "", int init = 1, int most = 99) {
    lua_settop(lua, 1);
    lua_pushvalue(lua, 1);
    for (const std::string* each : {&text, &pattern, &replacement})
      lua_pushlstring(lua, each->data(), each->size());
    lua_pushinteger(lua, init);
    lua_pushinteger(lua, most);
    if (lua_pcall(lua, 5, 1, 0)) return std::string("error ") + lua_tostring(lua, -1);
    size_t size = 0;
    const char* answer = lua_tolstring(lua, -1, &size);
    return {answer, size};
  }
  // "" or the error.
  std::string run(const std::string& source) {
    call.left = call.limit;
    return luaL_dostring(lua, source.c_str()) ? lua_tostring(lua, -1) : "";
  }
};

std::string random_text(std::mt19937& random, const std::string& letters, uint32_t most) {
  std::string text(random() % (most + 1), 0);
  for (char& c : text) c = letters[random() % letters.size()];
  return text;
}

}  // namespace

TEST(lua_patterns_answer_as_luajit_does) {
  Lua own(true), theirs(false);
  const struct {
    const char *text, *pattern, *replacement;
  } known[] = {
      {"key = value", "^(%w+)%s*=%s*(%w+)$", "%2=%1"},
      {"THE (quick) fox", "%((%a+)%)", "[%0]"},
      {"f(a(b)c)d", "%b()", "%%"},
      {"THE (quick) fox", "%f[%a]%a+%f[%A]", "."},
      {"hello hello", "(%w+) %1", "%1"},
      {"  trim  ", "^%s*(.-)%s*$", "%1"},
      {"", "", "x"},
      {"abc", "", "-"},
      {"abc", "()", "%1"},
      {"a]b^c-d", "[]^-]", "_"},
      {"abc", "%", ""},
      {"abc", "[a", ""},
      {"abc", "(a", ""},
      {"abc", "a)", ""},
      {"abc", "%f", ""},
      {"abc", "%b", ""},
      {"abc", "%2", ""},
      {"abc", "b", "%9"},
      {"abc", "b", "%"},
      {"10.0.0.1", "^(%d+)%.(%d+)%.(%d+)%.(%d+)$", "%4.%3"},
  };
  for (const auto& [text, pattern, replacement] : known)
    CHECK_EQ(own.ask(text, pattern, replacement), theirs.ask(text, pattern, replacement));
  for (const char* item : {"a?", "(a?)", "()", "a-"}) {
    for (const int times : {31, 32, 33, 198, 199, 200, 201, 250}) {
      std::string pattern;
      for (int i = 0; i < times; ++i) pattern += item;
      const std::string text(300, 'a');
      CHECK_EQ(own.ask(text, pattern, "x"), theirs.ask(text, pattern, "x"));
    }
  }
  const uint32_t seed = 20260721;
  std::mt19937 random(seed);
  const std::string letters("aab1 (.)-\0A%", 12), marks("aab%%.[]^$*+-?()1fbdwsaAzxgcplu \0", 32);
  int different = 0;
  for (int i = 0; i < 60000 && different < 5; ++i) {
    const std::string text = random_text(random, letters, 12);
    const std::string pattern = random_text(random, marks, 8);
    const std::string replacement = random_text(random, "ab%%%0123", 4);
    const int init = static_cast<int>(random() % 30) - 15, most = static_cast<int>(random() % 4);
    const std::string expected = theirs.ask(text, pattern, replacement, init, most);
    const std::string got = own.ask(text, pattern, replacement, init, most);
    if (got == expected) continue;
    ++different;
    std::printf("  seed %u, '%s' in '%s' by '%s', %d, %d:\n%s\nnot\n%s\n", seed, pattern.c_str(),
                text.c_str(), replacement.c_str(), init, most, got.c_str(), expected.c_str());
  }
  CHECK_EQ(different, 0);
}

TEST(lua_patterns_end_when_the_budget_does) {
  Lua own(true, 1e6);
  const auto seconds = [] {  // of this thread, not of those that have the core meanwhile
    timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
  };
  const double begin = seconds();
  const char* text = "local a = ('a'):rep(50000);";
  for (const char* call :
       {"a:find('.-.-.-.-b')", "a:match('(.*)(.*)(.*)(.*)b')", "a:gsub('a-a-a-b', '')",
        "for _ in a:gmatch('.-.-.-b') do end", "a:find(('a?'):rep(30) .. 'b')",
        "(('('):rep(50000)):gsub('%b()', '')", "a:find('[' .. ('b'):rep(9000) .. ']-c')",
        "for i = 1, 1e6 do a:find('bb', 1, true) end"}) {
    const std::string error = own.run(std::string(text) + call);
    CHECK(error.find("budget: 1000000 loops and calls for one event") != std::string::npos);
  }
  CHECK_EQ(own.run("assert(('x'):rep(1e5):gsub('x', 'y') == ('y'):rep(1e5))"), "");
  CHECK(seconds() - begin < 30);  // unbounded, the first alone takes centuries
}
