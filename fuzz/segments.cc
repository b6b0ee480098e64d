// Fuzzes TCP reassembly: an input is options, then segments, ACKs, closings and take-backs of two
// connections, as their senders like them. Whatever they are: memory stays below its caps, every
// offset is given out once and in order or said to be a gap, and all memory comes back at the end.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "must.hh"
#include "streams/tcp_streams.hh"

namespace bricks::streams {
namespace {

// Holds what comes out to being one stream.
struct Checker final : Sink {
  uint64_t next[2] = {}, sum = 0;
  bool ended[2] = {}, is_rewound[2] = {};

  void expect(uint32_t direction, uint64_t offset, uint64_t length) {
    MUST(direction < 2);
    // Taken back: from there, or a piece of it once more.
    if (is_rewound[direction] && offset <= next[direction]) {
      if (offset + length > next[direction]) next[direction] = offset;
    }
    if (offset + length <= next[direction] && is_rewound[direction]) return;
    MUST(!ended[direction] || is_rewound[direction] || next[direction] == 0);
    ended[direction] = false;         // a SYN behind a FIN that was of nothing
    MUST(offset >= next[direction]);  // urgent bytes may be left out
    MUST(offset <= next[direction] + 1);
    next[direction] = offset + length;
  }
  void payload(uint32_t direction, uint64_t offset, std::span<const uint8_t> bytes) override {
    MUST(!bytes.empty());
    for (const uint8_t byte : bytes) sum += byte;  // all of it can be read
    expect(direction, offset, bytes.size());
  }
  void gap(uint32_t direction, uint64_t offset, uint64_t length, GapReason reason) override {
    MUST((length == 0) == (reason == GapReason::midstream));
    expect(direction, offset, length);
  }
  void conflict(uint32_t, const Conflict& conflict) override {
    MUST(conflict.length > 0);
    MUST(conflict.had_bytes[0] != conflict.came_bytes[0]);
    MUST(conflict.had_bytes[conflict.length - 1] != conflict.came_bytes[conflict.length - 1]);
  }
  void end(uint32_t direction, uint64_t, EndReason) override { ended[direction] = true; }
};

struct Reader {
  const uint8_t* at;
  size_t left;
  uint8_t byte() {
    if (!left) return 0;
    --left;
    return *at++;
  }
  uint32_t word() { return static_cast<uint32_t>(byte() | byte() << 8); }
};

void run(Reader input) {
  StreamOptions options;
  options.connections = 2;
  options.bytes = 1u << 20;
  const uint8_t pick = input.byte();
  options.evidence = pick & 1 ? 3000 : 0;
  options.direction_bytes = 160u << 10;
  options.session_bytes = 200u << 10;
  options.segments = pick & 2 ? 8 : 1000;
  options.delivery = pick & 4 ? Delivery::acked : Delivery::immediate;
  options.midstream = pick & 8;
  options.over_cap = static_cast<OverCap>((pick >> 4) % 3);
  options.urgent = static_cast<UrgentPolicy>(pick >> 6);
  const uint8_t more = input.byte();
  options.policy = static_cast<OverlapPolicy>(more % kOverlapPolicyCount);
  options.depth = more & 64 ? 20000 : 0;
  options.hole_timeout = more & 128 ? 50 : 0;
  std::unique_ptr<TcpStreams> streams;
  MUST(TcpStreams::create(options, &streams).ok());
  const uint32_t isn = input.word() << 16 | input.word();
  uint32_t connections[2] = {streams->open(), streams->open()};
  Checker checkers[2];
  Nanos now = 0;
  while (input.left) {
    const uint8_t what = input.byte();
    const uint32_t which = what & 1, direction = what >> 1 & 1;
    TcpSegment segment;
    segment.flags = input.byte();
    segment.seq = isn + (what & 4 ? input.word() << 12 : input.word());
    segment.ack = isn + input.word();
    segment.window = input.byte();
    segment.urgent = input.byte();
    const uint32_t wanted = what & 8 ? input.word() : input.byte();
    segment.length = static_cast<uint32_t>(wanted < input.left ? wanted : input.left);
    segment.wire_length = segment.length + (what & 16 ? 100 : 0);
    // Memory of its own size.
    const auto own = std::make_unique<uint8_t[]>(segment.length);
    if (segment.length) std::memcpy(own.get(), input.at, segment.length);
    segment.payload = own.get();
    segment.time = now += 10;
    streams->segment(connections[which], direction, segment, checkers[which]);
    if ((what & 0xe0) == 0x20) {
      checkers[which].is_rewound[direction] = true;
      streams->undo(connections[which], direction);
    } else if ((what & 0xe0) == 0x40) {
      streams->stop(connections[which], direction, checkers[which]);
    } else if ((what & 0xe0) == 0x60) {
      streams->close(connections[which], checkers[which]);
      checkers[which] = Checker{};
      connections[which] = streams->open();
      MUST(connections[which] != 0);
    } else if ((what & 0xe0) == 0x80) {
      streams->expire(connections[which], now += 100, checkers[which]);
    }
    if (what & 0x80) streams->recycle();
    MUST(streams->bytes_used() <= options.bytes);
    MUST(streams->position(connections[which], direction).waiting <= options.segments);
    // A segment that came in order may be kept on: the bytes of one more direction's evidence.
    MUST(streams->position(connections[which], direction).memory <=
         options.direction_bytes + 24 * options.segments);
  }
  for (const uint32_t i : {0u, 1u}) streams->close(connections[i], checkers[i]);
  MUST(streams->bytes_used() == 0);
}

}  // namespace
}  // namespace bricks::streams

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size >= 8) bricks::streams::run({data, size});
  return 0;
}
