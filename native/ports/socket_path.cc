#include "ports/socket_path.hh"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace bricks {

Status bind_private_socket(int fd, const sockaddr_un& address) {
  const auto* where = reinterpret_cast<const sockaddr*>(&address);
  const std::string path = address.sun_path;
  fchmod(fd, 0600);  // what bind makes gets this mode: never open to others, not for a moment
  if (bind(fd, where, sizeof address) == 0) return {};
  if (errno != EADDRINUSE) return system_error("cannot listen at " + path, errno);
  const int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const bool live = connect(probe, where, sizeof address) == 0 || errno != ECONNREFUSED;
  if (probe >= 0) close(probe);
  if (live) {
    return {Code::busy,
            "another daemon serves " + path +
                "; end it (bricks-kill-server), or set BRICKS_RUN_DIR to another folder"};
  }
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return system_error("cannot replace the stale " + path, errno);
  }
  if (bind(fd, where, sizeof address) == 0) return {};
  return system_error("cannot listen at " + path, errno);
}

}  // namespace bricks
