// session-events: what a Session brick gives a plugin in C, one core, 100,000 sessions: PACKET
// events of frames in random order, and sessions that are set up and taken down. The limit loop
// walks the same frames in the same order, hashes their headers and counts by flow, as the plugin
// does. Decoding is part of both.
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "bricks/brick.hh"
#include "figure.hh"
#include "must.hh"
#include "plugins/plugin_list.hh"
#include "session_frames.hh"
#include "sessions/session_table.hh"
#include "wire/bytes.hh"
#include "wire/decode.hh"

namespace bench {

using namespace bricks;

namespace {

constexpr uint32_t kSessions = 100000;

std::string plugin_path(const char* name) {
  const auto build = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  if (std::string_view(name).ends_with(".lua"))
    return build.parent_path().parent_path().parent_path() / "test/plugins" / name;
  return build / "plugins" / (std::string(name) + ".so");
}

class Followed {
 public:
  Followed(const SessionFrames& frames, const char* plugin, uint32_t capacity = 1u << 20)
      : frames_(frames) {
    must(SessionTable::create("bench", capacity, &table_));
    must(open_plugin_list(&list_));
    if (plugin) {
      PluginSpec spec;
      Options keys;
      keys["path"] = plugin_path(plugin);
      must(read_plugin_spec("bench", std::move(keys), {}, &spec));
      must(find_plugin_list(list_)->set({std::move(spec)}));
    }
    const BrickType* type = find_brick_type("Session");
    Options options;
    options["plugins"] = static_cast<int64_t>(list_);
    options["midstream"] = true;
    must(check_options("Session", type->options, &options));
    const BrickPlace place{1, 1, {"out"}, "session", table_.get(), nullptr};
    must(type->make(options, place, &brick_));
    brick_->expect({});
  }
  ~Followed() {
    brick_.reset();
    close_plugin_list(list_);
  }
  void add(uint32_t i, uint8_t* frame) {
    batch_->packets[i] = {frame, 60, 0, now_, 0, 0, 0, 0};
    if (i < kPrefetchAhead) prefetch_far(frame);
  }
  void push(uint32_t count) {
    table_->tick(now_ += 1200);
    batch_->count = count;
    batch_->now = now_;
    batch_->plain = true;  // inputs of short frames say so
    decode(*batch_, process_hash_seed());
    list_of_ = {own_, own_, own_};
    Outlets outlets({&list_of_, 1}, cell_);
    brick_->push(*batch_, {all_.data(), count}, outlets);
  }
  uint64_t breathe() {
    const uint32_t* flows = frames_.next(&place_);
    for (uint32_t i = 0; i < kBatchDefault; ++i) add(i, frames_.at(flows[i]));
    push(kBatchDefault);
    return kBatchDefault;
  }
  uint64_t figure(const std::string& name) const {
    bricks::Figure all[kFiguresMax];
    const uint32_t count = brick_->figures(all);
    for (uint32_t i = 0; i < count; ++i) {
      if (name == all[i].name) return all[i].value;
    }
    return 0;
  }

 private:
  const SessionFrames& frames_;
  uint64_t list_ = 0;
  std::unique_ptr<SessionTable> table_;
  std::unique_ptr<Brick> brick_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
  Index own_[kBatchMax];
  Outlets::List list_of_ = {};
  LedgerCell cell_;
  std::vector<Index> all_ = [] {
    std::vector<Index> all(kBatchMax);
    std::iota(all.begin(), all.end(), Index{0});
    return all;
  }();
  Nanos now_ = 1000000000000;
  size_t place_ = 0;
};

void set_tcp(uint8_t* frame, uint8_t flags, uint8_t seq, uint8_t ack) {
  frame[41] = seq, frame[45] = ack, frame[47] = flags, frame[48] = 4;
  frame[17] = flags & 2 ? 40 : 46;  // a SYN has no payload
}

// Every session is active before it is measured, TCP by its handshake.
void set_up(const SessionFrames& frames, Followed& followed, bool tcp) {
  for (uint32_t part = 0; part < 3; ++part) {
    for (uint32_t i = 0; i < kSessions; ++i) {
      uint8_t* frame = frames.at(part == 1 ? kSessions + i : i);
      if (tcp && part == 0) set_tcp(frame, 2, 10, 0);
      if (tcp && part == 1) set_tcp(frame, 0x12, 100, 11);
      if (tcp && part == 2) set_tcp(frame, 0x10, 11, 101);
      followed.add(0, frame);
      followed.push(1);
      if (tcp && part == 1) set_tcp(frame, 0x10, 101, 11);
    }
  }
  if (followed.figure("activated") != kSessions) {
    std::fprintf(stderr, "bench: not all sessions are active\n");
    std::exit(1);
  }
}

void measure_packets(Figures& figures, uint8_t protocol, const char* name,
                     const char* group = "session-events", const char* plugin = "session_counter") {
  const SessionFrames frames(kSessions, protocol);  // one of each session, that way or the other
  Followed followed(frames, plugin);
  {
    const SessionFrames talk(2 * kSessions, protocol, true);
    set_up(talk, followed, protocol == 6);
    for (uint32_t i = 0; i < kSessions; ++i) {
      std::memcpy(frames.at(i), talk.at(i % 2 ? kSessions + i : i), SessionFrames::kFrame);
    }
  }
  for (uint32_t done = 0; done < 2 * kSessions; done += kBatchDefault) followed.breathe();
  std::vector<uint64_t> counts(1u << 17);
  size_t place = 0;
  const HashSeed& seed = process_hash_seed();
  const auto limit = [&]() -> uint64_t {
    const uint32_t* flow = frames.next(&place);
    for (uint32_t i = 0; i < kBatchDefault; ++i) prefetch_far(frames.at(flow[i]));
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      const uint8_t* frame = frames.at(flow[i]);
      const auto addresses = load<uint64_t>(frame + 26);
      const uint64_t ports = load<uint32_t>(frame + 34);
      const uint32_t hash = hash_endpoints((addresses & 0xffffffff) | (ports & 0xffff) << 32,
                                           addresses >> 32 | (ports >> 16) << 32, seed);
      counts[hash >> 15] += 60;
    }
    return kBatchDefault;
  };
  const PairOfSpreads both = measure_with_limit([&] { return followed.breathe(); }, limit);
  figures.push_back({group, name, "Mpps", both.value, both.limit.median});
}

// A SYN and the reset that answers it: OPENING, two packets, CLOSING.
void measure_lives(Figures& figures) {
  const SessionFrames frames(kSessions);
  Followed followed(frames, "session_counter");
  std::vector<uint8_t> answers(size_t{kSessions} * SessionFrames::kFrame);
  for (uint32_t i = 0; i < kSessions; ++i) {
    uint8_t* frame = frames.at(i);
    uint8_t* answer = &answers[size_t{i} * SessionFrames::kFrame];
    frame[47] = 2;
    std::memcpy(answer, frame, SessionFrames::kFrame);
    std::memcpy(answer + 26, frame + 30, 4);
    std::memcpy(answer + 30, frame + 26, 4);
    std::memcpy(answer + 34, frame + 36, 2);
    std::memcpy(answer + 36, frame + 34, 2);
    answer[45] = 1;  // acknowledges 0 and the SYN
    answer[47] = 0x14;
  }
  size_t place = 0;
  uint32_t round = 0;
  const auto live = [&]() -> uint64_t {
    const uint32_t* flows = frames.next(&place);
    if (place == kBatchDefault) ++round;
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      // Another sequence number each time: no SYN that was seen before.
      uint8_t* frame = frames.at(flows[i]);
      uint8_t* answer = &answers[size_t{flows[i]} * SessionFrames::kFrame];
      const uint32_t seq = __builtin_bswap32(round * 1000);
      const uint32_t ack = __builtin_bswap32(round * 1000 + 1);
      std::memcpy(frame + 38, &seq, 4);
      std::memcpy(answer + 42, &ack, 4);
      followed.add(2 * i, frame);
      followed.add(2 * i + 1, answer);
    }
    followed.push(2 * kBatchDefault);
    return kBatchDefault;
  };
  const auto nothing = []() -> uint64_t { return kBatchDefault; };
  const PairOfSpreads both = measure_with_limit(live, nothing);
  figures.push_back({"session-events", "set up and taken down", "M/s", both.value, 0});
  if (followed.figure("closed_rst") != followed.figure("created")) {
    std::fprintf(stderr, "bench: of %llu sessions only %llu were closed by their reset\n",
                 static_cast<unsigned long long>(followed.figure("created")),
                 static_cast<unsigned long long>(followed.figure("closed_rst")));
    std::exit(1);
  }
}

}  // namespace

void measure_session_events(const Wanted& wanted, Figures& figures) {
  if (const char* group = "session-events-lua"; wanted(group)) {
    measure_packets(figures, 17, "UDP, 100,000 sessions, on_batch", group, "session_counter.lua");
    measure_packets(figures, 17, "UDP, 100,000 sessions, on_packet", group,
                    "session_counter_singly.lua");
  }
  if (!wanted("session-events")) return;
  measure_packets(figures, 17, "UDP, 100,000 sessions, shuffled");
  measure_packets(figures, 6, "TCP, 100,000 sessions, shuffled");
  measure_lives(figures);
}

}  // namespace bench
