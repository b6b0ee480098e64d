// Two things that Node has no call for: a datagram to a Unix socket (service managers and syslog
// listen on such), and other files behind stdout and stderr (a log that was rotated).
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "addon/values.hh"

namespace bricks::addon {

Status send_to_socket(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@') ||
      path.size() >= sizeof address.sun_path) {
    return {Code::invalid_argument, "a socket's name is an absolute path or @name of at most " +
                                        std::to_string(sizeof address.sun_path - 1) +
                                        " bytes, not '" + path + "'"};
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') address.sun_path[0] = 0;  // abstract: no file, no terminating NUL
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                            (path[0] == '@' ? 0 : 1));
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return system_error("cannot open a socket", errno);
  const ssize_t sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), bytes);
  const int error = errno;
  close(fd);
  if (sent < 0) return system_error("cannot send to " + path, error);
  return {};
}

Status redirect_standard_output(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return system_error("cannot open " + path, errno);
  const bool done = dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
  const int error = errno;
  close(fd);
  if (!done) return system_error("cannot write to " + path, error);
  return {};
}

}  // namespace bricks::addon
