// A daemon that lies: whatever stands in the mapped memory or in a reply, a consumer stays inside
// its mapping, ends its loops and keeps no descriptors.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>

#include "abi/pipe_packets.h"
#include "check.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

constexpr uint64_t kRegion = 64 * 1024;
constexpr uint64_t kRing = 1024;
constexpr uint32_t kStride = 2112;

// Memory with pages on both sides that nobody may touch.
struct Guarded {
  uint8_t* all;
  uint8_t* region;
  Guarded() {
    all = static_cast<uint8_t*>(
        mmap(nullptr, kRegion + 2 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    region = all + 4096;
    mprotect(region, kRegion, PROT_READ | PROT_WRITE);
  }
  ~Guarded() { munmap(all, kRegion + 2 * 4096); }
};

bricks_pipe honest_header() {
  bricks_pipe pipe{};
  pipe.magic = BRICKS_PIPE_MAGIC;
  pipe.version = BRICKS_PIPE_VERSION;
  pipe.slots = 16;
  pipe.region_bytes = kRegion;
  pipe.ring_offset = kRing;
  pipe.buffer_offset = 4096;
  pipe.buffer_bytes = kStride;
  pipe.buffers = 18;
  pipe.link_type = 1;
  return pipe;
}

// Mostly small, sometimes at a border, sometimes anything.
uint64_t odd_number(Random& random) {
  switch (random.below(4)) {
    case 0:
      return random.below(64);
    case 1:
      return kRegion - random.below(64) * 8;
    case 2:
      return 0 - static_cast<uint64_t>(random.below(4096));
    default:
      return random.next() >> random.below(64);
  }
}

void distort(bricks_pipe* pipe, Random& random) {
  const uint64_t value = odd_number(random);
  switch (random.below(7)) {
    case 0:
      pipe->slots = static_cast<uint32_t>(value);
      break;
    case 1:
      pipe->ring_offset = value;
      break;
    case 2:
      pipe->buffer_offset = value;
      break;
    case 3:
      pipe->buffer_bytes = static_cast<uint32_t>(value);
      break;
    case 4:
      pipe->buffers = static_cast<uint32_t>(value);
      break;
    case 5:
      pipe->link_type = static_cast<uint32_t>(value);
      break;
    default:
      break;
  }
}

// Reads up to `most` packets and touches every byte. False when one lies outside.
bool read_some(bricks_reader* reader, const uint8_t* region, uint8_t* frame, uint32_t most,
               uint64_t* sum) {
  bricks_view view{};
  for (uint32_t i = 0; i < most; ++i) {
    if (reader->cursor == reader->tail && !bricks_reader_look(reader)) return true;
    if (!bricks_reader_slot(reader, reader->cursor, &view)) return true;
    if (view.more) {
      if (!bricks_reader_gather(reader, &view, frame)) return true;
      if (view.length > BRICKS_READER_FRAME_MAX) return false;
    } else {
      if (view.data < region || view.data + view.length > region + kRegion) return false;
      reader->cursor = bricks_reader_after(reader, reader->cursor);
    }
    for (uint32_t k = 0; k < view.length; ++k) *sum += view.data[k];
    bricks_reader_give_back(reader);
  }
  return true;
}

size_t open_fds() {
  size_t count = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder)) ++count;
  closedir(folder);
  return count;
}

// Answers one client after another with whatever `answer` sends.
struct FakeDaemon {
  RunFolder folder;
  int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  FakeDaemon() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", folder.socket().c_str());
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) ||
        listen(listener, 8)) {
      std::abort();
    }
  }
  ~FakeDaemon() { close(listener); }

  bricks_result ask(const std::function<void(int)>& answer, std::string* why) {
    bricks_consumer* consumer = nullptr;
    std::thread daemon([&] {
      const int fd = accept(listener, nullptr, nullptr);
      char request[4096];
      if (recv(fd, request, sizeof request, 0) != sizeof(bricks_attach_request)) std::abort();
      answer(fd);
      close(fd);
    });
    bricks_options options{};
    options.run_dir = folder.path().c_str();
    char text[768] = "";
    const bricks_result result = bricks_attach(&consumer, "x}0", &options, text, sizeof text);
    daemon.join();
    bricks_detach(consumer);
    *why = text;
    return result;
  }
};

void send_with_fds(int to, const void* bytes, size_t size, const std::vector<int>& fds) {
  alignas(cmsghdr) char control[CMSG_SPACE(32 * sizeof(int))] = {};
  iovec part{const_cast<void*>(bytes), size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  if (sendmsg(to, &message, MSG_NOSIGNAL) < 0) std::perror("sendmsg");
}

}  // namespace

TEST(client_stays_inside_its_memory_whatever_header_and_ring_say) {
  constexpr uint64_t kSeed = 0x5eed0001;
  constexpr int kRounds = 100000;
  std::printf("  seed %llx, %d rounds\n", static_cast<unsigned long long>(kSeed), kRounds);
  Random random{kSeed};
  Guarded memory;
  std::vector<uint8_t> frame(BRICKS_READER_FRAME_MAX + 1);
  uint64_t sum = 0;
  uint32_t accepted = 0, inside = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto* words = reinterpret_cast<uint64_t*>(memory.region + kRing);
    for (int i = 0; i < 80; ++i) words[i] = random.next();
    auto* ring = reinterpret_cast<netmap_ring*>(memory.region + kRing);
    ring->head = random.below(18);
    ring->tail = random.below(18);
    for (uint32_t i = 0; i < 16; ++i) {  // likely enough to be read on
      ring->slot[i].buf_idx = random.below(19);
      ring->slot[i].len = static_cast<uint16_t>(random.below(2112));
      if (random.below(8) == 0) ring->slot[i].len = static_cast<uint16_t>(random.next());
    }
    bricks_pipe header = honest_header();
    for (uint32_t i = random.below(3); i > 0; --i) distort(&header, random);
    std::memcpy(memory.region, &header, sizeof header);
    const uint64_t offset = random.below(8) ? 0 : odd_number(random);
    bricks_reader reader;
    if (bricks_reader_open(&reader, memory.region, kRegion, offset)) {
      ++inside;
      continue;
    }
    ++accepted;
    if (read_some(&reader, memory.region, frame.data(), 40, &sum)) ++inside;
  }
  CHECK_EQ(inside, static_cast<uint32_t>(kRounds));
  CHECK(accepted > kRounds / 4 && accepted < kRounds);
  CHECK(sum != 1);
}

TEST(client_survives_a_ring_that_changes_under_its_hands) {
  constexpr uint64_t kSeed = 0x5eed0002;
  std::printf("  seed %llx\n", static_cast<unsigned long long>(kSeed));
  Guarded memory;
  const bricks_pipe header = honest_header();
  std::memcpy(memory.region, &header, sizeof header);
  std::atomic<bool> done{false};
  std::thread scribbler([&] {
    Random random{kSeed};
    auto* words = reinterpret_cast<uint64_t*>(memory.region + kRing);
    while (!done.load(std::memory_order_relaxed)) {
      const uint32_t at = random.below(sizeof(netmap_ring) / 8 + 32);
      uint64_t value = random.next();
      if (at >= sizeof(netmap_ring) / 8) value &= 0x0020'0fff'0000'001full;
      if (at == 2) value &= 0x0000'000f'ffff'ffffull;  // dir, head
      if (at == 3) value &= 0x0000'000f'ffff'ffffull;  // cur, tail
      __atomic_store_n(words + at, value, __ATOMIC_RELAXED);
    }
  });
  std::vector<uint8_t> frame(BRICKS_READER_FRAME_MAX + 1);
  uint64_t sum = 0;
  bool inside = true;
  for (int round = 0; round < 20000; ++round) {
    bricks_reader reader;
    if (bricks_reader_open(&reader, memory.region, kRegion, 0)) continue;
    inside = inside && read_some(&reader, memory.region, frame.data(), 100, &sum);
  }
  done = true;
  scribbler.join();
  CHECK(inside);
}

TEST(client_refuses_replies_that_cannot_be) {
  constexpr uint64_t kSeed = 0x5eed0003;
  std::printf("  seed %llx\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  FakeDaemon daemon;
  bricks_attach_reply good{};
  good.magic = BRICKS_PIPE_MAGIC;
  good.version = BRICKS_PIPE_VERSION;
  good.region_bytes = kRegion;
  const int open_memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  const int firm_memory = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK_EQ(ftruncate(open_memory, kRegion), 0);
  CHECK_EQ(ftruncate(firm_memory, kRegion), 0);
  CHECK_EQ(fcntl(firm_memory, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const size_t fds_before = open_fds();
  std::string why;

  const auto refused = [&](const bricks_attach_reply& reply, const std::vector<int>& fds,
                           size_t size = sizeof(bricks_attach_reply)) {
    const bricks_result result =
        daemon.ask([&](int fd) { send_with_fds(fd, &reply, size, fds); }, &why);
    return result == BRICKS_FAILED && !why.empty();
  };
  CHECK(refused(good, {}));                                       // no descriptors
  CHECK(refused(good, {firm_memory, event}));                     // too few
  CHECK(refused(good, {firm_memory, event, event, event}));       // too many
  CHECK(refused(good, std::vector<int>(30, event)));              // far too many
  CHECK(refused(good, {firm_memory, event, event}, 100));         // cut short
  CHECK(refused(good, {open_memory, event, event}));              // could shrink
  CHECK(refused(good, {event, event, event}));                    // no memory at all
  CHECK(refused(good, {firm_memory, event, event}));              // all zero: no pipe
  CHECK(refused(good, {firm_memory, firm_memory, firm_memory}));  // nothing to sleep on
  bricks_attach_reply reply = good;
  reply.region_bytes = kRegion * 2;
  CHECK(refused(reply, {firm_memory, event, event}));
  reply.region_bytes = 0;
  CHECK(refused(reply, {firm_memory, event, event}));
  reply = good;
  reply.code = 99;
  std::memset(reply.message, 'x', sizeof reply.message);  // no end
  CHECK(refused(reply, {}));
  CHECK(why.size() < sizeof reply.message);
  for (int i = 0; i < 200; ++i) {
    uint8_t noise[sizeof reply + 64];
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random.next());
    const size_t size = 1 + random.below(sizeof noise);
    const bricks_result result =
        daemon.ask([&](int fd) { send_with_fds(fd, noise, size, {event}); }, &why);
    CHECK_EQ(result, BRICKS_FAILED);
  }
  CHECK_EQ(daemon.ask([](int) {}, &why), BRICKS_UNREACHABLE);  // hangs up
  CHECK_EQ(open_fds(), fds_before);
  close(open_memory);
  close(firm_memory);
  close(event);
}
