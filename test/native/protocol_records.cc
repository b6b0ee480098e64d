// Copies of decoders' records: everything they point to, at distances from their beginning.
#include "plugins/protocol_records.hh"

#include <cstring>
#include <string>
#include <vector>

#include "abi/bricks_protocols.h"
#include "check.hh"
#include "mem/limits.hh"

namespace {

using namespace bricks;

bricks_text text_of(const std::string& text) {
  return {text.data(), static_cast<uint32_t>(text.size()), 0};
}

std::string read_text(const std::vector<uint8_t>& copy, size_t at) {
  bricks_text text;
  std::memcpy(&text, copy.data() + at, sizeof text);
  const auto begin = reinterpret_cast<uintptr_t>(text.data);
  if (begin + text.length > copy.size()) return "beyond the copy";
  return {reinterpret_cast<const char*>(copy.data() + begin), text.length};
}

std::vector<uint8_t> pack(uint16_t kind, const void* record) {
  std::vector<uint8_t> copy(packed_record_bytes(kind, record));
  pack_record(kind, record, copy.data(), static_cast<uint32_t>(copy.size()));
  return copy;
}

}  // namespace

TEST(protocol_records_copy_texts_lists_and_structs) {
  const std::string name = "www.example.org", answer = "203.0.113.7";
  bricks_dns_record records[2]{};
  records[1].name = text_of(name);
  records[1].target = text_of(answer);
  records[1].ttl = 300;
  bricks_dns dns{};
  dns.id = 77;
  dns.name = text_of(name);
  dns.records = records;
  dns.records_count = 2;
  const std::vector<uint8_t> copy = pack(BRICKS_RECORD_DNS, &dns);
  bricks_dns read;
  std::memcpy(&read, copy.data(), sizeof read);
  CHECK_EQ(read.id, 77);
  CHECK_EQ(read.records_count, 2u);
  CHECK_EQ(read_text(copy, offsetof(bricks_dns, name)), name);
  const size_t second = reinterpret_cast<uintptr_t>(read.records) + sizeof(bricks_dns_record);
  CHECK_EQ(read_text(copy, second + offsetof(bricks_dns_record, name)), name);
  CHECK_EQ(read_text(copy, second + offsetof(bricks_dns_record, target)), answer);
  CHECK_EQ(read_text(copy, second + offsetof(bricks_dns_record, data)), std::string());

  const std::string h2 = "h2", old = "http/1.1";
  const bricks_text alpn[] = {text_of(h2), text_of(old)};
  const uint16_t ciphers[] = {0x1301, 0x1302, 0x1303};
  bricks_tls_client_hello hello{};
  hello.server_name = text_of(name);
  hello.alpn = alpn;
  hello.alpn_count = 2;
  hello.ciphers = ciphers;
  hello.ciphers_count = 3;
  std::memcpy(hello.ja4, "t13d0302", 8);
  const std::vector<uint8_t> tls = pack(BRICKS_RECORD_TLS_CLIENT_HELLO, &hello);
  bricks_tls_client_hello got;
  std::memcpy(&got, tls.data(), sizeof got);
  CHECK_EQ(read_text(tls, offsetof(bricks_tls_client_hello, server_name)), name);
  CHECK_EQ(read_text(tls, reinterpret_cast<uintptr_t>(got.alpn) + sizeof(bricks_text)), old);
  CHECK_EQ(std::memcmp(tls.data() + reinterpret_cast<uintptr_t>(got.ciphers), ciphers, 6), 0);
  CHECK_EQ(std::string(got.ja4), std::string("t13d0302"));
}

TEST(protocol_records_that_are_too_long_come_without_what_does_not_fit) {
  const std::string huge(kScriptEventBytes, 'x'), small = "GET";
  bricks_http http{};
  http.method = text_of(small);
  http.target = text_of(huge);
  const std::vector<uint8_t> copy = pack(BRICKS_RECORD_HTTP_REQUEST, &http);
  CHECK_EQ(copy.size(), size_t{kScriptEventBytes});
  CHECK_EQ(read_text(copy, offsetof(bricks_http, method)), small);
  CHECK_EQ(read_text(copy, offsetof(bricks_http, target)), std::string());
}

TEST(protocol_records_cover_every_kind_and_lie_in_their_structs) {
  for (uint16_t kind = 1; kind < BRICKS_RECORD_COUNT; ++kind) {
    const RecordLayout* layout = record_layout(kind);
    CHECK(layout != nullptr);
    if (!layout) continue;
    for (const RecordField& field : layout->fields) CHECK(field.at + field.size <= layout->size);
    const std::vector<uint8_t> zero(layout->size);
    CHECK_EQ(pack(kind, zero.data()).size(), size_t{layout->size});
  }
  CHECK_EQ(packed_record_bytes(0, "x"), 0u);
  CHECK_EQ(packed_record_bytes(BRICKS_RECORD_COUNT, "x"), 0u);
}
