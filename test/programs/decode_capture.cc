// decode-capture FILE...: what the decoders make of a capture, a line for each session that speaks
// something and for each record, for test/decoders.test.ts. Its TCP reassembly is the test's own
// and simple: the first to bring a byte wins, a hole is a gap once both sides have gone on.
#include <arpa/inet.h>

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "decoders/inspector.hh"
#include "wire/application.hh"
#include "ports/pcap_input.hh"
#include "wire/decode.hh"
#include "wire/flow_key.hh"

namespace {

using namespace bricks;

std::string shown(const bricks_text& text) {
  std::string made;
  for (const char c : view_of(text)) {
    const auto byte = static_cast<uint8_t>(c);
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", byte);
    made += byte < 0x20 || byte > 0x7e || c == '\\' ? hex : std::string(1, c);
  }
  return made;
}

std::string hexadecimal(const uint16_t* list, uint32_t count) {
  std::string made;
  for (uint32_t i = 0; i < count; ++i) {
    char word[8];
    std::snprintf(word, sizeof word, "%s%04x", i ? "," : "", list[i]);
    made += word;
  }
  return made;
}

std::string dotted(const uint8_t* address, int version) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(version == 4 ? AF_INET : AF_INET6, address, text, sizeof text);
  return text;
}

// A record's fields, `name=value` with tabs between.
class Line {
 public:
  Line& put(const char* name, const std::string& value) {
    text_ += std::string("\t") + name + "=" + value;
    return *this;
  }
  Line& put(const char* name, const bricks_text& value) { return put(name, shown(value)); }
  Line& put(const char* name, uint64_t value) { return put(name, std::to_string(value)); }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void show_dns(const bricks_dns& m, Line& to) {
  to.put("id", m.id).put("response", m.response).put("opcode", m.opcode).put("rcode", m.rcode);
  to.put("name", m.name).put("type", m.type).put("questions", m.questions);
  to.put("answers", m.answers).put("edns", m.edns).put("malformed", m.malformed);
  for (uint32_t i = 0; i < m.records_count; ++i) {
    const bricks_dns_record& one = m.records[i];
    std::string value = std::to_string(one.type) + " " + shown(one.name);
    if (one.target.length > 0) value += " " + shown(one.target);
    if ((one.type == 1 && one.data.length == 4) || (one.type == 28 && one.data.length == 16)) {
      value += " " + dotted(reinterpret_cast<const uint8_t*>(one.data.data), one.type == 1 ? 4 : 6);
    }
    to.put("record", value);
  }
}

void show_http(const bricks_http& m, Line& to) {
  to.put("method", m.method).put("target", m.target).put("status", m.status);
  to.put("reason", m.reason).put("host", m.host).put("agent", m.user_agent);
  to.put("type", m.content_type).put("server", m.server).put("headers", m.headers_total);
  to.put("version", std::to_string(m.major) + "." + std::to_string(m.minor));
}

void show_client_hello(const bricks_tls_client_hello& m, Line& to) {
  to.put("sni", m.server_name).put("version", hexadecimal(&m.version, 1));
  to.put("ja4", std::string(m.ja4)).put("ech", m.ech);
  std::string alpn;
  for (uint32_t i = 0; i < m.alpn_count; ++i) alpn += (i ? "," : "") + shown(m.alpn[i]);
  to.put("alpn", alpn).put("ciphers", hexadecimal(m.ciphers, m.ciphers_count));
  to.put("extensions", hexadecimal(m.extensions, m.extensions_count));
}

void show_server_hello(const bricks_tls_server_hello& m, Line& to) {
  to.put("version", hexadecimal(&m.version, 1)).put("cipher", hexadecimal(&m.cipher, 1));
  to.put("alpn", m.alpn).put("retry", m.retry);
}

void show_sip(const bricks_sip& m, Line& to) {
  to.put("method", m.method).put("uri", m.uri).put("status", m.status);
  to.put("call_id", m.call_id).put("from", m.from).put("to", m.to).put("contact", m.contact);
  to.put("cseq", m.sequence).put("cseq_method", m.cseq_method).put("body", m.body.length);
}

void show_ftp(const bricks_ftp& m, Line& to) {
  to.put("command", m.command).put("code", m.code).put("text", m.text).put("port", m.port);
}

void show_dhcp4(const bricks_dhcp4& m, Line& to) {
  char hardware[16 * 2 + 1] = "";
  for (uint32_t i = 0; i < 6; ++i) {
    std::snprintf(hardware + i * 2, 3, "%02x", m.hardware_address[i]);
  }
  to.put("type", m.type).put("transaction", m.transaction).put("yours", dotted(m.yours, 4));
  to.put("host", m.host_name).put("hardware", std::string(hardware)).put("lease", m.lease);
}

void show_ntp(const bricks_ntp& m, Line& to) {
  to.put("version", m.version).put("mode", m.mode).put("stratum", m.stratum);
  to.put("transmit", m.transmit_time);
}

std::string show(uint8_t kind, const void* record) {
  Line to;
  switch (kind) {
    case BRICKS_RECORD_DNS:
      show_dns(*static_cast<const bricks_dns*>(record), to);
      break;
    case BRICKS_RECORD_HTTP_REQUEST:
    case BRICKS_RECORD_HTTP_RESPONSE:
      show_http(*static_cast<const bricks_http*>(record), to);
      break;
    case BRICKS_RECORD_HTTP_END: {
      const auto& end = *static_cast<const bricks_http_body*>(record);
      to.put("bytes", end.offset).put("complete", end.complete);
      break;
    }
    case BRICKS_RECORD_TLS_CLIENT_HELLO:
      show_client_hello(*static_cast<const bricks_tls_client_hello*>(record), to);
      break;
    case BRICKS_RECORD_TLS_SERVER_HELLO:
      show_server_hello(*static_cast<const bricks_tls_server_hello*>(record), to);
      break;
    case BRICKS_RECORD_QUIC_INITIAL:
      to.put("version", static_cast<const bricks_quic_initial*>(record)->version);
      break;
    case BRICKS_RECORD_SSH_BANNER: {
      const auto& banner = *static_cast<const bricks_ssh_banner*>(record);
      to.put("protocol", banner.protocol).put("software", banner.software);
      to.put("comment", banner.comment);
      break;
    }
    case BRICKS_RECORD_SSH_KEXINIT: {
      const auto& offer = *static_cast<const bricks_ssh_kexinit*>(record);
      to.put("kex", offer.key_exchange).put("host_keys", offer.host_keys);
      break;
    }
    case BRICKS_RECORD_SIP_REQUEST:
    case BRICKS_RECORD_SIP_RESPONSE:
      show_sip(*static_cast<const bricks_sip*>(record), to);
      break;
    case BRICKS_RECORD_RTP: {
      const auto& packet = *static_cast<const bricks_rtp*>(record);
      to.put("source", packet.source).put("sequence", packet.sequence);
      to.put("type", packet.payload_type);
      break;
    }
    case BRICKS_RECORD_FTP_COMMAND:
    case BRICKS_RECORD_FTP_REPLY:
      show_ftp(*static_cast<const bricks_ftp*>(record), to);
      break;
    case BRICKS_RECORD_DHCP4:
      show_dhcp4(*static_cast<const bricks_dhcp4*>(record), to);
      break;
    case BRICKS_RECORD_DHCP6:
      to.put("type", static_cast<const bricks_dhcp6*>(record)->type);
      break;
    case BRICKS_RECORD_NTP:
      show_ntp(*static_cast<const bricks_ntp*>(record), to);
      break;
    default:
      break;
  }
  return to.text();
}

constexpr const char* kKinds[BRICKS_RECORD_COUNT] = {
    "",        "dns",          "request",      "response", "body",
    "end",     "client_hello", "server_hello", "initial",  "banner",
    "kexinit", "sip_request",  "sip_response", "rtp",      "rtcp",
    "command", "reply",        "dhcp4",        "dhcp6",    "ntp"};

struct Segments {
  bool begun = false, ended = false;
  uint32_t base = 0;  // sequence number of offset 0
  uint64_t next = 0;  // offset of the next byte to be given
  uint64_t fin = UINT64_MAX;
  std::map<uint64_t, std::vector<uint8_t>> waiting;
};

struct Session final : Sink {
  std::string name;
  uint32_t number = 0;
  bool wants = true;
  Segments side[2];
  uint64_t frame = 0;
  bool reversed = false;  // its first packet went from the key's second end to the first

  void identified(uint8_t protocol) noexcept override {
    std::printf("%s\tis\t%s\n", name.c_str(), protocol_name(protocol));
  }
  void record(uint8_t protocol, uint8_t kind, const void* record,
              uint8_t direction) noexcept override {
    if (kind == BRICKS_RECORD_HTTP_BODY) return;
    std::printf("%s\t%s\t%s\t%d\tframe=%llu%s\n", name.c_str(), protocol_name(protocol),
                kKinds[kind], direction, static_cast<unsigned long long>(frame),
                show(kind, record).c_str());
  }
};

class Captured {
 public:
  explicit Captured(Inspectors& pool) : pool_(pool) {}
  void add(const Batch& batch) {
    for (Index i = 0; i < batch.count; ++i) add(batch, i);
  }
  void finish() {
    for (auto& [key, session] : sessions_) {
      for (uint8_t direction = 0; direction < 2; ++direction) give(session, direction, true);
      pool_.close(session.number);
    }
  }

 private:
  struct Key {
    FlowKey key;
    uint32_t again;
    bool operator<(const Key& other) const { return std::memcmp(this, &other, sizeof *this) < 0; }
  };

  void add(const Batch& batch, Index i) {
    ++frame_;
    const Packet& packet = batch.packets[i];
    if (packet.ip_version == 0 || (packet.flags & kPacketFragment)) return;
    const FlowKey key = flow_key(batch, i, FlowRule{});
    if (key.protocol != 6 && key.protocol != 17) return;
    uint32_t at = packet.network, end = packet.length;
    if (!find_transport(batch, i, &at, &end)) return;
    const uint8_t* header = packet.data + at;
    const bool tcp = key.protocol == 6;
    const uint32_t bytes = tcp && end >= at + 20 ? (header[12] >> 4) * 4u : 8u;
    if (bytes < (tcp ? 20u : 8u) || end < at + bytes) return;
    const bool opens = tcp && (header[13] & 0x12) == 2;
    const bool reverse = packet.flags & kPacketReverse;
    Session& session = find(key, reverse, header, opens);
    const uint8_t direction = reverse != session.reversed;
    session.frame = frame_;
    const Bytes payload{header + bytes, end - at - bytes};
    if (tcp) {
      add_segment(session, direction, load_be32(header + 4), header[13], payload);
    } else if (session.wants) {
      session.wants = pool_.datagram(session.number, direction, payload, session);
    }
  }

  static bool find_transport(const Batch& batch, Index i, uint32_t* at, uint32_t* end) {
    const Packet& packet = batch.packets[i];
    const uint8_t* ip = packet.data + packet.network;
    const bool four = packet.ip_version == 4;
    if (packet.flags & kPacketLayers) {
      const Layers& layers = batch.layers[i];
      if (layers.key_network != packet.network || layers.fragment_more) return false;
      *at = layers.transport;
    } else {
      *at = packet.network + (four ? (ip[0] & 15u) * 4 : 40u);
    }
    const uint32_t said = four ? load_be16(ip + 2) : load_be16(ip + 4) + 40u;
    if (said > (four ? 20u : 40u)) *end = std::min<uint32_t>(packet.length, packet.network + said);
    return *at != 0 && *at + 8 <= *end;
  }

  Session& find(const FlowKey& key, bool reverse, const uint8_t* header, bool opens) {
    uint32_t& again = generation_[{key, 0}];
    Session* found = nullptr;
    const auto known = sessions_.find({key, again});
    if (known != sessions_.end()) found = &known->second;
    // The same ends once more.
    if (found && opens) {
      const Segments& old = found->side[0];
      if (old.begun && old.base != load_be32(header + 4) + 1) {
        for (uint8_t direction = 0; direction < 2; ++direction) give(*found, direction, true);
        ++again;
        found = nullptr;
      }
    }
    if (found) return *found;
    Session& made = sessions_[{key, again}];
    made.number = pool_.open(key.protocol, load_be16(header), load_be16(header + 2));
    made.name =
        std::string(key.protocol == 6 ? "tcp" : "udp") + "\t" + name_of(key, reverse, again);
    made.reversed = reverse;
    return made;
  }

  static std::string name_of(const FlowKey& key, bool reverse, uint32_t again) {
    const int a = reverse, b = !reverse;
    std::string made =
        dotted(key.address[a], key.ip_version) + "|" + std::to_string(ntohs(key.port[a])) + "|" +
        dotted(key.address[b], key.ip_version) + "|" + std::to_string(ntohs(key.port[b]));
    return again ? made + "#" + std::to_string(again) : made;
  }

  void add_segment(Session& session, uint8_t direction, uint32_t sequence, uint8_t flags,
                   Bytes payload) {
    Segments& side = session.side[direction];
    const bool syn = flags & 2;
    if (!side.begun) {
      side.begun = true;
      side.base = sequence + syn;
    }
    const auto distance =
        static_cast<int32_t>(sequence + syn - static_cast<uint32_t>(side.base + side.next));
    if (distance < 0 && static_cast<uint64_t>(-int64_t{distance}) > side.next) return;
    uint64_t offset = side.next + static_cast<int64_t>(distance);
    if (flags & 1) side.fin = offset + payload.size();
    if (!payload.empty()) {
      auto& kept = side.waiting[offset];
      if (kept.size() < payload.size()) kept.assign(payload.begin(), payload.end());
    }
    give(session, direction, false);
  }

  void give(Session& session, uint8_t direction, bool all) {
    Segments& side = session.side[direction];
    while (!side.waiting.empty()) {
      auto first = side.waiting.begin();
      const uint64_t offset = first->first;
      if (offset > side.next) {
        if (!all && side.waiting.size() < 64) break;
        if (session.wants) {
          session.wants =
              pool_.gap(session.number, direction, side.next, offset - side.next, session);
        }
        side.next = offset;
      }
      const uint64_t old = side.next - offset;
      if (old < first->second.size()) {
        const Bytes fresh = Bytes(first->second).subspan(static_cast<size_t>(old));
        if (session.wants) {
          session.wants = pool_.stream(session.number, direction, side.next, fresh, session);
        }
        side.next += fresh.size();
      }
      side.waiting.erase(first);
    }
    if (!side.ended && (all || side.next >= side.fin)) {
      side.ended = true;
      pool_.finish(session.number, direction, session);
    }
  }

  Inspectors& pool_;
  uint64_t frame_ = 0;
  std::map<Key, Session> sessions_;
  std::map<Key, uint32_t> generation_;
};

}  // namespace

int main(int argc, char** argv) {
  std::unique_ptr<Inspectors> pool;
  for (int i = 1; i < argc; ++i) {
    Status status = Inspectors::create(65536, 4096, &pool);
    std::unique_ptr<Input> input;
    if (status.ok()) status = PcapInput::open({argv[i]}, PcapReplay{}, &input);
    if (!status.ok()) {
      std::fprintf(stderr, "decode-capture: %s\n", status.message.c_str());
      return 1;
    }
    Captured captured(*pool);
    const auto batch = std::make_unique<Batch>();
    LedgerCell cell;
    while (!input->finished()) {
      batch->count = 0;
      if (input->receive(*batch, kBatchMax, 0, cell) == 0) continue;
      decode(*batch, process_hash_seed());
      captured.add(*batch);
      input->release(*batch);
    }
    captured.finish();
    const InspectorCounts& counts = pool->counts();
    std::printf("counts\tbuffers=%llu\tno_buffer=%llu\tmalformed=%llu\ttoo_long=%llu\n",
                static_cast<unsigned long long>(counts.buffers),
                static_cast<unsigned long long>(counts.no_buffer),
                static_cast<unsigned long long>(counts.malformed),
                static_cast<unsigned long long>(counts.too_long));
  }
  return 0;
}
