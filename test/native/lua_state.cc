// A Lua plugin in its state, with hand-made events: what it sees, what its errors are, its bounds.
#include "plugins/lua_state.hh"

#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "check.hh"

using namespace bricks;

namespace {

// A file of the test's own.
class LuaFile {
 public:
  explicit LuaFile(const std::string& text) {
    const int fd = mkstemp(path_.data());
    CHECK(fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    close(fd);
  }
  ~LuaFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "bricks-lua-XXXXXX").string();
};

std::string g_emitted;
int emit(uint32_t, const char* line, size_t length) {
  g_emitted.append(line, length) += '|';
  return 0;
}
int drop(bricks_session* session) { return session->protocol == 6 ? 0 : BRICKS_ESTATE; }
bricks_host host() {
  bricks_host h{};
  h.abi = BRICKS_PLUGIN_ABI;
  h.size = sizeof h;
  h.emit = emit;
  h.drop_packet = drop;
  h.detach_me = drop;
  return h;
}

// A plugin with ten sessions of its own, for which events are made by hand.
struct World {
  explicit World(const std::string& text) : file(text) {
    g_emitted.clear();
    status = LuaState::open(std::make_shared<LuaSources>(file.path()), &state);
    if (status.ok()) status = state->start(&calls, 7, {{"who", std::string("me")}, {"n", 2.5}});
    for (uint32_t i = 0; i < 10; ++i) {
      flows[i].id = i;
      sessions[i].flow = &flows[i];
      sessions[i].protocol = 6;
      sessions[i].ip_version = 4;
      const uint8_t address[] = {10, 0, 0, static_cast<uint8_t>(i)};
      std::memcpy(flows[i].address[0], address, 4);
      flows[i].port[0] = __builtin_bswap16(static_cast<uint16_t>(1000 + i));
    }
  }
  bricks_event make(uint32_t session, bricks_event_type type) {
    bricks_event event{};
    event.session = &sessions[session];
    event.context = &contexts[session];
    event.type = static_cast<uint8_t>(type);
    event.packet = type == BRICKS_EVENT_CLOSING ? nullptr : &packet;
    event.data = "payload";
    event.length = 7;
    return event;
  }
  // "what it emitted", or "at: error".
  std::string give(std::vector<bricks_event> events) {
    g_emitted.clear();
    uint32_t at = 99;
    if (state->handle(events.data(), static_cast<uint32_t>(events.size()), &at) == 0)
      return at == events.size() ? g_emitted : "at is wrong";
    return g_emitted + std::to_string(at) + ": " + state->error();
  }
  std::string give_packets(uint32_t count) {
    std::vector<bricks_event> events;
    for (uint32_t i = 0; i < count; ++i) events.push_back(make(i, BRICKS_EVENT_PACKET));
    return give(std::move(events));
  }

  LuaFile file;
  bricks_host calls = host();
  std::unique_ptr<LuaState> state;
  Status status;
  bricks_session sessions[10]{};
  bricks_flow flows[10]{};
  void* contexts[10]{};
  bricks_packet_view packet{};
};

bool has(const std::string& text, const char* part) {
  if (text.find(part) != std::string::npos) return true;
  std::printf("  '%s' is not in: %s\n", part, text.c_str());
  return false;
}

}  // namespace

TEST(lua_plugin_sees_events_sessions_and_options) {
  World world(R"(
    return {
      options = {who = {type = 'text', summary = 's'}, n = {type = 'number', preset = 1}},
      on_packet = function(e)
        local s = e.session
        bricks.emit(e:type_name() .. ' ' .. s:source_address() .. ':' .. s:source_port() .. ' ' ..
          e:payload() .. ' ' .. bricks.options.who .. bricks.options.n .. ' ' ..
          bricks.error_name(s:drop_packet()))
      end,
    })");
  CHECK_EQ(world.status.message, "");
  CHECK_EQ(world.state->description().events, 1u << BRICKS_EVENT_PACKET);
  CHECK_EQ(world.state->description().options.size(), 2u);
  CHECK_EQ(world.state->description().options[0].name, "n");
  CHECK_EQ(world.state->description().options[0].preset, "1");
  CHECK(!world.state->description().options[1].has_preset);
  CHECK_EQ(world.give_packets(2),
           "packet 10.0.0.0:1000 payload me2.5 DONE|packet 10.0.0.1:1001 payload me2.5 DONE|");
  world.sessions[0].protocol = 17;
  world.sessions[0].ip_version = 6;
  CHECK_EQ(world.give_packets(1), "packet a00:::1000 payload me2.5 ESTATE|");
}

TEST(lua_plugin_keeps_a_value_for_each_session) {
  World world(R"(
    return {
      on_packet = function(e)
        local mine = e:get() or {n = 0}
        mine.n = mine.n + 1
        e:set(mine)
        bricks.emit(tonumber(e.session.id) .. '=' .. mine.n)
      end,
      on_closing = function(e) bricks.emit('end ' .. e:get().n .. ' ' .. e:reason_name()) end,
    })");
  CHECK_EQ(world.status.message, "");
  CHECK_EQ(world.give_packets(3), "0=1|1=1|2=1|");
  CHECK_EQ(world.give_packets(2), "0=2|1=2|");
  bricks_event closing = world.make(1, BRICKS_EVENT_CLOSING);
  closing.reason = BRICKS_CLOSE_TIMEOUT_ACTIVE;
  CHECK_EQ(world.give({closing}), "end 2 timeout_active|");
  CHECK(world.contexts[1] == nullptr);  // let go of by itself: no leak
  CHECK(world.contexts[0] != nullptr);
  world.state->free_context(world.contexts[0]);  // a session that went without being closed
  world.contexts[0] = nullptr;
  CHECK_EQ(world.give_packets(3), "0=1|1=1|2=2|");
}

TEST(lua_plugin_that_leaves_a_session_keeps_nothing_of_it) {
  World world(R"(
    return {
      batch = {'packet'},
      on_batch = function(events, count)
        for i = 0, count - 1 do
          events[i]:set('mine')
          bricks.emit(bricks.error_name(events[i].session:detach()))
        end
      end,
      on_opening = function(e)
        e:set('mine')
        bricks.emit(e:community_id() .. e.session:detach())
      end,
    })");
  CHECK_EQ(world.give_packets(2), "DONE|DONE|");
  CHECK(world.contexts[0] == nullptr && world.contexts[1] == nullptr);
  const uint8_t from[] = {128, 232, 110, 120}, to[] = {66, 35, 250, 204};
  std::memcpy(world.flows[3].address[0], from, 4);
  std::memcpy(world.flows[3].address[1], to, 4);
  world.flows[3].port[0] = __builtin_bswap16(34855);
  world.flows[3].port[1] = __builtin_bswap16(80);
  CHECK_EQ(world.give({world.make(2, BRICKS_EVENT_OPENING), world.make(3, BRICKS_EVENT_OPENING)})
               .substr(32),
           "1:LQU9qZlK+B5F3KDmev6m5PMibrg=0|");
  CHECK(world.contexts[3] == nullptr);
}

TEST(lua_plugin_that_fails_is_named_by_event_and_line) {
  World world(R"(return { on_packet = function(e)
      if e.session.id == 2 then
        error('two')
      end
      if e.session.id == 4 then error({}) end
      if e.session.id == 5 then local x = nil; x.y = 1 end
      bricks.emit(tostring(tonumber(e.session.id)))
    end })");
  CHECK(has(world.give_packets(4), ":3: two"));
  CHECK(has(world.give_packets(4), "0|1|2: "));
  // What comes behind it is given again, without it.
  CHECK(has(world.give({world.make(3, BRICKS_EVENT_PACKET), world.make(4, BRICKS_EVENT_PACKET)}),
            "3|1: an error that is no text but a table"));
  CHECK(has(world.give({world.make(5, BRICKS_EVENT_PACKET)}), "attempt to index"));
}

TEST(lua_plugin_gets_batches_and_says_where_it_is) {
  World world(R"(return {
    batch = {'packet', 'closing'},
    on_opening = function(e) bricks.emit('open ' .. tonumber(e.session.id)) end,
    on_batch = function(events, count, mark)
      bricks.emit('batch ' .. count)
      for i = 0, count - 1 do
        if events[i].session.id ~= 9 then mark.at = i end
        if events[i].session.id == 3 then error('three') end
      end
    end })");
  CHECK_EQ(world.status.message, "");
  CHECK_EQ(world.state->description().batch,
           BRICKS_ON(BRICKS_EVENT_PACKET) | BRICKS_ON(BRICKS_EVENT_CLOSING));
  CHECK_EQ(world.give_packets(3), "batch 3|");
  CHECK_EQ(world.give({world.make(0, BRICKS_EVENT_PACKET), world.make(1, BRICKS_EVENT_OPENING),
                       world.make(2, BRICKS_EVENT_OPENING), world.make(5, BRICKS_EVENT_PACKET),
                       world.make(6, BRICKS_EVENT_CLOSING)}),
           "batch 1|open 1|open 2|batch 2|");
  CHECK(has(world.give({world.make(1, BRICKS_EVENT_OPENING), world.make(2, BRICKS_EVENT_PACKET),
                        world.make(3, BRICKS_EVENT_PACKET), world.make(4, BRICKS_EVENT_PACKET)}),
            "open 1|batch 3|2: "));
}

TEST(lua_plugin_cannot_run_for_ever_in_compiled_code) {
  World world(R"(
    local n = 0
    return { loops = 100000, on_packet = function(e)
      if e.session.id == 1 then while true do n = n + 1 end end
      if e.session.id == 2 then while true do pcall(function() while true do end end) end end
      if e.session.id == 3 then load('while true do end')() end
      if e.session.id == 4 then for i = 1, 90000 do n = n + i end end
    end })");
  CHECK_EQ(world.status.message, "");
  for (int round = 0; round < 3; ++round) {
    for (uint32_t bad = 1; bad < 4; ++bad) {
      const std::string said =
          world.give({world.make(0, BRICKS_EVENT_PACKET), world.make(bad, BRICKS_EVENT_PACKET)});
      CHECK(has(said, "budget: 100000 loops and calls for one event are used up"));
      CHECK(has(said, "1: "));
    }
    // Each event has a budget of its own.
    CHECK_EQ(world.give({world.make(4, BRICKS_EVENT_PACKET), world.make(4, BRICKS_EVENT_PACKET),
                         world.make(4, BRICKS_EVENT_PACKET)}),
             "");
  }
}

TEST(lua_plugin_has_so_much_memory_and_no_more) {
  World world(R"(
    local hoard = {}
    return { memory = 8, on_packet = function(e)
      if e.session.id == 1 then for i = 1, 1e6 do hoard[#hoard + 1] = {i} end end
      if e.session.id == 2 then local s = ('x'):rep(1e8) end
      if e.session.id == 3 then hoard = {} collectgarbage() end
    end })");
  CHECK_EQ(world.status.message, "");
  for (int round = 0; round < 3; ++round) {
    CHECK_EQ(world.give({world.make(1, BRICKS_EVENT_PACKET)}), "0: not enough memory");
    CHECK(world.state->bytes() <= 9u << 20);
    CHECK_EQ(world.give({world.make(3, BRICKS_EVENT_PACKET)}), "");
    CHECK(world.state->bytes() < 2u << 20);
    CHECK_EQ(world.give({world.make(2, BRICKS_EVENT_PACKET)}), "0: not enough memory");
  }
}

TEST(lua_plugin_garbage_is_collected_before_it_is_too_much) {
  World world(R"(
    local live = {}
    for i = 1, 40000 do live[i] = {i} end
    return { memory = 5, on_packet = function(e)
      for i = 1, 100 do e:set({i}) end
    end })");
  CHECK_EQ(world.status.message, "");
  CHECK(world.state->bytes() > (5u << 20) / 2);  // so that twice as much would be too much
  for (int round = 0; round < 3000; ++round) CHECK_EQ(world.give_packets(10), "");
}

TEST(lua_plugin_files_that_are_none_say_why) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"return {on_packet = ", "unexpected symbol near '<eof>'"},
      {"return 3", "the file is to return a table"},
      {"return {}", "it has no function for any event"},
      {"return {on_paket = function() end}", "unknown key on_paket"},
      {"return {on_packet = 3}", "on_packet is to be a function, not a number"},
      {"return {on_packet = print, loops = 0}", "loops is to be 1 to 1000000000"},
      {"return {on_packet = print, memory = 1e9}", "memory is to be 1 to"},
      {"return {on_packet = print, options = {x = {}}}", "options.x.type is to be"},
      {"return {on_packet = print, options = {x = {type = 'text', defualt = ''}}}",
       "options.x has an unknown key defualt"},
      {"return {on_batch = print, batch = {'paket'}}", "batch has an unknown name paket"},
      {"return {on_protocol = print, protocols = {'dnss'}}", "protocols has an unknown name dnss"},
      {"os.exit(0)", "os.exit is the daemon's own business"},
      {"while true do end", "budget: "},
      {"local t = {} while true do t[#t + 1] = {} end", "not enough memory: it may have 64 MiB"},
      {"require('nowhere')", "nowhere.lua"},
      {"load(string.dump(function() end))()", "attempt to call a nil value"},
      {"bricks.emit('x')", "the host is there from init on"},
      {"error('\\0\\1')", ": "},
  };
  for (const auto& [text, message] : cases) {
    World world(text);
    CHECK(!world.status.ok());
    CHECK(has(world.status.message, message));
    CHECK(has(world.status.message, world.file.path().c_str()));
  }
  std::unique_ptr<LuaState> state;
  const Status status = LuaState::open(std::make_shared<LuaSources>("/nonexistent.lua"), &state);
  CHECK_EQ(status.code, Code::no_such_file);
}

TEST(lua_plugin_names_every_record_of_the_decoders) {
  std::string text = "local ffi = require('ffi') local n = tonumber(ffi.C.BRICKS_RECORD_COUNT)\n";
  text += R"(local event = ffi.new('bricks_event', {type = bricks.PROTOCOL})
    for kind = 1, n - 1 do
      event.kind = kind
      assert(event:record() ~= nil or event.data == nil, kind)
      assert(pcall(event.record, event) and tostring(ffi.typeof(event:record())):find('bricks_'))
    end
    event.kind = n
    assert(event:record() == nil)
    assert(#tostring(ffi.new('struct bricks_text', 'abc', 2)) == 2)
    local p = tonumber(ffi.C.BRICKS_PROTOCOL_COUNT) - 1
    for i = 1, p do
      local flow = ffi.new('bricks_flow', {application = i})
      local s = ffi.new('bricks_session', {flow = flow})
      assert(s:application_name(), i)
    end
    return {on_protocol = print})";
  World world(text);
  CHECK_EQ(world.status.message, "");
  CHECK_EQ(world.state->description().protocols, ~0u);
}
