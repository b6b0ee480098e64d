// What a script's thread reads of an event: a copy with a fixed layout, which src/plugins/layout.ts
// has, too (a test compares both).
#pragma once

#include <cstddef>
#include <cstdint>

#include "abi/bricks_event.h"

namespace bricks {

enum ScriptFlag : uint8_t {
  kScriptPacket = 1,    // the event has a packet
  kScriptDropped = 2,   // somebody has dropped it before
  kScriptFragment = 4,  // a later fragment
  kScriptFrame = 8,     // the bytes begin with the frame, not with the payload
  kScriptIp6 = 16,      // of the packet
  kScriptDuplicate = 32,
  kScriptIp4 = 64,  // of the packet; neither: it is none of IP
  kScriptStale = 128,
};

enum ScriptVerdict : uint32_t { kScriptDrop = 1 };

struct ScriptRecord {
  // As bricks_session begins, and bricks_flow.
  uint64_t last_seen;
  uint64_t packets[2], bytes[2];
  uint8_t state, close_reason, session_protocol, ip_version;
  uint32_t zero;
  bricks_flow flow;
  uint64_t zeros[2];
  // The event.
  uint64_t offset;
  uint32_t length;
  uint8_t type, direction;
  uint16_t reason;
  uint16_t protocol, kind;
  uint32_t data_at, data_bytes;  // what of its bytes has been copied, in the ring's bytes
  uint32_t context;  // written back: the number of what the script keeps of the session; 0: none
  // Its packet.
  uint64_t timestamp;
  uint32_t packet_length, wire_length;
  uint16_t network, transport, payload, payload_length;
  uint8_t tcp_flags;
  uint8_t flags;  // ScriptFlag
  uint8_t packet_protocol, packet_direction;
  uint32_t verdict;  // written back: ScriptVerdict
};
static_assert(sizeof(ScriptRecord) == 192 && offsetof(ScriptRecord, timestamp) == 160);
static_assert(offsetof(ScriptRecord, flow) == offsetof(bricks_session, flow) &&
              offsetof(ScriptRecord, zero) == offsetof(bricks_session, owner_));

// Every field by name, for the test of the other side's layout.
struct ScriptRecordField {
  const char* name;
  uint32_t at, size;
};
inline constexpr ScriptRecordField kScriptRecordFields[] = {
#define FLOW(name) \
  { #name, offsetof(ScriptRecord, flow) + offsetof(bricks_flow, name), sizeof(bricks_flow::name) }
#define OWN(name) \
  { #name, offsetof(ScriptRecord, name), sizeof(ScriptRecord::name) }
    OWN(last_seen),
    OWN(packets),
    OWN(bytes),
    OWN(state),
    OWN(close_reason),
    OWN(session_protocol),
    OWN(ip_version),
    FLOW(id),
    FLOW(first_seen),
    FLOW(address),
    FLOW(port),
    FLOW(vlan),
    FLOW(child_type),
    FLOW(vni),
    FLOW(application),
    FLOW(output),
    OWN(offset),
    OWN(length),
    OWN(type),
    OWN(direction),
    OWN(reason),
    OWN(protocol),
    OWN(kind),
    OWN(data_at),
    OWN(data_bytes),
    OWN(context),
    OWN(timestamp),
    OWN(packet_length),
    OWN(wire_length),
    OWN(network),
    OWN(transport),
    OWN(payload),
    OWN(payload_length),
    OWN(tcp_flags),
    OWN(flags),
    OWN(packet_protocol),
    OWN(packet_direction),
    OWN(verdict),
#undef OWN
#undef FLOW
};

}  // namespace bricks
