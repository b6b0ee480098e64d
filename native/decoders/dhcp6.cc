#include "decoders/dhcp.hh"

namespace bricks {

namespace {

enum : uint16_t {
  kClientId = 1,
  kServerId = 2,
  kAssociation = 3,
  kTemporary = 4,
  kAddress = 5,
  kRequested = 6,
  kRelayMessage = 9,
  kStatus = 13,
  kVendorClass = 16,
  kClientFqdn = 39,
};
constexpr uint8_t kRelayForward = 12, kRelayReply = 13, kRelaysMax = 8, kAddressesMax = 8;

void read_addresses(Bytes option, size_t head, bricks_dhcp6* made) noexcept {
  Cursor cursor(option);
  cursor.take(head);
  while (cursor.left() > 0) {
    const uint16_t code = cursor.u16();
    const Bytes inner = cursor.take16();
    if (!cursor.ok()) {
      made->malformed = 1;
      return;
    }
    if (code == kAddress && inner.size() >= 16 && made->addresses_count < kAddressesMax) {
      std::memcpy(made->addresses[made->addresses_count++], inner.data(), 16);
    }
  }
}

void read_option(uint16_t code, Bytes option, bricks_dhcp6* made) noexcept {
  switch (code) {
    case kClientId:
      made->client_id = text_of(option);
      return;
    case kServerId:
      made->server_id = text_of(option);
      return;
    case kAssociation:
      return read_addresses(option, 12, made);
    case kTemporary:
      return read_addresses(option, 4, made);
    case kRequested:
      made->requested_options = text_of(option);
      return;
    case kStatus:
      if (option.size() >= 2) made->status = load_be16(option.data());
      return;
    case kVendorClass:  // an enterprise's number and a length come before the first one
      if (option.size() > 6) made->vendor_class = text_of(option.subspan(6));
      return;
    case kClientFqdn:
      if (option.size() > 1) made->client_fqdn = text_of(option.subspan(1));
      return;
    default:
      return;
  }
}

}  // namespace

bool read_dhcp6(Bytes datagram, bricks_dhcp6* made) noexcept {
  *made = {};
  Bytes message = datagram;
  while (!message.empty() && (message[0] == kRelayForward || message[0] == kRelayReply)) {
    if (made->relays++ == kRelaysMax) return false;
    Cursor relay(message);
    relay.take(34);  // type, hops, two addresses
    message = {};
    while (relay.left() > 0) {
      const uint16_t code = relay.u16();
      const Bytes option = relay.take16();
      if (code == kRelayMessage && relay.ok()) message = option;
    }
    if (message.empty() || !relay.ok()) return false;
  }
  Cursor cursor(message);
  made->type = cursor.u8();
  made->transaction = cursor.u24();
  if (!cursor.ok() || made->type == 0 || made->type > 11) return false;
  while (cursor.left() > 0) {
    const uint16_t code = cursor.u16();
    const Bytes option = cursor.take16();
    if (!cursor.ok()) {
      made->malformed = 1;
      break;
    }
    read_option(code, option, made);
  }
  return true;
}

}  // namespace bricks
