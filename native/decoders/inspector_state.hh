// What inspectors keep of a session, and what a thread has one of.
#pragma once

#include <llhttp.h>

#include "decoders/dns.hh"
#include "decoders/quic.hh"
#include "decoders/tls.hh"
#include "mem/limits.hh"

namespace bricks {

// A head of HTTP under way. Texts point into the payload of the call, or into `text`.
struct HttpHead {
  bricks_text method, target, reason;
  bricks_http_header headers[BRICKS_HTTP_HEADERS_MAX];
  uint32_t count, total;
  uint32_t used;     // of `text`
  bool cut;          // something had no room
  bool in_value;     // of the last header
  bool passed_over;  // the last header had no room
  char text[kDecodeBufferBytes - 2200];
};
static_assert(sizeof(HttpHead) <= kDecodeBufferBytes);

struct HttpSide {
  llhttp_t parser;
  uint64_t body;                              // bytes of it so far
  bool in_head, in_body, in_chunk, headless;  // headless: there was no buffer for its head
  bool incomplete;                            // bytes of the body are missing
  bool swallow;                               // the next byte stands for a gap
};
struct HttpState {
  HttpSide side[2];
  uint64_t head_requests, connect_requests;  // whose responses are to come; the next is bit 0
  uint8_t pending;
};
struct TlsState {
  uint32_t passed;  // bytes behind the ClientHello
  bool retry;       // another one is to come
};
struct RtpState {
  uint32_t source[2];
  uint16_t sequence[2];
  bool seen[2];
};
struct FtpState {
  uint8_t client;  // direction
  uint16_t code;   // of a reply of several lines, 0: none under way
};

// A direction of a stream.
struct StreamSide {
  uint64_t next;    // offset of the byte to come
  uint64_t skip;    // bytes that are passed over
  uint8_t* buffer;  // with `held` bytes of a message that is not all there; null: none
  uint32_t held;
  uint32_t wanted;  // no use to look again with fewer
  uint8_t phase;    // the protocol's own
  bool over;        // nothing more can come of it
};

struct InspectorState {
  uint8_t protocol;
  uint8_t transport;
  bool given_up;
  uint8_t datagrams;  // that have not told what they are
  uint16_t port[2];
  uint32_t next_free;
  StreamSide side[2];
  union {
    HttpState http;
    TlsState tls;
    QuicState quic;
    RtpState rtp;
    FtpState ftp;
  };
};
static_assert(sizeof(InspectorState) <= kInspectorBytes);

// One thread's tools.
struct Workbench {
  Crypto crypto;
  DnsScratch dns;
  HelloScratch hello;
  HttpHead head;
  uint8_t message[kDecodeBufferBytes];  // a handshake message out of several records
  uint8_t clear[65536];                 // what QUIC has sealed
  llhttp_settings_t http;
  uint32_t wanted = UINT32_MAX;  // protocols whose records are read: 1 << bricks_protocol
  uint8_t* buffers = nullptr;
  uint32_t buffer_count = 0, fresh_buffer = 0;
  uint8_t* free_buffer = nullptr;  // the next one is named in its first bytes
};

}  // namespace bricks
