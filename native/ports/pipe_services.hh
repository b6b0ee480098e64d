// What the port server has others do: engines know links between bricks, and can copy what passes
// them; ports.sock is where programs ask for it (abi/bricks_list.h).
#pragma once

#include <string>
#include <vector>

#include "abi/bricks_list.h"
#include "mem/status.hh"
#include "ports/pipe_access.hh"

namespace bricks {

// A tap that a program asks for. Its texts are hostile, but bounded and whole.
struct TapWish {
  std::string link;
  std::string expression;
  uint32_t last_ms = 0;
};

class PipeServices {
 public:
  virtual ~PipeServices() = default;
  // All that `peer` may read, by name. limit_reached. Port server's thread, as are the others.
  virtual Status list(const Peer& peer, std::vector<bricks_listed>* rows) = 0;
  // *pipe: the consumer's name of a pipe that `peer` may read. permission_denied, no_such_pipe,
  // invalid_argument, limit_reached.
  virtual Status open_tap(const TapWish& wish, const Peer& peer, std::string* pipe) = 0;
  virtual Status filter_tap(const std::string& pipe, const std::string& expression) = 0;
  virtual void close_tap(const std::string& pipe) = 0;
};

}  // namespace bricks
