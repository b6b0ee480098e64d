// DNS: names and their pointers, sections, EDNS; over UDP and TCP.
#include "decoders/dns.hh"
#include "inspected.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

std::string show(uint8_t kind, const void* record) {
  if (kind != BRICKS_RECORD_DNS) return "";
  const auto& m = *static_cast<const bricks_dns*>(record);
  std::string made = (m.response ? "answer " : "ask ") + shown(m.name) + " type " +
                     std::to_string(m.type) + " rcode " + std::to_string(m.rcode);
  for (uint32_t i = 0; i < m.records_count; ++i) {
    made += "; " + std::to_string(m.records[i].section) + " " + shown(m.records[i].name) + " " +
            std::to_string(m.records[i].type) + " " + shown(m.records[i].target);
  }
  if (m.edns) made += "; edns " + std::to_string(m.edns_size);
  if (m.malformed) made += "; malformed";
  return made;
}

const Text kQuery = from_hex("1234 0100 0001 0000 0000 0001") + Text("\3www\7example\3com\0", 17) +
                    from_hex("0001 0001 00 0029 04d0 0000 8000 0000");

// CNAME with a pointer into the question, an address of it, MX and SRV.
const Text kAnswer =
    from_hex("1234 8180 0001 0004 0000 0000") + Text("\3www\7example\3com\0", 17) +
    from_hex("0001 0001") + from_hex("c00c 0005 0001 0000012c 0006") + Text("\3cdn", 4) +
    from_hex("c010") + from_hex("c02d 0001 0001 0000003c 0004 c0000201") +
    from_hex("c010 000f 0001 0000003c 0009 000a") + Text("\4mail", 5) + from_hex("c010") +
    from_hex("c010 0021 0001 0000003c 000d 0001 0002 01bb") + Text("\4sip.", 5) + from_hex("c010");

}  // namespace

TEST(decoders_dns_reads_questions_answers_and_edns) {
  CHECK_EQ(joined(converse({{0, kQuery}, {1, kAnswer}}, show, 53)),
           "is dns\n"
           "> ask www.example.com type 1 rcode 0; edns 1232\n"
           "< answer www.example.com type 1 rcode 0; 0 www.example.com 5 cdn.example.com; "
           "0 cdn.example.com 1 ; 0 example.com 15 mail.example.com; "
           "0 example.com 33 sip\\046.example.com\n");
  // By content alone, on a port that says nothing.
  CHECK_EQ(converse({{0, kQuery}}, show).size(), 2u);
}

TEST(decoders_dns_over_tcp_in_any_pieces) {
  const std::vector<Said> said = {{0, be16(kQuery.size()) + kQuery + be16(kQuery.size()) + kQuery},
                                  {1, be16(kAnswer.size()) + kAnswer}};
  CHECK_EQ(follow(said, show, SIZE_MAX, 53).size(), 4u);
  same_in_pieces(said, show, 53);
}

TEST(decoders_dns_pointers_that_lead_nowhere) {
  const Text head = from_hex("0001 0100 0001 0000 0000 0000");
  const char* names[] = {
      "c00c",                // at itself
      "c00e c00c",           // at one another
      "0161 c00c",           // a label, then back to it: a loop
      "c0ff",                // beyond the end
      "3f",                  // longer than what is there
      "40 00",     "80 00",  // label kinds that there are not
  };
  for (const char* name : names) {
    const Exact message(head + from_hex(name) + from_hex("0001 0001"));
    DnsScratch scratch;
    bricks_dns made;
    size_t used = 0;
    CHECK(!read_dns(message.bytes(), &scratch, &made, &used));
  }
  // 255 bytes are the most that a name can have; here 4 labels of 63 make 257.
  const Text label = Text(1, 63) + Text(63, 'a');
  const Exact longest(head + label + label + label + label + Text(1, 0) + from_hex("0001 0001"));
  DnsScratch scratch;
  bricks_dns made;
  size_t used = 0;
  CHECK(!read_dns(longest.bytes(), &scratch, &made, &used));
}

TEST(decoders_dns_many_records_are_counted_and_bounded) {
  Text message =
      from_hex("0001 8180 0001 0100 0000 0000") + Text("\1a\0", 3) + from_hex("0001 0001");
  for (int i = 0; i < 256; ++i) message += from_hex("c00c 0001 0001 00000000 0004 01020304");
  DnsScratch scratch;
  bricks_dns made;
  size_t used = 0;
  CHECK(read_dns(bytes_of(message), &scratch, &made, &used));
  CHECK_EQ(made.records_total, 256u);
  CHECK_EQ(made.records_count, uint32_t{BRICKS_DNS_RECORDS_MAX});
  CHECK_EQ(used, message.size());
  CHECK_EQ(made.malformed, 0);
}

TEST(decoders_dns_survives_every_cut_and_every_lie) {
  survives({{0, kQuery}, {1, kAnswer}}, show, 53, true);
  survives({{0, be16(kQuery.size()) + kQuery}, {1, be16(kAnswer.size()) + kAnswer}}, show, 53,
           false);
  const Exact message(kAnswer);
  for (size_t length = 0; length < kAnswer.size(); ++length) {
    const Exact cut(kAnswer.substr(0, length));
    DnsScratch scratch;
    bricks_dns made;
    size_t used = 0;
    if (read_dns(cut.bytes(), &scratch, &made, &used)) CHECK_EQ(made.malformed, 1);
    CHECK(used <= std::max<size_t>(length, 12));
  }
}
