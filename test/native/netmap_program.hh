// A netmap program for tests, in both styles of the ABI; its calls go to libbricks-netmap, which is
// loaded beside and asked for its functions by name.
#pragma once

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>

#include <filesystem>

#include "abi/netmap_requests.h"
#include "check.hh"
#include "pipe_fixture.hh"

namespace bricks {

inline void* netmap_library() {
  static void* const loaded = [] {
    const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    void* opened = dlopen((folder / "libbricks-netmap.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!opened) std::printf("  %s\n", dlerror());
    return opened;
  }();
  return loaded;
}

// NETMAP(open)(...): the library's function of that name.
#define NETMAP(name) (reinterpret_cast<decltype(&name)>(dlsym(netmap_library(), #name)))

struct Wish {
  uint64_t flags = 0;
  uint32_t mode = NR_REG_ALL_NIC;
  uint16_t ring = 0, memory = 0, rings = 0;
  uint32_t slots = 0, extra = 0;
  bool legacy = false;
};

// An open port: NIOCCTRL, or the legacy call with the pipe's number apart from its name.
class NetmapPort {
 public:
  explicit NetmapPort(const std::string& name, const Wish& wish = {}) {
    fd = NETMAP(open)("/dev/netmap", O_RDWR);
    if (fd < 0) return;
    error = wish.legacy ? open_legacy(name, wish) : open_new(name, wish);
    if (error) return;
    memory = static_cast<uint8_t*>(
        NETMAP(mmap)(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    if (memory == MAP_FAILED) {
      error = errno;
      return;
    }
    nifp = reinterpret_cast<netmap_if*>(memory + offset);
  }
  ~NetmapPort() { leave(); }
  NetmapPort(const NetmapPort&) = delete;
  NetmapPort& operator=(const NetmapPort&) = delete;

  bool is_open() const {
    CHECK_EQ(error, 0);
    return nifp != nullptr;
  }
  void leave() {
    if (nifp) NETMAP(munmap)(memory, bytes);
    if (fd >= 0) NETMAP(close)(fd);
    nifp = nullptr;
    fd = -1;
  }
  netmap_ring* ring_at(uint32_t index) const {
    const int64_t at = nifp->ring_ofs[index];
    return at ? reinterpret_cast<netmap_ring*>(reinterpret_cast<uint8_t*>(nifp) + at) : nullptr;
  }
  netmap_ring* tx(uint32_t i = 0) const { return ring_at(i); }
  netmap_ring* rx(uint32_t i = 0) const {
    return ring_at(nifp->ni_tx_rings + nifp->ni_host_tx_rings + i);
  }
  int sync_tx() const { return NETMAP(ioctl)(fd, NIOCTXSYNC, nullptr); }
  int sync_rx() const { return NETMAP(ioctl)(fd, NIOCRXSYNC, nullptr); }
  // What of `events` poll reports; -1: it fails.
  int poll_for(short events, int timeout_ms) const {
    pollfd one{fd, events, 0};
    return NETMAP(poll)(&one, 1, timeout_ms) < 0 ? -1 : one.revents;
  }
  static uint8_t* buffer(netmap_ring* ring, uint32_t index) {
    return reinterpret_cast<uint8_t*>(ring) + ring->buf_ofs + uint64_t{index} * ring->nr_buf_size;
  }
  static uint32_t space(const netmap_ring* ring) {
    const uint32_t cur = ring->cur, tail = ring->tail;
    return tail >= cur ? tail - cur : tail + ring->num_slots - cur;
  }
  static uint32_t next(const netmap_ring* ring, uint32_t i) {
    return i + 1 == ring->num_slots ? 0 : i + 1;
  }
  // Puts packet `number` into the next slot; nobody sees it before a sync.
  static void put(netmap_ring* ring, uint64_t number, uint16_t length = 60, uint16_t flags = 0) {
    netmap_slot& slot = ring->slot[ring->head];
    const Bytes frame = make_frame(number, length);
    std::memcpy(buffer(ring, slot.buf_idx), frame.data(), frame.size());
    slot.len = length;
    slot.flags = flags;
    ring->head = ring->cur = next(ring, ring->head);
  }
  // Takes the next packet and checks that it is `number`, whole.
  static bool take(netmap_ring* ring, uint64_t number) {
    const netmap_slot& slot = ring->slot[ring->head];
    const Bytes frame = make_frame(number, slot.len);
    const bool same =
        std::memcmp(buffer(ring, slot.buf_idx), frame.data(), frame.size()) == 0 && slot.len >= 8;
    ring->head = ring->cur = next(ring, ring->head);
    return same;
  }

  int fd = -1, error = 0;
  uint64_t bytes = 0, offset = 0;
  uint32_t memory_id = 0, extra = 0;
  uint8_t* memory = nullptr;
  netmap_if* nifp = nullptr;

 private:
  int open_new(const std::string& name, const Wish& wish) {
    nmreq_header header{};
    nmreq_register reg{};
    header.nr_version = 14;
    header.nr_reqtype = NETMAP_REQ_REGISTER;
    name.copy(header.nr_name, sizeof header.nr_name - 1);
    header.nr_body = reinterpret_cast<uint64_t>(&reg);
    reg.nr_mode = wish.mode;
    reg.nr_flags = wish.flags;
    reg.nr_ringid = wish.ring;
    reg.nr_mem_id = wish.memory;
    reg.nr_tx_rings = reg.nr_rx_rings = wish.rings;
    reg.nr_tx_slots = reg.nr_rx_slots = wish.slots;
    reg.nr_extra_bufs = wish.extra;
    if (NETMAP(ioctl)(fd, NIOCCTRL, &header) != 0) return errno;
    bytes = reg.nr_memsize;
    offset = reg.nr_offset;
    memory_id = reg.nr_mem_id;
    extra = reg.nr_extra_bufs;
    return 0;
  }
  int open_legacy(const std::string& name, const Wish& wish) {
    const size_t brace = name.find_last_of("{}");
    nmreq request{};
    request.nr_version = 11;
    name.substr(0, brace).copy(request.nr_name, sizeof request.nr_name - 1);
    request.nr_flags = static_cast<uint32_t>(wish.flags);
    request.nr_flags |= name[brace] == '{' ? NR_REG_PIPE_MASTER : NR_REG_PIPE_SLAVE;
    request.nr_ringid = static_cast<uint16_t>(std::stoi(name.substr(brace + 1)));
    request.nr_arg2 = wish.memory;
    request.nr_arg3 = wish.extra;
    request.nr_tx_slots = request.nr_rx_slots = wish.slots;
    if (NETMAP(ioctl)(fd, NIOCREGIF, &request) != 0) return errno;
    bytes = request.nr_memsize;
    offset = request.nr_offset;
    memory_id = request.nr_arg2;
    extra = request.nr_arg3;
    return 0;
  }
};

// A daemon's port server, and the environment that leads to it.
struct NetmapHouse : PipeHouse {
  NetmapHouse() {
    CHECK(netmap_library() != nullptr);
    CHECK_EQ(serve().message, "");
    setenv("BRICKS_RUN_DIR", folder.path().c_str(), 1);
  }
  ~NetmapHouse() { unsetenv("BRICKS_RUN_DIR"); }
};

}  // namespace bricks
