// QUIC: keys as RFC 9001 and RFC 9369 have them, and a ClientHello in frames of any order, over
// several packets and datagrams. The packets are sealed here.
#include "decoders/quic.hh"
#include "quic_packets.hh"

using namespace bricks;
using namespace bricks::inspected;

namespace {

Text hex_of(const uint8_t* bytes, size_t count) {
  static constexpr char kHex[] = "0123456789abcdef";
  Text made;
  for (size_t i = 0; i < count; ++i) made += {kHex[bytes[i] >> 4], kHex[bytes[i] & 15]};
  return made;
}
const char* kClient =
    "> client one.example 772 q13d1516h2_8daaf6152771_e5627efa2ab1 h2 http/1.1 quic\n";
const std::string kAll = std::string("is quic\n> initial 0\n") + kClient;

}  // namespace

TEST(decoders_quic_keys_are_those_of_the_rfcs) {
  Crypto crypto;
  CHECK(crypto.ready());
  QuicKeys keys;
  CHECK(make_quic_keys(crypto, 1, bytes_of(kDestination), &keys));
  CHECK_EQ(hex_of(keys.key, 16), "1f369613dd76d5467730efcbe3b1a22d");
  CHECK_EQ(hex_of(keys.iv, 12), "fa044b2f42a3fd3b46fb255c");
  CHECK_EQ(hex_of(keys.protection, 16), "9f50449e04a0e810283a1e9933adedd2");
  CHECK(make_quic_keys(crypto, kVersion2, bytes_of(kDestination), &keys));
  CHECK_EQ(hex_of(keys.key, 16), "8b1a0bc121284290a29e0971b5cd045d");
  CHECK_EQ(hex_of(keys.iv, 12), "91f73e2351d8fa91660e909f");
  CHECK_EQ(hex_of(keys.protection, 16), "45b95e15235d6f45a6b19cbcb0294ba9");
  CHECK(!make_quic_keys(crypto, 0xff00001d, bytes_of(kDestination), &keys));
}

TEST(decoders_quic_reads_the_client_hello) {
  const Text hello = chrome_hello("one.example");
  for (const uint32_t version : {1u, kVersion2}) {
    CHECK_EQ(joined(converse({{0, initial(crypto_frame(0, hello), 0, version)}}, show_hello)),
             kAll);
  }
  // Pieces in any order, twice, with PING, ACK and padding between, over two datagrams.
  const Text ack = Text("\2", 1) + variable(5) + variable(0) + variable(0) + variable(1);
  const Text first = crypto_frame(300, hello.substr(300)) + Text("\1\0\0", 3) +
                     crypto_frame(50, hello.substr(50, 100));
  const Text second =
      ack + crypto_frame(100, hello.substr(100, 210)) + crypto_frame(0, hello.substr(0, 60));
  CHECK_EQ(joined(converse({{0, initial(first)}, {0, initial(second, 1)}}, show_hello)), kAll);
  // Both packets in one datagram.
  CHECK_EQ(joined(converse({{0, initial(first) + initial(second, 1)}}, show_hello)), kAll);
  // The server's packets, and what is not QUIC, change nothing.
  CHECK_EQ(joined(converse({{0, initial(first)},
                            {1, initial("", 0, 1, "another")},
                            {1, Text(100, 'x')},
                            {0, initial(second, 1)}},
                           show_hello)),
           std::string("is quic\n> initial 0\n") + kClient);
}

TEST(decoders_quic_goes_on_behind_a_retry) {
  const Text hello = chrome_hello("one.example");
  const Text half = crypto_frame(0, hello.substr(0, 200));
  CHECK_EQ(joined(converse(
               {{0, initial(half)}, {0, initial(crypto_frame(0, hello), 1, 1, "chosen", "token")}},
               show_hello)),
           std::string("is quic\n> initial 0\n> initial 1\n") + kClient);
}

TEST(decoders_quic_makes_keys_once) {
  constexpr uint64_t kOfKeys = 5;  // extract, the client's secret, key, iv, header protection
  const Text hello = chrome_hello("one.example");
  const Text half = crypto_frame(0, hello.substr(0, 200));
  uint64_t hmacs = 0;
  converse({{0, initial(half)}}, show_hello, 443, &hmacs);
  CHECK_EQ(hmacs, kOfKeys);
  converse({{0, initial(half)}, {0, initial(crypto_frame(200, hello.substr(200)), 1)}}, show_hello,
           443, &hmacs);
  CHECK_EQ(hmacs, kOfKeys);
  converse({{0, initial(half)}, {0, initial(half, 1, 1, "chosen", "token")}}, show_hello, 443,
           &hmacs);
  CHECK_EQ(hmacs, 2 * kOfKeys);  // after a Retry
}

TEST(decoders_quic_refuses_what_is_not_authentic) {
  Text packet = initial(crypto_frame(0, chrome_hello("one.example")));
  packet[200] ^= 1;
  CHECK(converse({{0, packet}}, show_hello).empty());
  // Frames that leave the stream's room, or lie about their length.
  const auto only = [](const Text& frames) {
    return joined(converse({{0, initial(frames)}}, show_hello));
  };
  CHECK_EQ(only(crypto_frame(16384, "x")), "is quic\n> initial 0\n");
  CHECK_EQ(only(Text(1, 6) + variable(0) + variable(5000) + "short"), "is quic\n> initial 0\n");
  Text scattered;
  for (size_t i = 0; i < kQuicRangesMax + 1; ++i) scattered += crypto_frame(1 + i * 2, "x");
  CHECK_EQ(only(scattered), "is quic\n> initial 0\n");
}

TEST(decoders_quic_survives_every_cut_and_every_lie) {
  survives({{0, initial(crypto_frame(0, chrome_hello("one.example")))}}, show_hello, 443, true);
  // In the clear, too: every byte of the frames.
  const Text frames = crypto_frame(4, "abcd") + Text("\2\1\1\0\1\3\1\1\1\0\1\1\1\1\x1c", 15);
  for (size_t at = 0; at < frames.size(); ++at) {
    for (int value = 0; value < 256; value += 3) {
      Text changed = frames;
      changed[at] = static_cast<char>(value);
      const Exact exact(changed);
      QuicState state{};
      uint8_t stream[64];
      collect_crypto(&state, exact.bytes(), stream, sizeof stream);
      CHECK(crypto_bytes(state) <= sizeof stream);
    }
  }
}
