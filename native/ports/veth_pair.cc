#include "ports/veth_pair.hh"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

namespace bricks {
namespace {

// How a pair of ours is known: the group from the moment it is made, the alias a moment later.
constexpr uint32_t kGroup = 0x42524b53;
constexpr const char* kAlias = "bricks ";

class Request {
 public:
  Request(uint16_t type, uint16_t flags, int index) {
    header().nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg));
    header().nlmsg_type = type;
    header().nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    info().ifi_index = index;
  }
  nlmsghdr& header() { return *reinterpret_cast<nlmsghdr*>(bytes_); }
  ifinfomsg& info() { return *static_cast<ifinfomsg*>(NLMSG_DATA(bytes_)); }
  void put(uint16_t type, const void* value, size_t length) {
    auto* at = reinterpret_cast<rtattr*>(bytes_ + NLMSG_ALIGN(header().nlmsg_len));
    at->rta_type = type;
    at->rta_len = static_cast<uint16_t>(RTA_LENGTH(length));
    if (length) std::memcpy(RTA_DATA(at), value, length);
    header().nlmsg_len =
        static_cast<uint32_t>(NLMSG_ALIGN(header().nlmsg_len) + RTA_ALIGN(at->rta_len));
  }
  void put(uint16_t type, const std::string& text) { put(type, text.c_str(), text.size() + 1); }
  void put(uint16_t type, uint32_t value) { put(type, &value, sizeof value); }
  // An attribute that holds what is put until close().
  uint32_t open(uint16_t type) {
    const uint32_t at = NLMSG_ALIGN(header().nlmsg_len);
    put(type, nullptr, 0);
    return at;
  }
  void space(uint32_t bytes) { header().nlmsg_len += bytes; }
  void close(uint32_t at) {
    reinterpret_cast<rtattr*>(bytes_ + at)->rta_len =
        static_cast<uint16_t>(header().nlmsg_len - at);
  }
  // errno, 0 when it is done. `answer`: what the kernel says first.
  int ask(int fd, uint8_t* answer, size_t size) {
    if (send(fd, bytes_, header().nlmsg_len, 0) < 0) return errno;
    const ssize_t n = recv(fd, answer, size, 0);
    if (n < static_cast<ssize_t>(NLMSG_HDRLEN)) return n < 0 ? errno : EIO;
    const auto* said = reinterpret_cast<nlmsghdr*>(answer);
    if (said->nlmsg_type != NLMSG_ERROR) return 0;
    return -static_cast<nlmsgerr*>(NLMSG_DATA(said))->error;
  }
  int ask(int fd) {
    alignas(nlmsghdr) uint8_t answer[8192];
    return ask(fd, answer, sizeof answer);
  }

 private:
  alignas(nlmsghdr) uint8_t bytes_[2048]{};
};

struct Existing {
  int index = 0;  // 0: there is none
  uint32_t group = 0;
  std::string alias;
};

int look_up(const std::string& name, Existing* found) {
  *found = {};
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return errno;
  Request request(RTM_GETLINK, 0, 0);
  request.put(IFLA_IFNAME, name);
  alignas(nlmsghdr) uint8_t answer[32768];
  const int error = request.ask(fd, answer, sizeof answer);
  close(fd);
  if (error == ENODEV) return 0;
  if (error) return error;
  auto* said = reinterpret_cast<nlmsghdr*>(answer);
  auto* info = static_cast<ifinfomsg*>(NLMSG_DATA(said));
  found->index = info->ifi_index;
  auto left = static_cast<int>(said->nlmsg_len - NLMSG_LENGTH(sizeof *info));
  for (rtattr* each = IFLA_RTA(info); RTA_OK(each, left); each = RTA_NEXT(each, left)) {
    const auto* text = static_cast<const char*>(RTA_DATA(each));
    if (each->rta_type == IFLA_GROUP) std::memcpy(&found->group, text, sizeof found->group);
    if (each->rta_type == IFLA_IFALIAS) found->alias.assign(text, strnlen(text, RTA_PAYLOAD(each)));
  }
  return 0;
}

// A process's start in ticks since boot: with its number, what tells it from all others. 0: gone.
uint64_t started_at(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(line.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 21; ++i) rest >> field;
  uint64_t start = 0;
  rest >> start;
  return start;
}

std::string own_alias() {
  return kAlias + std::to_string(getpid()) + " " + std::to_string(started_at(getpid()));
}

// Removes what a process of ours that is gone has left; refuses anything else.
Status make_way(int fd, const std::string& name) {
  Existing there;
  if (const int error = look_up(name, &there)) {
    return system_error("cannot look for interface " + name, error);
  }
  if (there.index == 0) return {};
  const bool ours =
      there.group == kGroup && (there.alias.empty() || there.alias.starts_with(kAlias));
  if (!ours) {
    return {Code::already_exists, "there is an interface " + name +
                                      ", and it was not made here; name another, or send to it "
                                      "with packet:" +
                                      name};
  }
  std::istringstream alias(there.alias);
  std::string word;
  int pid = 0;
  uint64_t start = 0;
  alias >> word >> pid >> start;
  if (pid > 0 && started_at(pid) == start && start != 0) {
    return {Code::busy, "interface " + name + " is in use by process " + std::to_string(pid) +
                            "; name another"};
  }
  const int error = Request(RTM_DELLINK, 0, there.index).ask(fd);
  if (error && error != ENODEV) return system_error("cannot remove the stale " + name, error);
  return {};
}

// In the namespace of the calling thread: no IPv6, which would send by itself, and up. errno.
int bring_up(const std::string& name) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  if (const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC); fd >= 0) {
    [[maybe_unused]] const ssize_t n = write(fd, "1", 1);
    close(fd);
  }
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  int error = ioctl(fd, SIOCGIFFLAGS, &request) != 0 ? errno : 0;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_NOARP);
  if (!error && ioctl(fd, SIOCSIFFLAGS, &request) != 0) error = errno;
  close(fd);
  return error;
}

int bring_up_in(int netns, const std::string& name) {
  if (netns < 0) return bring_up(name);
  int error = 0;
  std::thread([&] {  // the namespace is this thread's alone, and goes with it
    error = setns(netns, CLONE_NEWNET) != 0 ? errno : bring_up(name);
  })
      .join();
  return error;
}

Status open_netns(const std::string& netns, int* fd) {
  const bool number = netns.find_first_not_of("0123456789") == std::string::npos;
  const std::string path = number                                 ? "/proc/" + netns + "/ns/net"
                           : netns.find('/') != std::string::npos ? netns
                                                                  : "/run/netns/" + netns;
  *fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (*fd >= 0) return {};
  Status status = system_error("there is no network namespace " + netns, errno);
  status.message += number ? "; that process is gone"
                           : "; `ip netns list` shows them, `ip netns add " + netns + "` makes it";
  return status;
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         name.find_first_of("/% :") == std::string::npos;
}

int create(int fd, const std::string& name, const VethSettings& settings, int netns) {
  Request request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
  request.put(IFLA_IFNAME, name);
  request.put(IFLA_MTU, settings.mtu);
  request.put(IFLA_GROUP, kGroup);
  const uint32_t link = request.open(IFLA_LINKINFO);
  request.put(IFLA_INFO_KIND, std::string("veth"));
  const uint32_t data = request.open(IFLA_INFO_DATA);
  const uint32_t peer = request.open(VETH_INFO_PEER);
  request.space(sizeof(ifinfomsg));
  request.put(IFLA_IFNAME, settings.peer);
  request.put(IFLA_MTU, settings.mtu);
  request.put(IFLA_GROUP, kGroup);
  if (netns >= 0) request.put(IFLA_NET_NS_FD, static_cast<uint32_t>(netns));
  request.close(peer);
  request.close(data);
  request.close(link);
  return request.ask(fd);
}

}  // namespace

Status VethPair::make(const std::string& name, const VethSettings& settings,
                      std::shared_ptr<VethPair>* pair) {
  if (!is_name(name) || !is_name(settings.peer) || name == settings.peer) {
    return {Code::invalid_argument, "\"" + name.substr(0, 40) + "\" and \"" +
                                        settings.peer.substr(0, 40) +
                                        "\" cannot be a pair of interfaces: two names of 1 to 15 "
                                        "characters, as in veth:ids0?peer=ids1"};
  }
  std::shared_ptr<VethPair> made(new VethPair);
  made->socket_ = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (made->socket_ < 0) return system_error("cannot make interfaces", errno);
  int netns = -1;
  Status status;
  if (!settings.netns.empty()) status = open_netns(settings.netns, &netns);
  if (status.ok()) status = make_way(made->socket_, name);
  if (status.ok()) {
    if (const int error = create(made->socket_, name, settings, netns)) {
      status = system_error("cannot make the pair " + name + " and " + settings.peer, error);
      if (error == EPERM) status.message += "; it takes root or CAP_NET_ADMIN";
      if (error == EEXIST) {
        status.code = Code::already_exists;
        status.message = "there is an interface " + settings.peer + " already; name another peer";
      }
    }
  }
  if (status.ok()) {
    made->index_ = static_cast<int>(if_nametoindex(name.c_str()));
    Request mark(RTM_SETLINK, 0, made->index_);
    mark.put(IFLA_IFALIAS, own_alias());
    int error = mark.ask(made->socket_);
    if (!error) error = bring_up(name);
    if (!error) error = bring_up_in(netns, settings.peer);
    if (error) status = system_error("cannot set up the pair " + name, error);
  }
  if (netns >= 0) close(netns);
  if (status.ok()) *pair = std::move(made);
  return status;
}

VethPair::~VethPair() {
  if (index_ > 0) (void)Request(RTM_DELLINK, 0, index_).ask(socket_);
  if (socket_ >= 0) close(socket_);
}

}  // namespace bricks
