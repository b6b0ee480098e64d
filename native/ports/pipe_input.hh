// Reads a pipe `x}N` that another engine of this process fills, as any consumer would, without a
// copy: descriptors point into the ring, release() gives the slots back.
#pragma once

#include <memory>
#include <string>

#include "mem/status.hh"
#include "ports/port.hh"
#include "ports/port_registry.hh"

namespace bricks {

// Takes the consumer's end of `name` ("x}0", no prefix) from context.pipes and holds it until the
// input is destroyed. no_such_pipe, busy.
Status open_pipe_input(const std::string& name, const PortContext& context,
                       std::unique_ptr<Input>* input);

}  // namespace bricks
