// An output that was lost and comes back: it gets new flows, and connections that are opened anew;
// it takes no live flow from those who have it now.
#include <vector>

#include "balancer_fixture.hh"

namespace bricks {

using namespace balancing;

namespace {

constexpr uint32_t kFlows = 2000;
constexpr uint8_t kSyn = 0x02, kSynAck = 0x12, kAck = 0x10, kFin = 0x11, kReset = 0x14;

// Both directions of a handshake; where the connection is.
uint32_t open(World& world, uint32_t flow) {
  const uint32_t here = world.flow(flow, false, kSyn);
  CHECK_EQ(world.flow(flow, true, kSynAck), here);
  CHECK_EQ(world.flow(flow, false, kAck), here);
  return here;
}

// Output 0 is lost, its flows have gone to the others, and it is back.
std::vector<uint32_t> lost_and_back(World& world) {
  Options options;
  options["on_loss"] = std::string("failover");
  CHECK(world.set(names(4), options).ok());
  std::vector<uint32_t> at(kFlows);
  for (uint32_t i = 0; i < kFlows; ++i) at[i] = open(world, i);
  world.brick->outlet_changed(0, OutletState::lost);
  for (uint32_t i = 0; i < kFlows; ++i) {
    const uint32_t here = world.flow(i);
    CHECK(here != 0);
    CHECK(at[i] == 0 || at[i] == here);
    at[i] = here;
  }
  world.brick->outlet_changed(0, OutletState::ready);
  return at;
}

}  // namespace

TEST(balancer_output_that_is_back_takes_no_live_flow) {
  World world;
  const std::vector<uint32_t> at = lost_and_back(world);
  const uint64_t moved = world.figure("moved");
  for (uint32_t i = 0; i < kFlows; ++i) {
    CHECK_EQ(world.flow(i), at[i]);
    CHECK_EQ(world.flow(i, true), at[i]);
    // A SYN again, or one that somebody made up: the connection lives, nobody has closed it.
    CHECK_EQ(world.flow(i, false, kSyn), at[i]);
    CHECK_EQ(world.flow(i, true, kSyn), at[i]);
    // One side has said its last, the other not yet.
    CHECK_EQ(world.flow(i, false, kFin), at[i]);
    CHECK_EQ(world.flow(i, false, kSyn), at[i]);
  }
  CHECK_EQ(world.figure("moved"), moved);
}

TEST(balancer_connection_opened_anew_is_placed_anew_and_then_stays) {
  World world;
  const std::vector<uint32_t> at = lost_and_back(world);
  const uint64_t begun = world.table->counts().begun;
  uint32_t anew = 0, back = 0;
  for (uint32_t i = 0; i < kFlows; ++i) {
    if (i % 2) {
      CHECK_EQ(world.flow(i, false, kFin), at[i]);
      CHECK_EQ(world.flow(i, true, kFin), at[i]);
    } else {
      CHECK_EQ(world.flow(i, true, kReset), at[i]);
    }
    // What comes late is of the old connection.
    CHECK_EQ(world.flow(i, false, kAck), at[i]);
    const uint32_t here = open(world, i);
    // Placement is consistent: it goes back to where it was first, or stays.
    CHECK(here == 0 || here == at[i]);
    anew += here != at[i];
    back += here == 0;
    for (uint32_t packet = 0; packet < 4; ++packet) {
      CHECK_EQ(world.flow(i, packet % 2 != 0), here);
      CHECK_EQ(world.flow(i, false, kSyn), here);  // it lives
    }
  }
  CHECK_EQ(world.table->counts().begun - begun, kFlows);
  CHECK_EQ(world.table->counts().live, kFlows);
  CHECK(back == anew && back > kFlows / 5 && back < kFlows / 3);
}

// Lost again before its connections are opened anew: nothing goes there.
TEST(balancer_connection_opened_anew_goes_to_no_lost_output) {
  World world;
  const std::vector<uint32_t> at = lost_and_back(world);
  world.brick->outlet_changed(0, OutletState::lost);
  for (uint32_t i = 0; i < kFlows; ++i) {
    CHECK_EQ(world.flow(i, true, kReset), at[i]);
    CHECK_EQ(open(world, i), at[i]);
  }
}

}  // namespace bricks
