#include "ports/tap_device.hh"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <pwd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace bricks {
namespace {

constexpr int kQueueLength = 10'000;  // frames the kernel keeps for us, where it has some to give

Status cannot_open(const std::string& name, int error) {
  Status status = system_error("cannot make the TAP interface " + name, error);
  if (error == EBUSY) {
    status = {Code::busy,
              "the TAP interface " + name + " is open in another program; name another"};
  } else if (error == EINVAL) {
    status = {Code::already_exists,
              "there is an interface " + name +
                  " that is no TAP interface; name another, or packet:" + name + " to send to it"};
  } else if (error == EPERM || error == EACCES) {
    status.message += "; it takes root or CAP_NET_ADMIN, or `ip tuntap add dev " + name +
                      " mode tap user USER` beforehand";
  }
  return status;
}

Status user_number(const std::string& user, uid_t* uid) {
  char* end = nullptr;
  const unsigned long number = std::strtoul(user.c_str(), &end, 10);
  if (!user.empty() && *end == '\0' && number < UINT32_MAX) {
    *uid = static_cast<uid_t>(number);
    return {};
  }
  const passwd* found = getpwnam(user.c_str());
  if (!found) {
    return {Code::invalid_argument, "there is no user \"" + user.substr(0, 40) +
                                        "\" to give the TAP interface to; `getent passwd` shows "
                                        "them"};
  }
  *uid = found->pw_uid;
  return {};
}

// IPv6 would send from it as soon as it is up. No such file: there is no IPv6.
void quieten(const std::string& name) {
  const std::string path = "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6";
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t n = write(fd, "1", 1);
  close(fd);
}

}  // namespace

TapDevice::~TapDevice() {
  if (fd_ >= 0) close(fd_);
}

Status TapDevice::open(const std::string& name, const TapSettings& settings) {
  if (name.empty() || name.size() >= IFNAMSIZ || name.find('%') != std::string::npos) {
    return {Code::invalid_argument, "\"" + name.substr(0, 40) +
                                        "\" cannot be an interface's name: it has 1 to 15 "
                                        "characters, as in tap:ids0"};
  }
  uid_t owner = 0;
  if (!settings.user.empty()) {
    if (Status status = user_number(settings.user, &owner); !status.ok()) return status;
  }
  name_ = name;
  mtu_ = settings.mtu;
  fd_ = ::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) {
    const int error = errno;
    if (error != ENOENT && error != ENXIO) return cannot_open(name, error);
    return {Code::unsupported, "there is no /dev/net/tun on this machine; try `modprobe tun`"};
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (ioctl(fd_, TUNSETIFF, &request) != 0) return cannot_open(name, errno);
  if (!settings.user.empty() && ioctl(fd_, TUNSETOWNER, owner) != 0) {
    return system_error("cannot give " + name + " to user " + settings.user, errno);
  }
  quieten(name);
  const int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (control < 0) return system_error("cannot set up " + name, errno);
  Status status;
  request.ifr_mtu = static_cast<int>(settings.mtu);
  if (ioctl(control, SIOCSIFMTU, &request) != 0) {
    status = system_error("cannot set the MTU of " + name + " to " + std::to_string(mtu_), errno);
  }
  request.ifr_qlen = kQueueLength;
  (void)ioctl(control, SIOCSIFTXQLEN, &request);  // refused: it stays as it is; drops are counted
  if (status.ok() && ioctl(control, SIOCGIFFLAGS, &request) == 0) {
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_NOARP);
    if (ioctl(control, SIOCSIFFLAGS, &request) != 0) {
      status = system_error("cannot bring " + name + " up", errno);
    }
  }
  close(control);
  // Last: what failed leaves nothing behind.
  if (status.ok() && settings.persist && ioctl(fd_, TUNSETPERSIST, 1) != 0) {
    status = system_error("cannot make " + name + " persist", errno);
  }
  return status;
}

}  // namespace bricks
