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
#include "ports/doorbell.hh"
#include "ports/pipe_access.hh"

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
  std::atomic<uint64_t> left_at{0};      // monotonic: when the last one went; 0: none has
  PipeAccess access;                     // constant once it is in the directory
  std::shared_ptr<Doorbell> doorbell;    // rung when a consumer comes or goes; may be null
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

  // Takes the consumer's end for that peer: no_such_pipe, permission_denied, busy (says who holds
  // it).
  Status attach(const std::string& consumer_name, const Peer& peer,
                std::shared_ptr<PipeShare>* pipe);
  // For this very process.
  Status attach(const std::string& consumer_name, int32_t pid, std::shared_ptr<PipeShare>* pipe);
  // Gives it back; harmless if it is not held.
  void detach(const std::shared_ptr<PipeShare>& pipe);

  // Called (outside the lock) whenever a pipe was added or removed; one listener, empty to take it
  // away.
  void listen(std::function<void()> changed);
  bool any_shared();  // some pipe may be read by other users than the daemon's

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PipeShare>> pipes_;
  uint32_t shared_ = 0;  // pipes that other users may read
  std::function<void()> changed_;
};

}  // namespace bricks
