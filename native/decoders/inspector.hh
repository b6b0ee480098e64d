// What a session speaks, and what is said in it. An inspector follows one session: it is fed the
// session's payload, finds out the protocol by content (ports are a hint where content is weak),
// says so once, and gives records (abi/bricks_protocols.h) to a Sink.
//
// All of a pool is reserved at create() and sparse; nothing is allocated afterwards, a session
// takes kInspectorBytes and, while a message of it is split between calls, a buffer. Work for a
// call is bounded by its bytes and one buffer. One thread uses a pool.
#pragma once

#include <cstdint>
#include <memory>

#include "decoders/cursor.hh"
#include "mem/status.hh"

namespace bricks {

class Sink {
 public:
  virtual ~Sink() = default;
  // Once for a session: what it speaks, or BRICKS_PROTOCOL_UNKNOWN: nobody will ever know.
  virtual void identified(uint8_t protocol) noexcept = 0;
  // `record`: the struct that `kind` (enum bricks_record) names, valid during the call. The sink
  // does not call the pool. `direction`: whose words these are, as fed.
  virtual void record(uint8_t protocol, uint8_t kind, const void* record,
                      uint8_t direction) noexcept = 0;
};

struct InspectorCounts {
  uint64_t open = 0;                                // now
  uint64_t identified[BRICKS_PROTOCOL_COUNT] = {};  // sessions since create(); [0]: given up
  uint64_t records[BRICKS_RECORD_COUNT] = {};
  uint64_t malformed = 0;  // sessions whose protocol was known, and that broke its rules
  uint64_t no_buffer = 0;  // messages that were passed over, for all buffers were in use
  uint64_t too_long = 0;   // messages that were longer than a buffer
  uint64_t buffers = 0;    // in use now
};

struct InspectorState;
struct Inspection;
struct Workbench;

class Inspectors {
 public:
  // Room for `count` sessions, and `buffers` of kDecodeBufferBytes for messages under way.
  // invalid_argument: 0 or beyond kSessionsMax; failed: no memory.
  static Status create(uint32_t count, uint32_t buffers, std::unique_ptr<Inspectors>* pool);
  ~Inspectors();

  // Whose records are of use: bits 1 << bricks_protocol. Sessions of others are over once they are
  // identified. All, where this is not called.
  void read_only(uint32_t protocols) noexcept;

  // For a new session: its IP protocol (6, 17), its endpoints' ports in host order, the first is
  // the one that spoke first (direction 0). Returns its number, 0: there is no room.
  uint32_t open(uint8_t transport, uint16_t source_port, uint16_t target_port) noexcept;
  // What was under way is dropped. 0 is allowed.
  void close(uint32_t session) noexcept;

  // A UDP datagram of the session's. Each of these three returns whether anything more can come of
  // this session: false, and it need not be fed any further (the number stays its own).
  bool datagram(uint32_t session, uint8_t direction, Bytes payload, Sink& sink) noexcept;
  // TCP payload in order: `offset` counts bytes of that direction from 0, each call's begins where
  // the last one's, or a gap, ended.
  bool stream(uint32_t session, uint8_t direction, uint64_t offset, Bytes payload,
              Sink& sink) noexcept;
  // Those bytes will never come.
  bool gap(uint32_t session, uint8_t direction, uint64_t offset, uint64_t length,
           Sink& sink) noexcept;
  // Nothing more comes in that direction (FIN): ends a message that only the end of the connection
  // ends.
  void finish(uint32_t session, uint8_t direction, Sink& sink) noexcept;

  // enum bricks_protocol; unknown until it is identified.
  uint8_t protocol(uint32_t session) const noexcept;
  const InspectorCounts& counts() const noexcept { return counts_; }
  uint64_t hmacs() const noexcept;  // computed so far, for keys of QUIC: five for a pair

 private:
  Inspectors() = default;
  InspectorState& state(uint32_t session) const noexcept;
  bool identify(const Inspection& at, Bytes bytes) noexcept;
  void begin(const Inspection& at, uint8_t protocol, uint8_t client) noexcept;
  void settle(const Inspection& at, uint8_t protocol) noexcept;
  bool give_up(const Inspection& at) noexcept;
  bool leave(const Inspection& at) noexcept;

  std::unique_ptr<Workbench> bench_;
  uint8_t* memory_ = nullptr;  // states by number, [0] is nobody's; then buffers
  uint64_t memory_bytes_ = 0;
  uint32_t capacity_ = 0, fresh_ = 1, free_ = 0;
  InspectorCounts counts_;
};

}  // namespace bricks
