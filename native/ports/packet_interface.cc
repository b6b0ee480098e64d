#include "ports/packet_interface.hh"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace bricks {
namespace {

constexpr uint16_t kArphrdRawIp = 519;  // ARPHRD_RAWIP, absent from net/if_arp.h
constexpr uint16_t kArphrdNone = 0xfffe;
constexpr uint16_t kArphrdIp6Gre = 823;
constexpr uint16_t kArphrdMonitor = 803;  // 802.11 with radiotap
constexpr size_t kNamesShown = 20;

// Any socket will do for asking; one of AF_UNIX needs no rights.
class Question {
 public:
  explicit Question(const std::string& name) : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    name.copy(request.ifr_name, IFNAMSIZ - 1);
  }
  ~Question() {
    if (fd_ >= 0) close(fd_);
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  bool ask(unsigned long what) { return ioctl(fd_, what, &request) == 0; }

  ifreq request{};

 private:
  int fd_;
};

std::string existing_interfaces() {
  struct if_nameindex* all = if_nameindex();
  if (all == nullptr) return {};
  std::string names;
  size_t shown = 0;
  for (struct if_nameindex* each = all; each->if_index != 0; ++each) {
    if (shown++ == kNamesShown) {
      names += ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + std::string(each->if_name);
  }
  if_freenameindex(all);
  return names;
}

Status no_such_interface(const std::string& name) {
  const std::string there = existing_interfaces();
  return {Code::no_such_interface, "there is no network interface \"" + name + "\"" +
                                       (there.empty() ? "" : "; there is " + there) +
                                       "; `ip link` shows them"};
}

// False: a kind of link we cannot read.
bool set_link(uint16_t hardware, Interface* interface) {
  interface->link_header = false;
  interface->link = LinkType::raw;
  switch (hardware) {
    case ARPHRD_ETHER:
      interface->ethernet = true;
      [[fallthrough]];
    case ARPHRD_LOOPBACK:
      interface->link_header = true;
      interface->link = LinkType::ethernet;
      return true;
    case ARPHRD_PPP:
    case ARPHRD_SLIP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
    case kArphrdIp6Gre:
    case kArphrdRawIp:
    case kArphrdNone:
      return true;
    case kArphrdMonitor:
      interface->link_header = true;
      interface->link = static_cast<LinkType>(127);
      return true;
    default:
      return false;
  }
}

}  // namespace

Status find_interface(const std::string& name, Interface* interface) {
  if (name.empty() || name.size() >= IFNAMSIZ) return no_such_interface(name);
  Question question(name);
  if (!question.ask(SIOCGIFINDEX)) {
    if (errno == ENODEV) return no_such_interface(name);
    return system_error("asking for interface " + name, errno);
  }
  Interface found;
  found.name = name;
  found.index = question.request.ifr_ifindex;
  if (!question.ask(SIOCGIFHWADDR)) return no_such_interface(name);
  const uint16_t hardware = question.request.ifr_hwaddr.sa_family;
  if (!question.ask(SIOCGIFFLAGS)) return no_such_interface(name);
  found.up = question.request.ifr_flags & IFF_UP;
  if (!question.ask(SIOCGIFMTU)) return no_such_interface(name);
  found.mtu = static_cast<uint32_t>(question.request.ifr_mtu);
  if (!set_link(hardware, &found)) {
    return {Code::unsupported, "interface " + name + " is of kind " + std::to_string(hardware) +
                                   " (ARPHRD), which is neither Ethernet nor IP; take another"};
  }
  *interface = found;
  return {};
}

uint32_t receive_queues(const Interface& interface) {
  Question question(interface.name);
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  question.request.ifr_data = reinterpret_cast<char*>(&channels);
  if (question.ask(SIOCETHTOOL)) {
    const uint32_t count = channels.rx_count + channels.combined_count;
    if (count > 0) return count;
  }
  uint32_t count = 0;
  std::error_code none;
  const std::string queues = "/sys/class/net/" + interface.name + "/queues/rx-";
  while (std::filesystem::exists(queues + std::to_string(count), none)) ++count;
  return count > 0 ? count : 1;
}

Status open_packet_socket(const Interface& interface, int* fd) {
  const int type = interface.link_header ? SOCK_RAW : SOCK_DGRAM;
  *fd = socket(AF_PACKET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd >= 0) return {};
  if (errno == EPERM || errno == EACCES) {
    return {Code::permission_denied,
            "no right to open interface " + interface.name +
                ": it takes root or CAP_NET_RAW; run with sudo, or once: sudo setcap "
                "cap_net_raw,cap_net_admin+ep \"$(readlink -f \"$(which node)\")\""};
  }
  return system_error("opening a packet socket for " + interface.name, errno);
}

void add_warning(std::string* warnings, const std::string& words) {
  *warnings += (warnings->empty() ? "" : "; ") + words;
}

void warn_of_absence(const std::string& interface, bool down, bool gone, std::string* warnings) {
  if (down) {
    add_warning(warnings, "interface " + interface +
                              " is down and gives no packets until `ip link set " + interface +
                              " up`");
  }
  if (gone) {
    add_warning(warnings,
                "interface " + interface +
                    " was removed and gives no more packets; when it is back, link the engine "
                    "again");
  }
}

}  // namespace bricks
