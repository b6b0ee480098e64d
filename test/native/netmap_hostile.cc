// The netmap: port when the memory it shares lies: nothing outside is touched (sanitizers see to
// that), the ledger stays whole, and the port is refused where nothing can be made of it.
#include <cstdio>
#include <cstring>
#include <memory>

#include "check.hh"
#include "fake_netmap.hh"
#include "pipe_fixture.hh"
#include "port_conformance.hh"
#include "ports/netmap_input.hh"
#include "ports/netmap_output.hh"

using namespace bricks;

namespace {

constexpr uint64_t kSeed = 20261121;

Status open_device(bool transmit, uint32_t extra, std::unique_ptr<NetmapDevice>* device) {
  NetmapName name;
  name.port = "a0";
  NetmapWishes wishes;
  wishes.transmit = transmit;
  wishes.extra = extra;
  wishes.system = &fake::Netmap::kSystem;
  return NetmapDevice::open(name, wishes, device);
}

// One of the values that break things, or any.
uint32_t nasty(Random& random, uint32_t slots) {
  const uint32_t values[] = {0,      1,      slots - 1,  slots,      slots + 1,
                             30'000, 65'536, 0x7fffffff, 0x80000000, 0xffffffff};
  constexpr uint32_t kValues = sizeof values / sizeof values[0];
  const uint32_t pick = random.below(2 * kValues);
  if (pick < kValues) return values[pick];
  return pick % 2 ? random.below(slots) : static_cast<uint32_t>(random.next());
}

}  // namespace

TEST(netmap_hostile_layouts_are_refused) {
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  uint32_t refused = 0, opened = 0;
  for (int round = 0; round < 3000; ++round) {
    fake::Shape shape;
    shape.slots = 16;
    shape.buffers = 256;
    fake::Netmap netmap(shape);
    fake::Card& card = netmap.card("a0");
    netmap.lie_at_registration = [&](uint64_t& offset, uint64_t& bytes) {
      uint8_t* base = netmap.base(1);
      const uint64_t area = round % 2 ? card.offset : card.tx[random.below(2)].offset;
      const uint32_t changes = 1 + random.below(3);
      for (uint32_t i = 0; i < changes; ++i) {
        const uint32_t word = nasty(random, 16);
        std::memcpy(base + area + random.below(32) * 4, &word, sizeof word);
      }
      if (random.below(8) == 0) offset = random.below(2) ? bytes - random.below(64) : random.next();
      if (random.below(8) == 0) bytes = bytes / (1 + random.below(100));
    };
    std::unique_ptr<NetmapDevice> device;
    const Status status = open_device(random.below(2), random.below(20), &device);
    CHECK(status.ok() == (device != nullptr));
    if (!status.ok()) CHECK(!status.message.empty());
    (status.ok() ? opened : refused)++;
    if (!device) continue;
    volatile uint32_t seen = 0;  // the ends of what was accepted lie in the mapping
    for (const NetmapRing& ring : device->rings) {
      seen =
          seen + ring.read(ring.slots - 1).buf_idx + ring.buffer(ring.limit - 1)[ring.stride - 1];
      seen = seen + ring.buffer(0)[0];
    }
  }
  CHECK(refused > 300 && opened > 300);
}

TEST(netmap_hostile_rings_harm_nobody) {
  std::printf("  seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed + 1};
  for (int round = 0; round < 200; ++round) {
    fake::Shape shape;
    shape.slots = 16;
    shape.buffers = 256;
    fake::Netmap netmap(shape);
    std::unique_ptr<NetmapDevice> of_input, of_output;
    CHECK(open_device(false, 0, &of_input).ok() && open_device(true, 8, &of_output).ok());
    if (!of_input || !of_output) return;
    NetmapInput input(std::move(of_input), "");
    NetmapOutput output(std::move(of_output), {}, "");
    netmap.lie_at_sync = [&](netmap_ring* ring) {
      if (random.below(2)) return;
      if (random.below(3) == 0) ring->tail = nasty(random, 16);
      if (random.below(4) == 0) ring->head = nasty(random, 16);
      netmap_slot& slot = ring->slot[random.below(16)];
      if (random.below(3) == 0) slot.buf_idx = nasty(random, 256);
      if (random.below(3) == 0) slot.len = static_cast<uint16_t>(nasty(random, 2048));
      if (random.below(3) == 0) slot.flags = static_cast<uint16_t>(nasty(random, 64));
    };
    const auto batch = std::make_unique<Batch>();
    LedgerCell received, sent;
    volatile uint8_t seen = 0;
    uint64_t given = 0;
    for (int breath = 0; breath < 50; ++breath) {
      for (uint32_t i = random.below(8); i > 0; --i) {
        netmap.card("a0").rx[0].pending.push_back(make_frame(i, 1 + random.below(5000)));
      }
      const uint32_t count = input.receive(*batch, 1 + random.below(kBatchMax), 1, received);
      std::vector<Index> picks;
      for (uint32_t i = 0; i < count; ++i) {
        const Packet& packet = batch->packets[i];
        for (uint32_t k = 0; k < packet.length; ++k) seen = seen ^ packet.data[k];
        picks.push_back(static_cast<Index>(i));
      }
      given += count;
      sent.packets += count;
      output.transmit(*batch, picks.data(), count, true, sent);
      output.flush(1, sent);
      input.release(*batch);
      CHECK(conformance::balanced(sent));
      CHECK_EQ(received.packets, given + received.dropped_total());
    }
    netmap.lie_at_sync = nullptr;
    netmap.sync_error = EIO;  // no patience at the end
    output.flush(1, sent);
    output.close(sent);
    CHECK_EQ(sent.held, 0u);
    CHECK(conformance::balanced(sent));
    input.take_warning();
    output.take_warning();
  }
}
