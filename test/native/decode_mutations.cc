// Packets with some bytes changed: all paths of decode() say the same, and read nothing else (each
// packet lies in memory of just its size, which the address sanitizer watches).
#include <cstring>
#include <memory>

#include "check.hh"
#include "encapsulations.hh"
#include "pipe_fixture.hh"
#include "wire/decode.hh"
#include "wire/flow_key.hh"
#include "wire/packet_digest.hh"

namespace bricks {

namespace {

constexpr uint64_t kSeed = 0x5eed0f;
constexpr uint32_t kRounds = 60;

bool same(const Batch& a, const Batch& b, Index i) {
  const Packet &x = a.packets[i], &y = b.packets[i];
  if (std::memcmp(&x, &y, sizeof x) != 0 || a.digests[i] != b.digests[i]) return false;
  return !(x.flags & kPacketLayers) || std::memcmp(&a.layers[i], &b.layers[i], sizeof(Layers)) == 0;
}

// Bits, bytes and the length: as a network, a bug or somebody bad would.
void mutate(frames::Bytes& frame, Random& random) {
  for (auto n = random.below(4); n > 0; --n) {
    uint8_t& byte = frame[random.below(static_cast<uint32_t>(frame.size()))];
    byte = random.below(2) ? static_cast<uint8_t>(random.next())
                           : static_cast<uint8_t>(byte ^ 1u << random.below(8));
  }
  if (random.below(4) == 0) frame.resize(1 + random.below(static_cast<uint32_t>(frame.size())));
}

}  // namespace

TEST(decode_paths_agree_on_mutated_packets) {
  std::printf("  seed %llx\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  const frames::Ends ends = {};
  std::vector<frames::Bytes> kinds = {
      frames::ethernet(ends, 0x0800, frames::inner4(ends)),
      frames::ethernet(ends, 0x86dd, frames::inner6(ends)),
      frames::ethernet(ends, 0x8100, frames::tag(1, 0x0800, frames::inner4(ends))),
      frames::ethernet(ends, 0x8100, frames::tag(1, 0x86dd, frames::inner6(ends))),
  };
  const size_t plain = kinds.size();
  for (const auto& one : frames::encapsulations(ends)) kinds.push_back(one.frame);
  const auto fast = std::make_unique<Batch>(), slow = std::make_unique<Batch>();
  uint64_t differ = 0, layered = 0, faults = 0;
  std::vector<std::unique_ptr<uint8_t[]>> memory(kBatchMax);
  for (uint32_t round = 0; round < kRounds * kinds.size(); ++round) {
    const bool all_kinds = random.below(2);  // else nearly plain ones: the faster paths
    for (uint32_t i = 0; i < kBatchMax; ++i) {
      frames::Bytes frame =
          kinds[random.below(static_cast<uint32_t>(all_kinds ? kinds.size() : plain))];
      mutate(frame, random);
      memory[i] = std::make_unique<uint8_t[]>(frame.size());
      std::copy(frame.begin(), frame.end(), memory[i].get());
      fast->packets[i] = {};
      fast->packets[i].data = memory[i].get();
      fast->packets[i].length = static_cast<uint32_t>(frame.size());
      fast->packets[i].flags = random.below(8) == 0 ? kPacketCut : 0;
      fast->wire_lengths[i] = fast->packets[i].length + random.below(60);
      slow->packets[i] = fast->packets[i];
      slow->wire_lengths[i] = fast->wire_lengths[i];
    }
    fast->count = slow->count = kBatchMax;
    decode(*fast, process_hash_seed());
    for (Index i = 0; i < kBatchMax; ++i) {
      decode_slow(*slow, i, process_hash_seed());
      differ += !same(*fast, *slow, i);
      layered += (fast->packets[i].flags & kPacketLayers) != 0;
      (void)flow_key(*fast, i, {.outer = true, .tenant = true});
      (void)flow_digest(*fast, i, {.outer = true, .addresses_only = true});
      (void)packet_digest(*fast, i, {}, process_hash_seed());
      (void)packet_digest(*fast, i, {false, false, false, false}, process_hash_seed());
    }
    for (const uint32_t count : fast->header_faults) faults += count;
  }
  CHECK_EQ(differ, 0u);
  CHECK(layered > 100000 && faults > 10000);
}

}  // namespace bricks
