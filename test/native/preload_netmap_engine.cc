// libbricks-netmap and engines: what an engine fills reaches a netmap program, and the other way
// round; engines and daemons that come and go meanwhile.
#include "netmap_program.hh"
#include "ports/pipe_input.hh"
#include "ports/port_registry.hh"

namespace bricks {
namespace {

struct EngineHouse : NetmapHouse {
  // Packets `first` and following, of all lengths; waits for nobody.
  void fill(uint64_t first, uint64_t count, size_t most = 60) {
    for (uint64_t n = first; n < first + count; ++n) {
      Bytes frame = make_frame(n, most > 60 ? 20 + n * 37 % most : 60);
      put(frame, 1'700'000'000'000'000'000 + n);
    }
    output->flush(1, cell);
  }
};

uint64_t read_all(NetmapPort& port, uint64_t next) {
  const uint64_t first = next;
  CHECK_EQ(port.sync_rx(), 0);
  while (NetmapPort::space(port.rx())) CHECK(NetmapPort::take(port.rx(), next++));
  CHECK_EQ(port.sync_rx(), 0);
  return next - first;
}

}  // namespace

TEST(preload_netmap_reads_what_an_engine_fills_and_the_engine_sees_it_delivered) {
  EngineHouse house;
  CHECK(house.open("e{0", 1024).ok());
  NetmapPort b("e}0");
  if (!b.is_open()) return;
  CHECK_EQ(b.poll_for(POLLIN, 0), 0);
  CHECK(house.output->attached());
  uint64_t sent = 0, got = 0;
  for (int round = 0; round < 20; ++round) {
    house.fill(sent + 1, 500);
    sent += 500;
    CHECK_EQ(b.poll_for(POLLIN, 10000), POLLIN);
    got += read_all(b, got + 1);
  }
  got += read_all(b, got + 1);
  CHECK_EQ(got, sent);
  house.output->flush(2, house.cell);
  CHECK_EQ(house.cell.delivered, sent);
  CHECK_EQ(house.cell.dropped_total(), 0u);
}

TEST(preload_netmap_reads_an_engines_long_packets_in_pieces) {
  EngineHouse house;
  CHECK(house.open("e{0", 1024).ok());
  NetmapPort b("e}0");
  if (!b.is_open()) return;
  CHECK_EQ(b.sync_rx(), 0);
  uint64_t n = 1;
  for (; n <= 20; ++n) house.send(make_frame(n, 3000 * n), n);
  CHECK_EQ(b.sync_rx(), 0);
  for (n = 1; n <= 20; ++n) {
    Bytes whole;
    for (bool more = true; more && NetmapPort::space(b.rx());) {
      const netmap_slot& slot = b.rx()->slot[b.rx()->head];
      const uint8_t* data = NetmapPort::buffer(b.rx(), slot.buf_idx);
      whole.insert(whole.end(), data, data + slot.len);
      more = slot.flags & BRICKS_SLOT_MOREFRAG;
      b.rx()->head = b.rx()->cur = NetmapPort::next(b.rx(), b.rx()->head);
    }
    CHECK(whole == make_frame(n, 3000 * n));
  }
}

TEST(preload_netmap_leaves_unread_packets_of_an_engine_to_the_next) {
  EngineHouse house;
  CHECK(house.open("e{0", 1024).ok());
  uint64_t next = 1;
  NetmapPort back("e{0", [] {
    Wish wish;
    wish.flags = NR_RX_RINGS_ONLY;  // keeps the pipe's own memory alive between the readers
    return wish;
  }());
  CHECK(back.is_open());
  for (int round = 0; round < 3; ++round) {
    NetmapPort b("e}0");
    if (!b.is_open()) return;
    CHECK_EQ(b.sync_rx(), 0);  // attaches
    if (round == 0) house.fill(1, 900);
    CHECK_EQ(b.sync_rx(), 0);
    CHECK_EQ(NetmapPort::space(b.rx()), static_cast<uint32_t>(901 - next));
    for (int i = 0; i < 100; ++i) CHECK(NetmapPort::take(b.rx(), next++));
    CHECK_EQ(b.sync_rx(), 0);
    b.leave();
    CHECK(eventually([&] { return !house.output->attached(); }));
  }
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "e}0"), BRICKS_OK);
  bricks_packet packet;
  for (; next <= 900; ++next) {
    CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
    CHECK_EQ(std::memcmp(packet.data, make_frame(next, 60).data(), 60), 0);
  }
  bricks_detach(consumer);
}

TEST(preload_netmap_follows_an_engine_that_comes_and_goes) {
  EngineHouse house;
  // In a process of its own: one that reads in the engine's is taken for an engine.
  Child reader([] {
    NetmapPort b("e}0");
    if (b.error) return 1;
    const uint64_t runs[] = {1, 200, 200, 1};  // a program, an engine twice, a program
    for (const uint64_t count : runs) {
      for (uint64_t n = 1; n <= count;) {  // sleeps: who comes must wake it
        if (b.poll_for(POLLIN, 20000) != POLLIN) return 2;
        while (NetmapPort::space(b.rx())) {
          if (!NetmapPort::take(b.rx(), n++)) return 3;
        }
      }
    }
    return b.sync_rx() == 0 ? 0 : 4;
  });
  const auto send_one = [] {
    NetmapPort a("e{0");
    if (a.error) return false;
    CHECK_EQ(a.sync_tx(), 0);
    NetmapPort::put(a.tx(), 1);
    CHECK_EQ(a.sync_tx(), 0);
    return eventually(
        [&] { return a.sync_tx() == 0 && NetmapPort::space(a.tx()) == kPipePairSlots - 1; });
  };
  CHECK(send_one());
  for (uint64_t round = 0; round < 2; ++round) {
    CHECK(eventually([&] { return house.open("e{0", 64).ok(); }));
    if (!house.output) return;
    house.cell = {};
    house.fill(1, 200);
    CHECK(eventually([&] {
      house.output->settle(house.cell);
      return house.cell.delivered == 200;
    }));
    house.output->close(house.cell);
    CHECK_EQ(house.cell.dropped_total(), 0u);
    house.output.reset();
  }
  CHECK(eventually(send_one));
  CHECK_EQ(reader.wait(), 0);
}

TEST(preload_netmap_fills_an_engines_input) {
  NetmapHouse house;
  PortContext context;
  context.pipes = &house.directory;
  std::unique_ptr<Input> input;
  CHECK(open_pipe_input("p}0", context, &input).ok());
  NetmapPort a("p{0");
  if (!a.is_open()) return;
  auto batch = std::make_unique<Batch>();
  LedgerCell cell;
  uint64_t sent = 0, got = 0;
  while (got < 5000) {
    while (sent < 5000 && NetmapPort::space(a.tx())) {
      ++sent;
      NetmapPort::put(a.tx(), sent, static_cast<uint16_t>(20 + sent % 1400));
    }
    CHECK_EQ(a.sync_tx(), 0);
    while (input->receive(*batch, kBatchMax, 42, cell)) {
      for (uint32_t i = 0; i < batch->count; ++i) {
        ++got;
        const Bytes frame = make_frame(got, 20 + got % 1400);
        CHECK_EQ(batch->packets[i].length, static_cast<uint32_t>(frame.size()));
        CHECK_EQ(std::memcmp(batch->packets[i].data, frame.data(), frame.size()), 0);
        CHECK_EQ(batch->packets[i].timestamp, 42u);  // netmap programs stamp nothing
      }
      input->release(*batch);
    }
  }
  CHECK_EQ(cell.packets, 5000u);
  NetmapPort reader("p}0");
  CHECK_EQ(reader.error, EBUSY);  // the engine reads there
}

TEST(preload_netmap_tells_when_the_daemon_is_gone_and_goes_on_between_programs) {
  EngineHouse house;
  CHECK(house.open("e{0", 64).ok());
  NetmapPort b("e}0"), c("q{0"), d("q}0");
  if (!b.is_open() || !c.is_open() || !d.is_open()) return;
  CHECK_EQ(b.sync_rx(), 0);
  house.fill(1, 10);
  house.server.reset();  // connections are closed, memory stays
  CHECK_EQ(b.poll_for(POLLIN, 1000), POLLIN);
  CHECK_EQ(read_all(b, 1), 10u);
  CHECK(eventually([&] { return b.poll_for(POLLIN, 1) == POLLERR; }));
  CHECK_EQ(b.sync_rx(), -1);
  CHECK_EQ(errno, EIO);
  NetmapPort::put(c.tx(), 3);
  CHECK_EQ(c.sync_tx(), 0);
  CHECK_EQ(d.sync_rx(), 0);
  CHECK(NetmapPort::take(d.rx(), 3));
}

}  // namespace bricks
