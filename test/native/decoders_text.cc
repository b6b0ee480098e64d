// SSH, SIP and FTP.
#include "inspected.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

std::string show_ftp(const bricks_ftp& m, bool reply) {
  std::string made = reply ? std::to_string(m.code) + " " : shown(m.command) + " ";
  made += shown(m.text);
  if (m.port) made += " port " + std::to_string(m.port) + " v" + std::to_string(m.ip_version);
  return made;
}

std::string show(uint8_t kind, const void* record) {
  switch (kind) {
    case BRICKS_RECORD_SSH_BANNER: {
      const auto& m = *static_cast<const bricks_ssh_banner*>(record);
      return "ssh " + shown(m.protocol) + "|" + shown(m.software) + "|" + shown(m.comment);
    }
    case BRICKS_RECORD_SSH_KEXINIT: {
      const auto& m = *static_cast<const bricks_ssh_kexinit*>(record);
      return "kex " + shown(m.key_exchange) + "|" + shown(m.host_keys) + "|" +
             shown(m.compression_to_client) + "|" + std::to_string(m.first_follows);
    }
    case BRICKS_RECORD_SIP_REQUEST:
    case BRICKS_RECORD_SIP_RESPONSE: {
      const auto& m = *static_cast<const bricks_sip*>(record);
      return (kind == BRICKS_RECORD_SIP_REQUEST
                  ? shown(m.method) + " " + shown(m.uri)
                  : std::to_string(m.status) + " " + shown(m.reason)) +
             "|" + shown(m.call_id) + "|" + shown(m.from) + "|" + shown(m.to) + "|" +
             shown(m.contact) + "|" + std::to_string(m.sequence) + " " + shown(m.cseq_method) +
             "|" + shown(m.body);
    }
    default:
      return show_ftp(*static_cast<const bricks_ftp*>(record), kind == BRICKS_RECORD_FTP_REPLY);
  }
}

Text kex_packet() {
  Text payload = Text(1, 20) + Text(16, 'c');
  for (const char* list :
       {"curve25519-sha256,ecdh", "ssh-ed25519", "c1", "c2", "m1", "m2", "none", "zlib", "", ""}) {
    const Text text = list;
    payload += be16(0) + be16(text.size()) + text;
  }
  payload += Text(1, 1) + Text(4, 0);
  const Text padded = Text(1, 6) + payload + Text(6, 'p');
  return be16(0) + be16(padded.size()) + padded;
}

const std::vector<Said> kSsh = {
    {1, "Welcome!\r\nSSH-2.0-OpenSSH_9.2p1 Debian-2\r\n" + kex_packet() + "sealed"},
    {0, "SSH-2.0-client\n" + kex_packet()}};

const Text kInvite =
    "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z\r\nf: "
    "<sip:alice@a>;tag=1\r\n"
    "To:\r\n <sip:bob@b>\r\nCall-ID: 77@a\r\nCSeq: 314 INVITE\r\nm: <sip:alice@pc>\r\n"
    "Content-Length: 4\r\n\r\nv=0\n";
const Text kRinging =
    "SIP/2.0 180 Ringing\r\nFrom: f\r\nTo: t\r\nCall-ID: 77@a\r\nCSeq: 314 INVITE\r\n"
    "Content-Length: 0\r\n\r\n";
const char* kInvited =
    "> INVITE sip:bob@example.com|77@a|<sip:alice@a>;tag=1|<sip:bob@b>|<sip:alice@pc>|"
    "314 INVITE|v=0\n\n";

const std::vector<Said> kFtp = {{1, "220-Hello\r\n331 not a reply\r\n220 Ready.\r\n"},
                                {0, "USER anonymous\r\nPORT 10,0,0,1,200,100\r\n"},
                                {1, "331 Password\r\n"},
                                {0, "EPRT |2|2001:db8::1|5282|\r\n"},
                                {1,
                                 "227 Entering Passive Mode (10,0,0,2,1,2).\r\n"
                                 "229 Extended (|||6446|)\r\n234 Go\r\n\x16\x03\x03"},
                                {0, "\x16\x03\x01\x02"}};

}  // namespace

TEST(decoders_ssh_reads_banners_and_offers) {
  // Words before a banner are only known for what they are by the other side.
  CHECK_EQ(joined(follow({kSsh[1], {1, kSsh[0].text.substr(10)}}, show)),
           "is ssh\n"
           "> ssh 2.0|client|\n> kex curve25519-sha256,ecdh|ssh-ed25519|zlib|1\n"
           "< ssh 2.0|OpenSSH_9.2p1|Debian-2\n< kex curve25519-sha256,ecdh|ssh-ed25519|zlib|1\n");
  same_in_pieces({kSsh[1], {1, kSsh[0].text.substr(10)}}, show);
  survives({{1, kSsh[0].text.substr(10)}, kSsh[1]}, show, 22, false);
}

TEST(decoders_sip_reads_messages_over_udp_and_tcp) {
  CHECK_EQ(joined(converse({{0, kInvite}, {1, kRinging}}, show)),
           std::string("is sip\n") + kInvited + "< 180 Ringing|77@a|f|t||314 INVITE|\n");
  const std::vector<Said> said = {{0, kInvite + "\r\n\r\n" + kInvite}, {1, kRinging + kRinging}};
  CHECK_EQ(follow(said, show).size(), 5u);
  same_in_pieces(said, show);
  survives(said, show, 5060, false);
  survives({{0, kInvite}, {1, kRinging}}, show, 5060, true);
}

TEST(decoders_sip_body_longer_than_a_buffer_is_passed_over) {
  const Text head = "MESSAGE sip:a SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 40000\r\n\r\n";
  const std::vector<Said> said = {{0, head + Text(40000, 'x') + kInvite}};
  for (const size_t piece : {size_t{1400}, size_t{100000}}) {
    const Lines lines = follow(said, show, piece);
    CHECK_EQ(lines.size(), 3u);
    CHECK_EQ(lines[2].substr(0, 10), "> INVITE s");
  }
}

TEST(decoders_ftp_reads_commands_and_replies) {
  CHECK_EQ(joined(follow(kFtp, show)),
           "is ftp\n"
           "< 220 Ready.\n> USER anonymous\n> PORT 10,0,0,1,200,100 port 51300 v4\n"
           "< 331 Password\n> EPRT |2|2001:db8::1|5282| port 5282 v6\n"
           "< 227 Entering Passive Mode (10,0,0,2,1,2). port 258 v4\n"
           "< 229 Extended (|||6446|) port 6446 v0\n< 234 Go\n");
  same_in_pieces(kFtp, show);
  survives(kFtp, show, 4000, false);
  // By its port the server's first words are enough.
  CHECK_EQ(joined(follow({{1, "220 Ready.\r\n"}}, show, SIZE_MAX, 21)), "is ftp\n< 220 Ready.\n");
}

TEST(decoders_ftp_is_not_what_looks_like_it) {
  CHECK_EQ(joined(follow({{1, "220 mail ESMTP\r\n"}, {0, "EHLO me\r\n"}, {1, "250 hi\r\n"}}, show)),
           "is unknown\n");
  CHECK_EQ(joined(follow({{1, "+OK POP3\r\n"}, {0, "USER me\r\n"}}, show)), "is unknown\n");
  // A line without an end is given up.
  CHECK_EQ(joined(follow({{1, "220 " + Text(20000, 'x')}, {0, Text(20000, 'y')}}, show, 1000)),
           "is unknown\n");
}
