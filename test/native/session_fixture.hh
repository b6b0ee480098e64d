// A session manager with a table of its own and a sink that writes down what it gets, in the manner
// of "O0 A1 P0 C:fin". Packets are made by hand.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "check.hh"
#include "frames.hh"
#include "sessions/session_manager.hh"
#include "wire/decode.hh"

namespace bricks::sessions {

using frames::Bytes;
using frames::Ends;
inline constexpr Nanos kSecond = 1000000000, kStart = 1000 * kSecond;

struct Segment {
  uint32_t seq, ack;
  uint8_t flags;
  uint32_t bytes = 0;
  uint16_t window = 1000;
  int scale = -1;
  int64_t stamp = -1;  // -1: none
};
inline Bytes tcp(const Ends& ends, const Segment& s) {
  using namespace frames;
  Bytes options;
  if (s.stamp >= 0) options = Bytes{1, 1, 8, 10} + be32(static_cast<uint32_t>(s.stamp)) + be32(0);
  if (s.scale >= 0) options = options + Bytes{1, 3, 3, static_cast<uint8_t>(s.scale)};
  return be16(ends.source_port) + be16(ends.target_port) + be32(s.seq) + be32(s.ack) +
         Bytes{static_cast<uint8_t>((5 + options.size() / 4) << 4), s.flags} + be16(s.window) +
         be32(0) + options + Bytes(s.bytes, 'd');
}
inline Bytes tcp_frame(const Ends& ends, const Segment& s) {
  return frames::ethernet(ends, 0x0800, frames::ip4(ends, {}, tcp(ends, s)));
}
inline Bytes udp_saying(const Ends& ends, const std::string& text) {
  const Bytes payload(text.begin(), text.end());
  const Bytes datagram = frames::udp(ends.source_port, ends.target_port, payload);
  return frames::ethernet(ends, 0x0800, frames::ip4(ends, {.protocol = 17}, datagram));
}
inline Bytes udp_frame(const Ends& ends, uint32_t bytes = 4) {
  return udp_saying(ends, std::string(bytes, 'u'));
}
// Fields of decode() are empty.
inline Packet packet_of(const Bytes& frame, Nanos time) {
  Packet made = {};
  made.data = const_cast<uint8_t*>(frame.data());
  made.length = static_cast<uint32_t>(frame.size());
  made.timestamp = time;
  return made;
}

inline const char* reason_name(uint32_t reason) {
  static constexpr const char* kNames[] = {
      "none",   "fin",  "rst",      "t-opening", "t-active", "t-closing", "lru",   "memcap",
      "reused", "kill", "poisoned", "admin",     "shutdown", "eof",       "parent"};
  return kNames[reason];
}

// All a sink is told, by session and in all; and that the rules of the game are kept.
struct Log final : SessionSink {
  std::string text;
  std::map<uint64_t, std::string> by_id;
  std::map<uint64_t, int> stage;  // 1: began, 2: opening, 3: active, 4: closing, 5: over
  uint64_t closings = 0;
  SessionManager* manager = nullptr;
  uint64_t kill = 0;  // that session, with its next packet

  void say(const bricks_session& session, const std::string& what) {
    text += (text.empty() ? "" : " ") + what;
    std::string& own = by_id[session.flow->id];
    own += (own.empty() ? "" : " ") + what;
  }
  void began(bricks_session& session) noexcept override {
    CHECK_EQ(stage[session.flow->id], 0);
    stage[session.flow->id] = 1;
  }
  void lifecycle(std::span<bricks_event> events) noexcept override {
    for (const bricks_event& event : events) {
      int& at = stage[event.session->flow->id];
      const std::string side = event.packet ? std::to_string(event.direction) : "";
      if (event.type == BRICKS_EVENT_OPENING) {
        CHECK_EQ(at, 1);
        at = 2;
        say(*event.session, "O" + side);
      } else if (event.type == BRICKS_EVENT_ACTIVE) {
        CHECK_EQ(at, 2);
        CHECK_EQ(event.session->state, BRICKS_SESSION_ACTIVE);
        at = 3;
        say(*event.session, "A" + side);
      } else {
        CHECK(at == 2 || at == 3);
        CHECK_EQ(event.session->state, BRICKS_SESSION_CLOSING);
        CHECK_EQ(event.reason, event.session->close_reason);
        at = 4;
        ++closings;
        say(*event.session, std::string("C:") + reason_name(event.reason));
      }
    }
  }
  void packets(std::span<bricks_event> events) noexcept override {
    for (const bricks_event& event : events) {
      const int at = stage[event.session->flow->id];
      CHECK(at == 2 || at == 3);
      say(*event.session, "P" + std::to_string(event.direction));
      if (event.session->flow->id == kill) {
        manager->close(*event.session, BRICKS_CLOSE_PLUGIN_KILL, event.packet);
        kill = 0;
      }
    }
  }
  void settled(std::span<const uint16_t>) noexcept override {}
  void over(bricks_session& session) noexcept override {
    CHECK_EQ(stage[session.flow->id], 4);
    stage[session.flow->id] = 5;
  }
  std::string take() {
    std::string taken = std::move(text);
    text.clear();
    return taken;
  }
};

// As an engine does it, part by part.
inline void end_all(SessionManager& manager, bricks_close_reason reason, SessionSink& sink) {
  for (bool more = true; more;) {
    more = manager.end_some(reason);
    while (manager.unsettled()) manager.settle(sink);
  }
}

// Made at kStart.
struct Managed {
  std::unique_ptr<SessionTable> table;
  std::unique_ptr<SessionManager> manager;

  Managed(const SessionRules& rules, uint32_t capacity) {
    CHECK(SessionTable::create("test", capacity, &table).ok());
    table->tick(kStart);
    CHECK(SessionManager::create("s", rules, *table, &manager).ok());
  }
};

struct World : Managed {
  std::unique_ptr<Batch> batch = std::make_unique<Batch>();
  Log log;
  Nanos now = kStart;
  std::vector<Bytes> waiting;
  std::vector<Nanos> times;

  explicit World(const SessionRules& rules = {}, uint32_t capacity = 10000)
      : Managed(rules, capacity) {
    log.manager = manager.get();
  }
  // A packet of the next batch.
  World& add(Bytes frame) {
    waiting.push_back(std::move(frame));
    times.push_back(now);
    return *this;
  }
  void run() {
    batch->count = static_cast<uint32_t>(waiting.size());
    std::vector<Index> all;
    for (uint32_t i = 0; i < batch->count; ++i) {
      batch->packets[i] = packet_of(waiting[i], times[i]);
      all.push_back(static_cast<Index>(i));
    }
    decode(*batch, process_hash_seed());
    batch->decoded = true;
    if (batch->count) table->tick(times[0]);
    manager->run(*batch, all, true, log);
    waiting.clear();
    times.clear();
  }
  std::string push(Bytes frame) {
    add(std::move(frame));
    run();
    return log.take();
  }
  // Time goes by without packets.
  std::string wait(Nanos time) {
    for (const Nanos end = now + time; now < end;) {
      now = std::min(end, now + kSecond / 10);
      table->tick(now);
      while (manager->unsettled()) manager->settle(log);
    }
    return log.take();
  }
  std::string end(bricks_close_reason reason) {
    end_all(*manager, reason, log);
    return log.take();
  }
  const SessionManagerCounts& counts() const { return manager->counts(); }
};

inline constexpr uint8_t kSa = kTcpSyn | kTcpAck, kFa = kTcpFin | kTcpAck;
inline const Ends kClient = {1, 2, 40000, 443};

inline std::string show(const World& world) {
  const SessionManagerCounts& c = world.counts();
  return std::to_string(c.created) + " created " + std::to_string(c.closed) + " closed " +
         std::to_string(c.live) + " live";
}
// What client and server say, from the client's side.
struct Connection {
  World& world;
  Ends ends = kClient;
  uint32_t client = 1000, server = 5000;  // ISNs

  std::string from_client(const Segment& s) { return world.push(tcp_frame(ends, s)); }
  std::string from_server(const Segment& s) { return world.push(tcp_frame(ends.reversed(), s)); }
  std::string open() {
    std::string all = from_client({client, 0, kTcpSyn});
    all += " " + from_server({server, client + 1, kSa});
    return all + " " + from_client({client + 1, server + 1, kTcpAck});
  }
};

}  // namespace bricks::sessions
