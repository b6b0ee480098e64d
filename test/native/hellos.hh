// TLS hellos made by hand, for tests of TLS and QUIC.
#pragma once

#include <initializer_list>

#include "inspected.hh"

namespace bricks::inspected {

inline Text with8(const Text& text) { return Text(1, static_cast<char>(text.size())) + text; }
inline Text with16(const Text& text) { return be16(text.size()) + text; }
inline Text numbers(std::initializer_list<unsigned> values) {
  Text made;
  for (const unsigned value : values) made += be16(value);
  return made;
}
inline Text extension(unsigned type, const Text& body) { return be16(type) + with16(body); }
inline Text server_name(const Text& name) {
  return extension(0, with16(Text(1, 0) + with16(name)));
}
inline Text handshake(int type, const Text& body) {
  return Text(1, static_cast<char>(type)) + be24(body.size()) + body;
}
inline Text record(const Text& body, int type = 22) {
  return Text(1, static_cast<char>(type)) + be16(0x0301) + with16(body);
}

// What Chrome 112 says, as in FoxIO's example of JA4, with GREASE.
inline Text chrome_hello(const Text& name) {
  const Text ciphers = numbers({0x3a3a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
                                0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035});
  const Text algorithms = numbers({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601});
  const Text extensions =
      extension(0x1a1a, "") + extension(0x001b, Text("\2\0\2", 3)) + server_name(name) +
      extension(0x0033, with16(numbers({0x2a2a}) + with16(Text(1, 0)))) +
      extension(0x0010, with16(with8("h2") + with8("http/1.1"))) + extension(0x4469, "") +
      extension(0x0017, "") + extension(0x002d, with8(Text(1, 1))) +
      extension(0x000d, with16(algorithms)) + extension(0x0005, Text(5, 0)) +
      extension(0x0023, "") + extension(0x0012, "") +
      extension(0x002b, with8(numbers({0x4a4a, 0x0304, 0x0303}))) + extension(0xff01, Text(1, 0)) +
      extension(0x000b, with8(Text(1, 0))) +
      extension(0x000a, with16(numbers({0x2a2a, 29, 23, 24}))) + extension(0x7a7a, Text(1, 0)) +
      extension(0x0015, Text(100, 0));
  return handshake(1, be16(0x0303) + Text(32, 'r') + with8(Text(32, 's')) + with16(ciphers) +
                          with8(Text(1, 0)) + with16(extensions));
}

inline Text server_hello(bool retry = false) {
  const Text random =
      retry ? from_hex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
            : Text(32, 'R');
  return handshake(2, be16(0x0303) + random + with8(Text(32, 's')) + be16(0x1301) + Text(1, 0) +
                          with16(extension(0x002b, be16(0x0304)) +
                                 extension(0x0033, be16(29) + with16(Text(32, 'k')))));
}

inline std::string show_hello(uint8_t kind, const void* what) {
  if (kind == BRICKS_RECORD_QUIC_INITIAL) {
    const auto& m = *static_cast<const bricks_quic_initial*>(what);
    return "initial " + std::to_string(m.packet_number);
  }
  if (kind == BRICKS_RECORD_TLS_SERVER_HELLO) {
    const auto& m = *static_cast<const bricks_tls_server_hello*>(what);
    return (m.retry ? "retry " : "server ") + std::to_string(m.version) + " cipher " +
           std::to_string(m.cipher) + " group " + std::to_string(m.group);
  }
  if (kind != BRICKS_RECORD_TLS_CLIENT_HELLO) return "another";
  const auto& m = *static_cast<const bricks_tls_client_hello*>(what);
  std::string made =
      "client " + shown(m.server_name) + " " + std::to_string(m.version) + " " + m.ja4;
  for (uint32_t i = 0; i < m.alpn_count; ++i) made += " " + shown(m.alpn[i]);
  return made + (m.ech ? " ech" : "") + (m.quic ? " quic" : "");
}

}  // namespace bricks::inspected
