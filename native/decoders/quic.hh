// The client's QUIC Initial packets (RFC 9000, 9001, 9369): their keys are made of what they show,
// so what the client says first can be read by anybody: its ClientHello.
#pragma once

#include "decoders/crypto.hh"

namespace bricks {

inline constexpr uint32_t kQuicRangesMax = 32;  // pieces of a ClientHello that are not joined yet

// What is kept of a session until its ClientHello is there.
struct QuicState {
  QuicKeys keys;
  uint32_t version;
  bool keyed;
  bool told;       // somebody knows of an Initial with these keys
  uint8_t client;  // direction
  uint8_t range_count;
  struct {
    uint16_t begin, end;
  } ranges[kQuicRangesMax];  // of the stream of CRYPTO frames, sorted, apart
};

struct QuicPacket {
  bricks_quic_initial initial;
  Bytes payload;  // its frames, in the clear
  size_t length;  // of the packet in its datagram
};

// Of client's Initials whose first one had that destination. False: no such version.
bool make_quic_keys(Crypto& crypto, uint32_t version, Bytes destination_id,
                    QuicKeys* keys) noexcept;

enum class QuicOutcome : uint8_t { no, other, initial };
// The packet at the beginning of `datagram`. `no`: it is not QUIC of a known version, or not
// authentic. `other`: `length` of it are to be passed over. `clear`: room for 64 KiB.
QuicOutcome read_quic_packet(Crypto& crypto, QuicState* state, Bytes datagram, uint8_t* clear,
                             QuicPacket* packet) noexcept;

// Takes CRYPTO frames out of `frames` to `stream`, `room` bytes of it. False: they are not well
// formed, or leave the room.
bool collect_crypto(QuicState* state, Bytes frames, uint8_t* stream, uint32_t room) noexcept;
// How many bytes of the stream are there from its beginning.
inline uint32_t crypto_bytes(const QuicState& state) noexcept {
  return state.range_count > 0 && state.ranges[0].begin == 0 ? state.ranges[0].end : 0;
}

}  // namespace bricks
