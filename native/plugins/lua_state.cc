#include "plugins/lua_state.hh"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <luajit-2.1/lua.hpp>

#include "mem/limits.hh"
#include "plugins/lua_guard.hh"
#include "plugins/lua_patterns.hh"
#include "plugins/lua_texts.hh"
#include "plugins/plugin_call.hh"

namespace bricks {

namespace {

// The same as LuaCall.
constexpr char kCallDeclaration[] =
    "struct bricks_lua_mark { int32_t at; };"
    "struct bricks_lua_call { bricks_event *events; uint32_t count, at, first;"
    " struct bricks_lua_mark mark; double left, limit; uint32_t freed_count, plugin;"
    " uint32_t batched; int32_t *freed; const bricks_host *host;"
    " int (*community_id)(const bricks_event *event, char *text); };"
    "const char *inet_ntop(int family, const void *address, char *text, uint32_t size);";
constexpr size_t kLuaReserve = 64 << 10;
constexpr size_t kFreedBytes = (size_t{kSessionsMax} + 1) * sizeof(int32_t);
// Names in the registry.
constexpr char kPlugin[] = "bricks.plugin", kDriver[] = "bricks.driver", kHost[] = "bricks.host";

LuaState& self(lua_State* lua) {
  return *static_cast<LuaState*>(lua_touserdata(lua, lua_upvalueindex(1)));
}
// C functions of ours that Lua calls have their LuaState as upvalue; others get it as argument.
template <typename T>
T& argument(lua_State* lua) {
  return *static_cast<T*>(lua_touserdata(lua, 1));
}

std::string text_field(lua_State* lua, const char* name) {
  lua_getfield(lua, -1, name);
  size_t length = 0;
  const char* text = lua_tolstring(lua, -1, &length);
  std::string value(text ? text : "", text ? length : 0);
  lua_pop(lua, 1);
  return value;
}
double number_field(lua_State* lua, const char* name, double absent) {
  lua_getfield(lua, -1, name);
  const double value = lua_isnil(lua, -1) ? absent : lua_tonumber(lua, -1);
  lua_pop(lua, 1);
  return value;
}
uint32_t bits_field(lua_State* lua, const char* name) {
  return static_cast<uint32_t>(static_cast<int64_t>(number_field(lua, name, 0)));
}
void push_text(lua_State* lua, std::string_view text) {
  lua_pushlstring(lua, text.data(), text.size());
}

}  // namespace

LuaSources::LuaSources(std::string path) : path_(std::move(path)) {
  const size_t slash = path_.rfind('/');
  folder_ = slash == std::string::npos ? "" : path_.substr(0, slash + 1);
}

Status LuaSources::read(const std::string& path, const std::string** text) {
  const std::lock_guard lock(mutex_);
  auto found = texts_.find(path);
  if (found == texts_.end()) {
    const std::string file = path[0] == '/' || path == path_ ? path : folder_ + path;
    std::ifstream in(file, std::ios::binary);
    if (!in) return system_error(file, errno);
    std::string read;
    read.resize(kLuaSourceMax + 1);
    in.read(read.data(), static_cast<std::streamsize>(read.size()));
    if (in.bad()) return {Code::failed, file + ": cannot be read"};
    read.resize(static_cast<size_t>(in.gcount()));
    if (read.size() > kLuaSourceMax)
      return {Code::limit_reached, file + ": is longer than " + std::to_string(kLuaSourceMax) +
                                       " bytes; split it, and require() the parts"};
    // #!/usr/bin/...: not Lua, but a line.
    if (!read.empty() && read[0] == '#') read.erase(0, std::min(read.find('\n'), read.size()));
    found = texts_.emplace(path, std::move(read)).first;
  }
  *text = &found->second;
  return {};
}

// Counts what the state has; LuaJIT makes an error of its own of a refusal.
void* LuaState::allocate(void* state, void* old, size_t old_size, size_t size) noexcept {
  auto& that = *static_cast<LuaState*>(state);
  if (!old) old_size = 0;
  if (size == 0) {
    std::free(old);
    that.used_ -= old_size;
    return nullptr;
  }
  if (size > old_size && that.used_ - old_size + size > that.ceiling_) return nullptr;
  void* memory = std::realloc(old, size);
  if (memory) that.used_ += size - old_size;
  return memory;
}

int LuaState::door(lua_State* lua) {
  size_t length = 0, name_length = 0;
  const char* source = luaL_checklstring(lua, 1, &length);
  const char* name = luaL_checklstring(lua, 2, &name_length);
  const char* why = nullptr;
  if (length > kLuaSourceMax) why = "the text is too long";
  if (length > 0 && source[0] == LUA_SIGNATURE[0]) why = "bytecode is not taken, only text";
  if (why) {
    lua_pushnil(lua);
    lua_pushstring(lua, why);
    return 2;
  }
  // First as it is, so that what is wrong is said of what was written.
  if (luaL_loadbuffer(lua, source, length, name) == 0) {
    lua_pop(lua, 1);
    const std::string guarded = guard_loops({source, length});
    if (luaL_loadbuffer(lua, guarded.data(), guarded.size(), name) == 0) return 1;
  }
  lua_pushnil(lua);
  lua_insert(lua, -2);
  return 2;
}

int LuaState::read_file(lua_State* lua) {
  const std::string* text = nullptr;
  const Status status = self(lua).sources_->read(luaL_checkstring(lua, 1), &text);
  if (status.ok()) {
    push_text(lua, *text);
    return 1;
  }
  lua_pushnil(lua);
  push_text(lua, status.message);
  return 2;
}

// Libraries, the host's Lua, then the plugin's file: its table is in the registry afterwards.
int LuaState::set_up(lua_State* lua) {
  auto& that = argument<LuaState>(lua);
  luaL_openlibs(lua);
  bound_lua_patterns(lua, &that.call_);
  // The defaults are for programs smaller than a list of plugins may be.
  if (luaL_dostring(lua, "jit.opt.start('maxtrace=4000','maxrecord=8000','maxmcode=8192')"))
    return lua_error(lua);
  const auto load = [lua](std::string_view text, const char* name) {
    if (luaL_loadbuffer(lua, text.data(), text.size(), name)) lua_error(lua);
  };
  load(lua_host_text(), "=bricks");
  push_text(lua, lua_declarations() + kCallDeclaration);
  lua_pushlightuserdata(lua, &that.call_);
  lua_call(lua, 2, 1);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kHost);
  load(lua_driver_text(), "=bricks");
  lua_insert(lua, -2);
  for (lua_CFunction function : {door, read_file}) {
    lua_pushlightuserdata(lua, &that);
    lua_pushcclosure(lua, function, 1);
  }
  lua_call(lua, 3, 1);
  lua_pushvalue(lua, -1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kDriver);
  const std::string* text = nullptr;
  const Status status = that.sources_->read(that.sources_->path(), &text);
  if (!status.ok()) return luaL_error(lua, "%s", status.message.c_str());
  lua_getfield(lua, -1, "run");
  push_text(lua, *text);
  push_text(lua, "@" + that.sources_->path());
  lua_call(lua, 2, 1);
  lua_setfield(lua, LUA_REGISTRYINDEX, kPlugin);
  return 0;
}

int LuaState::read_description(lua_State* lua) {
  auto& that = argument<LuaState>(lua);
  LuaDescription& d = that.description_;
  lua_getfield(lua, LUA_REGISTRYINDEX, kDriver);
  lua_getfield(lua, -1, "describe");
  lua_getfield(lua, LUA_REGISTRYINDEX, kPlugin);
  lua_call(lua, 1, 1);
  d.name = text_field(lua, "name");
  d.summary = text_field(lua, "summary");
  d.events = bits_field(lua, "events");
  d.protocols = bits_field(lua, "protocols");
  d.batch = bits_field(lua, "batch");
  const double loops = number_field(lua, "loops", kLuaLoopsDefault);
  if (!(loops >= 1 && loops <= kLuaLoopsMax))
    return luaL_error(lua, "loops is to be 1 to %d", static_cast<int>(kLuaLoopsMax));
  const double memory = number_field(lua, "memory", kLuaMemoryMbDefault);
  if (!(memory >= 1 && memory <= kLuaMemoryMbMax))
    return luaL_error(lua, "memory is to be 1 to %d MiB", static_cast<int>(kLuaMemoryMbMax));
  d.loops = static_cast<uint32_t>(loops);
  d.memory_mb = static_cast<uint32_t>(memory);
  lua_getfield(lua, -1, "figures");
  for (int i = 1; i <= static_cast<int>(lua_objlen(lua, -1)); ++i) {
    lua_rawgeti(lua, -1, i);
    d.figures.emplace_back(lua_tostring(lua, -1));
    lua_pop(lua, 1);
  }
  lua_pop(lua, 1);
  if (d.figures.size() > kPluginFiguresMax)
    return luaL_error(lua, "at most %d figures", static_cast<int>(kPluginFiguresMax));
  lua_getfield(lua, -1, "options");
  for (int i = 1; i <= static_cast<int>(lua_objlen(lua, -1)); ++i) {
    lua_rawgeti(lua, -1, i);
    LuaDescription::Option option{text_field(lua, "name"), text_field(lua, "summary"),
                                  text_field(lua, "preset")};
    option.type = text_field(lua, "type")[0];
    lua_getfield(lua, -1, "preset");
    option.has_preset = !lua_isnil(lua, -1);
    lua_pop(lua, 2);
    d.options.push_back(std::move(option));
  }
  // What is called from now on.
  lua_getfield(lua, LUA_REGISTRYINDEX, kDriver);
  lua_getfield(lua, -1, "driver");
  lua_getfield(lua, LUA_REGISTRYINDEX, kPlugin);
  lua_pushnumber(lua, d.batch);
  lua_call(lua, 2, 1);
  that.drive_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  return 0;
}

int LuaState::set_options(lua_State* lua) {
  const auto& options = argument<const LuaOptions>(lua);
  lua_getfield(lua, LUA_REGISTRYINDEX, kHost);
  lua_getfield(lua, -1, "api");
  lua_getfield(lua, -1, "options");
  for (const auto& [name, value] : options) {
    push_text(lua, name);
    if (const auto* text = std::get_if<std::string>(&value)) push_text(lua, *text);
    if (const auto* number = std::get_if<double>(&value)) lua_pushnumber(lua, *number);
    if (const auto* flag = std::get_if<bool>(&value)) lua_pushboolean(lua, *flag);
    lua_rawset(lua, -3);
  }
  return 0;
}

namespace {
struct Named {
  const char* function;
  uint32_t argument;
};
}  // namespace

int LuaState::call_function(lua_State* lua) {
  const auto& named = argument<const Named>(lua);
  lua_getfield(lua, LUA_REGISTRYINDEX, kPlugin);
  lua_getfield(lua, -1, named.function);
  if (lua_isnil(lua, -1)) return 0;
  lua_pushnumber(lua, named.argument);
  lua_call(lua, 1, 0);
  return 0;
}

std::string LuaState::message() const {
  if (lua_type(lua_, -1) != LUA_TSTRING)
    return std::string("an error that is no text but a ") + lua_typename(lua_, lua_type(lua_, -1));
  size_t length = 0;
  const char* text = lua_tolstring(lua_, -1, &length);
  return {text, std::min(length, size_t{kLuaMessageMax})};
}

Status LuaState::protect(int (*function)(lua_State*), void* argument_of) {
  call_.left = call_.limit = kLuaLoopsAtStart;
  const int result = lua_cpcall(lua_, function, argument_of);
  if (result == 0) return {};
  std::string text = sources_->path() + ": " + message();
  if (result == LUA_ERRMEM)
    text += ": it may have " + std::to_string(bound_ >> 20) + " MiB (memory = ... in its table)";
  lua_settop(lua_, 0);
  return {Code::invalid_argument, std::move(text)};
}

Status LuaState::open(std::shared_ptr<LuaSources> sources, std::unique_ptr<LuaState>* state) {
  std::unique_ptr<LuaState> made(new LuaState);
  made->sources_ = std::move(sources);
  const std::string* text = nullptr;
  if (Status status = made->sources_->read(made->sources_->path(), &text); !status.ok())
    return status;
  made->ceiling_ = made->bound_ = size_t{kLuaMemoryMbDefault} << 20;
  void* freed = mmap(nullptr, kFreedBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (freed == MAP_FAILED) return system_error("memory for a Lua plugin", errno);
  made->call_.community_id = plugin_host()->community_id;
  made->call_.freed = static_cast<int32_t*>(freed);
  made->lua_ = lua_newstate(allocate, made.get());
  if (!made->lua_)
    return {Code::unsupported,
            made->sources_->path() +
                ": this machine's LuaJIT makes no state with memory of its own (it has to be "
                "built with GC64, as Debian's is)"};
  if (Status status = made->protect(set_up, made.get()); !status.ok()) return status;
  if (Status status = made->protect(read_description, made.get()); !status.ok()) return status;
  made->ceiling_ = made->bound_ = size_t{made->description_.memory_mb} << 20;
  made->relief_ = made->bound_ / 2;
  *state = std::move(made);
  return {};
}

LuaState::~LuaState() {
  call_.left = call_.limit = kLuaLoopsDefault;  // finalizers are bounded, too
  if (lua_) lua_close(lua_);
  if (call_.freed) munmap(call_.freed, kFreedBytes);
}

Status LuaState::start(const bricks_host* host, uint32_t plugin, const LuaOptions& options) {
  call_.host = host;
  call_.plugin = plugin;
  return protect(set_options, const_cast<LuaOptions*>(&options));
}

Status LuaState::call(const char* function, uint32_t argument_of) {
  Named named{function, argument_of};
  return protect(call_function, &named);
}

// LuaJIT collects when memory has doubled, which may be beyond the bound: from the half of it on,
// some is collected for whatever was taken.
void LuaState::relieve() noexcept {
  call_.left = call_.limit;  // finalizers are bounded, too
  const auto step = [](lua_State* lua) {
    lua_gc(lua, LUA_GCSTEP, 4 * (kLuaReserve >> 10));
    return 0;
  };
  if (lua_cpcall(lua_, step, nullptr)) lua_settop(lua_, 0);
  relief_ = std::max(bound_ / 2, used_ + kLuaReserve);
}

int LuaState::handle(bricks_event* events, uint32_t count, uint32_t* at) noexcept {
  call_.events = events;
  call_.count = count;
  call_.at = call_.first = 0;
  call_.mark = -1;
  call_.limit = description_.loops;
  uint32_t batched = 0;
  const uint32_t batch = description_.batch;
  while (batched < count && batch >> events[batched].type & 1) ++batched;
  call_.batched = batched;
  // A state that is full can still do what needs little: let go of something, for one.
  ceiling_ = std::max(bound_, std::min(used_ + kLuaReserve, bound_ + bound_ / 8));
  if (used_ > relief_) [[unlikely]]
    relieve();
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, drive_);
  const int result = lua_pcall(lua_, 0, 0, 0);
  call_.count = 0;  // from here on there are no events to ask about
  if (result == 0) [[likely]] {
    *at = count;
    return 0;
  }
  const uint32_t failed =
      call_.mark < 0 ? call_.at : call_.first + static_cast<uint32_t>(call_.mark);
  *at = std::min(failed, count - 1);
  error_ = message();
  lua_settop(lua_, 0);
  return 1;
}

void LuaState::free_context(void* context) noexcept {
  const auto index = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(context));
  if (call_.freed_count <= kSessionsMax)
    call_.freed[call_.freed_count++] = static_cast<int32_t>(index);
}

}  // namespace bricks
