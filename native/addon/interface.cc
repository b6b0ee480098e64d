// Interfaces as the kernel describes them: SIOCETHTOOL (linux/ethtool.h), one question each.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>

#include "addon/proof.hh"

namespace bricks::addon {

namespace {

constexpr uint32_t kRssKeyMax = 1024;  // bytes; devices have 40 or 52
// Of struct ethtool_rxfh's input_xfrm (since Linux 6.8), which follows hfunc in older headers too.
constexpr uint8_t kSymmetricXor = 1;

class Questions {
 public:
  Questions(int fd, const std::string& name) : fd_(fd) {
    name.copy(request_.ifr_name, sizeof request_.ifr_name - 1);
  }
  bool ask(void* what) {
    request_.ifr_data = static_cast<char*>(what);
    return ioctl(fd_, SIOCETHTOOL, &request_) == 0;
  }
  bool flags(int16_t* to) {
    if (ioctl(fd_, SIOCGIFFLAGS, &request_) != 0) return false;
    *to = request_.ifr_flags;
    return true;
  }

 private:
  int fd_;
  ifreq request_{};
};

void read_offloads(Questions& device, InterfaceState* state) {
  constexpr std::pair<const char*, uint32_t> kSwitches[] = {
      {"gro", ETHTOOL_GGRO}, {"tso", ETHTOOL_GTSO}, {"gso", ETHTOOL_GGSO}};
  for (const auto& [name, command] : kSwitches) {
    ethtool_value value{command, 0};
    if (device.ask(&value)) state->offloads.emplace_back(name, value.data != 0);
  }
  ethtool_value value{ETHTOOL_GFLAGS, 0};
  if (!device.ask(&value)) return;
  state->offloads.emplace_back("lro", (value.data & ETH_FLAG_LRO) != 0);
  state->offloads.emplace_back("rxvlan", (value.data & ETH_FLAG_RXVLAN) != 0);
  state->offloads.emplace_back("rxhash", (value.data & ETH_FLAG_RXHASH) != 0);
}

void read_rss(Questions& device, InterfaceState* state) {
  ethtool_rxfh sizes{};
  sizes.cmd = ETHTOOL_GRSSH;
  if (!device.ask(&sizes) || sizes.key_size == 0 || sizes.key_size > kRssKeyMax) return;
  const size_t table = sizes.indir_size * sizeof(uint32_t);
  if (sizes.indir_size > 1u << 20) return;
  std::vector<uint32_t> room((sizeof sizes + table + sizes.key_size + 3) / 4);
  auto* full = reinterpret_cast<ethtool_rxfh*>(room.data());
  full->cmd = ETHTOOL_GRSSH;
  full->indir_size = sizes.indir_size;
  full->key_size = sizes.key_size;
  if (!device.ask(full)) return;
  const auto* key = reinterpret_cast<const uint8_t*>(room.data()) + sizeof sizes + table;
  state->rss_key.assign(key, key + sizes.key_size);
  const auto* hfunc = &full->hfunc;
  state->rss_symmetric_xor = hfunc[1] & kSymmetricXor;
}

}  // namespace

Status inspect_interface(const std::string& name, InterfaceState* state) {
  if (name.empty() || name.size() >= IFNAMSIZ || if_nametoindex(name.c_str()) == 0) {
    return {Code::no_such_interface,
            "there is no interface '" + name + "'; `ip link` lists those there are"};
  }
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return system_error("cannot ask about " + name, errno);
  Questions device(fd, name);
  int16_t flags = 0;
  if (device.flags(&flags)) {
    state->up = flags & IFF_UP;
    state->running = flags & IFF_RUNNING;
    state->promiscuous = flags & IFF_PROMISC;
  }
  ethtool_drvinfo driver{};
  driver.cmd = ETHTOOL_GDRVINFO;
  if (device.ask(&driver)) state->driver.assign(driver.driver, strnlen(driver.driver, 32));
  read_offloads(device, state);
  ethtool_ringparam ring{};
  ring.cmd = ETHTOOL_GRINGPARAM;
  if (device.ask(&ring) && ring.rx_max_pending > 0) {
    state->ring_now = ring.rx_pending;
    state->ring_most = ring.rx_max_pending;
  }
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (device.ask(&channels)) state->queues = channels.combined_count + channels.rx_count;
  read_rss(device, state);
  close(fd);
  return {};
}

double memory_lock_bytes() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return INFINITY;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace bricks::addon
