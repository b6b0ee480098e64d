// What ports.sock asks of the engines (ports/pipe_services.hh).
#pragma once

#include <map>
#include <mutex>

#include "ports/pipe_directory.hh"
#include "ports/pipe_services.hh"

namespace bricks {

class Runtime;

class PortServices final : public PipeServices {
 public:
  PortServices(Runtime& runtime, PipeDirectory& pipes) : runtime_(runtime), pipes_(pipes) {}
  Status list(const Peer& peer, std::vector<bricks_listed>* rows) override;
  // Of what is not a pipe that others may read, too, only root and the daemon's user get a copy.
  Status open_tap(const TapWish& wish, const Peer& peer, std::string* pipe) override;
  Status filter_tap(const std::string& pipe, const std::string& expression) override;
  void close_tap(const std::string& pipe) override;

 private:
  Runtime& runtime_;
  PipeDirectory& pipes_;
  std::map<std::string, uid_t> open_;  // the taps made here and for whom; port server's thread
};

}  // namespace bricks
