// libbricks-netmap, called as netmap's programs call the kernel module: what they find in memory,
// and what a sync does.
#include "netmap_program.hh"

namespace bricks {

TEST(preload_netmap_carries_packets_both_ways_in_both_styles) {
  for (const bool legacy : {false, true}) {
    NetmapHouse house;
    Wish wish;
    wish.legacy = legacy;
    NetmapPort a("x{0", wish), b("x}0", wish);
    CHECK_EQ(a.error, 0);
    CHECK_EQ(b.error, 0);
    if (!a.is_open() || !b.is_open()) return;
    CHECK_EQ(std::string(a.nifp->ni_name), "x{0");
    CHECK_EQ(a.nifp->ni_host_tx_rings, 1u);
    CHECK_EQ(a.tx()->num_slots, kPipePairSlots);
    CHECK_EQ(a.tx()->dir, 1);
    CHECK_EQ(b.rx()->dir, 0);
    CHECK_EQ(a.tx()->tail, kPipePairSlots - 1);
    CHECK_EQ(b.rx()->tail, 0u);
    for (const NetmapPort* from : {&a, &b}) {
      const NetmapPort* to = from == &a ? &b : &a;
      uint64_t sent = 0, got = 0;
      while (got < 5000) {
        while (sent < 5000 && NetmapPort::space(from->tx())) NetmapPort::put(from->tx(), ++sent);
        CHECK_EQ(from->sync_tx(), 0);
        CHECK_EQ(to->sync_rx(), 0);
        while (NetmapPort::space(to->rx())) {
          if (!NetmapPort::take(to->rx(), ++got)) CHECK_EQ(got, 0u);
        }
        CHECK_EQ(to->sync_rx(), 0);
        CHECK_EQ(from->sync_tx(), 0);
      }
      CHECK_EQ(sent, got);
    }
  }
}

TEST(preload_netmap_tells_nothing_before_a_sync_and_drops_nothing_when_full) {
  NetmapHouse house;
  Wish wish;
  wish.slots = 16;
  NetmapPort a("x{0", wish), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  CHECK_EQ(b.rx()->num_slots, 16u);  // the first opener decides
  NetmapPort::put(a.tx(), 1);
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(b.rx()->tail, 0u);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(b.rx()->tail, 0u);  // nor without its own
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(b.rx()->tail, 1u);
  for (uint64_t n = 2; n <= 15; ++n) NetmapPort::put(a.tx(), n);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(NetmapPort::space(a.tx()), 0u);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(a.poll_for(POLLOUT, 0), 0);
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(NetmapPort::space(b.rx()), 15u);
  for (uint64_t n = 1; n <= 4; ++n) CHECK(NetmapPort::take(b.rx(), n));
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(NetmapPort::space(a.tx()), 0u);  // given back, but not said
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(a.tx()->tail, 3u);
  CHECK_EQ(a.poll_for(POLLOUT, 0), POLLOUT);
}

TEST(preload_netmap_publishes_whole_packets_only) {
  NetmapHouse house;
  NetmapPort a("x{0"), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  NetmapPort::put(a.tx(), 1, 60, BRICKS_SLOT_MOREFRAG);
  NetmapPort::put(a.tx(), 2, 60, BRICKS_SLOT_MOREFRAG);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(b.rx()->tail, 0u);
  NetmapPort::put(a.tx(), 3);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(b.rx()->tail, 3u);
  CHECK_EQ(b.rx()->slot[0].flags & BRICKS_SLOT_MOREFRAG, BRICKS_SLOT_MOREFRAG);
}

TEST(preload_netmap_refuses_indexes_that_cannot_be) {
  NetmapHouse house;
  Wish wish;
  wish.slots = 16;
  NetmapPort a("x{0", wish), b("x}0");
  if (!a.is_open() || !b.is_open()) return;
  for (uint64_t n = 1; n <= 4; ++n) NetmapPort::put(a.tx(), n);
  CHECK_EQ(a.sync_tx(), 0);
  const auto try_head = [&](uint32_t head, uint32_t cur) {
    a.tx()->head = head;
    a.tx()->cur = cur;
    CHECK_EQ(a.poll_for(POLLOUT, 0) & POLLERR, POLLERR);
    CHECK_EQ(a.tx()->head, 4u);  // set back
    CHECK_EQ(a.tx()->cur, 4u);
    a.tx()->head = head;
    a.tx()->cur = cur;
    CHECK_EQ(a.sync_tx(), 0);  // as the module: no error, and nothing moves
  };
  try_head(2, 2);
  try_head(16, 16);
  try_head(0xffffffffu, 4);
  try_head(4, 99);
  try_head(6, 5);
  a.tx()->tail = 9999;
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(a.tx()->tail, 15u);
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(NetmapPort::space(b.rx()), 4u);
  b.rx()->head = b.rx()->cur = 5;  // more than there is
  CHECK_EQ(b.sync_rx(), 0);
  CHECK_EQ(b.rx()->head, 0u);
  for (uint64_t n = 1; n <= 4; ++n) CHECK(NetmapPort::take(b.rx(), n));
}

TEST(preload_netmap_refuses_what_needs_the_module_with_its_errno) {
  NetmapHouse house;
  const auto error_of = [](const std::string& name, const Wish& wish) {
    return NetmapPort(name, wish).error;
  };
  Wish monitor, host, mode, ring, plain, exclusive;
  monitor.flags = NR_MONITOR_RX;
  host.mode = NR_REG_SW;
  mode.mode = NR_REG_DEFAULT;
  ring.mode = NR_REG_ONE_NIC;
  ring.ring = 5;
  exclusive.flags = NR_EXCLUSIVE;
  CHECK_EQ(error_of("eth0", plain), ENXIO);
  CHECK_EQ(error_of("vale0:1", plain), ENXIO);
  CHECK_EQ(error_of("x{0", monitor), EOPNOTSUPP);
  CHECK_EQ(error_of("x{0", host), EINVAL);
  CHECK_EQ(error_of("x{0", mode), EINVAL);
  CHECK_EQ(error_of("x{0", ring), EINVAL);
  CHECK_EQ(error_of("x{", plain), EINVAL);
  CHECK_EQ(error_of("{0", plain), EINVAL);
  NetmapPort first("x{0"), again("x{0");
  CHECK_EQ(again.error, 0);  // the same end twice: they share its rings
  CHECK_EQ(error_of("x{0", exclusive), EBUSY);
  CHECK_EQ(first.sync_tx(), 0);
  nmreq_header header{};
  nmreq_register reg{};
  header.nr_version = 13;
  header.nr_reqtype = NETMAP_REQ_REGISTER;
  header.nr_body = reinterpret_cast<uint64_t>(&reg);
  CHECK_EQ(NETMAP(ioctl)(first.fd, NIOCCTRL, &header), -1);
  CHECK_EQ(errno, EINVAL);
  header.nr_version = 14;
  CHECK_EQ(NETMAP(ioctl)(first.fd, NIOCCTRL, &header), -1);
  CHECK_EQ(errno, EBUSY);  // one port per descriptor
  const int fd = NETMAP(open)("/dev/netmap", O_RDWR);
  CHECK_EQ(NETMAP(ioctl)(fd, NIOCTXSYNC, nullptr), -1);
  CHECK_EQ(errno, ENXIO);
  CHECK(NETMAP(mmap)(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
  CHECK_EQ(errno, EINVAL);
  pollfd one{fd, POLLIN, 0};
  CHECK_EQ(NETMAP(poll)(&one, 1, 0), 1);
  CHECK_EQ(one.revents, POLLERR);
  NETMAP(close)(fd);
  house.server.reset();
  CHECK_EQ(error_of("y{0", plain), ENXIO);  // no daemon
}

}  // namespace bricks
