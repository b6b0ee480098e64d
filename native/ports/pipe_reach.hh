// How far ports.sock can be reached: by the daemon's user alone, or, while some pipe is shared, by
// everybody. The file modes only let people come to the door; who gets in, PipeAccess says.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <string>

namespace bricks {

class PipeDirectory;

class PipeReach {
 public:
  PipeReach(std::string socket_path, PipeDirectory& directory);

  // Brings the modes in line with the directory: socket 0666 and folder +x for all while a pipe is
  // shared; as they were, else. Any thread.
  void update();
  // As they were, for good.
  void end();

 private:
  void set(bool open);

  std::mutex mutex_;
  std::string socket_, folder_;
  PipeDirectory& directory_;
  mode_t folder_mode_ = 0;  // before we opened it
  bool open_ = false, ended_ = false;
};

}  // namespace bricks
