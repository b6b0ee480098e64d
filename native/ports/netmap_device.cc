#include "ports/netmap_device.hh"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>

#include "abi/netmap_requests.h"

namespace bricks {
namespace {

int open_device(const char* path, int flags) { return ::open(path, flags); }
int control_device(int fd, unsigned long request, void* argument) {
  return ioctl(fd, request, argument);
}

constexpr size_t kLegacyNameBytes = sizeof nmreq::nr_name;

// Ports that the module keeps in one memory share one region: buffers may be exchanged.
std::shared_ptr<Region> region_of(uint16_t memory) {
  static std::mutex mutex;
  static std::map<uint16_t, std::weak_ptr<Region>> regions;
  std::lock_guard lock(mutex);
  std::erase_if(regions, [](const auto& entry) { return entry.second.expired(); });
  std::shared_ptr<Region> region = regions[memory].lock();
  if (!region) regions[memory] = region = Region::foreign();
  return region;
}

// NIOCCTRL came with API 14; a module that does not know the call says one of these.
bool may_be_old(int error) { return error == EINVAL || error == ENOTTY || error == EOPNOTSUPP; }

}  // namespace

const NetmapSystem kKernelNetmap = {open_device, control_device};

Status NetmapDevice::open(const NetmapName& name, const NetmapWishes& wishes,
                          std::unique_ptr<NetmapDevice>* device) {
  std::unique_ptr<NetmapDevice> made(new NetmapDevice(name, wishes));
  if (Status s = made->register_port(); !s.ok()) return s;
  *device = std::move(made);
  return {};
}

NetmapDevice::~NetmapDevice() {
  // The kernel takes back what hangs on the list: each buffer's first word names the next.
  if (interface_ && !extra.empty()) {
    uint32_t next = 0;
    for (uint32_t index : extra) {
      std::memcpy(rings[0].buffer(index), &next, sizeof next);
      next = index;
    }
    __atomic_store_n(&interface_->ni_bufs_head, next, __ATOMIC_RELEASE);
  }
  if (memory_base_) munmap(memory_base_, bytes_);
  if (fd_ >= 0) close(fd_);
}

int NetmapDevice::sync() noexcept {
  const unsigned long request = wishes_.transmit ? NIOCTXSYNC : NIOCRXSYNC;
  if (wishes_.system->control(fd_, request, nullptr) == 0) return 0;
  return errno == EINTR || errno == EAGAIN ? 0 : errno;
}

Status NetmapDevice::wrong(const std::string& what) const {
  return {Code::failed, "netmap:" + name_.port + ": the module's memory makes no sense: " + what +
                            "; is it of another version than API 14?"};
}

Status NetmapDevice::refused(int error) const {
  const std::string what = "netmap:" + name_.port;
  switch (error) {
    case ENXIO:
    case ENODEV:
      return {Code::no_such_interface, what + ": the netmap module knows no such port"};
    case EBUSY:
      return {Code::busy, what + ": another program has it for itself; end that first"};
    case EPERM:
    case EACCES:
      return {Code::permission_denied, what + ": the netmap module refuses you; run as root"};
    case ENOMEM:
      return {Code::limit_reached,
              what +
                  ": the netmap module has no memory left for it; ask for fewer slots or extra "
                  "buffers, or give it more: /sys/module/netmap/parameters/*buf_num, *ring_num"};
    case EINVAL:
      return {Code::invalid_argument,
              what +
                  ": the netmap module does not open it this way (no such ring, an MTU beyond its "
                  "buffers, a kind of device it cannot drive); `dmesg` says which"};
    default:
      return system_error("opening " + what, error);
  }
}

// 0, or an errno.
int NetmapDevice::register_now(uint64_t* offset, uint64_t* bytes) {
  nmreq_register body{};
  body.nr_mode = static_cast<uint32_t>(name_.part);
  body.nr_ringid = name_.ring;
  body.nr_flags = wishes_.transmit ? NR_TX_RINGS_ONLY : NR_RX_RINGS_ONLY;
  if (wishes_.exclusive) body.nr_flags |= NR_EXCLUSIVE;
  body.nr_tx_slots = body.nr_rx_slots = wishes_.slots;
  body.nr_tx_rings = body.nr_rx_rings = wishes_.rings;
  body.nr_mem_id = wishes_.memory;
  body.nr_extra_bufs = wishes_.extra;
  nmreq_header header{};
  header.nr_version = BRICKS_NETMAP_API;
  header.nr_reqtype = NETMAP_REQ_REGISTER;
  name_.port.copy(header.nr_name, sizeof header.nr_name - 1);
  header.nr_body = reinterpret_cast<uint64_t>(&body);
  if (wishes_.system->control(fd_, static_cast<uint32_t>(NIOCCTRL), &header) != 0) return errno;
  *offset = body.nr_offset;
  *bytes = body.nr_memsize;
  memory_ = body.nr_mem_id;
  extra_asked_ = body.nr_extra_bufs;
  return 0;
}

// The call of modules before NIOCCTRL. A pipe's number goes beside the name. 0, or an errno.
int NetmapDevice::register_legacy(uint64_t* offset, uint64_t* bytes) {
  nmreq request{};
  std::string port = name_.port;
  request.nr_flags = static_cast<uint32_t>(name_.part);
  request.nr_ringid = name_.ring;
  if (const size_t brace = port.find_last_of("{}"); name_.pipe && brace != std::string::npos) {
    const std::string number = port.substr(brace + 1);
    if (number.empty() || number.size() > 4 ||
        number.find_first_not_of("0123456789") != std::string::npos) {
      return EINVAL;
    }
    request.nr_flags = port[brace] == '{' ? NR_REG_PIPE_MASTER : NR_REG_PIPE_SLAVE;
    request.nr_ringid = static_cast<uint16_t>(std::stoul(number));
    port.resize(brace);
  }
  if (port.size() >= kLegacyNameBytes) return ENAMETOOLONG;
  port.copy(request.nr_name, kLegacyNameBytes - 1);
  request.nr_version = BRICKS_NETMAP_API;
  request.nr_flags |= wishes_.transmit ? NR_TX_RINGS_ONLY : NR_RX_RINGS_ONLY;
  if (wishes_.exclusive) request.nr_flags |= NR_EXCLUSIVE;
  request.nr_tx_slots = request.nr_rx_slots = wishes_.slots;
  request.nr_tx_rings = request.nr_rx_rings = wishes_.rings;
  request.nr_arg2 = wishes_.memory;
  request.nr_arg3 = wishes_.extra;
  if (wishes_.system->control(fd_, static_cast<uint32_t>(NIOCREGIF), &request) != 0) return errno;
  *offset = request.nr_offset;
  *bytes = request.nr_memsize;
  memory_ = request.nr_arg2;
  extra_asked_ = request.nr_arg3;
  legacy_ = true;
  return 0;
}

Status NetmapDevice::open_module(const std::string& port, const NetmapSystem& system, int* fd) {
  *fd = system.open(NETMAP_DEVICE, O_RDWR | O_CLOEXEC);
  if (*fd >= 0) return {};
  const std::string what = "netmap:" + port + ": ";
  switch (errno) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return {Code::unsupported, what + "there is no " NETMAP_DEVICE
                                        ": load the module (modprobe netmap); without it "
                                        "packet:IF takes AF_PACKET"};
    case EACCES:
    case EPERM:
      return {Code::permission_denied, what + "no right to open " NETMAP_DEVICE
                                              "; run as root, or give its group the right: chmod "
                                              "g+rw " NETMAP_DEVICE};
    default:
      return system_error(what + "opening " NETMAP_DEVICE, errno);
  }
}

Status NetmapDevice::register_port() {
  if (Status s = open_module(name_.port, *wishes_.system, &fd_); !s.ok()) return s;
  uint64_t offset = 0;
  int error = register_now(&offset, &bytes_);
  // What the older call says is only believed when it works: on a new module it knows less.
  if (may_be_old(error) && register_legacy(&offset, &bytes_) == 0) error = 0;
  if (error != 0) return refused(error);
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) {
    return system_error("mapping the memory of netmap:" + name_.port, errno);
  }
  memory_base_ = static_cast<uint8_t*>(memory);
  region_ = region_of(memory_);
  if (Status s = find_rings(offset); !s.ok()) return s;
  return take_extra();
}

std::string NetmapDevice::describe() const {
  static constexpr const char* kParts[] = {"ring", "hardware ring", "host ring", "ring"};
  const bool host = name_.part == NetmapPart::host || name_.part == NetmapPart::one_host;
  const bool plain = !name_.interface() || name_.part == NetmapPart::both;
  const char* kind = kParts[plain ? 0 : host ? 2 : 1];
  std::string text = "netmap on " + name_.port + ", " + std::to_string(rings.size()) + " " + kind +
                     (rings.size() == 1 ? "" : "s") + " of " + std::to_string(rings[0].slots) +
                     " slots, memory " + std::to_string(memory_);
  if (wishes_.extra) text += ", " + std::to_string(wishes_.extra) + " extra buffers";
  return text + (legacy_ ? ", by the call before API 14's" : "");
}

}  // namespace bricks
