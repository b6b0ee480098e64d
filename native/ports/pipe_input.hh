// Reads what a program, or another engine of this process, writes at the other end of a pipe, as
// any consumer would, without a copy: descriptors point into the ring, release() gives the slots
// back.
#pragma once

#include <memory>
#include <string>

#include "mem/status.hh"
#include "ports/port.hh"
#include "ports/port_registry.hh"

namespace bricks {

// Takes the reader's part of the end `name` ("x}0", no prefix) from context.pipes and holds it
// until the input is destroyed; a pipe that is not there is made, for programs to fill. busy.
Status open_pipe_input(const std::string& name, const PortContext& context,
                       std::unique_ptr<Input>* input);

}  // namespace bricks
