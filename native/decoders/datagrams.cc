// What is in a datagram of a session whose protocol is known.
#include "decoders/dhcp.hh"
#include "decoders/inspection.hh"
#include "decoders/ntp.hh"
#include "decoders/rtp.hh"
#include "decoders/sip.hh"

namespace bricks {

namespace {

void read_media(const Inspection& at, Bytes payload) noexcept {
  if (is_rtcp(payload)) {
    bricks_rtcp report;
    for (size_t place = 0; read_rtcp(payload, &place, &report);) {
      at.tell(BRICKS_RECORD_RTCP, &report);
    }
    return;
  }
  bricks_rtp packet;
  if (read_rtp(payload, &packet)) at.tell(BRICKS_RECORD_RTP, &packet);
}

void read_dhcp(const Inspection& at, Bytes payload) noexcept {
  bricks_dhcp4 four;
  bricks_dhcp6 six;
  if (payload.size() >= 240 && read_dhcp4(payload, &four)) {
    at.tell(BRICKS_RECORD_DHCP4, &four);
  } else if (read_dhcp6(payload, &six)) {
    at.tell(BRICKS_RECORD_DHCP6, &six);
  }
}

// The ClientHello, once all of it has come.
void read_hello(const Inspection& at, const uint8_t* stream, uint32_t there) noexcept {
  if (there < 4) return;
  const size_t length = (size_t{stream[1]} << 16 | load_be16(stream + 2)) + 4;
  if (length > kDecodeBufferBytes) {
    ++at.counts.too_long;
    at.end();
  }
  if (there < length) return;
  bricks_tls_client_hello hello;
  if (stream[0] != 1 || !read_client_hello({stream + 4, length - 4}, &at.bench.hello, &hello)) {
    return at.broken();
  }
  hello.quic = 1;
  make_ja4(at.bench.crypto, &hello);
  at.tell(BRICKS_RECORD_TLS_CLIENT_HELLO, &hello);
  at.end();
}

}  // namespace

void read_quic(const Inspection& at, Bytes payload) noexcept {
  QuicState& quic = at.state.quic;
  if (at.direction != quic.client) return;  // the server's are sealed with keys of its own
  StreamSide& client = at.side();
  for (uint32_t packets = 0; packets < kQuicPackets && !payload.empty(); ++packets) {
    QuicPacket packet;
    const QuicOutcome outcome =
        read_quic_packet(at.bench.crypto, &quic, payload, at.bench.clear, &packet);
    if (outcome == QuicOutcome::no) return;
    payload = payload.subspan(packet.length);
    if (outcome == QuicOutcome::other) continue;
    if (!quic.told)
      at.tell(BRICKS_RECORD_QUIC_INITIAL, &packet.initial);  // the first; after a Retry
    quic.told = true;
    if (!client.buffer && !(client.buffer = at.take_buffer())) return at.end();
    if (!collect_crypto(&quic, packet.payload, client.buffer, kDecodeBufferBytes)) {
      return at.broken();
    }
    read_hello(at, client.buffer, crypto_bytes(quic));
    if (client.over) return;
  }
}

void read_datagram(const Inspection& at, Bytes payload) noexcept {
  switch (at.state.protocol) {
    case BRICKS_PROTOCOL_DNS: {
      bricks_dns message;
      size_t used = 0;
      if (read_dns(payload, &at.bench.dns, &message, &used)) at.tell(BRICKS_RECORD_DNS, &message);
      return;
    }
    case BRICKS_PROTOCOL_SIP: {
      bricks_sip message;
      bool response = false;
      size_t used = 0;
      if (!read_sip(view_of(payload), &message, &response, &used)) return;
      at.tell(response ? BRICKS_RECORD_SIP_RESPONSE : BRICKS_RECORD_SIP_REQUEST, &message);
      return;
    }
    case BRICKS_PROTOCOL_NTP: {
      bricks_ntp packet;
      if (read_ntp(payload, &packet)) at.tell(BRICKS_RECORD_NTP, &packet);
      return;
    }
    case BRICKS_PROTOCOL_QUIC:
      return read_quic(at, payload);
    case BRICKS_PROTOCOL_RTP:
      return read_media(at, payload);
    case BRICKS_PROTOCOL_DHCP:
      return read_dhcp(at, payload);
    default:
      return;
  }
}

}  // namespace bricks
