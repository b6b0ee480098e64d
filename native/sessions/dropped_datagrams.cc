#include "sessions/dropped_datagrams.hh"

#include "wire/bytes.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

constexpr Nanos kKnown = Nanos{kFragmentKnownMs} * 1000000;

// Tenant, addresses, id and protocol; never 0.
uint64_t name_of(const Batch& batch, Index index) noexcept {
  const Packet& packet = batch.packets[index];
  const Layers& layers = batch.layers[index];
  const HashSeed& seed = process_hash_seed();
  const uint8_t version = layers.key_version;
  const uint8_t* ip = packet.data + layers.key_network;
  const uint64_t tenant = uint64_t{layers.vni} << 12 | layers.vlan;
  uint64_t name = multiply_fold(layers.fragment_id ^ seed.word[1], seed.word[2] ^ tenant);
  name ^= uint64_t{datagram_protocol(packet, layers.key_network, version)} << 8 | version;
  const uint32_t bytes = version == 4 ? 8 : 32;
  for (uint32_t at = 0; at < bytes; at += 8) {
    name = multiply_fold(name ^ load<uint64_t>(ip + (version == 4 ? 12 : 8) + at) ^ seed.word[0],
                         seed.word[3]);
  }
  return name | 1;
}

}  // namespace

void DroppedDatagrams::add(const Batch& batch, Index fragment) noexcept {
  const uint64_t name = name_of(batch, fragment);
  all_[name >> 8 & (kPlaces - 1)] = {name, batch.packets[fragment].timestamp};
}

bool DroppedDatagrams::has(const Batch& batch, Index fragment) const noexcept {
  const uint64_t name = name_of(batch, fragment);
  const Datagram& known = all_[name >> 8 & (kPlaces - 1)];
  const Nanos time = batch.packets[fragment].timestamp;
  const Nanos apart = time > known.seen ? time - known.seen : known.seen - time;
  return known.name == name && apart <= kKnown;  // later the id stands for another one
}

}  // namespace bricks
