#include "plugins/protocol_records.hh"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "abi/bricks_protocols.h"
#include "plugins/script_limits.hh"

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
  { #name, type, offsetof(record, name), 8, offsetof(record, name##_count), inner }

constexpr RecordField k_text[] = {
    {"text", RecordType::text, 0, sizeof(bricks_text), 0, nullptr},
};
constexpr RecordLayout kTextLayout = {"text", sizeof(bricks_text), k_text};
constexpr RecordField k_bricks_dns_record[] = {
    FIELD(bricks_dns_record, name),       FIELD(bricks_dns_record, data),
    FIELD(bricks_dns_record, target),     FIELD(bricks_dns_record, ttl),
    FIELD(bricks_dns_record, type),       FIELD(bricks_dns_record, class_),
    FIELD(bricks_dns_record, preference), FIELD(bricks_dns_record, port),
    FIELD(bricks_dns_record, section),
};
constexpr RecordLayout k_layout_bricks_dns_record = {"dns_record", sizeof(bricks_dns_record),
                                                     k_bricks_dns_record};
constexpr RecordField k_bricks_dns[] = {
    FIELD(bricks_dns, id),
    FIELD(bricks_dns, flags),
    FIELD(bricks_dns, response),
    FIELD(bricks_dns, opcode),
    FIELD(bricks_dns, rcode),
    FIELD(bricks_dns, questions),
    FIELD(bricks_dns, answers),
    FIELD(bricks_dns, authorities),
    FIELD(bricks_dns, additionals),
    FIELD(bricks_dns, name),
    FIELD(bricks_dns, type),
    FIELD(bricks_dns, class_),
    FIELD(bricks_dns, edns),
    FIELD(bricks_dns, edns_version),
    FIELD(bricks_dns, edns_flags),
    FIELD(bricks_dns, edns_size),
    FIELD(bricks_dns, malformed),
    FIELD(bricks_dns, truncated),
    FIELD(bricks_dns, records_total),
    LIST(bricks_dns, records, RecordType::record_list, &k_layout_bricks_dns_record),
};
constexpr RecordLayout k_layout_bricks_dns = {"dns", sizeof(bricks_dns), k_bricks_dns};
constexpr RecordField k_bricks_http_header[] = {
    FIELD(bricks_http_header, name),
    FIELD(bricks_http_header, value),
};
constexpr RecordLayout k_layout_bricks_http_header = {"http_header", sizeof(bricks_http_header),
                                                      k_bricks_http_header};
constexpr RecordField k_bricks_http[] = {
    FIELD(bricks_http, major),
    FIELD(bricks_http, minor),
    FIELD(bricks_http, status),
    FIELD(bricks_http, method),
    FIELD(bricks_http, target),
    FIELD(bricks_http, reason),
    FIELD(bricks_http, host),
    FIELD(bricks_http, user_agent),
    FIELD(bricks_http, content_type),
    FIELD(bricks_http, server),
    FIELD(bricks_http, content_length),
    FIELD(bricks_http, chunked),
    FIELD(bricks_http, keep_alive),
    FIELD(bricks_http, upgrade),
    FIELD(bricks_http, cut),
    FIELD(bricks_http, headers_total),
    LIST(bricks_http, headers, RecordType::record_list, &k_layout_bricks_http_header),
};
constexpr RecordLayout k_layout_bricks_http = {"http", sizeof(bricks_http), k_bricks_http};
constexpr RecordField k_bricks_http_body[] = {
    FIELD(bricks_http_body, bytes),
    FIELD(bricks_http_body, offset),
    FIELD(bricks_http_body, complete),
};
constexpr RecordLayout k_layout_bricks_http_body = {"http_body", sizeof(bricks_http_body),
                                                    k_bricks_http_body};
constexpr RecordField k_bricks_tls_client_hello[] = {
    FIELD(bricks_tls_client_hello, record_version),
    FIELD(bricks_tls_client_hello, legacy_version),
    FIELD(bricks_tls_client_hello, version),
    FIELD(bricks_tls_client_hello, quic),
    FIELD(bricks_tls_client_hello, ech),
    FIELD(bricks_tls_client_hello, random),
    FIELD(bricks_tls_client_hello, session_id),
    FIELD(bricks_tls_client_hello, server_name),
    FIELD(bricks_tls_client_hello, ciphers_total),
    FIELD(bricks_tls_client_hello, extensions_total),
    LIST(bricks_tls_client_hello, ciphers, RecordType::u16_list, nullptr),
    LIST(bricks_tls_client_hello, extensions, RecordType::u16_list, nullptr),
    LIST(bricks_tls_client_hello, alpn, RecordType::text_list, nullptr),
    LIST(bricks_tls_client_hello, versions, RecordType::u16_list, nullptr),
    LIST(bricks_tls_client_hello, groups, RecordType::u16_list, nullptr),
    LIST(bricks_tls_client_hello, signature_algorithms, RecordType::u16_list, nullptr),
    FIELD(bricks_tls_client_hello, ja4),
};
constexpr RecordLayout k_layout_bricks_tls_client_hello = {
    "tls_client_hello", sizeof(bricks_tls_client_hello), k_bricks_tls_client_hello};
constexpr RecordField k_bricks_tls_server_hello[] = {
    FIELD(bricks_tls_server_hello, record_version),
    FIELD(bricks_tls_server_hello, legacy_version),
    FIELD(bricks_tls_server_hello, version),
    FIELD(bricks_tls_server_hello, cipher),
    FIELD(bricks_tls_server_hello, random),
    FIELD(bricks_tls_server_hello, session_id),
    FIELD(bricks_tls_server_hello, alpn),
    FIELD(bricks_tls_server_hello, group),
    FIELD(bricks_tls_server_hello, retry),
    FIELD(bricks_tls_server_hello, extensions_total),
    LIST(bricks_tls_server_hello, extensions, RecordType::u16_list, nullptr),
};
constexpr RecordLayout k_layout_bricks_tls_server_hello = {
    "tls_server_hello", sizeof(bricks_tls_server_hello), k_bricks_tls_server_hello};
constexpr RecordField k_bricks_quic_initial[] = {
    FIELD(bricks_quic_initial, version),        FIELD(bricks_quic_initial, packet_number),
    FIELD(bricks_quic_initial, destination_id), FIELD(bricks_quic_initial, source_id),
    FIELD(bricks_quic_initial, token),
};
constexpr RecordLayout k_layout_bricks_quic_initial = {"quic_initial", sizeof(bricks_quic_initial),
                                                       k_bricks_quic_initial};
constexpr RecordField k_bricks_ssh_banner[] = {
    FIELD(bricks_ssh_banner, protocol),
    FIELD(bricks_ssh_banner, software),
    FIELD(bricks_ssh_banner, comment),
};
constexpr RecordLayout k_layout_bricks_ssh_banner = {"ssh_banner", sizeof(bricks_ssh_banner),
                                                     k_bricks_ssh_banner};
constexpr RecordField k_bricks_ssh_kexinit[] = {
    FIELD(bricks_ssh_kexinit, cookie),
    FIELD(bricks_ssh_kexinit, key_exchange),
    FIELD(bricks_ssh_kexinit, host_keys),
    FIELD(bricks_ssh_kexinit, ciphers_to_server),
    FIELD(bricks_ssh_kexinit, ciphers_to_client),
    FIELD(bricks_ssh_kexinit, macs_to_server),
    FIELD(bricks_ssh_kexinit, macs_to_client),
    FIELD(bricks_ssh_kexinit, compression_to_server),
    FIELD(bricks_ssh_kexinit, compression_to_client),
    FIELD(bricks_ssh_kexinit, first_follows),
};
constexpr RecordLayout k_layout_bricks_ssh_kexinit = {"ssh_kexinit", sizeof(bricks_ssh_kexinit),
                                                      k_bricks_ssh_kexinit};
constexpr RecordField k_bricks_sip[] = {
    FIELD(bricks_sip, method),       FIELD(bricks_sip, uri),
    FIELD(bricks_sip, reason),       FIELD(bricks_sip, status),
    FIELD(bricks_sip, sequence),     FIELD(bricks_sip, cseq_method),
    FIELD(bricks_sip, call_id),      FIELD(bricks_sip, from),
    FIELD(bricks_sip, to),           FIELD(bricks_sip, contact),
    FIELD(bricks_sip, via),          FIELD(bricks_sip, user_agent),
    FIELD(bricks_sip, content_type), FIELD(bricks_sip, content_length),
    FIELD(bricks_sip, body),
};
constexpr RecordLayout k_layout_bricks_sip = {"sip", sizeof(bricks_sip), k_bricks_sip};
constexpr RecordField k_bricks_rtp[] = {
    FIELD(bricks_rtp, padding),   FIELD(bricks_rtp, marker),   FIELD(bricks_rtp, payload_type),
    FIELD(bricks_rtp, sources),   FIELD(bricks_rtp, sequence), FIELD(bricks_rtp, extension),
    FIELD(bricks_rtp, timestamp), FIELD(bricks_rtp, source),   FIELD(bricks_rtp, payload),
};
constexpr RecordLayout k_layout_bricks_rtp = {"rtp", sizeof(bricks_rtp), k_bricks_rtp};
constexpr RecordField k_bricks_rtcp[] = {
    FIELD(bricks_rtcp, type),     FIELD(bricks_rtcp, count),          FIELD(bricks_rtcp, source),
    FIELD(bricks_rtcp, ntp_time), FIELD(bricks_rtcp, timestamp),      FIELD(bricks_rtcp, packets),
    FIELD(bricks_rtcp, bytes),    FIELD(bricks_rtcp, canonical_name),
};
constexpr RecordLayout k_layout_bricks_rtcp = {"rtcp", sizeof(bricks_rtcp), k_bricks_rtcp};
constexpr RecordField k_bricks_ftp[] = {
    FIELD(bricks_ftp, command), FIELD(bricks_ftp, text),       FIELD(bricks_ftp, code),
    FIELD(bricks_ftp, port),    FIELD(bricks_ftp, ip_version), FIELD(bricks_ftp, address),
};
constexpr RecordLayout k_layout_bricks_ftp = {"ftp", sizeof(bricks_ftp), k_bricks_ftp};
constexpr RecordField k_bricks_dhcp4[] = {
    FIELD(bricks_dhcp4, reply),         FIELD(bricks_dhcp4, type),
    FIELD(bricks_dhcp4, hardware_type), FIELD(bricks_dhcp4, hardware_length),
    FIELD(bricks_dhcp4, transaction),   FIELD(bricks_dhcp4, seconds),
    FIELD(bricks_dhcp4, flags),         FIELD(bricks_dhcp4, hardware_address),
    FIELD(bricks_dhcp4, client),        FIELD(bricks_dhcp4, yours),
    FIELD(bricks_dhcp4, server),        FIELD(bricks_dhcp4, relay),
    FIELD(bricks_dhcp4, requested),     FIELD(bricks_dhcp4, server_id),
    FIELD(bricks_dhcp4, mask),          FIELD(bricks_dhcp4, router),
    FIELD(bricks_dhcp4, lease),         FIELD(bricks_dhcp4, malformed),
    FIELD(bricks_dhcp4, host_name),     FIELD(bricks_dhcp4, domain),
    FIELD(bricks_dhcp4, vendor_class),  FIELD(bricks_dhcp4, client_id),
    FIELD(bricks_dhcp4, parameters),    FIELD(bricks_dhcp4, client_fqdn),
};
constexpr RecordLayout k_layout_bricks_dhcp4 = {"dhcp4", sizeof(bricks_dhcp4), k_bricks_dhcp4};
constexpr RecordField k_bricks_dhcp6[] = {
    FIELD(bricks_dhcp6, type),
    FIELD(bricks_dhcp6, relays),
    FIELD(bricks_dhcp6, addresses_count),
    FIELD(bricks_dhcp6, malformed),
    FIELD(bricks_dhcp6, transaction),
    FIELD(bricks_dhcp6, client_id),
    FIELD(bricks_dhcp6, server_id),
    FIELD(bricks_dhcp6, client_fqdn),
    FIELD(bricks_dhcp6, vendor_class),
    FIELD(bricks_dhcp6, requested_options),
    FIELD(bricks_dhcp6, addresses),
    FIELD(bricks_dhcp6, status),
};
constexpr RecordLayout k_layout_bricks_dhcp6 = {"dhcp6", sizeof(bricks_dhcp6), k_bricks_dhcp6};
constexpr RecordField k_bricks_ntp[] = {
    FIELD(bricks_ntp, leap),          FIELD(bricks_ntp, version),
    FIELD(bricks_ntp, mode),          FIELD(bricks_ntp, stratum),
    FIELD(bricks_ntp, poll),          FIELD(bricks_ntp, precision),
    FIELD(bricks_ntp, root_delay),    FIELD(bricks_ntp, root_dispersion),
    FIELD(bricks_ntp, reference_id),  FIELD(bricks_ntp, reference_time),
    FIELD(bricks_ntp, origin_time),   FIELD(bricks_ntp, receive_time),
    FIELD(bricks_ntp, transmit_time), FIELD(bricks_ntp, header),
};
constexpr RecordLayout k_layout_bricks_ntp = {"ntp", sizeof(bricks_ntp), k_bricks_ntp};
#undef FIELD
#undef LIST

constexpr const RecordLayout* kLayouts[BRICKS_RECORD_COUNT] = {
    nullptr,
    &k_layout_bricks_dns,               // DNS
    &k_layout_bricks_http,              // HTTP_REQUEST
    &k_layout_bricks_http,              // HTTP_RESPONSE
    &k_layout_bricks_http_body,         // HTTP_BODY
    &k_layout_bricks_http_body,         // HTTP_END
    &k_layout_bricks_tls_client_hello,  // TLS_CLIENT_HELLO
    &k_layout_bricks_tls_server_hello,  // TLS_SERVER_HELLO
    &k_layout_bricks_quic_initial,      // QUIC_INITIAL
    &k_layout_bricks_ssh_banner,        // SSH_BANNER
    &k_layout_bricks_ssh_kexinit,       // SSH_KEXINIT
    &k_layout_bricks_sip,               // SIP_REQUEST
    &k_layout_bricks_sip,               // SIP_RESPONSE
    &k_layout_bricks_rtp,               // RTP
    &k_layout_bricks_rtcp,              // RTCP
    &k_layout_bricks_ftp,               // FTP_COMMAND
    &k_layout_bricks_ftp,               // FTP_REPLY
    &k_layout_bricks_dhcp4,             // DHCP4
    &k_layout_bricks_dhcp6,             // DHCP6
    &k_layout_bricks_ntp,               // NTP
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
