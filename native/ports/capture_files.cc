#include "ports/capture_files.hh"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace bricks {
namespace {

constexpr Nanos kSecond = 1'000'000'000;
constexpr size_t kRemembered = 8192;  // names not to be given twice, where all files stay
constexpr int kTriesMax = 1000;       // names that may be in use by somebody else, in a row

// -1: errno. EWOULDBLOCK: the file is being read or written and was left alone.
int make_file(const std::string& path, bool* regular) noexcept {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  const int fd =
      path == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0) : ::open(path.c_str(), kFlags, 0644);
  if (fd < 0) return -1;
  struct stat info;
  *regular = fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
  if (!*regular || path == "-") return fd;
  // Nothing is emptied that is a capture in use: the input itself, or another output's file.
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

Status cannot_write(const std::string& path, int error) {
  if (error == EWOULDBLOCK) {
    return {Code::busy, "cannot write the capture " + path +
                            ": it is being read or written; choose another file name"};
  }
  Status status = system_error("cannot write the capture " + path, error);
  if (error == ENOENT) status.message += "; make its folder first";
  if (error == ENXIO) status.message += "; nobody reads this FIFO yet, start its reader first";
  return status;
}

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * kSecond + static_cast<Nanos>(now.tv_nsec);
}

}  // namespace

Status CaptureFiles::open_first(int* fd, bool* regular) {
  *fd = -1;
  *regular = true;
  if (named_by_time()) {
    const std::string now = name_at(wall_clock());
    if (now.empty()) {
      return {Code::invalid_argument, "the file name " + path_ +
                                          " comes to nothing, or to more "
                                          "than a name can have; try out-%Y%m%d-%H%M%S.pcap"};
    }
    const size_t slash = now.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : now.substr(0, slash + 1);
    return access(folder.c_str(), W_OK | X_OK) == 0 ? Status() : cannot_write(now, errno);
  }
  *fd = make_file(path_, regular);
  if (*fd < 0) return cannot_write(path_, errno);
  if (rotation_.active() && !*regular) {
    close(*fd);
    *fd = -1;
    return {Code::invalid_argument, path_ +
                                        " is no regular file, so that it cannot be followed by "
                                        "another; leave out rotate_mb and rotate_s"};
  }
  base_ = path_;
  remember(path_);
  return {};
}

std::string CaptureFiles::name_at(Nanos first) const {
  if (!named_by_time()) return path_;
  const auto seconds = static_cast<time_t>(first / kSecond);
  struct tm parts;
  char name[PATH_MAX];
  if (!localtime_r(&seconds, &parts)) return {};
  return {name, strftime(name, sizeof name, path_.c_str(), &parts)};
}

void CaptureFiles::remember(std::string name) {
  made_.push_back(std::move(name));
  const size_t most = rotation_.keep ? rotation_.keep : kRemembered;
  while (made_.size() > most) {
    // Gone already, or not ours to remove: the next ones are still right.
    if (rotation_.keep) (void)unlink(made_.front().c_str());
    made_.pop_front();
  }
}

int CaptureFiles::open_next(Nanos first) {
  std::string base = name_at(first);
  if (base.empty()) {
    errno = ENAMETOOLONG;
    return -1;
  }
  const bool again = base == base_;
  number_ = again ? number_ + 1 : 0;
  base_ = std::move(base);
  for (int tries = 0; tries < kTriesMax; ++tries, ++number_) {
    std::string name = number_ ? base_ + std::to_string(number_) : base_;
    if (std::find(made_.begin(), made_.end(), name) != made_.end()) continue;
    bool regular;
    const int fd = make_file(name, &regular);
    if (fd < 0 && errno == EWOULDBLOCK) continue;
    if (fd < 0) return -1;
    if (!regular) {
      close(fd);
      errno = EEXIST;
      return -1;
    }
    remember(std::move(name));
    return fd;
  }
  errno = EBUSY;
  return -1;
}

}  // namespace bricks
