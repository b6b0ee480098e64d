// libbricks-netmap: programs that come late, leave, come back, or are killed; memory that they
// share; and an other end that writes nonsense.
#include "netmap_program.hh"

namespace bricks {
namespace {

// What is there for `port`, from `next` on, in order.
uint64_t read_all(NetmapPort& port, uint64_t next) {
  const uint64_t first = next;
  CHECK_EQ(port.sync_rx(), 0);
  for (; NetmapPort::space(port.rx()); ++next) CHECK(NetmapPort::take(port.rx(), next));
  CHECK_EQ(port.sync_rx(), 0);
  return next - first;
}

}  // namespace

TEST(preload_netmap_late_receivers_get_all_and_reopened_ones_go_on) {
  NetmapHouse house;
  NetmapPort a("x{0");
  if (!a.is_open()) return;
  for (uint64_t n = 1; n < kPipePairSlots; ++n) NetmapPort::put(a.tx(), n);
  CHECK_EQ(a.sync_tx(), 0);
  {
    NetmapPort b("x}0");
    if (!b.is_open()) return;
    CHECK_EQ(b.sync_rx(), 0);
    CHECK_EQ(NetmapPort::space(b.rx()), kPipePairSlots - 1);
    for (uint64_t n = 1; n <= 18; ++n) CHECK(NetmapPort::take(b.rx(), n));
    CHECK_EQ(b.sync_rx(), 0);
  }
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(NetmapPort::space(a.tx()), 18u);
  NetmapPort b("x}0");
  if (!b.is_open()) return;
  CHECK_EQ(b.rx()->head, 18u);
  CHECK_EQ(read_all(b, 19), kPipePairSlots - 1 - 18);
  NetmapPort::put(a.tx(), 77);  // written, not synced: stays for whoever opens next
  a.leave();
  CHECK_EQ(read_all(b, 1), 0u);
  NetmapPort again("x{0");
  if (!again.is_open()) return;
  CHECK_EQ(again.sync_tx(), 0);
  CHECK_EQ(read_all(b, 77), 1u);
  b.leave();
  again.leave();
  NetmapPort fresh("x}0");  // nobody held it: all is gone
  CHECK_EQ(fresh.rx()->head, 0u);
}

TEST(preload_netmap_end_of_a_killed_program_is_free_and_what_it_sent_stays) {
  NetmapHouse house;
  NetmapPort b("x}0");
  if (!b.is_open()) return;
  for (int round = 0; round < 3; ++round) {
    int told[2];
    CHECK_EQ(pipe(told), 0);
    Child sender([&] {
      Wish alone;
      alone.flags = NR_EXCLUSIVE;
      NetmapPort a("x{0", alone);
      if (a.error) return 1;
      a.sync_tx();
      for (uint64_t n = 1; n <= 100; ++n) NetmapPort::put(a.tx(), n);
      if (a.sync_tx() != 0) return 2;
      const char word = 'x';
      if (write(told[1], &word, 1) != 1) return 3;
      for (;;) a.sync_tx();  // killed in the middle of one, sooner or later
    });
    char word;
    CHECK_EQ(read(told[0], &word, 1), 1);
    kill(sender.pid(), SIGKILL);
    sender.wait();
    close(told[0]);
    close(told[1]);
    CHECK_EQ(read_all(b, 1), 100u);
    CHECK(eventually([] {  // exclusive: only when the daemon has seen that it is gone
      Wish alone;
      alone.flags = NR_EXCLUSIVE;
      NetmapPort a("x{0", alone);
      return a.error == 0 && a.sync_tx() == 0 && NetmapPort::space(a.tx()) == kPipePairSlots - 1;
    }));
  }
}

TEST(preload_netmap_receivers_that_are_killed_leave_the_rest_to_the_next) {
  NetmapHouse house;
  NetmapPort a("x{0");
  if (!a.is_open()) return;
  for (uint64_t n = 1; n <= 1000; ++n) NetmapPort::put(a.tx(), n);
  CHECK_EQ(a.sync_tx(), 0);
  uint64_t next = 1;
  for (int round = 0; round < 4; ++round, next += 10) {
    Child receiver([next] {
      NetmapPort b("x}0");
      if (b.error || b.sync_rx() != 0) return 1;
      for (uint64_t n = next; n < next + 10; ++n) {
        if (!NetmapPort::take(b.rx(), n)) return 2;
      }
      if (b.sync_rx() != 0) return 3;
      kill(getpid(), SIGKILL);
      return 4;
    });
    CHECK_EQ(receiver.wait(), 128 + SIGKILL);
  }
  NetmapPort b("x}0");
  if (!b.is_open()) return;
  CHECK_EQ(read_all(b, next), 1000 - 40u);
}

TEST(preload_netmap_shares_memory_where_asked_and_gives_extra_buffers) {
  NetmapHouse house;
  Wish wish, same;
  wish.extra = 6;
  NetmapPort in("x}0", wish);
  if (!in.is_open()) return;
  CHECK_EQ(in.extra, 6u);
  same.memory = static_cast<uint16_t>(in.memory_id);
  same.flags = NR_TX_RINGS_ONLY | NR_EXCLUSIVE;
  NetmapPort out("y{0", same);  // as lb opens its outputs
  if (!out.is_open()) return;
  CHECK_EQ(out.memory_id, in.memory_id);
  CHECK(out.rx() == nullptr);
  // libnetmap maps a memory once; what was registered later is found in that mapping.
  auto* nifp = reinterpret_cast<netmap_if*>(in.memory + out.offset);
  auto* ring = reinterpret_cast<netmap_ring*>(reinterpret_cast<uint8_t*>(nifp) + nifp->ring_ofs[0]);
  NetmapPort from("x{0"), to("y}0");
  if (!from.is_open() || !to.is_open()) return;
  CHECK(to.memory_id == in.memory_id && from.memory_id == in.memory_id);
  for (uint64_t n = 1; n <= 3000; ++n) {
    NetmapPort::put(from.tx(), n);
    CHECK_EQ(from.sync_tx(), 0);
    CHECK_EQ(in.sync_rx(), 0);
    netmap_slot& got = in.rx()->slot[in.rx()->head];
    netmap_slot& sent = ring->slot[ring->head];
    const uint32_t empty = sent.buf_idx;
    sent = {got.buf_idx, got.len, BRICKS_SLOT_CHANGED, 0};
    got = {empty, 0, BRICKS_SLOT_CHANGED, 0};
    in.rx()->head = in.rx()->cur = NetmapPort::next(in.rx(), in.rx()->head);
    ring->head = ring->cur = NetmapPort::next(ring, ring->head);
    CHECK_EQ(in.sync_rx(), 0);
    CHECK_EQ(out.sync_tx(), 0);
    CHECK_EQ(to.sync_rx(), 0);
    CHECK(NetmapPort::space(to.rx()) == 1 && NetmapPort::take(to.rx(), n));
    CHECK_EQ(to.sync_rx(), 0);
    CHECK_EQ(from.sync_tx(), 0);
    CHECK_EQ(out.sync_tx(), 0);
  }
  uint32_t chain = 0;
  for (uint32_t b = in.nifp->ni_bufs_head; b; ++chain) {
    std::memcpy(&b, NetmapPort::buffer(in.rx(), b), sizeof b);
  }
  CHECK_EQ(chain, 6u);
  Wish foreign;
  foreign.memory = static_cast<uint16_t>(in.memory_id + 1);
  CHECK_EQ(NetmapPort("z{0", foreign).error, EACCES);
}

TEST(preload_netmap_gives_rings_and_buffers_back_to_the_memory) {
  NetmapHouse house;
  NetmapPort in("x}0");
  if (!in.is_open()) return;
  Wish same;
  same.memory = static_cast<uint16_t>(in.memory_id);
  same.extra = 1000;
  for (int round = 0; round < 500; ++round) {  // 5000 buffers each; kPipeArenaBuffers in all
    NetmapPort out("y{0", same);
    if (!out.is_open()) return;
    CHECK_EQ(out.extra, 1000u);
  }
}

TEST(preload_netmap_serves_several_rings) {
  NetmapHouse house;
  Wish wish, one;
  wish.rings = 4;
  one.mode = NR_REG_ONE_NIC;
  one.ring = 2;
  NetmapPort a("x{0", wish), b("x}0"), third("x}0", one);
  if (!a.is_open() || !b.is_open() || !third.is_open()) return;
  CHECK_EQ(b.nifp->ni_rx_rings, 4u);
  for (uint32_t i = 0; i < 4; ++i) NetmapPort::put(a.tx(i), 100 + i);
  CHECK_EQ(a.sync_tx(), 0);
  CHECK_EQ(third.poll_for(POLLIN, 1000), POLLIN);
  CHECK_EQ(b.rx(1)->tail, 0u);
  CHECK(NetmapPort::take(third.rx(2), 102));
  CHECK_EQ(third.sync_rx(), 0);
  CHECK_EQ(b.poll_for(POLLIN, 1000), POLLIN);
  for (uint32_t i : {0, 1, 3}) CHECK(NetmapPort::take(b.rx(i), 100 + i));
  CHECK_EQ(NetmapPort::space(b.rx(2)), 0u);
}

// One end writes over everything that both have mapped; the other's syncs stay within its rings.
TEST(preload_netmap_bounds_what_the_other_end_writes) {
  NetmapHouse house;
  constexpr uint64_t kSeed = 20261121;
  std::printf("  seed %lu\n", static_cast<unsigned long>(kSeed));
  Random random{kSeed};
  for (int round = 0; round < 60; ++round) {
    Wish small;
    small.slots = 64;
    NetmapPort a("h{0", small), b("h}0");
    if (!a.is_open() || !b.is_open()) return;
    const uint64_t control = static_cast<uint64_t>(b.rx()->buf_ofs) +
                             static_cast<uint64_t>(reinterpret_cast<uint8_t*>(b.rx()) - b.memory);
    for (int step = 0; step < 200; ++step) {
      auto* words = reinterpret_cast<uint32_t*>(b.memory);
      const auto ring =
          static_cast<uint64_t>(reinterpret_cast<uint8_t*>(step % 2 ? a.tx() : a.rx()) -
                                (step % 2 ? a.memory : a.memory));
      const uint64_t near = ring + random.below(256);  // the rings' own words, mostly
      const uint64_t at = step % 3 ? near : random.next() % (control / 64);
      const auto value = static_cast<uint32_t>(random.next());
      words[at / 4] = step % 5 ? value % 80 : value;
      a.sync_tx();
      a.sync_rx();
      const short found = static_cast<short>(a.poll_for(POLLIN | POLLOUT, 0));
      CHECK(found >= 0);
      CHECK(a.tx()->tail < 64 && a.rx()->tail < 64);
    }
  }
}

}  // namespace bricks
