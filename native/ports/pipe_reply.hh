// What the port server answers (abi/pipe.h, abi/pipe_end.h), with the descriptors that go with it.
#pragma once

#include <vector>

#include "abi/bricks_list.h"
#include "abi/pipe_end.h"
#include "mem/status.hh"
#include "ports/pipe_directory.hh"

namespace bricks {

// Both: false when the peer cannot be told (gone, or its queue is full: it reads nothing).
// With `pipe` its memory and events go along.
bool send_reply(int fd, const Status& status, const PipeShare* pipe);
// What can be read, in a memfd. Ok also when the peer cannot be told.
Status send_list(int fd, const std::vector<bricks_listed>& rows);
// `reply` as PipeDirectory::open_end has left it; unused when `status` is an error.
bool send_end_reply(int fd, const Status& status, bricks_end_reply reply,
                    const PipeOpening& opening);

}  // namespace bricks
