// What is in a stream, message by message.
#include "decoders/ftp.hh"
#include "decoders/inspection.hh"
#include "decoders/sip.hh"
#include "decoders/ssh.hh"

namespace bricks {

namespace {

constexpr size_t kLineMax = 4096;              // bytes of a line of FTP or of SSH's first ones
constexpr uint32_t kRecordMax = 16384 + 2048;  // RFC 5246: of a TLS record
enum RecordType : uint8_t { kHandshake = 22 };
enum HandshakeType : uint8_t { kClientHello = 1, kServerHello = 2 };

// A line without its end. False: it is not all there; `step` says what is wanted, or that it is
// too long.
bool take_line(const Inspection& at, Bytes bytes, std::string_view* line, Step* step) noexcept {
  const std::string_view text = view_of(bytes);
  const size_t end = text.substr(0, kLineMax).find('\n');
  if (end == std::string_view::npos) {
    if (text.size() >= kLineMax) at.broken();
    *step = {0, text.size() + 1};
    return false;
  }
  *line = text.substr(0, end);
  if (!line->empty() && line->back() == '\r') line->remove_suffix(1);
  *step = {end + 1, 0};
  return true;
}

struct Handshake {
  uint8_t type;
  Bytes body;
};

// The handshake message at the beginning of records. False: `step` says what is wanted.
bool take_handshake(const Inspection& at, Bytes bytes, Handshake* made, Step* step) noexcept {
  size_t end = 0, joined = 0;
  Bytes only;
  for (uint32_t records = 0;; ++records) {
    if (bytes.size() < end + 5) {
      *step = {0, end + 5};
      return false;
    }
    const uint32_t length = load_be16(&bytes[end + 3]);
    if (bytes[end] != kHandshake || bytes[end + 1] != 3 || length == 0 || length > kRecordMax) {
      at.broken();
      return false;
    }
    if (bytes.size() < end + 5 + length) {
      *step = {0, end + 5 + length};
      return false;
    }
    const Bytes piece = bytes.subspan(end + 5, length);
    end += 5 + length;
    if (joined + length > sizeof at.bench.message) {
      ++at.counts.too_long;
      at.side().over = true;
      return false;
    }
    only = piece;
    if (records > 0 || length < 4 || (size_t{piece[1]} << 16 | load_be16(&piece[2])) + 4 > length) {
      std::memcpy(at.bench.message + joined, piece.data(), length);
      only = {at.bench.message, joined + length};
    }
    joined += length;
    if (joined < 4) continue;
    const size_t message = (size_t{only[1]} << 16 | load_be16(&only[2])) + 4;
    if (joined < message) continue;
    *made = {only[0], only.subspan(4, message - 4)};
    *step = {end, 0};
    return true;
  }
}

void read_hello(const Inspection& at, const Handshake& message, uint16_t record_version) noexcept {
  TlsState& tls = at.state.tls;
  if (message.type == kClientHello) {
    bricks_tls_client_hello hello;
    if (!read_client_hello(message.body, &at.bench.hello, &hello)) return at.broken();
    hello.record_version = record_version;
    make_ja4(at.bench.crypto, &hello);
    at.side().phase = 1;
    tls.retry = false;
    at.tell(BRICKS_RECORD_TLS_CLIENT_HELLO, &hello);
    return;
  }
  bricks_tls_server_hello hello;
  if (message.type != kServerHello || !read_server_hello(message.body, &at.bench.hello, &hello)) {
    return at.broken();
  }
  hello.record_version = record_version;
  tls.retry = hello.retry;
  at.tell(BRICKS_RECORD_TLS_SERVER_HELLO, &hello);
  if (!hello.retry) at.end();
}

}  // namespace

Step read_dns_stream(const Inspection& at, Bytes bytes) noexcept {
  if (bytes.size() < 2) return {0, 2};
  const size_t length = load_be16(bytes.data());
  if (bytes.size() < 2 + length) return {0, 2 + length};
  bricks_dns message;
  size_t used = 0;
  if (!read_dns(bytes.subspan(2, length), &at.bench.dns, &message, &used)) {
    at.broken();
  } else {
    at.tell(BRICKS_RECORD_DNS, &message);
  }
  return {2 + length, 0};
}

Step read_tls_stream(const Inspection& at, Bytes bytes) noexcept {
  TlsState& tls = at.state.tls;
  StreamSide& side = at.side();
  if (bytes.size() < 5) return {0, 5};
  const size_t record = load_be16(&bytes[3]) + size_t{5};
  if (bytes[0] == kHandshake && (side.phase == 0 || tls.retry)) {
    Handshake message;
    Step step{bytes.size(), 0};
    const auto version = load_be16(&bytes[1]);
    if (take_handshake(at, bytes, &message, &step)) read_hello(at, message, version);
    return step;
  }
  // What is between the hellos, or behind the client's, is passed over.
  if (bytes[0] < 20 || bytes[0] > 24 || bytes[1] != 3 || record > kRecordMax + 5) {
    at.broken();
  } else {
    side.skip = record;
    tls.passed += static_cast<uint32_t>(record);
    if (tls.passed > kHelloPassedMax) side.over = true;
  }
  return {0, 0};
}

Step read_ssh_stream(const Inspection& at, Bytes bytes) noexcept {
  if (at.side().phase == 0) {
    std::string_view line;
    Step step;
    if (!take_line(at, bytes, &line, &step)) return step;
    bricks_ssh_banner banner;
    if (!read_ssh_banner(line, &banner)) return step;  // a server may say something before
    at.tell(BRICKS_RECORD_SSH_BANNER, &banner);
    at.side().phase = 1;
    at.side().over = view_of(banner.protocol)[0] != '2' && view_of(banner.protocol) != "1.99";
    return step;
  }
  if (bytes.size() < 4) return {0, 4};
  const uint32_t length = load_be32(bytes.data());
  if (length < 2 || length > 35000) {
    at.broken();
    return {bytes.size(), 0};
  }
  if (bytes.size() < size_t{4} + length) return {0, size_t{4} + length};
  const uint8_t padding = bytes[4];
  bricks_ssh_kexinit offer;
  if (padding + 1u > length || !read_ssh_kexinit(bytes.subspan(5, length - padding - 1), &offer)) {
    at.broken();
  } else {
    at.tell(BRICKS_RECORD_SSH_KEXINIT, &offer);
    at.side().over = true;
  }
  return {size_t{4} + length, 0};
}

Step read_sip_stream(const Inspection& at, Bytes bytes) noexcept {
  const std::string_view text = view_of(bytes);
  if (text[0] == '\r' || text[0] == '\n') return {1, 0};  // keeps the connection alive
  const size_t crlf = text.find("\r\n\r\n"), lf = text.find("\n\n");
  if (crlf == std::string_view::npos && lf == std::string_view::npos) return {0, text.size() + 1};
  bricks_sip message;
  bool response = false;
  size_t used = 0;
  if (!read_sip(text, &message, &response, &used)) {
    at.broken();
    return {text.size(), 0};
  }
  // Without a length nothing follows the head in a stream (RFC 3261, 18.3).
  if (message.content_length < 0) {
    used -= message.body.length;
    message.body = {};
  }
  if (used > text.size() && used <= kDecodeBufferBytes) return {0, used};
  at.tell(response ? BRICKS_RECORD_SIP_RESPONSE : BRICKS_RECORD_SIP_REQUEST, &message);
  if (used <= text.size()) return {used, 0};
  at.side().skip = used;  // a body too long to be kept
  return {0, 0};
}

Step read_ftp_stream(const Inspection& at, Bytes bytes) noexcept {
  std::string_view line;
  Step step;
  if (!take_line(at, bytes, &line, &step)) return step;
  FtpState& ftp = at.state.ftp;
  bricks_ftp made;
  if (at.direction == ftp.client) {
    if (read_ftp_command(line, &made)) at.tell(BRICKS_RECORD_FTP_COMMAND, &made);
    return step;
  }
  uint64_t code = 0;
  if (ftp.code == 0 && line.size() > 3 && line[3] == '-' &&
      read_number(line.substr(0, 3), 699, &code)) {
    ftp.code = static_cast<uint16_t>(code);
  } else if (read_ftp_reply(line, &made) && (ftp.code == 0 || made.code == ftp.code)) {
    ftp.code = 0;
    at.tell(BRICKS_RECORD_FTP_REPLY, &made);
    if (made.code == 234) at.end();  // TLS from here on (RFC 4217)
  }
  return step;
}

}  // namespace bricks
