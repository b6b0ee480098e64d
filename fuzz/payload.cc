// Fuzzes the decoders of payload (decoders/): the first bytes of an input say over what and at
// which ports a session is, how its payload is cut into pieces, and where bytes are missing; what
// follows is the payload, each piece in memory of just its size. Whatever it is, no decoder leaves
// it, every record is whole and in bounds, and no buffer is kept. Run: docs/flows.md.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "decoders/inspector.hh"
#include "decoders/quic.hh"
#include "must.hh"

namespace bricks {

namespace {

volatile uint8_t seen;  // so that every byte of a record is read

void touch(const void* bytes, size_t length) noexcept {
  uint8_t sum = 0;
  for (size_t i = 0; i < length; ++i) sum ^= static_cast<const uint8_t*>(bytes)[i];
  seen = sum;
}
void touch(const bricks_text& text) noexcept {
  MUST(text.length < 1u << 20);
  touch(text.data, text.length);
}

void check_dns(const bricks_dns& m) noexcept {
  MUST(m.records_count <= BRICKS_DNS_RECORDS_MAX && m.records_count <= m.records_total);
  touch(m.name);
  MUST(m.name.length <= 1020);
  for (uint32_t i = 0; i < m.records_count; ++i) {
    touch(m.records[i].name), touch(m.records[i].data), touch(m.records[i].target);
  }
}

void check_http(const bricks_http& m) noexcept {
  MUST(m.headers_count <= BRICKS_HTTP_HEADERS_MAX && m.headers_count <= m.headers_total);
  for (const bricks_text* text :
       {&m.method, &m.target, &m.reason, &m.host, &m.user_agent, &m.content_type, &m.server}) {
    touch(*text);
  }
  for (uint32_t i = 0; i < m.headers_count; ++i) {
    touch(m.headers[i].name), touch(m.headers[i].value);
  }
}

void check_client_hello(const bricks_tls_client_hello& m) noexcept {
  MUST(m.ciphers_count <= BRICKS_TLS_LIST_MAX && m.extensions_count <= BRICKS_TLS_LIST_MAX);
  MUST(m.alpn_count <= BRICKS_TLS_SHORT_MAX && m.versions_count <= BRICKS_TLS_SHORT_MAX);
  touch(m.server_name), touch(m.session_id);
  touch(m.ciphers, m.ciphers_count * 2), touch(m.extensions, m.extensions_count * 2);
  touch(m.groups, m.groups_count * 2), touch(m.versions, m.versions_count * 2);
  touch(m.signature_algorithms, m.signature_algorithms_count * 2);
  for (uint32_t i = 0; i < m.alpn_count; ++i) touch(m.alpn[i]);
  const size_t length = strnlen(m.ja4, sizeof m.ja4);
  MUST(length == 36 || length == 0);
}

class Reader final : public Sink {
 public:
  bool told = false;
  uint8_t speaks = 0;
  void identified(uint8_t protocol) noexcept override {
    MUST(!told && protocol < BRICKS_PROTOCOL_COUNT);
    told = true;
    speaks = protocol;
  }
  void record(uint8_t protocol, uint8_t kind, const void* record,
              uint8_t direction) noexcept override {
    MUST(told && protocol == speaks && protocol != 0 && direction < 2);
    switch (kind) {
      case BRICKS_RECORD_DNS:
        return check_dns(*static_cast<const bricks_dns*>(record));
      case BRICKS_RECORD_HTTP_REQUEST:
      case BRICKS_RECORD_HTTP_RESPONSE:
        return check_http(*static_cast<const bricks_http*>(record));
      case BRICKS_RECORD_HTTP_BODY:
        return touch(static_cast<const bricks_http_body*>(record)->bytes);
      case BRICKS_RECORD_TLS_CLIENT_HELLO:
        return check_client_hello(*static_cast<const bricks_tls_client_hello*>(record));
      case BRICKS_RECORD_SSH_BANNER:
        return touch(static_cast<const bricks_ssh_banner*>(record)->software);
      case BRICKS_RECORD_SSH_KEXINIT:
        return touch(static_cast<const bricks_ssh_kexinit*>(record)->compression_to_client);
      case BRICKS_RECORD_SIP_REQUEST:
      case BRICKS_RECORD_SIP_RESPONSE: {
        const auto& m = *static_cast<const bricks_sip*>(record);
        touch(m.method), touch(m.uri), touch(m.call_id), touch(m.from), touch(m.to);
        return touch(m.body);
      }
      case BRICKS_RECORD_RTP:
        return touch(static_cast<const bricks_rtp*>(record)->payload);
      case BRICKS_RECORD_RTCP:
        return touch(static_cast<const bricks_rtcp*>(record)->canonical_name);
      case BRICKS_RECORD_FTP_COMMAND:
      case BRICKS_RECORD_FTP_REPLY:
        return touch(static_cast<const bricks_ftp*>(record)->text);
      case BRICKS_RECORD_DHCP4:
        return touch(static_cast<const bricks_dhcp4*>(record)->client_fqdn);
      case BRICKS_RECORD_DHCP6:
        MUST(static_cast<const bricks_dhcp6*>(record)->addresses_count <= 8);
        return touch(static_cast<const bricks_dhcp6*>(record)->vendor_class);
      default:
        MUST(kind > 0 && kind < BRICKS_RECORD_COUNT);
    }
  }
};

constexpr uint16_t kPorts[] = {4000, 53, 21, 123, 547, 67, 80, 5060};

// How the payload comes.
struct Way {
  bool stream, gaps, both;  // both: pieces come from either side by turns
  uint16_t port;
  size_t piece;
};

void run(Inspectors& pool, const uint8_t* payload, size_t size, const Way& way) noexcept {
  Reader reader;
  const uint32_t session = pool.open(way.stream ? 6 : 17, 40000, way.port);
  MUST(session != 0);
  uint64_t offset[2] = {};
  bool goes_on = true;
  for (size_t at = 0, turn = 0; at < size && goes_on; ++turn) {
    const size_t length = std::min(way.piece, size - at);
    const auto exact = std::make_unique<uint8_t[]>(length);
    std::copy_n(payload + at, length, exact.get());
    at += length;
    const auto direction = static_cast<uint8_t>(way.both && turn % 2);
    const Bytes bytes{exact.get(), length};
    if (!way.stream) {
      goes_on = pool.datagram(session, direction, bytes, reader);
    } else if (way.gaps && turn % 5 == 4) {
      goes_on = pool.gap(session, direction, offset[direction], length, reader);
    } else {
      goes_on = pool.stream(session, direction, offset[direction], bytes, reader);
    }
    offset[direction] += length;
  }
  pool.finish(session, 0, reader);
  pool.finish(session, 1, reader);
  pool.close(session);
  MUST(pool.counts().open == 0 && pool.counts().buffers == 0);
}

// Frames as they are behind QUIC's seal, which no input breaks.
void check_frames(const uint8_t* frames, size_t size) noexcept {
  constexpr uint32_t kRoom = 512;
  const auto stream = std::make_unique<uint8_t[]>(kRoom);
  QuicState state{};
  for (size_t at = 0; at < size; at += 100) {
    const size_t length = std::min<size_t>(100, size - at);
    const auto exact = std::make_unique<uint8_t[]>(length);
    std::copy_n(frames + at, length, exact.get());
    collect_crypto(&state, {exact.get(), length}, stream.get(), kRoom);
    MUST(state.range_count <= kQuicRangesMax && crypto_bytes(state) <= kRoom);
    for (uint32_t i = 0; i < state.range_count; ++i) {
      MUST(state.ranges[i].begin < state.ranges[i].end);
      MUST(i == 0 || state.ranges[i - 1].end < state.ranges[i].begin);
    }
  }
}

}  // namespace

}  // namespace bricks

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static std::unique_ptr<bricks::Inspectors> pool;
  if (!pool && !bricks::Inspectors::create(1, 2, &pool).ok()) std::abort();
  if (size < 2) return 0;
  const bricks::Way way{(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0,
                        bricks::kPorts[data[0] >> 3 & 7],
                        data[1] ? size_t{data[1]} * (data[0] & 64 ? 64 : 1) : size};
  if (data[0] & 128) bricks::check_frames(data + 2, size - 2);
  bricks::run(*pool, data + 2, size - 2, way);
  return 0;
}
