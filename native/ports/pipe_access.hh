// Who may take a pipe's consumer end: owner, group and mode, as a file has them, against what the
// kernel says of the peer of a connection.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "mem/option.hh"
#include "mem/status.hh"

namespace bricks {

// The other end of a connection to ports.sock: SO_PEERCRED and SO_PEERGROUPS.
struct Peer {
  int32_t pid = 0;
  uid_t user = 0;
  gid_t group = 0;
  std::vector<gid_t> groups;  // supplementary
  bool known = true;          // false: the kernel would not say; it may nothing

  bool in_group(gid_t asked) const noexcept;
  // Root and the daemon's own user, who may read every pipe.
  bool is_master() const noexcept;
};

// What the kernel knows of the peer of `connection` at the time it connected.
Peer peer_of(int connection);

struct PipeAccess {
  uid_t owner = 0;
  gid_t group = 0;
  uint32_t mode = 0;    // read bits count; the class that matches first decides, as for files
  bool shared = false;  // somebody who is not a master may read it

  bool allows(const Peer& peer) const noexcept;
  // "zeek:ids, mode 0640", with numbers where there is no name.
  std::string describe() const;
};

// From the pipe parameters `user`, `group` and `mode` (texts, "" where not given); without any of
// them nobody but masters. invalid_argument: unknown user or group, a mode that makes no sense.
Status parse_pipe_access(const std::string& where, const Options& parameters, PipeAccess* access);

std::string user_name(uid_t user);  // or its number

}  // namespace bricks
