#include "decoders/rtp.hh"

namespace bricks {

namespace {

enum : uint8_t { kSenderReport = 200, kReceiverReport = 201, kDescription = 202, kLast = 207 };

// CNAME, item 1, of the first chunk.
bricks_text canonical_name(Cursor cursor) noexcept {
  while (cursor.left() >= 2) {
    const uint8_t type = cursor.u8();
    if (type == 0) break;
    const Bytes value = cursor.take8();
    if (type == 1 && cursor.ok()) return text_of(value);
  }
  return {};
}

}  // namespace

bool read_rtp(Bytes datagram, bricks_rtp* made) noexcept {
  *made = {};
  Cursor cursor(datagram);
  const uint8_t first = cursor.u8(), second = cursor.u8();
  made->sequence = cursor.u16();
  made->timestamp = cursor.u32();
  made->source = cursor.u32();
  if (!cursor.ok() || first >> 6 != 2) return false;
  made->padding = first >> 5 & 1;
  made->sources = first & 15;
  made->marker = second >> 7;
  made->payload_type = second & 127;
  // 72 to 76 with the marker are RTCP's types.
  if (made->payload_type >= 72 && made->payload_type <= 76) return false;
  cursor.take(made->sources * 4u);
  if (first >> 4 & 1) {
    made->extension = cursor.u16();
    cursor.take(cursor.u16() * 4u);
  }
  Bytes payload = cursor.rest();
  if (!cursor.ok()) return false;
  if (made->padding) {
    if (payload.empty() || payload.back() == 0 || payload.back() > payload.size()) return false;
    payload = payload.first(payload.size() - payload.back());
  }
  made->payload = text_of(payload);
  return true;
}

bool read_rtcp(Bytes datagram, size_t* at, bricks_rtcp* made) noexcept {
  *made = {};
  if (*at >= datagram.size()) return false;
  Cursor head(datagram.subspan(*at));
  const uint8_t first = head.u8();
  made->type = head.u8();
  const size_t length = head.u16() * 4u;
  Cursor cursor(head.take(length));
  if (!head.ok() || first >> 6 != 2) return false;
  if (made->type < kSenderReport || made->type > kLast) return false;
  *at += 4 + length;
  made->count = first & 31;
  if (length < 4) return true;  // BYE or SDES of nobody
  made->source = cursor.u32();
  if (made->type == kSenderReport) {
    made->ntp_time = cursor.u64();
    made->timestamp = cursor.u32();
    made->packets = cursor.u32();
    made->bytes = cursor.u32();
  } else if (made->type == kDescription) {
    made->canonical_name = canonical_name(cursor);
  }
  return cursor.ok();
}

bool is_rtcp(Bytes datagram) noexcept {
  bricks_rtcp packet;
  size_t at = 0;
  if (!read_rtcp(datagram, &at, &packet)) return false;
  if (packet.type != kSenderReport && packet.type != kReceiverReport) return false;
  while (at < datagram.size()) {
    if (!read_rtcp(datagram, &at, &packet)) return false;
  }
  return true;
}

}  // namespace bricks
