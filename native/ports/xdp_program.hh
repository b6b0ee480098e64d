// The XDP program that hands packets of an interface's queues to AF_XDP sockets of this process.
// What has no socket goes on to the kernel. It hangs on a bpf_link, which lives in no file system:
// it goes with its last descriptor, whichever way the process ends, so that nothing stale is ever
// left on an interface. An interface has room for one program: ours never takes another's place.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "mem/status.hh"
#include "ports/packet_interface.hh"

namespace bricks {

// As find_interface; unsupported: it has no Ethernet frames.
Status find_xdp_interface(const std::string& name, Interface* interface);

// An interface's index means something in its network namespace only.
struct XdpPlace {
  uint64_t device = 0, inode = 0;  // of the calling thread's network namespace
  int index = 0;
  auto operator<=>(const XdpPlace&) const = default;
};
Status find_place(const Interface& interface, XdpPlace* place);

// Where the kernel runs the program: the driver (before there is an sk_buff) or behind it.
enum class XdpAttach { any, driver, generic };

class XdpProgram {
 public:
  // Control thread. The one of this process on that interface, made where there is none; it goes
  // with the last that holds it. busy names who has the interface; invalid_argument: it is there
  // with another `attach`; permission_denied, unsupported, failed.
  static Status get(const Interface& interface, XdpAttach attach,
                    std::shared_ptr<XdpProgram>* program);
  ~XdpProgram();
  XdpProgram(const XdpProgram&) = delete;
  XdpProgram& operator=(const XdpProgram&) = delete;

  // Packets of `queue` go to that AF_XDP socket, which is bound to it; from leave() on, to the
  // kernel again.
  Status steer(uint32_t queue, int socket);
  void leave(uint32_t queue) noexcept;
  bool in_driver() const noexcept { return in_driver_; }

 private:
  XdpProgram() = default;
  int load() noexcept;  // 0 or errno
  Status attach(const Interface& interface, XdpAttach attach);
  int map_ = -1, program_ = -1, link_ = -1;
  bool in_driver_ = false;
};

}  // namespace bricks
