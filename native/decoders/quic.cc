#include "decoders/quic.hh"

namespace bricks {

namespace {

struct Version {
  uint32_t number;
  uint8_t initial_type;  // the two bits of the first byte
  uint8_t salt[20];
  std::string_view key, iv, protection;
};
constexpr Version kVersions[] = {
    {1,
     0,
     {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
     "quic key",
     "quic iv",
     "quic hp"},
    {0x6b3343cf,
     1,
     {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
     "quicv2 key",
     "quicv2 iv",
     "quicv2 hp"},
};

const Version* find_version(uint32_t number) noexcept {
  for (const Version& version : kVersions) {
    if (version.number == number) return &version;
  }
  return nullptr;
}

// RFC 9000, 16: one, two, four or eight bytes.
uint64_t read_variable(Cursor& cursor) noexcept {
  const uint8_t first = cursor.u8();
  uint64_t value = first & 0x3f;
  for (uint32_t i = (1u << (first >> 6)) - 1; i > 0; --i) value = value << 8 | cursor.u8();
  return value;
}

// Takes the protection off and opens what is sealed: `protected_at` is where the packet number
// begins.
bool open_packet(Crypto& crypto, const QuicKeys& keys, Bytes packet, size_t number_at,
                 uint8_t* clear, QuicPacket* made) noexcept {
  constexpr size_t kHeaderMax = 2048;
  if (packet.size() < number_at + 4 + 16 || number_at > kHeaderMax) return false;
  uint8_t mask[16], header[kHeaderMax + 4], nonce[12];
  if (!crypto.protect_header(keys, packet.data() + number_at + 4, mask)) return false;
  const uint8_t first = packet[0] ^ (mask[0] & 0x0f);
  const uint32_t number_bytes = (first & 3u) + 1;
  std::memcpy(header, packet.data(), number_at + number_bytes);
  header[0] = first;
  uint64_t number = 0;
  for (uint32_t i = 0; i < number_bytes; ++i) {
    header[number_at + i] ^= mask[1 + i];
    number = number << 8 | header[number_at + i];
  }
  std::memcpy(nonce, keys.iv, sizeof nonce);
  for (uint32_t i = 0; i < 4; ++i) nonce[11 - i] ^= static_cast<uint8_t>(number >> (i * 8));
  const Bytes sealed = packet.subspan(number_at + number_bytes);
  if (!crypto.open(keys, nonce, {header, number_at + number_bytes}, sealed, clear)) return false;
  made->initial.packet_number = number;
  made->payload = {clear, sealed.size() - 16};
  return true;
}

// Adds [begin, end) to the sorted ranges; false: there are too many.
bool add_range(QuicState* state, uint32_t begin, uint32_t end) noexcept {
  uint32_t at = 0;
  while (at < state->range_count && state->ranges[at].end < begin) ++at;
  uint32_t last = at;
  while (last < state->range_count && state->ranges[last].begin <= end) {
    begin = std::min<uint32_t>(begin, state->ranges[last].begin);
    end = std::max<uint32_t>(end, state->ranges[last].end);
    ++last;
  }
  const uint32_t behind = state->range_count - last;
  if (at + 1 + behind > kQuicRangesMax) return false;
  std::memmove(&state->ranges[at + 1], &state->ranges[last], behind * sizeof state->ranges[0]);
  state->ranges[at].begin = static_cast<uint16_t>(begin);
  state->ranges[at].end = static_cast<uint16_t>(end);
  state->range_count = static_cast<uint8_t>(at + 1 + behind);
  return true;
}

void skip_acknowledgement(Cursor& cursor, bool with_counts) noexcept {
  read_variable(cursor);  // the largest
  read_variable(cursor);  // delay
  const uint64_t ranges = read_variable(cursor);
  read_variable(cursor);
  for (uint64_t i = 0; i < ranges && cursor.ok(); ++i) {
    read_variable(cursor);
    read_variable(cursor);
  }
  for (uint32_t i = 0; with_counts && i < 3; ++i) read_variable(cursor);
}

}  // namespace

bool make_quic_keys(Crypto& crypto, uint32_t number, Bytes destination_id,
                    QuicKeys* keys) noexcept {
  const Version* version = find_version(number);
  uint8_t initial[32], client[32];
  return version && crypto.hmac({version->salt, sizeof version->salt}, destination_id, initial) &&
         crypto.expand_label({initial, 32}, "client in", client, 32) &&
         crypto.expand_label({client, 32}, version->key, keys->key, sizeof keys->key) &&
         crypto.expand_label({client, 32}, version->iv, keys->iv, sizeof keys->iv) &&
         crypto.expand_label({client, 32}, version->protection, keys->protection,
                             sizeof keys->protection);
}

QuicOutcome read_quic_packet(Crypto& crypto, QuicState* state, Bytes datagram, uint8_t* clear,
                             QuicPacket* packet) noexcept {
  *packet = {};
  Cursor cursor(datagram);
  const uint8_t first = cursor.u8();
  const uint32_t number = cursor.u32();
  const Version* version = find_version(number);
  if (!cursor.ok() || (first & 0xc0) != 0xc0 || !version) return QuicOutcome::no;
  const Bytes destination_id = cursor.take8();
  const Bytes source_id = cursor.take8();
  if (destination_id.size() > 20 || source_id.size() > 20) return QuicOutcome::no;
  const uint8_t type = first >> 4 & 3;
  const uint8_t retry_type = (version->initial_type + 3) & 3;
  if (type == retry_type) return QuicOutcome::no;
  const bool initial = type == version->initial_type;
  const uint64_t token_length = initial ? read_variable(cursor) : 0;
  if (token_length > cursor.left()) return QuicOutcome::no;
  const Bytes token = cursor.take(static_cast<size_t>(token_length));
  const uint64_t length = read_variable(cursor);
  if (!cursor.ok() || length > cursor.left() || length < 20) return QuicOutcome::no;
  const size_t number_at = datagram.size() - cursor.left();
  packet->length = number_at + static_cast<size_t>(length);
  if (!initial) return QuicOutcome::other;
  const Bytes whole = datagram.first(packet->length);
  packet->initial.version = number;
  packet->initial.destination_id = text_of(destination_id);
  packet->initial.source_id = text_of(source_id);
  packet->initial.token = text_of(token);
  if (state->keyed && state->version == number &&
      open_packet(crypto, state->keys, whole, number_at, clear, packet)) {
    return QuicOutcome::initial;
  }
  // The first one, or one after a Retry or a change of the version: keys are made anew.
  QuicKeys keys;
  if (!make_quic_keys(crypto, number, destination_id, &keys) ||
      !open_packet(crypto, keys, whole, number_at, clear, packet)) {
    return QuicOutcome::no;
  }
  state->range_count = 0;
  state->keys = keys;
  state->version = number;
  state->keyed = true;
  state->told = false;
  return QuicOutcome::initial;
}

bool collect_crypto(QuicState* state, Bytes frames, uint8_t* stream, uint32_t room) noexcept {
  Cursor cursor(frames);
  while (cursor.ok() && cursor.left() > 0) {
    const uint64_t type = read_variable(cursor);
    if (type <= 1) continue;  // PADDING, PING
    if (type == 2 || type == 3) {
      skip_acknowledgement(cursor, type == 3);
    } else if (type == 6) {
      const uint64_t offset = read_variable(cursor);
      const uint64_t length = read_variable(cursor);
      if (!cursor.ok() || length > cursor.left()) return false;
      const Bytes bytes = cursor.take(static_cast<size_t>(length));
      if (offset > room || length > room - offset) return false;
      if (bytes.empty()) continue;
      std::memcpy(stream + offset, bytes.data(), bytes.size());
      if (!add_range(state, static_cast<uint32_t>(offset),
                     static_cast<uint32_t>(offset + length))) {
        return false;
      }
    } else {
      return type == 0x1c;  // CONNECTION_CLOSE: nothing of interest follows
    }
  }
  return cursor.ok();
}

}  // namespace bricks
