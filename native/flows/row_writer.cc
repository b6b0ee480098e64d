#include "flows/row_writer.hh"

#include <arpa/inet.h>

#include "flows/community_id.hh"
#include "flows/row_text.hh"

namespace bricks::flows {
namespace {

constexpr const char* kColumns[] = {"level",      "proto",       "ip_a",     "port_a",  "ip_b",
                                    "port_b",     "pkts_ab",     "bytes_ab", "pkts_ba", "bytes_ba",
                                    "payload_ab", "payload_ba",  "first_ts", "last_ts", "state",
                                    "reason",     "community_id"};

// IANA's names, as tshark writes them; others by number.
struct ProtocolName {
  uint8_t number;
  const char* name;
};
constexpr ProtocolName kProtocols[] = {
    {1, "icmp"},   {2, "igmp"},   {4, "ipv4"},     {6, "tcp"},   {17, "udp"},     {33, "dccp"},
    {41, "ipv6"},  {46, "rsvp"},  {47, "gre"},     {50, "esp"},  {51, "ah"},      {58, "icmpv6"},
    {88, "eigrp"}, {89, "ospf"},  {97, "etherip"}, {103, "pim"}, {108, "ipcomp"}, {112, "vrrp"},
    {115, "l2tp"}, {132, "sctp"}, {136, "udplite"}};

std::string protocol_text(uint8_t number) {
  for (const ProtocolName& known : kProtocols) {
    if (known.number == number) return known.name;
  }
  return std::to_string(number);
}

std::string time_text(Nanos time) {
  char text[32];
  snprintf(text, sizeof text, "%llu.%09llu", static_cast<unsigned long long>(time / 1'000'000'000),
           static_cast<unsigned long long>(time % 1'000'000'000));
  return text;
}

void append(const Flow& flow, bool json, std::string* text) {
  const int a = flow.a, b = 1 - flow.a;
  Row row(kColumns, json, text);
  row.word(level_name(flow.level));
  row.word(protocol_text(flow.key.protocol));
  for (const int end : {a, b}) {
    row.word(address_text(flow.key, end));
    row.number(ntohs(flow.key.port[end]));
  }
  for (const Side& side : flow.sides) {
    row.number(side.packets);
    row.number(side.bytes);
  }
  for (const Side& side : flow.sides) row.number(side.payload);
  row.number_text(time_text(flow.first));
  row.number_text(time_text(flow.last));
  row.word(state_name(flow.state));
  row.word(reason_name(flow.reason));
  row.word(community_id(flow));
  row.end();
}

}  // namespace

std::string tsv_head() { return tsv_head(kColumns); }

void append_tsv(const Flow& flow, std::string* text) { append(flow, false, text); }
void append_json(const Flow& flow, std::string* text) { append(flow, true, text); }

}  // namespace bricks::flows
