#include "decoders/dhcp.hh"

namespace bricks {

namespace {

constexpr uint32_t kCookie = 0x63825363;

void copy_address(Bytes option, uint8_t* to) noexcept {
  if (option.size() >= 4) std::memcpy(to, option.data(), 4);
}

void read_option(uint8_t code, Bytes option, bricks_dhcp4* made) noexcept {
  switch (code) {
    case 1:
      return copy_address(option, made->mask);
    case 3:
      return copy_address(option, made->router);
    case 12:
      made->host_name = text_of(option);
      return;
    case 15:
      made->domain = text_of(option);
      return;
    case 50:
      return copy_address(option, made->requested);
    case 51:
      if (option.size() == 4) made->lease = load_be32(option.data());
      return;
    case 53:
      if (option.size() == 1) made->type = option[0];
      return;
    case 54:
      return copy_address(option, made->server_id);
    case 55:
      made->parameters = text_of(option);
      return;
    case 60:
      made->vendor_class = text_of(option);
      return;
    case 61:
      made->client_id = text_of(option);
      return;
    case 81:  // flags and two codes come before the name
      if (option.size() > 3) made->client_fqdn = text_of(option.subspan(3));
      return;
    default:
      return;
  }
}

}  // namespace

bool read_dhcp4(Bytes datagram, bricks_dhcp4* made) noexcept {
  *made = {};
  Cursor cursor(datagram);
  const uint8_t operation = cursor.u8();
  made->hardware_type = cursor.u8();
  made->hardware_length = cursor.u8();
  cursor.u8();  // hops
  made->transaction = cursor.u32();
  made->seconds = cursor.u16();
  made->flags = cursor.u16();
  cursor.copy(made->client, 4);
  cursor.copy(made->yours, 4);
  cursor.copy(made->server, 4);
  cursor.copy(made->relay, 4);
  cursor.copy(made->hardware_address, 16);
  cursor.take(64 + 128);  // server's name, boot file
  const uint32_t cookie = cursor.u32();
  if (!cursor.ok() || cookie != kCookie || (operation != 1 && operation != 2)) return false;
  made->reply = operation == 2;
  while (cursor.left() > 0) {
    const uint8_t code = cursor.u8();
    if (code == 0) continue;
    if (code == 255) return true;
    const Bytes option = cursor.take8();
    if (!cursor.ok()) break;
    read_option(code, option, made);
  }
  made->malformed = 1;  // no end
  return true;
}

}  // namespace bricks
