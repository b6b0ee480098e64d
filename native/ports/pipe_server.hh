// Serves ports.sock: hands consumers' ends of pipes to other programs (abi/pipe.h). One thread.
#pragma once

#include <memory>
#include <string>

#include "mem/status.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_services.hh"

namespace bricks {

class PipeServer {
 public:
  // Listens on `socket_path` (removing a stale socket, never a live one: busy), mode 0600, or 0666
  // while some pipe is shared (pipe_reach.hh). `services` outlives it.
  static Status open(const std::string& socket_path, PipeDirectory& directory,
                     std::unique_ptr<PipeServer>* server, PipeServices* services = nullptr);
  ~PipeServer();  // stops the thread, closes every connection, removes the socket

 private:
  PipeServer() = default;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bricks
