// The pipes of this process by their consumer's name, and who holds which end. The port server
// (pipe_server.hh), inputs that read a pipe, and outputs meet here. A direction is filled by an
// engine (add, remove) or by a program, for which the pipe is made when somebody first asks.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "abi/bricks_list.h"
#include "abi/pipe_end.h"
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
  std::atomic<int32_t> producer_pid{0};  // of a PipePair: the program that fills it
  // Called by detach, under the directory's lock and before the next consumer may come: puts right
  // what the last one may have scribbled over. remove() takes it away.
  std::function<void()> restore;

  PipeShare() = default;
  PipeShare(const PipeShare&) = delete;
  PipeShare& operator=(const PipeShare&) = delete;
  ~PipeShare();  // closes the fds
};

class PipePair;  // ports/pipe_pair.hh
struct PipeArena;

// Adds to a row's sentence which process reads the pipe.
void describe_reader(bricks_listed* row);

// An end that a netmap program holds.
struct PipeOpening {
  std::shared_ptr<PipePair> pair;
  uint32_t end = 0;        // PipeEnd
  uint64_t if_offset = 0;  // of its netmap_if
  int32_t pid = 0;
  bool tx = false, rx = false, exclusive = false;
};
class PipeDirectory {
 public:
  // already_exists when a pipe of that name is there, busy when a program fills it.
  Status add(const std::shared_ptr<PipeShare>& pipe);
  void remove(const std::string& consumer_name);

  // Takes the consumer's end for that peer: no_such_pipe, permission_denied, busy (says who holds
  // it).
  Status attach(const std::string& consumer_name, const Peer& peer,
                std::shared_ptr<PipeShare>* pipe);
  Status attach(const std::string& consumer_name, int32_t pid, std::shared_ptr<PipeShare>* pipe);
  // Gives it back; harmless if it is not held.
  void detach(const std::shared_ptr<PipeShare>& pipe);

  // An engine fills what is read at that end.
  bool is_filled(const std::string& consumer_name);
  // Pipes that `peer` may read and somebody fills, by name.
  void list(const Peer& peer, std::vector<bricks_listed>* rows);
  // no_such_pipe, permission_denied.
  Status check_access(const std::string& consumer_name, const Peer& peer);

  // Called (outside the lock) whenever a pipe was added or removed; one listener, empty to take it
  // away.
  void listen(std::function<void()> changed);
  bool any_shared();  // some pipe may be read by other users than the daemon's
  // Likewise, and makes the pipe when there is none: for inputs, whose packets come from programs.
  Status attach_or_make(const std::string& consumer_name, int32_t pid,
                        std::shared_ptr<PipeShare>* pipe);

  // Takes the right to fill the direction that starts at `end` ("x}0" fills what x{0 reads); makes
  // the pipe if need be. busy: an engine or another program fills it.
  Status attach_writer(const std::string& end, int32_t pid, std::shared_ptr<PipeShare>* pipe);
  void detach_writer(const std::shared_ptr<PipeShare>& pipe);

  // Opens an end as a netmap program does. On success `reply` is complete and `memory_fd` and the
  // four events are those of the pair's shares.
  Status open_end(const bricks_end_request& request, int32_t pid, PipeOpening* opening,
                  bricks_end_reply* reply);
  void close_end(PipeOpening& opening);

 private:
  Status take(const std::string& consumer_name, const Peer& peer, std::shared_ptr<PipeShare>* pipe);
  Status find_or_make(const std::string& end, const bricks_end_request* wishes, int32_t pid,
                      std::shared_ptr<PipePair>* pair, uint32_t* which);
  Status find_arena(const std::string& name, const bricks_end_request* wishes, int32_t pid,
                    uint32_t end, std::shared_ptr<PipeArena>* arena);
  std::shared_ptr<PipePair> find_pair(const std::string& end);
  void tell_changed();

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<PipeShare>> pipes_;
  uint32_t shared_ = 0;  // pipes that other users may read
  std::function<void()> changed_;
  std::map<std::string, std::weak_ptr<PipePair>> pairs_;  // by the name of the end `{`
  std::map<uint16_t, std::weak_ptr<PipeArena>> arenas_;
  uint16_t last_arena_ = 65535;
};

}  // namespace bricks
