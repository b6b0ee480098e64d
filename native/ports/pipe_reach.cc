#include "ports/pipe_reach.hh"

#include <sys/stat.h>

#include <utility>

#include "ports/pipe_directory.hh"

namespace bricks {

namespace {

constexpr mode_t kPass = 0011;  // through the folder, by a name one knows; not to list it

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

PipeReach::PipeReach(std::string socket_path, PipeDirectory& directory)
    : socket_(std::move(socket_path)), folder_(folder_of(socket_)), directory_(directory) {}

void PipeReach::update() {
  std::lock_guard lock(mutex_);
  if (!ended_) set(directory_.any_shared());
}

void PipeReach::end() {
  std::lock_guard lock(mutex_);
  set(false);
  ended_ = true;
}

void PipeReach::set(bool open) {
  if (open == open_) return;
  struct stat folder {};
  if (open && stat(folder_.c_str(), &folder) == 0) folder_mode_ = folder.st_mode & 07777;
  // A folder that is not ours cannot be changed, and has the mode that its owner gave it.
  [[maybe_unused]] int ignored = chmod(socket_.c_str(), open ? 0666 : 0600);
  if (folder_mode_) ignored = chmod(folder_.c_str(), open ? folder_mode_ | kPass : folder_mode_);
  open_ = open;
}

}  // namespace bricks
