// Sockets that listen for tcp:, and who may reach them.
#pragma once

#include <sys/socket.h>

#include <string>

#include "mem/status.hh"

namespace bricks {

struct TcpAddress {
  std::string host, port;   // as getaddrinfo takes them
  bool public_too = false;  // false: loopback addresses only
};

// Listens, without blocking. `bound`: where it really is. invalid_argument, permission_denied, busy
// (the port is taken), failed.
Status tcp_listen(const TcpAddress& address, int* fd, std::string* bound);

// The next connection, not blocking; -1: none now.
int tcp_accept(int listener) noexcept;

// Who is at the other end of a connection: "127.0.0.1:40000".
std::string tcp_peer(int fd);

}  // namespace bricks
