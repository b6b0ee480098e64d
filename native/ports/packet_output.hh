// packet: as output. One system call for a batch; nothing waits: what the device does not take is
// counted.
#pragma once

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <array>
#include <memory>
#include <string>

#include "ports/packet_interface.hh"
#include "ports/port.hh"

namespace bricks {

class PacketOutput final : public Output {
 public:
  // Control thread. no_such_interface, permission_denied, unsupported, failed.
  static Status open(const std::string& interface, std::unique_ptr<Output>* output);
  ~PacketOutput() override;

  void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                LedgerCell& cell) noexcept override;
  void flush(Nanos now, LedgerCell& cell) noexcept override;
  std::string take_warning() override;
  std::string describe() const override;

  // What lives as long as this: the interface itself, where it was made for it.
  void keep(std::shared_ptr<void> what) noexcept { kept_ = std::move(what); }

 private:
  explicit PacketOutput(Interface interface);
  bool fits(const Packet& packet) const noexcept;
  bool can_carry(LinkType link) const noexcept;
  void send(uint32_t count, LedgerCell& cell) noexcept;

  std::shared_ptr<void> kept_;
  Interface interface_;
  int fd_ = -1;
  bool bypass_ = false;  // past the queueing discipline, straight to the driver
  bool warn_down_ = false;
  Nanos mtu_at_ = 0;  // when the MTU was looked at last
  std::array<mmsghdr, kBatchMax> messages_{};
  std::array<iovec, kBatchMax> parts_{};
  std::array<sockaddr_ll, 2> destinations_{};  // IPv4, IPv6: where there is no link header
};

}  // namespace bricks
