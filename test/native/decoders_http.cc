// HTTP/1: heads split anywhere, bodies of every framing, gaps, upgrades.
#include "inspected.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

Text body;  // of the message under way

std::string show(uint8_t kind, const void* record) {
  if (kind == BRICKS_RECORD_HTTP_BODY) {
    body += shown(static_cast<const bricks_http_body*>(record)->bytes);
    return "";
  }
  if (kind == BRICKS_RECORD_HTTP_END) {
    const auto& end = *static_cast<const bricks_http_body*>(record);
    const Text made =
        "end " + body + " " + std::to_string(end.offset) + (end.complete ? "" : " incomplete");
    body.clear();
    return made;
  }
  const auto& m = *static_cast<const bricks_http*>(record);
  std::string made = kind == BRICKS_RECORD_HTTP_REQUEST
                         ? shown(m.method) + " " + shown(m.target) + " " + shown(m.host)
                         : std::to_string(m.status) + " " + shown(m.reason);
  for (uint32_t i = 0; i < m.headers_count; ++i) {
    made += "|" + shown(m.headers[i].name) + "=" + shown(m.headers[i].value);
  }
  return made + (m.cut ? " cut" : "");
}

const std::vector<Said> kTalk = {
    {0,
     "GET /a HTTP/1.1\r\nHost: one.example\r\nX-Empty:\r\nUser-Agent:  me \r\n\r\n"
     "POST /b?c HTTP/1.1\r\nhost: two.example\r\nContent-Length: 5\r\n\r\nhello"},
    {1,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n"
     "Trailer: t\r\n\r\nHTTP/1.1 204 No Content\r\nServer: s\r\n\r\n"}};

}  // namespace

TEST(decoders_http_reads_requests_responses_and_bodies) {
  CHECK_EQ(joined(follow(kTalk, show)),
           "is http\n"
           "> GET /a one.example|Host=one.example|X-Empty=|User-Agent=me\n"
           "> end  0\n"
           "> POST /b?c two.example|host=two.example|Content-Length=5\n"
           "> end hello 5\n"
           "< 200 OK|Transfer-Encoding=chunked\n"
           "< end abcde 5\n"
           "< 204 No Content|Server=s\n"
           "< end  0\n");
  same_in_pieces(kTalk, show);
}

TEST(decoders_http_head_and_connect_have_no_body) {
  CHECK_EQ(joined(follow({{0, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"},
                          {1, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"},
                          {0, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
                          {1,
                           "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\n"
                           "Content-Length: 1\r\n\r\nx"}},
                         show)),
           "is http\n> HEAD / h|Host=h\n> end  0\n< 200 OK|Content-Length=100\n< end  0\n"
           "> GET / h|Host=h\n> end  0\n< 100 Continue\n< end  0\n"
           "< 404 No|Content-Length=1\n< end x 1\n");
  // Behind a CONNECT that is answered, and behind an upgrade, it is something else.
  for (const Text ask : {"CONNECT a:443 HTTP/1.1\r\n\r\n",
                         "GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"}) {
    const bool connect = ask[0] == 'C';
    const Lines lines = follow({{0, ask},
                                {1, connect ? "HTTP/1.1 200 OK\r\n\r\n\x16\x03"
                                            : "HTTP/1.1 101 Well\r\nConnection: upgrade\r\n"
                                              "Upgrade: x\r\n\r\n\x16\x03"},
                                {0, "\x16\x03\x01 garbage"}},
                               show);
    CHECK_EQ(lines.size(), 5u);
  }
}

TEST(decoders_http_body_until_the_end_of_the_connection) {
  CHECK_EQ(joined(follow({{1, "HTTP/1.0 200 OK\r\n\r\nall"}, {1, " of it"}}, show)),
           "is http\n< 200 OK\n< end all of it 9\n");
  CHECK_EQ(joined(follow({{1, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nnot"}}, show)),
           "is http\n< 200 OK|Content-Length=9\n< end not 3 incomplete\n");
}

TEST(decoders_http_goes_on_behind_a_gap_in_a_body) {
  for (const uint64_t missing : {1u, 4u, 7u, 8u}) {
    std::unique_ptr<Inspectors> pool;
    CHECK(Inspectors::create(1, 2, &pool).ok());
    const uint32_t session = pool->open(6, 40000, 80);
    Collector collector(show);
    const Text head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
    const Text rest = Text(8 - std::min<uint64_t>(missing, 8), 'z') +
                      "HTTP/1.1 404 Next\r\nContent-Length: 0\r\n\r\n";
    pool->stream(session, 1, 0, bytes_of(head), collector);
    pool->gap(session, 1, head.size(), missing, collector);
    pool->stream(session, 1, head.size() + missing, bytes_of(rest), collector);
    pool->close(session);
    const Text said = joined(collector.lines);
    CHECK(said.find(" 10 incomplete\n< 404 Next") != Text::npos);
  }
  // A gap in a head, or past a body's end: nobody knows where the next one begins.
  std::unique_ptr<Inspectors> pool;
  CHECK(Inspectors::create(1, 2, &pool).ok());
  const uint32_t session = pool->open(6, 40000, 80);
  Collector collector(show);
  pool->stream(session, 0, 0, bytes_of("GET / HTTP/1.1\r\nHost: a"), collector);
  pool->gap(session, 0, 23, 5, collector);
  pool->stream(session, 0, 28, bytes_of("GET / HTTP/1.1\r\n\r\n"), collector);
  pool->close(session);
  CHECK_EQ(joined(collector.lines), "is http\n");
  CHECK_EQ(pool->counts().buffers, 0u);
}

TEST(decoders_http_bounds_heads) {
  Text many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i) many += "h" + std::to_string(i) + ": v\r\n";
  const Lines lines = follow({{0, many + "\r\n"}}, show);
  CHECK(lines[1].find("h63=v cut") != Text::npos);
  CHECK(lines[1].find("h64") == Text::npos);
  same_in_pieces({{0, many + "\r\n"}}, show);
  // Longer than a buffer, in pieces: cut, and the next one is found.
  const Text huge =
      "GET / HTTP/1.1\r\nlong: " + Text(30000, 'x') + "\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
  const Lines cut = follow({{0, huge}}, show, 1000);
  CHECK_EQ(cut.size(), 5u);
  CHECK(cut[1].size() > 10000 && cut[1].size() < 16384 && cut[1].find(" cut") != Text::npos);
  CHECK_EQ(cut[3], "> GET /2 ");
}

TEST(decoders_http_without_a_buffer_keeps_the_messages_apart) {
  std::unique_ptr<Inspectors> pool;
  CHECK(Inspectors::create(1, 0, &pool).ok());
  const uint32_t session = pool->open(6, 40000, 80);
  Collector collector(show);
  const Text ask = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
  uint64_t offset = 0;
  for (const Text& piece : {ask + ask.substr(0, 30), ask.substr(30) + ask}) {
    pool->stream(session, 0, offset, bytes_of(piece), collector);
    offset += piece.size();
  }
  pool->close(session);
  CHECK_EQ(collector.lines.size(), 6u);  // the second has no head, but its end
  CHECK_EQ(pool->counts().no_buffer, 1u);
}

TEST(decoders_http_survives_every_cut_and_every_lie) { survives(kTalk, show, 80, false); }
