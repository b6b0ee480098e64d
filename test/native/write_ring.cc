// Writes in batches by io_uring: in order, each with a result of its own, and none later.
#include "ports/write_ring.hh"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <numeric>

#include "check.hh"
#include "no_io_uring.hh"

namespace bricks {
namespace {

constexpr uint32_t kEntries = 64;

// A pair of sockets that keep packets apart, as an interface does; nobody waits.
struct Pair {
  Pair() { CHECK_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  int ends[2] = {-1, -1};
};

struct Numbers {
  Numbers() {
    std::iota(words.begin(), words.end(), 0u);
    for (uint32_t i = 0; i < kEntries; ++i) frames[i] = {&words[i], sizeof words[i]};
  }
  std::array<uint32_t, kEntries> words;
  std::array<iovec, kEntries> frames;
  std::array<int32_t, kEntries> results{};
};

// False, having said so: this machine has no io_uring.
bool opened(WriteRing& ring) {
  const Status status = ring.open(kEntries);
  if (!status.ok()) std::printf("  skipped: %s\n", status.message.c_str());
  return status.ok();
}

}  // namespace

TEST(write_ring_writes_in_order) {
  WriteRing ring;
  if (!opened(ring)) return;
  Pair pair;
  Numbers numbers;
  for (uint32_t count : {1u, kEntries, 7u, kEntries, kEntries}) {  // the ring goes round
    for (uint32_t i = 0; i < count; ++i) numbers.results[i] = 99;
    CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), count, numbers.results.data()), count);
    for (uint32_t i = 0; i < count; ++i) {
      uint32_t got = kEntries;
      CHECK_EQ(numbers.results[i], 4);
      CHECK_EQ(read(pair.ends[1], &got, sizeof got), 4);
      CHECK_EQ(got, i);
    }
  }
  CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), 1000, numbers.results.data()), kEntries);
}

TEST(write_ring_leaves_nothing_for_later) {
  WriteRing ring;
  if (!opened(ring)) return;
  Pair pair;
  Numbers numbers;
  uint32_t taken = 0, refused = 0;
  while (refused == 0 && taken < 1'000'000) {
    CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), kEntries, numbers.results.data()),
             kEntries);
    for (int32_t result : numbers.results) {
      CHECK(result == 4 || result == -EAGAIN);
      CHECK(result != 4 || refused == 0);  // nothing overtakes
      ++(result == 4 ? taken : refused);
    }
  }
  CHECK(refused > 0);
  uint32_t there = 0, word = 0;
  while (read(pair.ends[1], &word, sizeof word) == 4) ++there;
  CHECK_EQ(there, taken);
  CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), 1, numbers.results.data()), 1u);
  CHECK(read(pair.ends[1], &word, sizeof word) == 4 && word == 0);  // no one that was refused
}

TEST(write_ring_tells_errors_one_by_one) {
  WriteRing ring;
  if (!opened(ring)) return;
  Numbers numbers;
  CHECK_EQ(ring.write(-1, numbers.frames.data(), 3, numbers.results.data()), 3u);
  for (uint32_t i = 0; i < 3; ++i) CHECK_EQ(numbers.results[i], -EBADF);
  Pair pair;
  numbers.frames[1].iov_base = nullptr;
  CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), 3, numbers.results.data()), 3u);
  CHECK_EQ(numbers.results[0], 4);
  CHECK_EQ(numbers.results[1], -EFAULT);
  CHECK_EQ(numbers.results[2], 4);
  ring.close();
  CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), 3, numbers.results.data()), 0u);
}

TEST(write_ring_says_why_there_is_none) {
  without_io_uring([] {
    WriteRing ring;
    const Status status = ring.open(kEntries);
    CHECK(status.code == Code::unsupported);
    CHECK_EQ(status.message, "io_uring: Operation not permitted");
    CHECK(!ring.is_open());
  });
}

TEST(write_ring_says_why_it_is_of_no_use_any_more) {
  WriteRing ring;
  if (!opened(ring)) return;
  Pair pair;
  Numbers numbers;
  without_call(SYS_io_uring_enter, [&] {
    CHECK_EQ(ring.write(pair.ends[0], numbers.frames.data(), 3, numbers.results.data()), 0u);
    CHECK_EQ(ring.error(), EPERM);
  });
  uint32_t word = 0;
  CHECK_EQ(read(pair.ends[1], &word, sizeof word), -1);
}

}  // namespace bricks
