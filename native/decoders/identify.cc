#include "decoders/identify.hh"

#include "decoders/dhcp.hh"
#include "decoders/ftp.hh"
#include "decoders/ntp.hh"
#include "decoders/rtp.hh"

namespace bricks {

namespace {

constexpr uint16_t kDnsPorts[] = {53, 5353, 5355};

bool has_port(const uint16_t port[2], uint16_t wanted) noexcept {
  return port[0] == wanted || port[1] == wanted;
}
bool has_dns_port(const uint16_t port[2]) noexcept {
  for (const uint16_t known : kDnsPorts) {
    if (has_port(port, known)) return true;
  }
  return false;
}

// Whether `text` begins so, or does as far as it goes.
Guess guess_start(std::string_view text, std::string_view start) noexcept {
  if (text.size() >= start.size()) return begins_with(text, start) ? Guess::yes : Guess::no;
  return begins_with(start, text) ? Guess::maybe : Guess::no;
}

// A handshake's first record: 22, 3, minor, length; in it type, length of 24 bits, version 3.minor,
// or less of that where records are tiny.
Guess guess_tls(Bytes bytes, bool* client) noexcept {
  static constexpr uint8_t kMost[] = {22, 3, 4, 0x48, 0xff, 2};
  static constexpr uint8_t kLeast[] = {22, 3, 0, 0, 0, 1};
  for (size_t i = 0; i < std::min(bytes.size(), sizeof kMost); ++i) {
    if (bytes[i] < kLeast[i] || bytes[i] > kMost[i]) return Guess::no;
  }
  if (bytes.size() < 11) return Guess::maybe;
  *client = bytes[5] == 1;
  const uint32_t length = load_be16(&bytes[3]);
  if (length == 0) return Guess::no;
  if (length < 4) return bytes[5 + length] == 22 && bytes[6 + length] == 3 ? Guess::yes : Guess::no;
  if (bytes[6] > 1) return Guess::no;
  return length < 6 || (bytes[9] == 3 && bytes[10] <= 4) ? Guess::yes : Guess::no;
}

constexpr std::string_view kHttpMethods[] = {
    "GET",         "POST",   "HEAD",     "PUT",        "DELETE",   "OPTIONS", "CONNECT",
    "PATCH",       "TRACE",  "PROPFIND", "PROPPATCH",  "MKCOL",    "COPY",    "MOVE",
    "LOCK",        "UNLOCK", "REPORT",   "SEARCH",     "MERGE",    "PURGE",   "SUBSCRIBE",
    "UNSUBSCRIBE", "NOTIFY", "M-SEARCH", "MKACTIVITY", "CHECKOUT", "LINK",    "UNLINK",
    "SOURCE",      "BIND",   "REBIND",   "UNBIND"};

Guess guess_http_request(std::string_view text) noexcept {
  bool method = false;
  for (const std::string_view known : kHttpMethods) {
    if (text.size() <= known.size()) {
      if (begins_with(known, text)) return Guess::maybe;
    } else {
      method |= begins_with(text, known) && text[known.size()] == ' ';
    }
  }
  if (!method) return Guess::no;
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return Guess::maybe;
  std::string_view line = text.substr(0, end);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const size_t version = line.rfind(' ');
  return begins_with(line.substr(version + 1), "HTTP/1.") ? Guess::yes : Guess::no;
}

Guess guess_http(std::string_view text, bool* client) noexcept {
  *client = true;
  const Guess request = guess_http_request(text);
  if (request != Guess::no) return request;
  *client = false;
  const Guess status = guess_start(text, "HTTP/1.");
  if (status != Guess::yes) return status;
  if (text.size() < 12) return Guess::maybe;
  uint64_t code = 0;
  const bool well = text[8] == ' ' && read_number(text.substr(9, 3), 999, &code) && code >= 100;
  return well ? Guess::yes : Guess::no;
}

Guess guess_dns(Bytes bytes, bool hint, DnsScratch* scratch) noexcept {
  if (bytes.size() < 2) return Guess::maybe;
  const size_t length = load_be16(bytes.data());
  if (length < 12) return Guess::no;
  if (bytes.size() < 14) return Guess::maybe;
  const Bytes head = bytes.subspan(2, std::min(length, bytes.size() - 2));
  bricks_dns message;
  size_t used = 0;
  const bool whole = head.size() == length;
  if (!read_dns(head, scratch, &message, &used)) return hint && !whole ? Guess::maybe : Guess::no;
  if (hint) return is_dns(message, length, used, true) ? Guess::yes : Guess::no;
  if (!whole) return message.opcode == 0 && message.questions == 1 ? Guess::maybe : Guess::no;
  return is_dns(message, length, used, false) ? Guess::yes : Guess::no;
}

void guess_ftp(std::string_view text, StreamGuess* made) noexcept {
  const size_t end = text.find('\n');
  const std::string_view start = text.substr(0, 4);
  if (begins_with("220 ", start) || begins_with("220-", start)) {
    made->guess = Guess::maybe;
    made->ftp_server = text.size() >= 4;
    return;
  }
  std::string_view line = text.substr(0, std::min(end, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (end == std::string_view::npos) {
    bricks_ftp command;
    const bool letters = read_ftp_command(line, &command) || line.size() < 3;
    if (letters && text.size() < 64) made->guess = Guess::maybe;
  } else if (is_ftp_command(line)) {
    made->guess = Guess::maybe;
    made->ftp_client = true;
  }
}

// Remembers what RTP would have to go on with.
bool follows(RtpState& state, uint8_t direction, const bricks_rtp& packet) noexcept {
  const bool next = state.seen[direction] && state.source[direction] == packet.source &&
                    static_cast<uint16_t>(state.sequence[direction] + 1) == packet.sequence;
  state.seen[direction] = true;
  state.source[direction] = packet.source;
  state.sequence[direction] = packet.sequence;
  return next;
}

bool looks_like_quic(Bytes payload) noexcept {
  if (payload.size() < 64 || (payload[0] & 0xc0) != 0xc0) return false;
  const uint32_t version = load_be32(&payload[1]);
  return version == 1 || version == 0x6b3343cf;
}

}  // namespace

StreamGuess guess_stream(Bytes bytes, const uint16_t port[2], DnsScratch* scratch) noexcept {
  StreamGuess made;
  const std::string_view text = view_of(bytes);
  struct {
    Guess guess;
    uint8_t protocol;
    bool client;
  } all[] = {
      {Guess::no, BRICKS_PROTOCOL_TLS, false},
      {Guess::no, BRICKS_PROTOCOL_HTTP, false},
      {guess_start(text, "SSH-"), BRICKS_PROTOCOL_SSH, false},
      {guess_sip(text), BRICKS_PROTOCOL_SIP, false},
      {guess_dns(bytes, has_dns_port(port), scratch), BRICKS_PROTOCOL_DNS, false},
  };
  all[0].guess = guess_tls(bytes, &all[0].client);
  all[1].guess = guess_http(text, &all[1].client);
  guess_ftp(text, &made);
  for (const auto& one : all) {
    if (one.guess == Guess::yes) {
      made.guess = Guess::yes;
      made.protocol = one.protocol;
      made.client = one.client;
      return made;
    }
    if (one.guess == Guess::maybe) made.guess = Guess::maybe;
  }
  if ((made.ftp_server || made.ftp_client) && has_port(port, 21)) {
    made.guess = Guess::yes;
    made.protocol = BRICKS_PROTOCOL_FTP;
    made.client = made.ftp_client;
  }
  return made;
}

uint8_t identify_datagram(const Inspection& at, Bytes payload) noexcept {
  const uint16_t* port = at.state.port;
  if (looks_like_quic(payload)) {
    QuicState state{};
    QuicPacket packet;
    if (read_quic_packet(at.bench.crypto, &state, payload, at.bench.clear, &packet) !=
        QuicOutcome::initial) {
      return BRICKS_PROTOCOL_UNKNOWN;
    }
    state.client = at.direction;
    at.state.quic = state;  // its keys open the same packet for who reads it
    return BRICKS_PROTOCOL_QUIC;
  }
  if (guess_sip(view_of(payload)) == Guess::yes) return BRICKS_PROTOCOL_SIP;
  bricks_dhcp4 dhcp4;
  if (payload.size() >= 240 && read_dhcp4(payload, &dhcp4)) return BRICKS_PROTOCOL_DHCP;
  bricks_dhcp6 dhcp6;
  const bool dhcp6_ports = has_port(port, 547) || (has_port(port, 546) && port[0] == port[1]);
  if (dhcp6_ports && read_dhcp6(payload, &dhcp6)) return BRICKS_PROTOCOL_DHCP;
  bricks_ntp ntp;
  if (has_port(port, 123) && read_ntp(payload, &ntp)) return BRICKS_PROTOCOL_NTP;
  bricks_dns dns;
  size_t used = 0;
  if (!has_port(port, 137) && read_dns(payload, &at.bench.dns, &dns, &used) &&
      is_dns(dns, payload.size(), used, has_dns_port(port))) {
    return BRICKS_PROTOCOL_DNS;
  }
  if (is_rtcp(payload)) return BRICKS_PROTOCOL_RTP;
  bricks_rtp rtp;
  if (read_rtp(payload, &rtp) && follows(at.state.rtp, at.direction, rtp)) {
    return BRICKS_PROTOCOL_RTP;
  }
  return BRICKS_PROTOCOL_UNKNOWN;
}

}  // namespace bricks
