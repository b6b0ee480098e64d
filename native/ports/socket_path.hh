// A socket's place in the file system.
#pragma once

#include <sys/un.h>

#include "mem/status.hh"

namespace bricks {

// Binds `fd` there with mode 0600, in place of a socket nobody listens at any more. busy: somebody
// does.
Status bind_private_socket(int fd, const sockaddr_un& address);

}  // namespace bricks
