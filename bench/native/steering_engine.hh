// One engine with a LoadBalancer: a capture file in, capture files out, which are read again.
#pragma once

#include <memory>

#include "engine/engine.hh"
#include "ports/pipe_directory.hh"
#include "steering.hh"

namespace bench {

class SteeringEngine {
 public:
  SteeringEngine(std::string folder, bricks::Options options);  // the LoadBalancer's
  ~SteeringEngine();
  // Runs all of it through that many outputs, or all but one of these; the engine stays as it is
  // and remembers its flows.
  Steered run(const Traffic& traffic, uint32_t outputs, uint32_t without = UINT32_MAX);

 private:
  std::string folder_;
  bricks::Options options_;
  bricks::PipeDirectory pipes_;
  std::shared_ptr<bricks::Engine> engine_;
  std::vector<size_t> read_;  // frames of each output's file that were there before
  uint32_t runs_ = 0;
};

}  // namespace bench
