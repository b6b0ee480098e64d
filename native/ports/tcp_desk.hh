// One port for several outputs of tcp:. A client says which it wants by a line with its name; who
// says nothing gets the first. A thread of its own listens, and hands the connections over.
#pragma once

#include <poll.h>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mem/limits.hh"
#include "ports/tcp_listener.hh"

namespace bricks {

// Where connections for one output wait until its thread takes them.
class TcpPlace {
 public:
  TcpPlace(std::string name, std::string bound)
      : name_(std::move(name)), bound_(std::move(bound)) {}
  ~TcpPlace();
  TcpPlace(const TcpPlace&) = delete;
  TcpPlace& operator=(const TcpPlace&) = delete;

  const std::string& name() const { return name_; }
  const std::string& bound() const { return bound_; }  // the desk's address, as it really is
  int event() const noexcept { return event_; }        // readable: take() has something
  // The next connection, the caller's to close; -1: none now.
  int take() noexcept;

 private:
  friend class TcpDesk;
  bool give(int fd) noexcept;  // false: too many wait
  const std::string name_, bound_;
  int event_ = -1;
  std::mutex mutex_;
  std::vector<int> waiting_;
};

class TcpDesk {
 public:
  // Adds an output of that name to the desk at `address`; the first opens it. As tcp_listen, and
  // already_exists: an output there has that name. The place is given back to leave().
  static Status join(const TcpAddress& address, const std::string& name,
                     std::shared_ptr<TcpPlace>* place);
  // The last closes the desk: the port is free when this returns.
  static void leave(const std::shared_ptr<TcpPlace>& place) noexcept;
  ~TcpDesk();

 private:
  struct Newcomer {  // has not said yet what it wants
    int fd;
    int64_t deadline_ms;
    uint32_t used;
    std::array<char, 80> line;
  };

  explicit TcpDesk(std::string key) : key_(std::move(key)) {}
  Status open(const TcpAddress& address);
  void run() noexcept;
  int sleep(std::vector<pollfd>& fds, int64_t now) noexcept;
  void welcome(int64_t now) noexcept;
  bool hear(Newcomer& client, int64_t now) noexcept;
  void hand_over(int fd, std::string_view name) noexcept;

  const std::string key_;
  std::string bound_;
  int listener_ = -1, wake_ = -1;
  std::vector<Newcomer> newcomers_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<TcpPlace>> places_;  // in the order in which they came
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace bricks
