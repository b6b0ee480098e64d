// lua-events: PACKET events given to a plugin in Lua, one core, 100,000 sessions in random order:
// what LuaJIT and the host cost, without what makes the events. The limit loop beside does in C
// what the plugin does.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <vector>

#include "figure.hh"
#include "mem/limits.hh"
#include "plugins/lua_state.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kSessions = 100000;

// Counts packets, bytes and SYNs, and bytes of one protocol.
constexpr char kOnPacket[] = R"(
  local band = require('bit').band
  local packets, bytes, syns, dns = 0, 0, 0, 0
  local function look(e)
    local p = e.packet
    packets = packets + 1
    bytes = bytes + p.wire_length
    if band(p.tcp_flags, 2) ~= 0 then syns = syns + 1 end
    if e.session.application == 1 then dns = dns + p.wire_length end
  end
)";
constexpr char kSingly[] = "return {on_packet = look}";
constexpr char kBatch[] = R"(return {on_batch = function(events, count, mark)
    for i = 0, count - 1 do
      mark.at = i
      look(events[i])
    end
  end})";
constexpr char kValue[] = R"(return {on_packet = function(e)
    e:set((e:get() or 0) + 1)
  end})";

class Events {
 public:
  Events() : sessions_(kSessions), flows_(kSessions), contexts_(kSessions), order_(kSessions) {
    for (uint32_t i = 0; i < kSessions; ++i) sessions_[i].flow = &flows_[i];
    std::iota(order_.begin(), order_.end(), 0u);
    uint64_t state = 1;
    for (size_t i = kSessions - 1; i > 0; --i) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      std::swap(order_[i], order_[(state >> 33) % (i + 1)]);
    }
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      packets_[i].wire_length = 60;
      packets_[i].tcp_flags = 0x10;
      events_[i].packet = &packets_[i];
      events_[i].type = BRICKS_EVENT_PACKET;
    }
  }
  bricks_event* next() {
    if (place_ + 2 * kBatchDefault > kSessions) place_ = 0;
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      const uint32_t session = order_[place_ + i];
      events_[i].session = &sessions_[session];
      events_[i].context = &contexts_[session];
      __builtin_prefetch(&sessions_[order_[place_ + kBatchDefault + i]]);
      __builtin_prefetch(&contexts_[order_[place_ + kBatchDefault + i]]);
    }
    place_ += kBatchDefault;
    return events_;
  }

 private:
  std::vector<bricks_session> sessions_;
  std::vector<bricks_flow> flows_;
  std::vector<void*> contexts_;
  std::vector<uint32_t> order_;
  bricks_packet_view packets_[kBatchDefault]{};
  bricks_event events_[kBatchDefault]{};
  size_t place_ = 0;
};

std::unique_ptr<LuaState> load(const std::string& text) {
  std::string path = (std::filesystem::temp_directory_path() / "bricks-bench-XXXXXX").string();
  const int file = mkstemp(path.data());
  if (file < 0 || write(file, text.data(), text.size()) < 0)
    std::perror(path.c_str()), std::exit(1);
  close(file);
  std::unique_ptr<LuaState> state;
  const Status status = LuaState::open(std::make_shared<LuaSources>(path), &state);
  unlink(path.c_str());
  if (status.ok()) return state;
  std::fprintf(stderr, "bench: %s\n", status.message.c_str());
  std::exit(1);
}

void measure(Figures& figures, const char* name, const std::string& text) {
  const std::unique_ptr<LuaState> state = load(text);
  Events of_lua, of_limit;
  const auto lua = [&]() -> uint64_t {
    uint32_t at = 0;
    if (state->handle(of_lua.next(), kBatchDefault, &at) == 0) return kBatchDefault;
    std::fprintf(stderr, "bench: %s\n", state->error().c_str());
    std::exit(1);
  };
  uint64_t packets = 0, bytes = 0, syns = 0, dns = 0;
  const auto limit = [&]() -> uint64_t {
    const bricks_event* events = of_limit.next();
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      const bricks_packet_view& packet = *events[i].packet;
      ++packets;
      bytes += packet.wire_length;
      if (packet.tcp_flags & 2) ++syns;
      if (events[i].session->flow->application == 1) dns += packet.wire_length;
    }
    return kBatchDefault;
  };
  const PairOfSpreads both = measure_with_limit(lua, limit);
  figures.push_back({"lua-events", name, "Mpps", both.value, both.limit.median});
  if (packets == 0 || bytes + syns + dns == 0) std::abort();  // the loop's work is used
}

}  // namespace

void measure_lua_events(const Wanted& wanted, Figures& figures) {
  if (!wanted("lua-events")) return;
  const std::string look = kOnPacket;
  measure(figures, "on_batch", look + kBatch);
  measure(figures, "on_packet", look + kSingly);
  measure(figures, "on_packet with a value each", kValue);
}

}  // namespace bench
