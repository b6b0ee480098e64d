#include "ports/xdp_program.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>

#include "mem/limits.hh"

namespace bricks {
namespace {

constexpr char kProgramName[] = "bricks_xdp";

std::mutex programs_mutex;

std::map<XdpPlace, std::weak_ptr<XdpProgram>>& programs() {
  static std::map<XdpPlace, std::weak_ptr<XdpProgram>> all;
  return all;
}

Status refusal(const Interface& interface, const std::string& what, int error) {
  if (error == EPERM || error == EACCES) {
    return {Code::permission_denied,
            "no right to " + what + " on interface " + interface.name +
                ": it takes root or CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF; run with sudo, or "
                "take packet:" +
                interface.name};
  }
  return system_error("xdp:" + interface.name + ": " + what, error);
}

// Who is there already.
Status taken(const Interface& interface) {
  bpf_xdp_query_opts found{};
  found.sz = sizeof found;
  std::string name, number;
  if (bpf_xdp_query(interface.index, 0, &found) == 0) {
    uint32_t id = found.prog_id;
    for (uint32_t each : {found.drv_prog_id, found.skb_prog_id, found.hw_prog_id})
      if (id == 0) id = each;
    const int fd = id ? bpf_prog_get_fd_by_id(id) : -1;
    bpf_prog_info info{};
    uint32_t length = sizeof info;
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &length) == 0) name = info.name;
    if (fd >= 0) close(fd);
    number = std::to_string(id);
  }
  if (name == kProgramName) {
    return {Code::busy, "interface " + interface.name +
                            " is already received from through AF_XDP, by another bricks process; "
                            "stop that one, or take packet:" +
                            interface.name};
  }
  return {Code::busy, "interface " + interface.name + " has an XDP program already" +
                          (name.empty() ? "" : ", \"" + name + "\"") +
                          (number.empty() ? "" : " (id " + number + ")") +
                          ", which bricks leaves alone; take packet:" + interface.name +
                          ", or if nobody needs that program: ip link set dev " + interface.name +
                          " xdp off"};
}

}  // namespace

Status find_xdp_interface(const std::string& name, Interface* interface) {
  if (Status status = find_interface(name, interface); !status.ok()) return status;
  if (interface->link_header && interface->link == LinkType::ethernet) return {};
  return {Code::unsupported, "interface " + name +
                                 " carries packets without an Ethernet header, which AF_XDP here "
                                 "does not take; packet:" +
                                 name + " does"};
}

Status find_place(const Interface& interface, XdpPlace* place) {
  struct stat here;
  if (stat("/proc/thread-self/ns/net", &here) != 0) {
    return system_error("looking for this thread's network namespace", errno);
  }
  *place = {here.st_dev, here.st_ino, interface.index};
  return {};
}

Status XdpProgram::get(const Interface& interface, XdpAttach attach,
                       std::shared_ptr<XdpProgram>* program) {
  XdpPlace place;
  if (Status status = find_place(interface, &place); !status.ok()) return status;
  std::lock_guard lock(programs_mutex);
  std::weak_ptr<XdpProgram>& known = programs()[place];
  if (auto there = known.lock()) {
    const bool fits =
        attach == XdpAttach::any || (attach == XdpAttach::driver) == there->in_driver_;
    if (!fits) {
      return {Code::invalid_argument,
              "xdp:" + interface.name +
                  " is already open with attach=" + (there->in_driver_ ? "drv" : "skb") +
                  "; an interface has one XDP program: say the same for all its ports"};
    }
    *program = std::move(there);
    return {};
  }
  static const bool quiet = (libbpf_set_print(nullptr), true);  // it writes to stderr otherwise
  (void)quiet;
  std::shared_ptr<XdpProgram> made(new XdpProgram);
  if (int error = made->load()) return refusal(interface, "load an XDP program", error);
  if (Status status = made->attach(interface, attach); !status.ok()) return status;
  known = made;
  *program = std::move(made);
  return {};
}

XdpProgram::~XdpProgram() {
  for (int fd : {link_, program_, map_})
    if (fd >= 0) close(fd);
}

// return bpf_redirect_map(&sockets, context->rx_queue_index, XDP_PASS): where no socket is, its
// third argument is the verdict.
int XdpProgram::load() noexcept {
  map_ = bpf_map_create(BPF_MAP_TYPE_XSKMAP, kProgramName, sizeof(int), sizeof(int), kXdpQueuesMax,
                        nullptr);
  if (map_ < 0) return -map_;
  const auto offset = static_cast<int16_t>(offsetof(xdp_md, rx_queue_index));
  const bpf_insn code[] = {
      {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1, offset, 0},
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_},
      {0, 0, 0, 0, 0},  // the upper half of that constant
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, XDP_PASS},
      {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  program_ = bpf_prog_load(BPF_PROG_TYPE_XDP, kProgramName, "BSD", code,
                           sizeof code / sizeof code[0], nullptr);
  return program_ < 0 ? -program_ : 0;
}

// Whichever the kernel takes: in the driver where it can, behind it else.
Status XdpProgram::attach(const Interface& interface, XdpAttach attach) {
  int error = 0;
  for (const bool driver : {true, false}) {
    if (attach == (driver ? XdpAttach::generic : XdpAttach::driver)) continue;
    bpf_link_create_opts options{};
    options.sz = sizeof options;
    options.flags = driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    link_ = bpf_link_create(program_, interface.index, BPF_XDP, &options);
    if (link_ >= 0) {
      in_driver_ = driver;
      return {};
    }
    error = -link_;
    link_ = -1;
    if (error == EBUSY || error == EEXIST) return taken(interface);
  }
  if (error == EPERM || error == EACCES || error == ENODEV) {
    return refusal(interface, "attach an XDP program", error);
  }
  const bool driver = attach == XdpAttach::driver;
  return {Code::unsupported, "interface " + interface.name + " takes no XDP program" +
                                 (driver ? " in its driver" : "") + " (" + std::strerror(error) +
                                 "); " + (driver ? "attach=skb may do, else " : "") +
                                 "AF_XDP needs Linux 5.9 or newer; packet:" + interface.name +
                                 " needs neither"};
}

Status XdpProgram::steer(uint32_t queue, int socket) {
  if (bpf_map_update_elem(map_, &queue, &socket, BPF_ANY) == 0) return {};
  return system_error("steering queue " + std::to_string(queue) + " to an AF_XDP socket", errno);
}

void XdpProgram::leave(uint32_t queue) noexcept { (void)bpf_map_delete_elem(map_, &queue); }

}  // namespace bricks
