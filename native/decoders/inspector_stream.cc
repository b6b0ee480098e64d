// Streams: from pieces as they come to whole messages.
#include "decoders/identify.hh"

namespace bricks {

namespace {

void drop_buffer(const Inspection& at) noexcept {
  StreamSide& side = at.side();
  if (side.buffer) at.give_buffer(side.buffer);
  side.buffer = nullptr;
  side.held = side.wanted = 0;
}

Step next_step(const Inspection& at, Bytes bytes) noexcept {
  switch (at.state.protocol) {
    case BRICKS_PROTOCOL_DNS:
      return read_dns_stream(at, bytes);
    case BRICKS_PROTOCOL_TLS:
      return read_tls_stream(at, bytes);
    case BRICKS_PROTOCOL_SSH:
      return read_ssh_stream(at, bytes);
    case BRICKS_PROTOCOL_SIP:
      return read_sip_stream(at, bytes);
    default:
      return read_ftp_stream(at, bytes);
  }
}

// Takes whole messages off `bytes`; what is left of them is the beginning of one.
Bytes take_messages(const Inspection& at, Bytes bytes) noexcept {
  StreamSide& side = at.side();
  while (!bytes.empty() && !side.over) {
    if (side.skip > 0) {
      const size_t passed = std::min<uint64_t>(side.skip, bytes.size());
      side.skip -= passed;
      bytes = bytes.subspan(passed);
      continue;
    }
    const Step step = next_step(at, bytes);
    if (side.over || side.skip > 0) continue;
    if (step.used == 0) {
      if (step.wanted <= kDecodeBufferBytes) {
        side.wanted = static_cast<uint32_t>(step.wanted);
        return bytes;
      }
      ++at.counts.too_long;
      if (at.state.protocol == BRICKS_PROTOCOL_DNS) {
        side.skip = step.wanted;  // the next message is behind it
      } else {
        side.over = true;
      }
      continue;
    }
    bytes = bytes.subspan(step.used);
  }
  return {};
}

// Puts bytes behind those that are held; false: there is no room, or no buffer.
bool hold(const Inspection& at, Bytes bytes) noexcept {
  StreamSide& side = at.side();
  if (bytes.empty()) return true;
  if (bytes.size() > kDecodeBufferBytes - side.held) return false;
  if (!side.buffer && !(side.buffer = at.take_buffer())) return false;
  std::memcpy(side.buffer + side.held, bytes.data(), bytes.size());
  side.held += static_cast<uint32_t>(bytes.size());
  return true;
}

void read_messages(const Inspection& at, Bytes bytes) noexcept {
  StreamSide& side = at.side();
  while (side.held > 0 && !side.over) {
    // As much as is wanted, or all: then more lines may be there.
    const size_t lacking = side.wanted > side.held ? side.wanted - side.held : 0;
    const size_t most = std::min<size_t>(lacking, bytes.size());
    hold(at, bytes.first(most));  // wanted is within the buffer
    bytes = bytes.subspan(most);
    if (side.held < side.wanted) return;
    const Bytes left = take_messages(at, {side.buffer, side.held});
    side.held = static_cast<uint32_t>(left.size());
    if (left.empty()) break;
    std::memmove(side.buffer, left.data(), left.size());
    if (bytes.empty()) return;
    // A line goes on: all that there is may be needed for it.
    if (side.wanted == side.held + 1) {
      const size_t more = std::min<size_t>(bytes.size(), kDecodeBufferBytes - side.held);
      hold(at, bytes.first(more));
      bytes = bytes.subspan(more);
    }
  }
  drop_buffer(at);
  if (side.over) return;
  const Bytes left = take_messages(at, bytes);
  if (!hold(at, left)) {
    drop_buffer(at);
    side.over = true;
  }
}

void feed(const Inspection& at, Bytes bytes) noexcept {
  if (at.side().over || bytes.empty()) return;
  if (at.state.protocol == BRICKS_PROTOCOL_HTTP) {
    read_http(at, bytes);
  } else {
    read_messages(at, bytes);
  }
}

}  // namespace

bool Inspectors::give_up(const Inspection& at) noexcept {
  at.state.given_up = true;
  ++counts_.identified[BRICKS_PROTOCOL_UNKNOWN];
  at.sink.identified(BRICKS_PROTOCOL_UNKNOWN);
  at.end();
  leave(at);
  return false;
}

void Inspectors::settle(const Inspection& at, uint8_t protocol) noexcept {
  at.state.protocol = protocol;
  ++counts_.identified[protocol];
  at.sink.identified(protocol);
  if (!(bench_->wanted >> protocol & 1)) at.end();
}

bool Inspectors::leave(const Inspection& at) noexcept {
  InspectorState& one = at.state;
  for (uint8_t direction = 0; direction < 2; ++direction) {
    if (one.side[direction].over) drop_buffer({at.bench, one, counts_, at.sink, direction});
  }
  return one.side[0].over && one.side[1].over;
}

// What is held of both sides, and `bytes`, may tell.
bool Inspectors::identify(const Inspection& at, Bytes bytes) noexcept {
  InspectorState& one = at.state;
  StreamSide& side = at.side();
  Bytes first = bytes;
  if (side.held > 0) {
    if (!hold(at, bytes)) return give_up(at);
    first = {side.buffer, side.held};
  }
  StreamGuess guess = guess_stream(first, one.port, &bench_->dns);
  const uint8_t ftp = static_cast<uint8_t>(guess.ftp_server | guess.ftp_client << 1);
  StreamSide& other = one.side[at.direction ^ 1];
  if (guess.guess == Guess::maybe && (ftp | other.phase) == 3 && ftp != 0 && other.phase != 0) {
    guess.guess = Guess::yes;
    guess.protocol = BRICKS_PROTOCOL_FTP;
    guess.client = guess.ftp_client;
  }
  if (guess.guess == Guess::yes) {
    begin(at, guess.protocol, guess.client ? at.direction : at.direction ^ 1);
    uint8_t* held = side.buffer;
    if (side.held > 0) {
      // Out of the way, for what is read from it may be held again.
      side.buffer = nullptr;
      side.held = 0;
      feed(at, first);
      at.give_buffer(held);
    } else {
      feed(at, first);
    }
    return !leave(at);
  }
  if (guess.guess == Guess::maybe && first.size() < kIdentifyBytes) {
    side.phase = ftp;
    return side.held > 0 || hold(at, bytes) || give_up(at);
  }
  side.over = true;  // this side will not tell; the other one may
  leave(at);
  return other.over ? give_up(at) : true;
}

// The protocol is known: what the other side has said is read first.
void Inspectors::begin(const Inspection& at, uint8_t protocol, uint8_t client) noexcept {
  InspectorState& one = at.state;
  const uint8_t other = at.direction ^ 1;
  StreamSide& side = one.side[other];
  uint8_t* held = side.buffer;
  const uint32_t count = side.held;
  one.side[0].phase = one.side[1].phase = 0;
  side.buffer = nullptr;
  side.held = 0;
  const bool lost = side.over;  // its beginning was passed over
  if (protocol == BRICKS_PROTOCOL_HTTP) begin_http(at, client);
  if (protocol == BRICKS_PROTOCOL_TLS) one.tls = {};
  if (protocol == BRICKS_PROTOCOL_FTP) one.ftp = {client, 0};
  settle(at, protocol);
  side.over |= lost;
  if (!held) return;
  const Inspection there{at.bench, one, counts_, at.sink, other};
  if (count > 0) feed(there, {held, count});
  at.give_buffer(held);
}

bool Inspectors::stream(uint32_t session, uint8_t direction, uint64_t offset, Bytes payload,
                        Sink& sink) noexcept {
  const Inspection at{*bench_, state(session), counts_, sink, direction};
  InspectorState& one = at.state;
  StreamSide& side = at.side();
  if (offset > side.next && !gap(session, direction, side.next, offset - side.next, sink)) {
    return false;
  }
  side.next = offset + payload.size();
  if (one.given_up || (one.side[0].over && one.side[1].over)) return false;
  if (payload.empty()) return true;
  if (one.protocol == BRICKS_PROTOCOL_UNKNOWN) {
    if (!side.over) return identify(at, payload);
    // The other side has the next word, but not for ever.
    return side.next < kIdentifyBytes * 2 || give_up(at);
  }
  feed(at, payload);
  return !leave(at);
}

bool Inspectors::gap(uint32_t session, uint8_t direction, uint64_t offset, uint64_t length,
                     Sink& sink) noexcept {
  const Inspection at{*bench_, state(session), counts_, sink, direction};
  InspectorState& one = at.state;
  StreamSide& side = at.side();
  side.next = offset + length;
  if (one.given_up || length == 0) return !one.given_up;
  if (!side.over) {
    if (one.protocol == BRICKS_PROTOCOL_HTTP) {
      pass_http_gap(at, length);
    } else if (side.held == 0 && side.skip >= length) {
      side.skip -= length;  // nobody would have looked at it
    } else {
      side.over = true;
    }
  }
  if (!leave(at)) return true;
  return one.protocol == BRICKS_PROTOCOL_UNKNOWN ? give_up(at) : false;
}

void Inspectors::finish(uint32_t session, uint8_t direction, Sink& sink) noexcept {
  const Inspection at{*bench_, state(session), counts_, sink, direction};
  if (at.side().over) return;
  if (at.state.protocol == BRICKS_PROTOCOL_HTTP) finish_http(at);
  at.side().over = true;
  if (leave(at) && at.state.protocol == BRICKS_PROTOCOL_UNKNOWN && !at.state.given_up) give_up(at);
}

}  // namespace bricks
