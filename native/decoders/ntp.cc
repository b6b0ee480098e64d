#include "decoders/ntp.hh"

namespace bricks {

bool read_ntp(Bytes datagram, bricks_ntp* made) noexcept {
  *made = {};
  Cursor cursor(datagram);
  const uint8_t first = cursor.u8();
  made->leap = first >> 6;
  made->version = first >> 3 & 7;
  made->mode = first & 7;
  if (made->version == 0 || made->version > 4) return false;
  // Control and private messages have headers of their own. Version 1 has no mode.
  if (made->mode == 6 || made->mode == 7) return datagram.size() >= (made->mode == 6 ? 12 : 8);
  if (made->mode == 0 && made->version != 1) return false;
  made->stratum = cursor.u8();
  made->poll = static_cast<int8_t>(cursor.u8());
  made->precision = static_cast<int8_t>(cursor.u8());
  made->root_delay = cursor.u32();
  made->root_dispersion = cursor.u32();
  made->reference_id = cursor.u32();
  made->reference_time = cursor.u64();
  made->origin_time = cursor.u64();
  made->receive_time = cursor.u64();
  made->transmit_time = cursor.u64();
  made->header = 1;
  return cursor.ok();
}

}  // namespace bricks
