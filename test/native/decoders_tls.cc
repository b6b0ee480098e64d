// TLS: hellos in one record or in many, JA4, retries; and what is not well formed.
#include "decoders/tls.hh"
#include "hellos.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

const char* kClient = "> client one.example 772 t13d1516h2_8daaf6152771_e5627efa2ab1 h2 http/1.1\n";

Text in_records(const Text& message, size_t size) {
  Text made;
  for (size_t at = 0; at < message.size(); at += size) made += record(message.substr(at, size));
  return made;
}

std::string ja4_of(const Text& body) {
  Crypto crypto;
  HelloScratch scratch;
  bricks_tls_client_hello hello;
  CHECK(read_client_hello(bytes_of(body), &scratch, &hello));
  CHECK(make_ja4(crypto, &hello));
  return hello.ja4;
}
Text hello_with(const Text& ciphers, const Text& extensions, unsigned version = 0x0303) {
  return be16(version) + Text(32, 'r') + Text(1, 0) + with16(ciphers) + with8(Text(1, 0)) +
         extensions;
}

}  // namespace

TEST(decoders_tls_reads_hellos_and_ja4) {
  const std::vector<Said> said = {{0, record(chrome_hello("one.example"))},
                                  {1, record(server_hello()) + record("cipher", 23)},
                                  {0, record("more", 23)}};
  const std::string all = std::string("is tls\n") + kClient + "< server 772 cipher 4865 group 29\n";
  CHECK_EQ(joined(follow(said, show_hello)), all);
  same_in_pieces(said, show_hello);
}

TEST(decoders_tls_hello_in_many_records_and_segments) {
  const Text hello = chrome_hello("one.example");
  for (const size_t size : {size_t{1}, size_t{3}, size_t{5}, size_t{100}, hello.size() - 1}) {
    const std::vector<Said> said = {{0, in_records(hello, size)},
                                    {1, in_records(server_hello(), size)}};
    CHECK_EQ(joined(follow(said, show_hello)),
             std::string("is tls\n") + kClient + "< server 772 cipher 4865 group 29\n");
    same_in_pieces(said, show_hello);
  }
}

TEST(decoders_tls_second_hello_behind_a_retry) {
  const Text first = record(chrome_hello("one.example"));
  const std::vector<Said> said = {{0, first},
                                  {1, record(server_hello(true)) + record(Text(1, 1), 20)},
                                  {0, record(Text(1, 1), 20) + record(chrome_hello("two.example"))},
                                  {1, record(server_hello())}};
  const Lines lines = follow(said, show_hello);
  CHECK_EQ(lines.size(), 5u);
  CHECK_EQ(lines[2].substr(0, 8), "< retry ");
  CHECK(lines[3].find("two.example") != Text::npos);
  same_in_pieces(said, show_hello);
}

TEST(decoders_tls_ja4_of_odd_hellos) {
  CHECK_EQ(ja4_of(hello_with(numbers({0x002f}), "", 0x0301)),
           "t10i010000_ba72b8082249_000000000000");
  CHECK_EQ(ja4_of(hello_with("", with16(server_name("a")))).substr(0, 23),
           "t12d000100_000000000000");
  // Single letters, bytes that are no letters, an empty name.
  const auto alpn = [](const Text& name) {
    return ja4_of(hello_with("", with16(extension(16, with16(with8(name)))))).substr(8, 2);
  };
  CHECK_EQ(alpn("h"), "hh");
  CHECK_EQ(alpn("\xab"), "ab");
  CHECK_EQ(alpn("\xab\xcd"), "ad");
  CHECK_EQ(alpn("0\xab"), "3b");
  CHECK_EQ(alpn("0\xab\xcd"
                "1"),
           "01");
  CHECK_EQ(alpn(""), "00");
  CHECK_EQ(
      ja4_of(hello_with("", with16(extension(43, with8(numbers({0x0a0a, 0x7f1c})))))).substr(0, 3),
      "t00");
  Text ciphers, many;
  for (unsigned i = 0; i < 150; ++i) ciphers += be16(0x1000 + i);
  CHECK_EQ(ja4_of(hello_with(ciphers, "")).substr(4, 4), "9900");
  // Longer than what is kept: no fingerprint rather than a wrong one.
  for (unsigned i = 0; i < BRICKS_TLS_LIST_MAX + 1; ++i) many += be16(0x1000 + i);
  Crypto crypto;
  HelloScratch scratch;
  bricks_tls_client_hello hello;
  CHECK(read_client_hello(bytes_of(hello_with(many, "")), &scratch, &hello));
  CHECK(!make_ja4(crypto, &hello));
  CHECK_EQ(Text(hello.ja4), "");
  CHECK_EQ(hello.ciphers_total, BRICKS_TLS_LIST_MAX + 1u);
}

TEST(decoders_tls_refuses_lengths_that_lie) {
  HelloScratch scratch;
  bricks_tls_client_hello hello;
  const Text whole = chrome_hello("one.example").substr(4);
  for (size_t length = 0; length < whole.size(); ++length) {
    const Exact cut(whole.substr(0, length));
    const bool well = read_client_hello(cut.bytes(), &scratch, &hello);
    // Without extensions it is a whole hello of old.
    CHECK_EQ(well, length == 2 + 32 + 33 + 34 + 2);
  }
  bricks_tls_server_hello reply;
  const Text answer = server_hello().substr(4);
  for (size_t length = 0; length < answer.size(); ++length) {
    const Exact cut(answer.substr(0, length));
    CHECK_EQ(read_server_hello(cut.bytes(), &scratch, &reply), length == 2 + 32 + 33 + 3);
  }
}

TEST(decoders_tls_survives_every_cut_and_every_lie) {
  survives({{0, record(chrome_hello("one.example"))}, {1, record(server_hello())}}, show_hello, 443,
           false);
  survives({{0, in_records(chrome_hello("one.example"), 50)}}, show_hello, 443, false);
}

TEST(decoders_tls_ends_a_session_whose_records_nobody_reads) {
  const std::vector<Said> said = {{0, record(chrome_hello("one.example"))}};
  CHECK_EQ(joined(follow(said, show_hello, SIZE_MAX, 443, 1u << BRICKS_PROTOCOL_DNS)), "is tls\n");
}
