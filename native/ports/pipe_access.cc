#include "ports/pipe_access.hh"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace bricks {

namespace {

constexpr size_t kNameBytes = 65536;  // of a passwd or group entry; long for groups of thousands
constexpr uint32_t kReadBits = 0444;

// 0 to 2^32 - 2; the last one means "no change" to every system call.
bool parse_number(const std::string& text, uint32_t* number) {
  if (text.empty() || text.size() > 10) return false;
  uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<uint64_t>(c - '0');
  }
  if (value >= UINT32_MAX) return false;
  *number = static_cast<uint32_t>(value);
  return true;
}

Status find_user(const std::string& where, const std::string& text, uid_t* user) {
  if (parse_number(text, user)) return {};
  std::vector<char> bytes(kNameBytes);
  passwd entry{};
  passwd* found = nullptr;
  getpwnam_r(text.c_str(), &entry, bytes.data(), bytes.size(), &found);
  if (!found) {
    return {Code::invalid_argument, where + ": this machine has no user \"" + text +
                                        "\"; give a name that `getent passwd` lists, or a number"};
  }
  *user = found->pw_uid;
  return {};
}

Status find_group(const std::string& where, const std::string& text, gid_t* group) {
  if (parse_number(text, group)) return {};
  std::vector<char> bytes(kNameBytes);
  ::group entry{};
  ::group* found = nullptr;
  getgrnam_r(text.c_str(), &entry, bytes.data(), bytes.size(), &found);
  if (!found) {
    return {Code::invalid_argument, where + ": this machine has no group \"" + text +
                                        "\"; give a name that `getent group` lists, or a number"};
  }
  *group = found->gr_gid;
  return {};
}

Status parse_mode(const std::string& where, const std::string& text, uint32_t* mode) {
  uint32_t value = 0;
  bool sane = !text.empty() && text.size() <= 4;
  for (const char c : text) {
    sane = sane && c >= '0' && c <= '7';
    value = value * 8 + static_cast<uint32_t>(c - '0');
  }
  if (!sane || value > 0666 || (value & 0111)) {
    return {
        Code::invalid_argument,
        where + ": mode is \"" + text +
            "\"; it is octal as for files, 0600 to 0666, such as 0640, and nothing is executed"};
  }
  *mode = value;
  return {};
}

std::string group_name(gid_t group) {
  std::vector<char> bytes(kNameBytes);
  ::group entry{};
  ::group* found = nullptr;
  getgrgid_r(group, &entry, bytes.data(), bytes.size(), &found);
  return found ? found->gr_name : std::to_string(group);
}

}  // namespace

std::string user_name(uid_t user) {
  std::vector<char> bytes(kNameBytes);
  passwd entry{};
  passwd* found = nullptr;
  getpwuid_r(user, &entry, bytes.data(), bytes.size(), &found);
  return found ? found->pw_name : std::to_string(user);
}

bool Peer::in_group(gid_t asked) const noexcept {
  return group == asked || std::find(groups.begin(), groups.end(), asked) != groups.end();
}

bool Peer::is_master() const noexcept { return known && (user == 0 || user == geteuid()); }

Peer peer_of(int connection) {
  Peer peer;
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    peer.known = false;
    return peer;
  }
  peer.pid = credentials.pid;
  peer.user = credentials.uid;
  peer.group = credentials.gid;
  socklen_t bytes = 0;  // says how much it wants
  if (getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, nullptr, &bytes) != 0 && errno == ERANGE) {
    peer.groups.resize(bytes / sizeof(gid_t));
    const int got = getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &bytes);
    peer.groups.resize(got == 0 ? bytes / sizeof(gid_t) : 0);
  }
  return peer;
}

bool PipeAccess::allows(const Peer& peer) const noexcept {
  if (!peer.known) return false;
  if (peer.is_master()) return true;
  if (!shared) return false;
  if (peer.user == owner) return (mode & 0400) != 0;
  if (peer.in_group(group)) return (mode & 0040) != 0;
  return (mode & 0004) != 0;
}

std::string PipeAccess::describe() const {
  char octal[8];
  std::snprintf(octal, sizeof octal, "%04o", static_cast<unsigned>(mode));
  return user_name(owner) + ":" + group_name(group) + ", mode " + octal;
}

Status parse_pipe_access(const std::string& where, const Options& parameters, PipeAccess* access) {
  const std::string& user = option_text(parameters, "user");
  const std::string& group = option_text(parameters, "group");
  const std::string& mode = option_text(parameters, "mode");
  *access = {};
  access->owner = geteuid();
  access->group = getegid();
  access->mode = group.empty() ? 0600 : 0640;
  Status status;
  if (!user.empty()) status = find_user(where, user, &access->owner);
  if (status.ok() && !group.empty()) status = find_group(where, group, &access->group);
  if (status.ok() && !mode.empty()) status = parse_mode(where, mode, &access->mode);
  if (!status.ok()) return status;
  const bool owner_is_master = access->owner == 0 || access->owner == geteuid();
  access->shared = (access->mode & kReadBits & (owner_is_master ? 0044 : 0444)) != 0 &&
                   !(user.empty() && group.empty() && mode.empty());
  return {};
}

}  // namespace bricks
