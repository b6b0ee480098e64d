// One connection under test, spoken to in stream offsets.
#pragma once

#include <random>

#include "check.hh"
#include "stream_model.hh"

namespace stream_fixture {

using namespace bricks::streams;
using stream_model::Event;

struct Log : Sink {
  std::vector<Event> events[2];
  std::vector<Conflict> conflicts;
  std::string urgent_bytes, ends;
  uint64_t midstream = 0;

  void payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) override {
    CHECK(!bytes.empty());
    stream_model::append_payload(&events[direction], offset,
                                 {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void gap(uint32_t direction, uint64_t offset, uint64_t length, GapReason reason) override {
    if (reason == GapReason::midstream) {
      ++midstream;
    } else {
      events[direction].push_back({'g', offset, length, gap_reason_name(reason)});
    }
  }
  void conflict(uint32_t, const Conflict& conflict) override { conflicts.push_back(conflict); }
  void urgent(uint32_t, uint64_t, uint8_t byte) override {
    urgent_bytes += static_cast<char>(byte);
  }
  void end(uint32_t direction, uint64_t offset, EndReason reason) override {
    static constexpr const char* kNames[] = {"fin", "depth", "cap", "stopped"};
    ends += std::to_string(direction) + "@" + std::to_string(offset) +
            kNames[static_cast<int>(reason)] + " ";
  }
  std::string text(uint32_t direction = 0) const { return stream_model::show(events[direction]); }
};

inline StreamOptions small_options() {
  StreamOptions options;
  options.connections = 16;
  options.bytes = 4u << 20;
  options.session_bytes = 1u << 20;
  options.direction_bytes = 512u << 10;
  return options;
}

class Talk {
 public:
  explicit Talk(const StreamOptions& options = small_options(), uint32_t isn = 1000) : isn_(isn) {
    const bricks::Status status = TcpStreams::create(options, &streams_);
    if (!status.ok()) std::printf("  %s\n", status.message.c_str());
    connection_ = streams_->open();
  }
  Taken syn(uint32_t direction = 0) {
    TcpSegment segment;
    segment.seq = direction ? kOther : isn_;
    segment.flags = kSyn | (direction ? kAck : 0);
    segment.ack = isn_ + 1;
    segment.window = 65535;
    return pass(direction, segment);
  }
  // `at`: offset in the stream.
  Taken data(int64_t at, std::string_view bytes, uint8_t flags = 0) {
    TcpSegment segment;
    segment.seq = isn_ + 1 + static_cast<uint32_t>(at);
    segment.flags = flags;
    // Memory of its own size: reading beyond it is seen by the sanitizer.
    const std::vector<uint8_t> own(bytes.begin(), bytes.end());
    segment.payload = own.data();
    segment.length = static_cast<uint32_t>(own.size());
    return pass(0, segment);
  }
  void ack(int64_t to, uint16_t window = 65535) {
    TcpSegment segment;
    segment.seq = kOther + 1;
    segment.ack = isn_ + 1 + static_cast<uint32_t>(to);
    segment.flags = kAck;
    segment.window = window;
    pass(1, segment);
  }
  Taken pass(uint32_t direction, TcpSegment segment) {
    segment.time = time;
    const Taken taken = streams_->segment(connection_, direction, segment, log);
    streams_->recycle();
    return taken;
  }
  void close() {
    streams_->close(connection_, log);
    streams_->recycle();
    CHECK_EQ(streams_->bytes_used(), 0u);
    connection_ = 0;
  }
  TcpStreams& streams() { return *streams_; }
  uint32_t connection() const { return connection_; }
  StreamPosition position() const { return streams_->position(connection_, 0); }

  Log log;
  bricks::Nanos time = 1;

 private:
  static constexpr uint32_t kOther = 77777;
  std::unique_ptr<TcpStreams> streams_;
  uint32_t connection_, isn_;
};

// Numbers that show what is off by one, or wraps.
inline constexpr uint32_t kIsns[] = {0, 1, (1u << 31) - 4, 0xffffffffu, 0xfffffffbu};

inline uint64_t print_seed(const char* name) {
  const char* given = std::getenv("STREAM_SEED");
  const uint64_t seed = given ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::printf("%s: STREAM_SEED=%llu\n", name, static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace stream_fixture
