// Inside of the inspectors: what a call works with.
#pragma once

#include "decoders/inspector.hh"
#include "decoders/inspector_state.hh"

namespace bricks {

struct Inspection {
  Workbench& bench;
  InspectorState& state;
  InspectorCounts& counts;
  Sink& sink;
  uint8_t direction;

  StreamSide& side() const noexcept { return state.side[direction]; }
  void tell(uint8_t kind, const void* record) const noexcept {
    ++counts.records[kind];
    sink.record(state.protocol, kind, record, direction);
  }
  // Null, and counted: all are in use.
  uint8_t* take_buffer() const noexcept;
  void give_buffer(uint8_t* buffer) const noexcept;
  // The session breaks its protocol's rules, or has said all that is read: no more of it.
  void end() const noexcept { state.side[0].over = state.side[1].over = true; }
  void broken() const noexcept {
    ++counts.malformed;
    end();
  }
};

// HTTP/1 by llhttp: every byte is taken.
void prepare_http(llhttp_settings_t* settings) noexcept;
void begin_http(const Inspection& at, uint8_t client) noexcept;
void read_http(const Inspection& at, Bytes bytes) noexcept;
void pass_http_gap(const Inspection& at, uint64_t length) noexcept;
void finish_http(const Inspection& at) noexcept;

// The others: what is at the beginning of `bytes`. Takes `used` of them; where that is 0, `wanted`
// bytes are needed. May set side().skip and over.
struct Step {
  size_t used, wanted;
};
Step read_dns_stream(const Inspection& at, Bytes bytes) noexcept;
Step read_tls_stream(const Inspection& at, Bytes bytes) noexcept;
Step read_ssh_stream(const Inspection& at, Bytes bytes) noexcept;
Step read_sip_stream(const Inspection& at, Bytes bytes) noexcept;
Step read_ftp_stream(const Inspection& at, Bytes bytes) noexcept;

// A datagram of a session whose protocol is known.
void read_datagram(const Inspection& at, Bytes payload) noexcept;
void read_quic(const Inspection& at, Bytes payload) noexcept;

}  // namespace bricks
