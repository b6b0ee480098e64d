// The checks that are written into Lua's source: where they are, and that what runs is the same.
#include "plugins/lua_guard.hh"

#include <algorithm>
#include <luajit-2.1/lua.hpp>

#include "check.hh"

using namespace bricks;

namespace {

size_t checks_in(std::string_view source) {
  const std::string guarded = guard_loops(source);
  size_t found = 0;
  for (size_t at = 0; (at = guarded.find(".left<0", at)) != std::string::npos; ++at) ++found;
  return found;
}

// Runs it with a budget that counts; "what it returned / checks passed", or the error.
std::string run(const std::string& source) {
  lua_State* lua = luaL_newstate();
  luaL_openlibs(lua);
  const std::string guarded = guard_loops(source);
  const char setup[] =
      "local f=... return tostring(f({left=1000,over=function() error('over')end})())";
  std::string result;
  if (luaL_loadbuffer(lua, setup, sizeof setup - 1, "=setup") ||
      luaL_loadbuffer(lua, guarded.data(), guarded.size(), "=t") || lua_pcall(lua, 1, 1, 0))
    result = std::string("error ") + lua_tostring(lua, -1);
  else
    result = lua_tostring(lua, -1);
  lua_close(lua);
  return result;
}

}  // namespace

TEST(lua_guard_checks_are_where_code_can_repeat_itself) {
  CHECK_EQ(checks_in("local x = 1"), 0u);
  CHECK_EQ(checks_in("while true do end"), 1u);
  CHECK_EQ(checks_in("for i = 1, 3 do local function f(a, ...) end end"), 2u);
  CHECK_EQ(checks_in("repeat until true"), 1u);
  CHECK_EQ(checks_in("::again:: goto again"), 1u);
  CHECK_EQ(checks_in("function a.b.c:d() end local f = function(x) return x end"), 2u);
  CHECK_EQ(checks_in("::a::function f() end"), 1u);
  CHECK_EQ(checks_in("local t = 'x'..function() end"), 1u);
}

TEST(lua_guard_strings_comments_and_fields_are_no_code) {
  CHECK_EQ(checks_in("-- while true do end\nlocal s = 'do repeat function()'"), 0u);
  CHECK_EQ(checks_in("--[[ do\n repeat ]] --[==[ do ]] do ]==] local s = \"do \\\" do\""), 0u);
  CHECK_EQ(checks_in("local s = [[ do ]] .. [=[ do ]] do ]=]"), 0u);
  CHECK_EQ(checks_in("local t = {goto_ = 1} t['do'] = t.goto_"), 0u);
  CHECK_EQ(checks_in("local s = 'a\\\nb do' local n = 0x1p+4 .. 3e-2"), 0u);
  CHECK_EQ(checks_in("local s = 'no end do"), 0u);
  CHECK_EQ(checks_in("--[[ no end do"), 0u);
}

TEST(lua_guard_lines_and_meaning_stay) {
  const std::string source =
      "local n = 0\nfor i = 1, 10 do\n  if i % 2 == 0 then goto continue end\n"
      "  local x = i\n  n = n + x\n  ::continue::\nend\nreturn n -- the last line";
  const std::string guarded = guard_loops(source);
  CHECK_EQ(std::count(guarded.begin(), guarded.end(), '\n'),
           std::count(source.begin(), source.end(), '\n') + 1);
  CHECK_EQ(run(source), "25");
  CHECK_EQ(run("local i = 0 repeat local last = i == 5 i = i + 1 until last return i"), "6");
  CHECK_EQ(run("\n\nerror('here')"), "error t:3: here");
  CHECK_EQ(run("local goto = 3 return goto + 1"), "4");
  CHECK_EQ(run("local t = {} function t:m(...) return select('#', ...) end return t:m(1, 2)"), "2");
  CHECK_EQ(run("for k in pairs({a = 1}) do return k end"), "a");
}

TEST(lua_guard_nothing_runs_for_ever) {
  const char* endless[] = {
      "while true do end",
      "repeat until false",
      "for i = 1, math.huge do end",
      "::again:: goto again",
      "local function f() return f() end f()",
      "local f f = function() return f() end f()",
      "for k in function() return 1 end do end",
      "local t = setmetatable({}, {__index = function(t, k) return t[k + 1] end}) return t[1]",
      "while true do pcall(function() while true do end end) end",
      "local co = coroutine.wrap(function() while true do coroutine.yield() end end) "
      "while true do co() end",
      "string.gsub(('x'):rep(5000), '.', function() end)",
      "local function f() pcall(f) return f() end f()",
      "while true do while false do end repeat goto next until true ::next:: end",
  };
  for (const char* source : endless) {
    const std::string result = run(source);
    if (result.find("over") == std::string::npos) std::printf("  %s: %s\n", source, result.c_str());
    CHECK(result.find("over") != std::string::npos);
  }
}
