// What a program asks of ports.sock (abi/pipe.h), looked over before anybody acts on it.
#pragma once

#include <cstddef>

#include "abi/bricks_list.h"
#include "abi/pipe_end.h"
#include "mem/status.hh"

namespace bricks {

// Any of the requests there are: they begin alike.
union PipeRequest {
  bricks_attach_request attach;  // also BRICKS_LIST
  bricks_end_request end;
  bricks_tap_request tap;
};

// `size` bytes that came in one message. Failed: a message for who sent them. On success every text
// of the request ends within it.
Status parse_pipe_request(const void* bytes, size_t size, PipeRequest* request);

}  // namespace bricks
