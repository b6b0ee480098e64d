// The files an output's capture goes to: one, or one after the other (?rotate_mb, ?rotate_s,
// ?keep). Names go as tcpdump's -C and -G make them: the path itself, with strftime's conversions
// filled in, and a number behind it where that name has been given already.
#pragma once

#include <deque>
#include <string>

#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

struct Rotation {
  uint64_t bytes = 0;  // a file has at most so many; 0: no bound
  Nanos time = 0;      // and packets of less than this after its first one; 0: no bound
  uint32_t keep = 0;   // so many files stay, the newest; 0: all
  bool active() const noexcept { return bytes != 0 || time != 0; }
};

class CaptureFiles {
 public:
  CaptureFiles(std::string path, const Rotation& rotation)
      : path_(std::move(path)), rotation_(rotation) {}

  // Opens the first file, or finds out that there can be one: *fd is -1 where its name waits for
  // the first packet's time. no_such_file, permission_denied, busy, invalid_argument, failed.
  // *regular: writing it never waits for a reader.
  Status open_first(int* fd, bool* regular);

  // The next file, for packets from `first` on; the oldest goes when there are more than to keep.
  // The caller owns the descriptor; -1: errno. Not on a thread that has packets waiting.
  int open_next(Nanos first);

  const std::string& path() const noexcept { return path_; }
  const Rotation& rotation() const noexcept { return rotation_; }
  // True when the first file, too, comes from open_next.
  bool named_by_time() const noexcept {
    return rotation_.active() && path_.find('%') != std::string::npos;
  }

 private:
  std::string name_at(Nanos first) const;  // empty: too long, or nothing
  void remember(std::string name);

  const std::string path_;
  const Rotation rotation_;
  std::string base_;              // of the last file, without its number
  uint64_t number_ = 0;           // of the last file
  std::deque<std::string> made_;  // the newest files
};

}  // namespace bricks
