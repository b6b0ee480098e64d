#include "plugins/protocol_records.hh"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "abi/bricks_protocols.h"
#include "mem/limits.hh"

namespace bricks {

namespace {

template <typename T>
constexpr RecordType type_of() {
  if constexpr (std::is_array_v<T>) return RecordType::bytes;
  if constexpr (std::is_same_v<T, bricks_text>) return RecordType::text;
  if constexpr (std::is_same_v<T, uint8_t>) return RecordType::u8;
  if constexpr (std::is_same_v<T, uint16_t>) return RecordType::u16;
  if constexpr (std::is_same_v<T, uint32_t>) return RecordType::u32;
  if constexpr (std::is_same_v<T, uint64_t>) return RecordType::u64;
  if constexpr (std::is_same_v<T, int8_t>) return RecordType::i8;
  if constexpr (std::is_same_v<T, int64_t>) return RecordType::i64;
}

#define FIELD(record, name)                                                                      \
  {                                                                                              \
#name, type_of < decltype(record::name)>(), offsetof(record, name), sizeof(record::name), 0, \
        nullptr                                                                                  \
  }
#define LIST(record, name, type, inner) \
  { #name, RecordType::type, offsetof(record, name), 8, offsetof(record, name##_count), inner }

// FIELD of each of the names, with a comma behind it.
#define AGAIN1(...) __VA_ARGS__
#define AGAIN2(...) AGAIN1(AGAIN1(AGAIN1(AGAIN1(__VA_ARGS__))))
#define AGAIN3(...) AGAIN2(AGAIN2(AGAIN2(AGAIN2(__VA_ARGS__))))
#define AGAIN4(...) AGAIN3(AGAIN3(AGAIN3(AGAIN3(__VA_ARGS__))))
#define NOTHING ()
#define NEXT_FIELD() FIELDS_FROM
#define FIELDS_FROM(record, name, ...) \
  FIELD(record, name), __VA_OPT__(NEXT_FIELD NOTHING(record, __VA_ARGS__))
#define FIELDS(record, ...) AGAIN4(FIELDS_FROM(record, __VA_ARGS__))
#define NAMES(...) __VA_ARGS__
// Of struct bricks_NAME: all its fields in parentheses, then its lists.
#define RECORD(name, fields, ...)                                                       \
  constexpr RecordField k_##name[] = {FIELDS(bricks_##name, NAMES fields) __VA_ARGS__}; \
  constexpr RecordLayout k_layout_##name = {#name, sizeof(bricks_##name), k_##name};

constexpr RecordField k_text[] = {
    {"text", RecordType::text, 0, sizeof(bricks_text), 0, nullptr},
};
constexpr RecordLayout kTextLayout = {"text", sizeof(bricks_text), k_text};
RECORD(dns_record, (name, data, target, ttl, type, class_, preference, port, section))
RECORD(dns,
       (id, flags, response, opcode, rcode, questions, answers, authorities, additionals, name,
        type, class_, edns, edns_version, edns_flags, edns_size, malformed, truncated,
        records_total),
       LIST(bricks_dns, records, record_list, &k_layout_dns_record))
RECORD(http_header, (name, value))
RECORD(http,
       (major, minor, status, method, target, reason, host, user_agent, content_type, server,
        content_length, chunked, keep_alive, upgrade, cut, headers_total),
       LIST(bricks_http, headers, record_list, &k_layout_http_header))
RECORD(http_body, (bytes, offset, complete))
RECORD(tls_client_hello,
       (record_version, legacy_version, version, quic, ech, random, session_id, server_name,
        ciphers_total, extensions_total, ja4),
       LIST(bricks_tls_client_hello, ciphers, u16_list, nullptr),
       LIST(bricks_tls_client_hello, extensions, u16_list, nullptr),
       LIST(bricks_tls_client_hello, alpn, text_list, nullptr),
       LIST(bricks_tls_client_hello, versions, u16_list, nullptr),
       LIST(bricks_tls_client_hello, groups, u16_list, nullptr),
       LIST(bricks_tls_client_hello, signature_algorithms, u16_list, nullptr))
RECORD(tls_server_hello,
       (record_version, legacy_version, version, cipher, random, session_id, alpn, group, retry,
        extensions_total),
       LIST(bricks_tls_server_hello, extensions, u16_list, nullptr))
RECORD(quic_initial, (version, packet_number, destination_id, source_id, token))
RECORD(ssh_banner, (protocol, software, comment))
RECORD(ssh_kexinit,
       (cookie, key_exchange, host_keys, ciphers_to_server, ciphers_to_client, macs_to_server,
        macs_to_client, compression_to_server, compression_to_client, first_follows))
RECORD(sip, (method, uri, reason, status, sequence, cseq_method, call_id, from, to, contact, via,
             user_agent, content_type, content_length, body))
RECORD(rtp,
       (padding, marker, payload_type, sources, sequence, extension, timestamp, source, payload))
RECORD(rtcp, (type, count, source, ntp_time, timestamp, packets, bytes, canonical_name))
RECORD(ftp, (command, text, code, port, ip_version, address))
RECORD(dhcp4,
       (reply, type, hardware_type, hardware_length, transaction, seconds, flags, hardware_address,
        client, yours, server, relay, requested, server_id, mask, router, lease, malformed,
        host_name, domain, vendor_class, client_id, parameters, client_fqdn))
RECORD(dhcp6, (type, relays, addresses_count, malformed, transaction, client_id, server_id,
               client_fqdn, vendor_class, requested_options, addresses, status))
RECORD(ntp, (leap, version, mode, stratum, poll, precision, root_delay, root_dispersion,
             reference_id, reference_time, origin_time, receive_time, transmit_time, header))
#undef RECORD
#undef NAMES
#undef FIELDS
#undef FIELDS_FROM
#undef NEXT_FIELD
#undef NOTHING
#undef AGAIN4
#undef AGAIN3
#undef AGAIN2
#undef AGAIN1
#undef LIST
#undef FIELD

constexpr const RecordLayout* kLayouts[BRICKS_RECORD_COUNT] = {
    nullptr,
    &k_layout_dns,               // DNS
    &k_layout_http,              // HTTP_REQUEST
    &k_layout_http,              // HTTP_RESPONSE
    &k_layout_http_body,         // HTTP_BODY
    &k_layout_http_body,         // HTTP_END
    &k_layout_tls_client_hello,  // TLS_CLIENT_HELLO
    &k_layout_tls_server_hello,  // TLS_SERVER_HELLO
    &k_layout_quic_initial,      // QUIC_INITIAL
    &k_layout_ssh_banner,        // SSH_BANNER
    &k_layout_ssh_kexinit,       // SSH_KEXINIT
    &k_layout_sip,               // SIP_REQUEST
    &k_layout_sip,               // SIP_RESPONSE
    &k_layout_rtp,               // RTP
    &k_layout_rtcp,              // RTCP
    &k_layout_ftp,               // FTP_COMMAND
    &k_layout_ftp,               // FTP_REPLY
    &k_layout_dhcp4,             // DHCP4
    &k_layout_dhcp6,             // DHCP6
    &k_layout_ntp,               // NTP
};
static_assert(BRICKS_RECORD_COUNT == sizeof kLayouts / sizeof kLayouts[0]);

uint32_t aligned(uint32_t bytes) { return (bytes + 7) & ~7u; }

// Bytes that the pointers of one struct lead to.
uint64_t bytes_behind(const RecordLayout& layout, const uint8_t* record) noexcept {
  uint64_t bytes = 0;
  for (const RecordField& field : layout.fields) {
    if (field.type == RecordType::text) {
      bytes += aligned(reinterpret_cast<const bricks_text*>(record + field.at)->length);
      continue;
    }
    if (field.type < RecordType::u16_list) continue;
    const uint8_t* list;
    uint32_t count;
    std::memcpy(&list, record + field.at, sizeof list);
    std::memcpy(&count, record + field.count_at, sizeof count);
    if (field.type == RecordType::u16_list) {
      bytes += aligned(count * 2);
      continue;
    }
    const RecordLayout& inner = field.inner ? *field.inner : kTextLayout;
    bytes += uint64_t{count} * inner.size;
    for (uint32_t i = 0; i < count; ++i) bytes += bytes_behind(inner, list + i * inner.size);
  }
  return bytes;
}

// Where a copy grows; what does not fit is left out, and counted as absent.
struct Copy {
  uint8_t* to;
  uint32_t used, room;

  bool append(const void* from, uint32_t bytes, uint64_t* at) noexcept {
    *at = 0;
    if (bytes == 0 || aligned(bytes) > room - used) return false;
    std::memcpy(to + used, from, bytes);
    *at = used;
    used += aligned(bytes);
    return true;
  }

  // The struct at `at` is a copy; its pointers become distances.
  void follow(const RecordLayout& layout, uint64_t at) noexcept {
    for (const RecordField& field : layout.fields) {
      if (field.type < RecordType::text) continue;
      uint8_t* pointer = to + at + field.at;
      uint8_t* counted = field.type == RecordType::text ? pointer + offsetof(bricks_text, length)
                                                        : to + at + field.count_at;
      const uint8_t* from;
      uint32_t count;
      std::memcpy(&from, pointer, sizeof from);
      std::memcpy(&count, counted, sizeof count);
      const RecordLayout* inner = field.type == RecordType::record_list ? field.inner
                                  : field.type == RecordType::text_list ? &kTextLayout
                                                                        : nullptr;
      const uint32_t each = inner ? inner->size : field.type == RecordType::u16_list ? 2 : 1;
      uint64_t place;
      if (!append(from, count * each, &place)) count = 0;
      std::memcpy(pointer, &place, sizeof place);
      std::memcpy(counted, &count, sizeof count);
      for (uint32_t i = 0; inner && i < count; ++i) follow(*inner, place + i * inner->size);
    }
  }
};

}  // namespace

const RecordLayout* record_layout(uint16_t kind) noexcept {
  return kind < BRICKS_RECORD_COUNT ? kLayouts[kind] : nullptr;
}

uint32_t packed_record_bytes(uint16_t kind, const void* record) noexcept {
  const RecordLayout* layout = record_layout(kind);
  if (!layout || !record) return 0;
  const uint64_t bytes =
      aligned(layout->size) + bytes_behind(*layout, static_cast<const uint8_t*>(record));
  return static_cast<uint32_t>(std::min<uint64_t>(bytes, kScriptEventBytes));
}

void pack_record(uint16_t kind, const void* record, uint8_t* to, uint32_t room) noexcept {
  const RecordLayout* layout = record_layout(kind);
  if (!layout || !record || room < layout->size) return;
  Copy copy{to, 0, room};
  uint64_t at;
  copy.append(record, layout->size, &at);
  copy.follow(*layout, 0);
}

}  // namespace bricks
