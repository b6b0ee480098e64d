#include "decoders/inspector.hh"

#include <sys/mman.h>

#include <new>

#include "decoders/identify.hh"

namespace bricks {

uint8_t* Inspection::take_buffer() const noexcept {
  uint8_t* buffer = bench.free_buffer;
  if (buffer) {
    std::memcpy(&bench.free_buffer, buffer, sizeof bench.free_buffer);
  } else if (bench.fresh_buffer < bench.buffer_count) {
    buffer = bench.buffers + size_t{bench.fresh_buffer++} * kDecodeBufferBytes;
  } else {
    ++counts.no_buffer;
    return nullptr;
  }
  ++counts.buffers;
  return buffer;
}

void Inspection::give_buffer(uint8_t* buffer) const noexcept {
  std::memcpy(buffer, &bench.free_buffer, sizeof bench.free_buffer);
  bench.free_buffer = buffer;
  --counts.buffers;
}

Status Inspectors::create(uint32_t count, uint32_t buffers, std::unique_ptr<Inspectors>* pool) {
  if (count == 0 || count > kSessionsMax || buffers > kSessionsMax) {
    return {Code::invalid_argument, "decoders: " + std::to_string(count) + " sessions and " +
                                        std::to_string(buffers) + " buffers; 1 to " +
                                        std::to_string(kSessionsMax) +
                                        " of the former, at most so "
                                        "many of the latter"};
  }
  std::unique_ptr<Inspectors> made(new Inspectors);
  made->bench_.reset(new Workbench);
  if (!made->bench_->crypto.ready()) {
    return {Code::failed,
            "decoders: libcrypto has no SHA-256 or AES-128; is its legacy-only "
            "configuration in force (OPENSSL_CONF)?"};
  }
  const uint64_t states = (uint64_t{count} + 1) * kInspectorBytes;
  const uint64_t bytes = states + uint64_t{buffers} * kDecodeBufferBytes;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return {Code::failed, "decoders: no address space for " + std::to_string(bytes) + " bytes"};
  }
  made->memory_ = static_cast<uint8_t*>(memory);
  made->memory_bytes_ = bytes;
  made->capacity_ = count;
  made->bench_->buffers = made->memory_ + states;
  made->bench_->buffer_count = buffers;
  prepare_http(&made->bench_->http);
  *pool = std::move(made);
  return {};
}

Inspectors::~Inspectors() {
  if (memory_) munmap(memory_, memory_bytes_);
}

InspectorState& Inspectors::state(uint32_t session) const noexcept {
  return *reinterpret_cast<InspectorState*>(memory_ + size_t{session} * kInspectorBytes);
}

void Inspectors::read_only(uint32_t protocols) noexcept { bench_->wanted = protocols; }

uint32_t Inspectors::open(uint8_t transport, uint16_t source_port, uint16_t target_port) noexcept {
  uint32_t session = free_;
  if (session) {
    free_ = state(session).next_free;
  } else if (fresh_ <= capacity_) {
    session = fresh_++;
  } else {
    return 0;
  }
  InspectorState* made = new (&state(session)) InspectorState{};
  made->transport = transport;
  made->port[0] = source_port;
  made->port[1] = target_port;
  ++counts_.open;
  return session;
}

void Inspectors::close(uint32_t session) noexcept {
  if (session == 0) return;
  InspectorState& closed = state(session);
  struct Nobody final : Sink {
    void identified(uint8_t) noexcept override {}
    void record(uint8_t, uint8_t, const void*, uint8_t) noexcept override {}
  } nobody;
  const Inspection at{*bench_, closed, counts_, nobody, 0};
  for (StreamSide& side : closed.side) {
    if (side.buffer) at.give_buffer(side.buffer);
    side.buffer = nullptr;
  }
  closed.next_free = free_;
  free_ = session;
  --counts_.open;
}

uint64_t Inspectors::hmacs() const noexcept { return bench_->crypto.hmacs(); }

uint8_t Inspectors::protocol(uint32_t session) const noexcept { return state(session).protocol; }

bool Inspectors::datagram(uint32_t session, uint8_t direction, Bytes payload, Sink& sink) noexcept {
  const Inspection at{*bench_, state(session), counts_, sink, direction};
  InspectorState& one = at.state;
  if (one.given_up || one.side[0].over) return false;
  if (payload.empty()) return true;
  if (one.protocol == BRICKS_PROTOCOL_UNKNOWN) {
    const uint8_t protocol = identify_datagram(at, payload);
    if (protocol == BRICKS_PROTOCOL_UNKNOWN) {
      if (++one.datagrams < kIdentifyDatagrams) return true;
      return give_up(at);
    }
    settle(at, protocol);
  }
  if (!one.side[0].over) read_datagram(at, payload);
  return !leave(at);
}

}  // namespace bricks
