// A TAP interface: made, sized and brought up.
#pragma once

#include <cstdint>
#include <string>

#include "mem/status.hh"

namespace bricks {

struct TapSettings {
  uint32_t mtu = 65521;
  std::string user;      // name or number: may open it, too; empty: only root
  bool persist = false;  // stays when it is closed
};

// One open TAP interface; gone when closed, unless it is to persist.
class TapDevice {
 public:
  TapDevice() = default;
  TapDevice(const TapDevice&) = delete;
  TapDevice& operator=(const TapDevice&) = delete;
  ~TapDevice();

  // invalid_argument, permission_denied, busy (somebody else has it open), already_exists (it is
  // another kind of interface), unsupported (no /dev/net/tun), failed.
  Status open(const std::string& name, const TapSettings& settings);
  int fd() const noexcept { return fd_; }  // nonblocking
  const std::string& name() const noexcept { return name_; }
  uint32_t frame_max() const noexcept { return mtu_ + 18; }  // an Ethernet header and a tag

 private:
  int fd_ = -1;
  uint32_t mtu_ = 0;
  std::string name_;
};

}  // namespace bricks
