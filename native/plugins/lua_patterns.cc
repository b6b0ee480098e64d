#include "plugins/lua_patterns.hh"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "plugins/lua_matcher.hh"
#include "plugins/lua_state.hh"

namespace bricks {

namespace {

struct Text {
  const char* data;
  size_t size;
};

LuaCall& call_of(lua_State* lua) {
  return *static_cast<LuaCall*>(lua_touserdata(lua, lua_upvalueindex(1)));
}
Text text_at(lua_State* lua, int index) {
  size_t size = 0;
  const char* data = luaL_checklstring(lua, index, &size);
  return {data, size};
}
LuaMatcher matcher(lua_State* lua, Text text, Text pattern) {
  LuaCall& call = call_of(lua);
  return {lua, &call.left, call.limit, text.data, text.size, pattern.data, pattern.size};
}
// What comes last where nothing has been found.
int nothing(lua_State* lua) {
  lua_pushnil(lua);
  return 1;
}

bool is_plain(Text pattern) {
  return std::none_of(pattern.data, pattern.data + pattern.size,
                      [](char c) { return c != 0 && std::strchr("^$*+?.([%-", c) != nullptr; });
}

// The letter that a match of this pattern begins with; -1: it may be another.
int first_letter(Text pattern) {
  if (pattern.size == 0 || !is_plain({pattern.data, 1})) return -1;
  if (pattern.data[0] == ')') return -1;
  const char next = pattern.size > 1 ? pattern.data[1] : '\0';
  if (next == '*' || next == '-' || next == '?') return -1;
  return static_cast<unsigned char>(pattern.data[0]);
}

int search(lua_State* lua, bool find) {
  const Text text = text_at(lua, 1), pattern = text_at(lua, 2);
  ptrdiff_t from = luaL_optinteger(lua, 3, 1);
  const auto size = static_cast<ptrdiff_t>(text.size);
  if (from < 0) from += size + 1;
  from = std::clamp<ptrdiff_t>(from - 1, 0, size);
  LuaMatcher own = matcher(lua, text, pattern);
  const char *begin = text.data + from, *end = text.data + text.size;
  if (find && (lua_toboolean(lua, 4) || is_plain(pattern))) {
    own.pay(static_cast<size_t>(end - begin) + pattern.size);
    const auto* found = static_cast<const char*>(
        memmem(begin, static_cast<size_t>(end - begin), pattern.data, pattern.size));
    if (!found) return nothing(lua);
    lua_pushinteger(lua, found - text.data + 1);
    lua_pushinteger(lua, found - text.data + static_cast<ptrdiff_t>(pattern.size));
    return 2;
  }
  const bool anchored = pattern.size > 0 && pattern.data[0] == '^';
  const int letter = first_letter(pattern);
  for (const char* at = begin; at <= end; ++at) {
    if (letter >= 0) {
      const auto left = static_cast<size_t>(end - at);
      const auto* there = static_cast<const char*>(std::memchr(at, letter, left));
      own.pay(there ? static_cast<size_t>(there - at) : left);
      if (!there) break;
      at = there;
    }
    own.restart();
    if (const char* behind = own.match(at, pattern.data + anchored)) {
      if (!find) return own.push_captures(at, behind);
      lua_pushinteger(lua, at - text.data + 1);
      lua_pushinteger(lua, behind - text.data);
      return 2 + own.push_captures(at, behind, false);
    }
    if (anchored) break;
  }
  return nothing(lua);
}
int find(lua_State* lua) { return search(lua, true); }
int match(lua_State* lua) { return search(lua, false); }

// Upvalues: the call, text, pattern, where to go on.
int next_match(lua_State* lua) {
  const Text text = text_at(lua, lua_upvalueindex(2)), pattern = text_at(lua, lua_upvalueindex(3));
  LuaMatcher own = matcher(lua, text, pattern);
  const char* end = text.data + text.size;
  for (const char* at = text.data + lua_tointeger(lua, lua_upvalueindex(4)); at <= end; ++at) {
    own.restart();
    const char* behind = own.match(at, pattern.data);
    if (!behind) continue;
    lua_pushinteger(lua, behind - text.data + (behind == at));
    lua_replace(lua, lua_upvalueindex(4));
    return own.push_captures(at, behind);
  }
  return 0;
}
int gmatch(lua_State* lua) {
  text_at(lua, 1);
  text_at(lua, 2);
  lua_settop(lua, 2);
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, next_match, 4);
  return 1;
}

// The replacement's text, with captures in it.
void add_text(lua_State* lua, luaL_Buffer* out, LuaMatcher* own, const char* begin,
              const char* end) {
  const Text text = text_at(lua, 3);
  for (size_t i = 0; i < text.size; ++i) {
    const char c = text.data[i];
    if (c != '%') {
      luaL_addchar(out, c);
    } else if (++i < text.size && std::isdigit(static_cast<unsigned char>(text.data[i]))) {
      if (text.data[i] == '0') {
        luaL_addlstring(out, begin, static_cast<size_t>(end - begin));
      } else {
        own->push_capture(text.data[i] - '1', begin, end);
        luaL_addvalue(out);
      }
    } else if (i < text.size) {
      luaL_addchar(out, text.data[i]);
    } else {
      luaL_addchar(out, '\0');  // as LuaJIT: what is behind the last % is the text's end
    }
  }
  own->pay(text.size);
}

void add_replacement(lua_State* lua, luaL_Buffer* out, LuaMatcher* own, const char* begin,
                     const char* end) {
  const int type = lua_type(lua, 3);
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(lua, 3);
    lua_call(lua, own->push_captures(begin, end), 1);
  } else if (type == LUA_TTABLE) {
    own->push_capture(0, begin, end);
    lua_gettable(lua, 3);
  } else {
    return add_text(lua, out, own, begin, end);
  }
  if (!lua_toboolean(lua, -1)) {
    lua_pop(lua, 1);
    lua_pushlstring(lua, begin, static_cast<size_t>(end - begin));
  } else if (!lua_isstring(lua, -1)) {
    luaL_error(lua, "invalid replacement value (a %s)", luaL_typename(lua, -1));
  }
  luaL_addvalue(out);
}

int gsub(lua_State* lua) {
  const Text text = text_at(lua, 1), pattern = text_at(lua, 2);
  const int type = lua_type(lua, 3);
  if (type != LUA_TNUMBER && type != LUA_TSTRING && type != LUA_TTABLE && type != LUA_TFUNCTION)
    luaL_argerror(lua, 3, "string/function/table expected");
  const ptrdiff_t most = luaL_optinteger(lua, 4, static_cast<ptrdiff_t>(text.size) + 1);
  const bool anchored = pattern.size > 0 && pattern.data[0] == '^';
  LuaMatcher own = matcher(lua, text, pattern);
  own.pay(text.size);
  luaL_Buffer out;
  luaL_buffinit(lua, &out);
  const char *at = text.data, *end = text.data + text.size;
  ptrdiff_t count = 0;
  while (count < most) {
    own.restart();
    const char* behind = own.match(at, pattern.data + anchored);
    if (behind) {
      ++count;
      add_replacement(lua, &out, &own, at, behind);
    }
    if (behind && behind > at)
      at = behind;
    else if (at < end)
      luaL_addchar(&out, *at++);
    else
      break;
    if (anchored) break;
  }
  luaL_addlstring(&out, at, static_cast<size_t>(end - at));
  luaL_pushresult(&out);
  lua_pushinteger(lua, count);
  return 2;
}

// string.find of what is short, and no pattern, is LuaJIT's own: machine code.
constexpr char kFind[] = R"(
  local native, bounded = ...
  local type = type
  return function(text, pattern, init, plain)
    if plain and type(text) == 'string' and type(pattern) == 'string' and
       #text * #pattern <= 65536 then
      return native(text, pattern, init, true)
    end
    return bounded(text, pattern, init, plain)
  end)";

}  // namespace

void bound_lua_patterns(lua_State* lua, LuaCall* call) {
  static constexpr luaL_Reg kFunctions[] = {{"match", match}, {"gmatch", gmatch}, {"gsub", gsub}};
  const auto push = [&](lua_CFunction function) {
    lua_pushlightuserdata(lua, call);
    lua_pushcclosure(lua, function, 1);
  };
  lua_getglobal(lua, "string");
  for (const luaL_Reg& function : kFunctions) {
    push(function.func);
    lua_setfield(lua, -2, function.name);
  }
  if (luaL_loadbuffer(lua, kFind, sizeof kFind - 1, "=find")) lua_error(lua);
  lua_getfield(lua, -2, "find");
  push(find);
  lua_call(lua, 2, 1);
  lua_setfield(lua, -2, "find");
  lua_pushnil(lua);
  lua_setfield(lua, -2, "gfind");  // gmatch's old name
  lua_pop(lua, 1);
}

}  // namespace bricks
