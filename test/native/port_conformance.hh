// What every port must do, as one suite: describe the port as a PortPair and call check_port(). A
// case that a port cannot do is named in `cannot`, with the reason.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ports/port.hh"

namespace conformance {

struct Frame {
  std::vector<uint8_t> bytes;
  bricks::Nanos timestamp = 0;
  uint32_t wire_length = 0;
  bricks::LinkType link = bricks::LinkType::ethernet;
  bool operator==(const Frame&) const = default;
};

// Ethernet, captured whole at that time.
inline Frame whole(std::vector<uint8_t> bytes, bricks::Nanos time) {
  const auto length = static_cast<uint32_t>(bytes.size());
  return {std::move(bytes), time, length};
}

// Of `length` bytes that tell frame `number` from all others; time in whole microseconds.
Frame make_frame(uint32_t number, uint32_t length);

struct PortPair {
  std::string name;
  // The output under test, new and empty each time. Empty function: the port is no output.
  std::function<std::unique_ptr<bricks::Output>()> open_output{};
  // What arrived at the far end since the last call. Called while the output is open and once after
  // close(). Empty function: nobody can look.
  std::function<std::vector<Frame>(bool closed)> arrived{};
  // An input that gives these frames, then finishes. Empty function: the port is no input.
  std::function<std::unique_ptr<bricks::Input>(const std::vector<Frame>&)> open_input{};
  // The longest frame the port carries.
  uint32_t frame_max = bricks::kFrameMax;
  // Case -> why not: "timestamps", "wire_length", "given_frames" (an input that makes its own),
  // "finishes" (an input without end), "keeps_all" (an output that may drop without being full).
  std::map<std::string, std::string> cannot{};
};

void check_port(const PortPair& pair);

// The tools of the suite, for a port's own tests. All sums of the ledger are checked on the way.

// Gives `frames` to `output` in batches of up to `batch`, waiting for room as a lossless replay
// does. `make_room` is called while there is none (read from the far end).
void send(bricks::Output& output, const std::vector<Frame>& frames, uint32_t batch,
          bricks::LedgerCell& cell, const std::function<void()>& make_room = {});
// Takes up to `limit` frames from `input`, `batch` at a time, until it has finished.
std::vector<Frame> take(bricks::Input& input, uint32_t batch, bricks::LedgerCell& cell,
                        size_t limit = SIZE_MAX);
// packets = delivered + dropped + held.
bool balanced(const bricks::LedgerCell& cell);

}  // namespace conformance
