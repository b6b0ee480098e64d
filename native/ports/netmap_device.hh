// An open netmap port: /dev/netmap, registered (NIOCCTRL, or the call before it) and mapped, with
// its rings found and checked. What lies in the mapping is hostile: another program may have the
// same memory, and whoever stands in for the kernel may lie. Each word is read once and bounded.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "abi/netmap.h"
#include "mem/region.hh"
#include "mem/status.hh"
#include "ports/netmap_name.hh"

namespace bricks {

// The two calls that reach the kernel module; mapping, waiting and closing are as for any file.
// Tests put their own in place, which play a network card.
struct NetmapSystem {
  int (*open)(const char* path, int flags);
  int (*control)(int fd, unsigned long request, void* argument);
};
extern const NetmapSystem kKernelNetmap;

struct NetmapWishes {
  bool transmit = false;  // its transmit rings; else its receive rings
  bool exclusive = false;
  uint16_t rings = 0, memory = 0;  // 0: the module's default
  uint32_t slots = 0;
  uint32_t extra = 0;  // buffers beside those of the rings
  const NetmapSystem* system = &kKernelNetmap;
};

// One ring of the port, as checked when it was opened. `shared` is everybody's, the rest is ours.
struct NetmapRing {
  netmap_ring* shared = nullptr;
  uint8_t* buffers = nullptr;  // buffer 0
  uint32_t slots = 0;
  uint32_t stride = 0;   // bytes from one buffer to the next
  uint32_t limit = 0;    // buffers below it lie in the mapping
  uint64_t offsets = 0;  // mask of slot.ptr where packets begin inside their buffers; 0: at 0

  uint32_t after(uint32_t slot) const noexcept { return slot + 1 == slots ? 0 : slot + 1; }
  uint32_t distance(uint32_t from, uint32_t to) const noexcept {
    return to >= from ? to - from : to + slots - from;
  }
  uint32_t tail() const noexcept { return __atomic_load_n(&shared->tail, __ATOMIC_ACQUIRE); }
  uint8_t* buffer(uint32_t index) const noexcept {
    return buffers + static_cast<uint64_t>(index) * stride;
  }
  bool is_buffer(uint32_t index) const noexcept {
    return index >= BRICKS_NETMAP_FIRST_BUFFER && index < limit;
  }
  // What slot `at` (< slots) says; `ptr` only where there are offsets.
  netmap_slot read(uint32_t at) const noexcept;
  // Slots before `at` are the kernel's from the next sync on.
  void advance(uint32_t at) const noexcept;
};

class NetmapDevice {
 public:
  // Control thread. unsupported: no module; no_such_interface, permission_denied, busy,
  // limit_reached, invalid_argument, failed: what the module said.
  static Status open(const NetmapName& name, const NetmapWishes& wishes,
                     std::unique_ptr<NetmapDevice>* device);
  // The module itself; *fd is the caller's. unsupported, permission_denied, failed.
  static Status open_module(const std::string& port, const NetmapSystem& system, int* fd);
  ~NetmapDevice();  // gives the extra buffers back
  NetmapDevice(const NetmapDevice&) = delete;
  NetmapDevice& operator=(const NetmapDevice&) = delete;

  int fd() const noexcept { return fd_; }
  // Tells the kernel what was given back or is to be sent, and asks what is new: 0, or an errno.
  int sync() noexcept;
  // Stands for this memory in Batch.region: the same for all ports of this process that share it.
  Region* region() const noexcept { return region_.get(); }
  bool legacy() const noexcept { return legacy_; }
  uint16_t memory() const noexcept { return memory_; }
  std::string describe() const;  // "2 hardware rings of 1024 slots, ..."

  std::vector<NetmapRing> rings;
  // Buffers that no ring has. Whoever takes one out, puts one back before the device is closed.
  std::vector<uint32_t> extra;

 private:
  NetmapDevice(const NetmapName& name, const NetmapWishes& wishes) : name_(name), wishes_(wishes) {}
  Status register_port();
  int register_now(uint64_t* offset, uint64_t* bytes);
  int register_legacy(uint64_t* offset, uint64_t* bytes);
  Status refused(int error) const;
  Status find_rings(uint64_t offset);
  Status check_ring(uint64_t offset, NetmapRing* ring) const;
  Status take_extra();
  Status wrong(const std::string& what) const;

  const NetmapName name_;
  const NetmapWishes wishes_;
  int fd_ = -1;
  uint8_t* memory_base_ = nullptr;
  uint64_t bytes_ = 0;
  netmap_if* interface_ = nullptr;
  std::shared_ptr<Region> region_;
  uint16_t memory_ = 0;
  uint32_t extra_asked_ = 0;
  bool legacy_ = false;
};

}  // namespace bricks
