#include "ports/xdp_choice.hh"

#include <bpf/libbpf.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "mem/limits.hh"

namespace bricks {
namespace {

// linux/netdev.h, which Debian 12 does not have yet.
constexpr uint8_t kDeviceGet = 1;
constexpr uint16_t kDeviceIndex = 1, kDeviceFeatures = 3;
constexpr uint64_t kZeroCopy = 8;  // NETDEV_XDP_ACT_XSK_ZEROCOPY
constexpr uint32_t kEthernetAndTag = 18;

// One question and its answer over generic netlink.
class Netlink {
 public:
  Netlink() : fd_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)) {}
  ~Netlink() {
    if (fd_ >= 0) close(fd_);
  }
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  bool ask(uint16_t family, uint8_t command, uint16_t attribute, const void* value,
           uint16_t bytes) noexcept {
    struct {
      nlmsghdr header;
      genlmsghdr generic;
      nlattr attribute;
      char value[32];
    } question{};
    if (bytes > sizeof question.value) return false;
    std::memcpy(question.value, value, bytes);
    question.attribute = {static_cast<uint16_t>(NLA_HDRLEN + bytes), attribute};
    question.generic.cmd = command;
    question.generic.version = 1;
    question.header.nlmsg_len =
        NLMSG_LENGTH(GENL_HDRLEN + NLA_ALIGN(static_cast<uint32_t>(NLA_HDRLEN) + bytes));
    question.header.nlmsg_type = family;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    if (send(fd_, &question, question.header.nlmsg_len, 0) < 0) return false;
    const ssize_t got = recv(fd_, answer_, sizeof answer_, 0);
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer_);
    const auto least = static_cast<ssize_t>(NLMSG_LENGTH(GENL_HDRLEN));
    if (got < least || header->nlmsg_type == NLMSG_ERROR || header->nlmsg_len > got) return false;
    end_ = answer_ + header->nlmsg_len;
    return true;
  }

  // The answer's attribute, if it has as many bytes.
  template <typename T>
  bool find(uint16_t wanted, T* value) const noexcept {
    const char* at = answer_ + NLMSG_LENGTH(GENL_HDRLEN);
    while (end_ - at >= NLA_HDRLEN) {
      nlattr attribute;
      std::memcpy(&attribute, at, sizeof attribute);
      if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > end_ - at) return false;
      if ((attribute.nla_type & NLA_TYPE_MASK) == wanted &&
          attribute.nla_len == NLA_HDRLEN + sizeof *value) {
        std::memcpy(value, at + NLA_HDRLEN, sizeof *value);
        return true;
      }
      at += std::min<ptrdiff_t>(NLA_ALIGN(attribute.nla_len), end_ - at);
    }
    return false;
  }

 private:
  const int fd_;
  alignas(nlmsghdr) char answer_[8192];
  const char* end_ = answer_;
};

uint64_t driver_features(const Interface& interface) {
  Netlink netlink;
  uint16_t family = 0;
  const auto index = static_cast<uint32_t>(interface.index);
  uint64_t features = 0;
  if (!netlink.ask(GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME, "netdev", 7) ||
      !netlink.find(CTRL_ATTR_FAMILY_ID, &family) ||
      !netlink.ask(family, kDeviceGet, kDeviceIndex, &index, sizeof index) ||
      !netlink.find(kDeviceFeatures, &features)) {
    return 0;
  }
  return features;
}

// Link-local ones are on everything that is up: nobody talks to those.
bool has_address(const Interface& interface) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return true;
  bool found = false;
  for (const ifaddrs* each = all; each; each = each->ifa_next) {
    if (!each->ifa_addr || interface.name != each->ifa_name) continue;
    found |= each->ifa_addr->sa_family == AF_INET;
    if (each->ifa_addr->sa_family != AF_INET6) continue;
    sockaddr_in6 address;
    std::memcpy(&address, each->ifa_addr, sizeof address);
    found |= !IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr);
  }
  freeifaddrs(all);
  return found;
}

}  // namespace

bool strips_tags(const Interface& interface) {
  ethtool_value value{};
  value.cmd = ETHTOOL_GFLAGS;
  ifreq request{};
  interface.name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&value);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool known = ioctl(fd, SIOCETHTOOL, &request) == 0;
  if (fd >= 0) close(fd);
  return known && (value.data & ETH_FLAG_RXVLAN);
}

XdpFacts look_for_xdp(const Interface& interface) {
  XdpFacts facts;
  facts.features = driver_features(interface);
  facts.addressed = has_address(interface);
  std::error_code none;
  facts.enslaved = std::filesystem::exists("/sys/class/net/" + interface.name + "/master", none);
  facts.strips_tags = strips_tags(interface);
  uint32_t program = 0;
  facts.has_program = bpf_xdp_query_id(interface.index, 0, &program) != 0 || program != 0;
  facts.mtu = interface.mtu;
  return facts;
}

std::string why_not_xdp(const XdpFacts& facts) {
  if (!(facts.features & kZeroCopy)) return "its driver announces no zero-copy";
  if (facts.addressed) return "the system has an address on it";
  if (facts.enslaved) return "it belongs to another interface";
  if (facts.has_program) return "it has an XDP program";
  if (facts.strips_tags) return "it strips VLAN tags";
  if (facts.mtu + kEthernetAndTag > kBufferPayload) return "its frames may be too long";
  return {};
}

}  // namespace bricks
