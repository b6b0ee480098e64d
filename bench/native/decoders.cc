// decoders: what one message costs, from a session's first byte: the protocol is found out, the
// message read, its record given to somebody who does nothing with it.
#include <cstdio>
#include <cstdlib>

#include "../../test/native/quic_packets.hh"
#include "decoders/inspector.hh"
#include "figure.hh"

namespace bench {

using namespace bricks;

namespace {

using inspected::Text;

class Counter final : public Sink {
 public:
  uint64_t records = 0;
  void identified(uint8_t) noexcept override {}
  void record(uint8_t, uint8_t, const void*, uint8_t) noexcept override { ++records; }
};

struct Message {
  const char* name;
  uint8_t transport;
  uint16_t port;
  Text text;
  bool goes_on;  // measured within one session, its protocol known
};

std::vector<Message> messages() {
  const Text dns = inspected::from_hex("1234 8180 0001 0002 0000 0000") +
                   Text("\3www\7example\3com\0", 17) +
                   inspected::from_hex(
                       "0001 0001 c00c 0005 0001 0000012c 0006 03636d6e c010"
                       "c02d 0001 0001 0000003c 0004 c0000201");
  const Text http =
      "GET /index.html?a=b HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: Mozilla/5.0 (X11; "
      "Linux "
      "x86_64) AppleWebKit/537.36\r\nAccept: text/html,application/xhtml+xml\r\nAccept-Encoding: "
      "gzip, deflate\r\nAccept-Language: en\r\nCookie: session=0123456789abcdef\r\n\r\n";
  const Text hello = inspected::chrome_hello("www.example.com");
  const Text sip =
      "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK\r\nFrom: "
      "<sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 77@a.example\r\n"
      "CSeq: 314 INVITE\r\nContact: <sip:alice@a.example>\r\nContent-Length: 0\r\n\r\n";
  const Text ntp = Text(1, 0x23) + Text(47, 1);
  return {{"DNS answer", 17, 53, dns, false},
          {"DNS answer, session known", 17, 53, dns, true},
          {"HTTP request, 7 headers", 6, 80, http, false},
          {"HTTP request, session known", 6, 80, http, true},
          {"TLS ClientHello with JA4", 6, 443, inspected::record(hello), false},
          {"QUIC Initial with ClientHello", 17, 443,
           inspected::initial(inspected::crypto_frame(0, hello)), false},
          {"SIP INVITE", 17, 5060, sip, false},
          {"NTP", 17, 123, ntp, false},
          {"unknown, given up", 6, 9999, Text(1000, '\x01'), false}};
}

void measure(const Message& message, Figures& figures) {
  std::unique_ptr<Inspectors> pool;
  if (!Inspectors::create(16, 16, &pool).ok()) std::exit(1);
  Counter counter;
  const Bytes bytes = inspected::bytes_of(message.text);
  uint32_t session = 0;
  uint64_t offset = 0;
  const auto once = [&]() -> uint64_t {
    if (session == 0) session = pool->open(message.transport, 40000, message.port);
    if (message.transport == 17) {
      pool->datagram(session, 0, bytes, counter);
    } else {
      pool->stream(session, 0, offset, bytes, counter);
      offset += bytes.size();
    }
    if (message.goes_on) return 1;
    pool->close(session);
    session = 0;
    offset = 0;
    return 1;
  };
  const Spread rate = measure_rate(once);  // millions a second
  const bool reads = message.text[0] != '\x01';
  if (reads && counter.records == 0) {
    std::fprintf(stderr, "bench: decoders: %s is not read\n", message.name);
    std::exit(1);
  }
  figures.push_back({"decoders",
                     message.name,
                     "ns",
                     {1e3 / rate.maximum, 1e3 / rate.median, 1e3 / rate.minimum},
                     0});
}

}  // namespace

void measure_decoders(const Wanted& wanted, Figures& figures) {
  if (!wanted("decoders")) return;
  for (const Message& message : messages()) measure(message, figures);
}

}  // namespace bench
