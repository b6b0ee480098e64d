// streams: TCP reassembly on one core, segments of 1,460 bytes of many connections in turns, what
// comes out read once. The limit loop beside copies each segment into a ring of its connection and
// reads it once: what remembering 4 KiB as evidence and looking at payload costs at least.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "figure.hh"
#include "mem/limits.hh"
#include "streams/tcp_streams.hh"

namespace bench {

using namespace bricks::streams;

namespace {

constexpr uint32_t kSegment = 1460;
constexpr uint32_t kRing = 4096;

uint64_t sum_of(const uint8_t* bytes, size_t length) {
  uint64_t sum = 0, word;
  for (; length >= 8; bytes += 8, length -= 8) {
    std::memcpy(&word, bytes, 8);
    sum += word;
  }
  return sum;
}

struct Adder final : Sink {
  uint64_t sum = 0, gaps = 0;
  void payload(uint32_t, uint64_t, std::span<const uint8_t> bytes) override {
    sum += sum_of(bytes.data(), bytes.size());
  }
  void gap(uint32_t, uint64_t, uint64_t, GapReason) override { ++gaps; }
};

// Segments as they lie in a driver's buffers: one after the other, 16 MB of them.
class Frames {
 public:
  Frames() : bytes_(8192 * 2112) {
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<uint8_t>(i * 31 >> 3);
  }
  const uint8_t* next() {
    place_ = (place_ + 1) % 8192;
    return &bytes_[place_ * 2112 + 54];
  }

 private:
  std::vector<uint8_t> bytes_;
  size_t place_ = 0;
};

class Reassembly {
 public:
  // One in `swapped` segments comes after the one behind it; 0: none.
  Reassembly(uint32_t connections, uint32_t swapped) : swapped_(swapped), sent_(connections) {
    StreamOptions options;
    options.connections = connections;
    options.bytes = uint64_t{4} << 30;
    const bricks::Status status = TcpStreams::create(options, &streams_);
    if (!status.ok()) {
      std::fprintf(stderr, "bench: %s\n", status.message.c_str());
      std::exit(1);
    }
    for (uint32_t i = 0; i < connections; ++i) numbers_.push_back(streams_->open());
    // Until each has all the memory that it will have.
    for (uint32_t i = 0; i < 6 * connections; i += bricks::kBatchDefault) run_batch();
  }
  uint64_t run_batch() {
    TcpSegment segment;
    segment.flags = kAck;
    segment.window = 65535;
    segment.length = kSegment;
    for (uint32_t i = 0; i < bricks::kBatchDefault; ++i) {
      if (++place_ == numbers_.size()) place_ = 0;
      uint32_t number = sent_[place_]++;
      // Of a direction's segments number k and k + 1 change places.
      if (swapped_ && number >= 2 && number % swapped_ <= 1) number ^= 1;
      segment.seq = number * kSegment;
      segment.payload = frames_.next();
      streams_->segment(numbers_[place_], 0, segment, adder_);
    }
    streams_->recycle();
    return uint64_t{bricks::kBatchDefault} * kSegment * 8 / 1000;
  }
  void check() const {
    if (adder_.gaps > numbers_.size()) std::fprintf(stderr, "bench: streams: there are gaps\n");
    __asm__ volatile("" ::"r"(adder_.sum));
  }

 private:
  uint32_t swapped_;
  std::unique_ptr<TcpStreams> streams_;
  std::vector<uint32_t> numbers_, sent_;
  Frames frames_;
  Adder adder_;
  size_t place_ = 0;
};

class CopyAndRead {
 public:
  explicit CopyAndRead(uint32_t connections) : rings_(uint64_t{connections} * kRing) {}
  uint64_t run_batch() {
    for (uint32_t i = 0; i < bricks::kBatchDefault; ++i) {
      if (++place_ == rings_.size() / kRing) {
        place_ = 0;
        turn_ = (turn_ + kSegment) % (kRing - kSegment);
      }
      const uint8_t* bytes = frames_.next();
      std::memcpy(&rings_[place_ * kRing + turn_], bytes, kSegment);
      sum_ += sum_of(bytes, kSegment);
    }
    __asm__ volatile("" ::"r"(sum_) : "memory");
    return uint64_t{bricks::kBatchDefault} * kSegment * 8 / 1000;
  }

 private:
  std::vector<uint8_t> rings_;
  Frames frames_;
  size_t place_ = 0, turn_ = 0;
  uint64_t sum_ = 0;
};

void measure(Figures& figures, uint32_t connections, uint32_t swapped, const char* input) {
  Reassembly streams(connections, swapped);
  CopyAndRead limit(connections);
  const PairOfSpreads both =
      measure_with_limit([&] { return streams.run_batch(); }, [&] { return limit.run_batch(); });
  streams.check();
  figures.push_back({"streams", input, "Gbit/s of payload", both.value, both.limit.median});
}

}  // namespace

void measure_streams(const Wanted& wanted, Figures& figures) {
  if (!wanted("streams")) return;
  measure(figures, 1000, 0, "1,000 connections, in order");
  measure(figures, 1000, 100, "1,000 connections, 1 % swapped");
  measure(figures, 100000, 0, "100,000 connections, in order");
  measure(figures, 100000, 100, "100,000 connections, 1 % swapped");
}

}  // namespace bench
