// Flows that are counted up, as load tests, address pools and translators make them, spread over
// outputs and over the lines of the session table whatever the process's seed is.
#include "wire/flow_hash.hh"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <vector>

#include "check.hh"

using namespace bricks;

namespace {

constexpr uint32_t kFlows = 1000, kSeeds = 2000, kOutputs = 8, kWays = 4;
constexpr uint8_t kTcp = 6;

uint32_t as_on_wire(uint32_t value) { return __builtin_bswap32(value); }
uint16_t port_on_wire(uint32_t value) { return __builtin_bswap16(static_cast<uint16_t>(value)); }

using Endpoint = std::function<uint64_t(uint32_t number)>;

struct Spread {
  uint32_t busiest = 0;  // of the outputs, as a balancer chooses them
  uint32_t beyond = 0;   // flows for which a line, of 1.7 flows on average, has no room
};

Spread spread_of(const Endpoint& client, uint64_t server, const HashSeed& seed) {
  std::array<uint32_t, kOutputs> outputs{};
  std::vector<uint32_t> lines(1u << 10);
  constexpr uint32_t kLines = kFlows * 10 / 17;
  Spread spread;
  for (uint32_t i = 0; i < kFlows; ++i) {
    const uint64_t digest = digest_endpoints(client(i), server, seed);
    ++outputs[(digest >> 32) * kOutputs >> 32];
    const auto low = static_cast<uint32_t>(digest) % 1024;
    spread.beyond += ++lines[low < kLines ? low : low % 512] > kWays;
  }
  spread.busiest = *std::max_element(outputs.begin(), outputs.end());
  return spread;
}

void check_spread(const char* what, const Endpoint& client, uint64_t server) {
  uint32_t busiest = 0, beyond = 0;
  for (uint32_t seed = 1; seed <= kSeeds; ++seed) {
    const Spread spread = spread_of(client, server, make_hash_seed(seed));
    busiest = std::max(busiest, spread.busiest);
    beyond = std::max(beyond, spread.beyond);
  }
  std::printf(
      "  %s: of %u seeds, the worst: %u of %u flows on one of %u outputs, %u without room\n", what,
      kSeeds, busiest, kFlows, kOutputs, beyond);
  CHECK(busiest < kFlows / kOutputs * 3 / 2);
  CHECK(beyond < kFlows * 6 / 100);
}

}  // namespace

TEST(flow_hash_spreads_clients_that_are_counted_up) {
  const uint64_t server = endpoint_v4(as_on_wire(0xc0a80001), port_on_wire(443), kTcp);
  check_spread(
      "addresses",
      [](uint32_t i) { return endpoint_v4(as_on_wire(0x0a000000 + i), port_on_wire(50000), kTcp); },
      server);
  check_spread(
      "addresses and ports",
      [](uint32_t i) {
        return endpoint_v4(as_on_wire(0x0a000000 + i / 4), port_on_wire(1024 + i % 4), kTcp);
      },
      server);
}

TEST(flow_hash_spreads_ports_that_are_counted_up) {
  check_spread(
      "ports",
      [](uint32_t i) { return endpoint_v4(as_on_wire(0x0a000002), port_on_wire(1024 + i), kTcp); },
      endpoint_v4(as_on_wire(0xc0a80001), port_on_wire(443), kTcp));
}
