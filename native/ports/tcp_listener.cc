#include "ports/tcp_listener.hh"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>

#include "mem/limits.hh"

namespace bricks {
namespace {

bool is_loopback(const sockaddr* address) noexcept {
  if (address->sa_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  }
  const auto* six = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

std::string shown(const sockaddr* address, socklen_t length) {
  char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
  (void)getnameinfo(address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
  const bool six = address->sa_family == AF_INET6;
  return (six ? "[" : "") + std::string(host) + (six ? "]:" : ":") + port;
}

Status listen_at(const addrinfo& where, int* fd) {
  const std::string address = shown(where.ai_addr, where.ai_addrlen);
  *fd = socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd < 0) return system_error("cannot make a socket for " + address, errno);
  const int yes = 1;
  (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(*fd, where.ai_addr, where.ai_addrlen) == 0 && listen(*fd, kTcpBacklog) == 0) return {};
  const int error = errno;
  close(*fd);
  *fd = -1;
  if (error == EADDRINUSE) {
    return {Code::busy, "another output or program listens at " + address +
                            "; choose another port, or give the outputs that are to share it "
                            "names, as in ?select=web0"};
  }
  return system_error("cannot listen at " + address, error);
}

}  // namespace

Status tcp_listen(const TcpAddress& address, int* fd, std::string* bound) {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int fault = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found)) {
    return {Code::invalid_argument, address.host + ":" + address.port +
                                        " is not where one can listen: " + gai_strerror(fault) +
                                        "; try tcp:127.0.0.1:5555"};
  }
  Status status;
  if (!address.public_too && !is_loopback(found->ai_addr)) {
    status = {Code::invalid_argument,
              address.host +
                  " is not this machine alone: anybody who can reach it would get "
                  "these packets; add ?public=1 if that is meant, or take 127.0.0.1"};
  } else {
    status = listen_at(*found, fd);
  }
  freeaddrinfo(found);
  if (!status.ok()) return status;
  sockaddr_storage where{};
  socklen_t length = sizeof where;
  auto* name = reinterpret_cast<sockaddr*>(&where);
  if (getsockname(*fd, name, &length) == 0) *bound = shown(name, length);
  return {};
}

int tcp_accept(int listener) noexcept {
  return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

std::string tcp_peer(int fd) {
  sockaddr_storage who{};
  socklen_t length = sizeof who;
  auto* name = reinterpret_cast<sockaddr*>(&who);
  return getpeername(fd, name, &length) == 0 ? shown(name, length) : "?";
}

}  // namespace bricks
