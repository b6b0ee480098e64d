// The pipes of this process by their consumer's name, and who holds each consumer's end. The port
// server (pipe_server.hh), inputs that read a pipe of another engine, and outputs meet here.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "mem/status.hh"

namespace bricks {

// What both ends share of one pipe. Made by the output that fills it, kept alive by who uses it.
struct PipeShare {
  std::string consumer_name;  // "eth3}0"
  int memory_fd = -1;         // memfd of the region; owned
  int data_event = -1;        // eventfd: packets came; owned
  int space_event = -1;       // eventfd: slots came free; owned
  uint64_t pipe_offset = 0;   // of struct bricks_pipe in the memfd
  uint64_t region_bytes = 0;
  std::atomic<int32_t> consumer_pid{0};  // 0: nobody attached
  std::atomic<uint32_t> attachments{0};  // how many consumers there have ever been
  // Called by detach, under the directory's lock and before the next consumer may come: puts right
  // what the last one may have scribbled over. remove() takes it away.
  std::function<void()> restore;

  PipeShare() = default;
  PipeShare(const PipeShare&) = delete;
  PipeShare& operator=(const PipeShare&) = delete;
  ~PipeShare();  // closes the fds
};

class PipeDirectory {
 public:
  // already_exists when a pipe of that name is there.
  Status add(const std::shared_ptr<PipeShare>& pipe);
  void remove(const std::string& consumer_name);

  // Takes the consumer's end for `pid`: no_such_pipe, busy (says who holds it).
  Status attach(const std::string& consumer_name, int32_t pid, std::shared_ptr<PipeShare>* pipe);
  // Gives it back; harmless if it is not held.
  void detach(const std::shared_ptr<PipeShare>& pipe);

  // Called (outside the lock) whenever a pipe was added; one listener, empty to take it away.
  void listen(std::function<void()> added);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PipeShare>> pipes_;
  std::function<void()> added_;
};

}  // namespace bricks
