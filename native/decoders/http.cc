// HTTP/1 by llhttp. Texts of a head stay where they are in the payload; what of them is split
// between calls goes to a buffer until the head is complete.
#include "decoders/inspection.hh"

namespace bricks {

namespace {

const Inspection& call_of(llhttp_t* parser) noexcept {
  return *static_cast<const Inspection*>(parser->data);
}
HttpSide& side_of(llhttp_t* parser) noexcept {
  const Inspection& at = call_of(parser);
  return at.state.http.side[at.direction];
}
HttpHead& head_of(llhttp_t* parser) noexcept {
  const Inspection& at = call_of(parser);
  uint8_t* buffer = at.side().buffer;
  return buffer ? *reinterpret_cast<HttpHead*>(buffer) : at.bench.head;
}

void begin_head(HttpHead& head) noexcept {
  head.method = head.target = head.reason = {};
  head.count = head.total = head.used = 0;
  head.cut = head.in_value = head.passed_over = false;
}

bool is_kept(const HttpHead& head, const char* at) noexcept {
  return at >= head.text && at < head.text + sizeof head.text;
}

// The text's bytes to `text`, as many as there is room for; more will be put behind them.
void keep(HttpHead& head, bricks_text* text) noexcept {
  if (text->length == 0 || is_kept(head, text->data)) return;
  const uint32_t room = static_cast<uint32_t>(sizeof head.text) - head.used;
  if (text->length > room) {
    head.cut = true;
    text->length = room;
  }
  std::memcpy(head.text + head.used, text->data, text->length);
  text->data = head.text + head.used;
  head.used += text->length;
}

void append(HttpHead& head, bricks_text* text, const char* at, size_t length) noexcept {
  if (text->length == 0) {
    text->data = at;
    text->length = static_cast<uint32_t>(length);
  } else if (text->data + text->length == at && !is_kept(head, text->data)) {
    text->length += static_cast<uint32_t>(length);
  } else {
    keep(head, text);
    // Nothing was put behind it but by itself; else it has to move there.
    if (text->data + text->length != head.text + head.used) {
      const bricks_text old = *text;
      const auto room = static_cast<uint32_t>(sizeof head.text) - head.used;
      text->length = std::min(old.length, room);
      std::memcpy(head.text + head.used, old.data, text->length);
      text->data = head.text + head.used;
      head.used += text->length;
    }
    bricks_text more{at, static_cast<uint32_t>(length), 0};
    keep(head, &more);
    text->length += more.length;
  }
}

int on_message_begin(llhttp_t* parser) noexcept {
  HttpSide& side = side_of(parser);
  side.in_head = true;
  side.in_body = side.in_chunk = side.headless = side.incomplete = false;
  side.body = 0;
  begin_head(head_of(parser));
  return 0;
}

template <bricks_text HttpHead::*part>
int on_first_line(llhttp_t* parser, const char* at, size_t length) noexcept {
  HttpHead& head = head_of(parser);
  if (side_of(parser).in_head) append(head, &(head.*part), at, length);
  return 0;
}

int on_header_field(llhttp_t* parser, const char* at, size_t length) noexcept {
  HttpHead& head = head_of(parser);
  if (!side_of(parser).in_head) return 0;  // a trailer
  if (head.total == 0 || head.in_value) {
    head.in_value = false;
    head.passed_over = head.count == BRICKS_HTTP_HEADERS_MAX;
    ++head.total;
    if (!head.passed_over) head.headers[head.count++] = {};
    head.cut |= head.passed_over;
  }
  if (!head.passed_over) append(head, &head.headers[head.count - 1].name, at, length);
  return 0;
}

int on_header_value(llhttp_t* parser, const char* at, size_t length) noexcept {
  HttpHead& head = head_of(parser);
  if (!side_of(parser).in_head || head.total == 0) return 0;
  head.in_value = true;
  if (!head.passed_over) append(head, &head.headers[head.count - 1].value, at, length);
  return 0;
}

// An empty value is not told of by a span.
int on_header_value_complete(llhttp_t* parser) noexcept {
  head_of(parser).in_value = true;
  return 0;
}

void note(const bricks_http_header& header, std::string_view name, bricks_text* to) noexcept {
  if (to->data == nullptr && same_word(view_of(header.name), name)) *to = header.value;
}

void tell_head(const Inspection& at, llhttp_t* parser, HttpHead& head) noexcept {
  bricks_http made{};
  made.major = parser->http_major;
  made.minor = parser->http_minor;
  const bool response = parser->type == HTTP_RESPONSE;
  if (response) made.status = parser->status_code;
  made.method = head.method;
  made.target = head.target;
  made.reason = head.reason;
  for (uint32_t i = 0; i < head.count; ++i) {
    bricks_http_header& header = head.headers[i];
    header.value = text_of(trimmed(view_of(header.value)));
    note(header, "host", &made.host);
    note(header, "user-agent", &made.user_agent);
    note(header, "content-type", &made.content_type);
    note(header, "server", &made.server);
  }
  const bool said = parser->flags & F_CONTENT_LENGTH;
  made.content_length = said ? static_cast<int64_t>(parser->content_length) : -1;
  made.chunked = (parser->flags & F_CHUNKED) != 0;
  made.keep_alive = llhttp_should_keep_alive(parser) != 0;
  made.upgrade = parser->upgrade;
  made.cut = head.cut;
  made.headers = head.headers;
  made.headers_count = head.count;
  made.headers_total = head.total;
  at.tell(response ? BRICKS_RECORD_HTTP_RESPONSE : BRICKS_RECORD_HTTP_REQUEST, &made);
}

void remember_request(HttpState& http, uint8_t method) noexcept {
  if (http.pending == 64) return;
  const uint64_t bit = uint64_t{1} << http.pending++;
  if (method == HTTP_HEAD) http.head_requests |= bit;
  if (method == HTTP_CONNECT) http.connect_requests |= bit;
}

// What llhttp is to expect behind a response's head: 0 what it says, 1 nothing, 2 another protocol.
int answer_request(HttpState& http, uint16_t status) noexcept {
  if (status / 100 == 1 && status != 101) return 0;
  if (http.pending == 0) return 0;
  const bool head = http.head_requests & 1, connect = http.connect_requests & 1;
  --http.pending;
  http.head_requests >>= 1;
  http.connect_requests >>= 1;
  if (connect && status / 100 == 2) return 2;
  return head ? 1 : 0;
}

int on_headers_complete(llhttp_t* parser) noexcept {
  const Inspection& at = call_of(parser);
  HttpSide& side = side_of(parser);
  if (!side.headless) tell_head(at, parser, head_of(parser));
  side.in_head = false;
  side.in_body = true;
  if (at.side().buffer) {
    at.give_buffer(at.side().buffer);
    at.side().buffer = nullptr;
  }
  if (parser->type == HTTP_RESPONSE) return answer_request(at.state.http, parser->status_code);
  remember_request(at.state.http, parser->method);
  return 0;
}

int on_body(llhttp_t* parser, const char* data, size_t length) noexcept {
  HttpSide& side = side_of(parser);
  if (side.swallow) {
    side.swallow = false;
    return 0;
  }
  const bricks_http_body piece{{data, static_cast<uint32_t>(length), 0}, side.body, 0, {}};
  side.body += length;
  call_of(parser).tell(BRICKS_RECORD_HTTP_BODY, &piece);
  return 0;
}

int on_chunk_header(llhttp_t* parser) noexcept {
  side_of(parser).in_chunk = parser->content_length > 0;
  return 0;
}
int on_chunk_complete(llhttp_t* parser) noexcept {
  side_of(parser).in_chunk = false;
  return 0;
}

void tell_end(const Inspection& at, HttpSide& side, bool complete) noexcept {
  side.in_body = false;
  const bricks_http_body end{{}, side.body, complete && !side.incomplete, {}};
  at.tell(BRICKS_RECORD_HTTP_END, &end);
}

int on_message_complete(llhttp_t* parser) noexcept {
  tell_end(call_of(parser), side_of(parser), true);
  return 0;
}

// The head is not complete: what of it is in the payload moves to a buffer.
void save_head(const Inspection& at, HttpSide& side) noexcept {
  if (!side.in_head || side.headless) return;
  if (!at.side().buffer) {
    uint8_t* buffer = at.take_buffer();
    if (!buffer) {
      side.headless = true;
      return;
    }
    auto* kept = reinterpret_cast<HttpHead*>(buffer);
    const HttpHead& head = at.bench.head;
    std::memcpy(buffer, &head, sizeof head - sizeof head.text);
    std::memcpy(kept->text, head.text, head.used);
    const auto move = [&](bricks_text* text) {
      if (is_kept(head, text->data)) text->data = kept->text + (text->data - head.text);
    };
    move(&kept->method), move(&kept->target), move(&kept->reason);
    for (uint32_t i = 0; i < kept->count; ++i) {
      move(&kept->headers[i].name), move(&kept->headers[i].value);
    }
    at.side().buffer = buffer;
  }
  auto& head = *reinterpret_cast<HttpHead*>(at.side().buffer);
  keep(head, &head.method);
  keep(head, &head.target);
  keep(head, &head.reason);
  for (uint32_t i = 0; i < head.count; ++i) {
    keep(head, &head.headers[i].name);
    keep(head, &head.headers[i].value);
  }
}

void run(const Inspection& at, HttpSide& side, const char* data, size_t length) noexcept {
  side.parser.data = const_cast<Inspection*>(&at);
  while (length > 0) {
    const llhttp_errno_t error = llhttp_execute(&side.parser, data, length);
    if (error == HPE_OK) break;
    if (error != HPE_PAUSED_UPGRADE) {
      if (error != HPE_CLOSED_CONNECTION) ++at.counts.malformed;
      at.side().over = true;
      return;
    }
    // A response says that from here on it is another protocol; a request only asks for it.
    if (side.parser.type == HTTP_RESPONSE) return at.end();
    const char* stopped = llhttp_get_error_pos(&side.parser);
    length -= static_cast<size_t>(stopped - data);
    data = stopped;
    llhttp_resume_after_upgrade(&side.parser);
  }
  save_head(at, side);
}

}  // namespace

void prepare_http(llhttp_settings_t* settings) noexcept {
  llhttp_settings_init(settings);
  settings->on_message_begin = on_message_begin;
  settings->on_method = on_first_line<&HttpHead::method>;
  settings->on_url = on_first_line<&HttpHead::target>;
  settings->on_status = on_first_line<&HttpHead::reason>;
  settings->on_header_field = on_header_field;
  settings->on_header_value = on_header_value;
  settings->on_header_value_complete = on_header_value_complete;
  settings->on_headers_complete = on_headers_complete;
  settings->on_body = on_body;
  settings->on_chunk_header = on_chunk_header;
  settings->on_chunk_complete = on_chunk_complete;
  settings->on_message_complete = on_message_complete;
}

void begin_http(const Inspection& at, uint8_t client) noexcept {
  at.state.http = {};
  for (uint8_t direction = 0; direction < 2; ++direction) {
    const llhttp_type_t type = direction == client ? HTTP_REQUEST : HTTP_RESPONSE;
    llhttp_init(&at.state.http.side[direction].parser, type, &at.bench.http);
  }
}

void read_http(const Inspection& at, Bytes bytes) noexcept {
  run(at, at.state.http.side[at.direction], reinterpret_cast<const char*>(bytes.data()),
      bytes.size());
}

void pass_http_gap(const Inspection& at, uint64_t length) noexcept {
  HttpSide& side = at.state.http.side[at.direction];
  llhttp_t& parser = side.parser;
  const bool counted = parser.flags & F_CHUNKED ? side.in_chunk : parser.flags & F_CONTENT_LENGTH;
  if (!side.in_body || ((parser.flags & F_CHUNKED) && !side.in_chunk)) {
    at.side().over = true;  // bytes of a head are missing: nobody knows where the next begins
    return;
  }
  side.incomplete = true;
  if (!counted) {
    side.body += length;  // a body that the connection's end ends
    return;
  }
  if (length > parser.content_length) {
    tell_end(at, side, false);
    at.side().over = true;
    return;
  }
  // llhttp counts down what is left of the body; its last byte of the gap is fed, so that it sees
  // where the body ends.
  side.body += length;
  parser.content_length -= length - 1;
  side.swallow = true;
  const char stand_in = 0;
  run(at, side, &stand_in, 1);
}

void finish_http(const Inspection& at) noexcept {
  HttpSide& side = at.state.http.side[at.direction];
  side.parser.data = const_cast<Inspection*>(&at);
  const bool in_body = side.in_body;
  if (llhttp_finish(&side.parser) != HPE_OK && in_body && side.in_body) tell_end(at, side, false);
  at.side().over = true;
}

}  // namespace bricks
