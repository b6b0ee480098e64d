#include "ports/tcp_desk.hh"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace bricks {
namespace {

std::mutex desks_mutex;
std::vector<std::unique_ptr<TcpDesk>> desks;

int64_t now_ms() noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<int64_t>(t.tv_sec) * 1000 + t.tv_nsec / 1'000'000;
}

}  // namespace

TcpPlace::~TcpPlace() {
  for (const int fd : waiting_) close(fd);
  if (event_ >= 0) close(event_);
}

int TcpPlace::take() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiting_.empty()) {
    eventfd_t count;
    (void)eventfd_read(event_, &count);
    return -1;
  }
  const int fd = waiting_.front();
  waiting_.erase(waiting_.begin());
  return fd;
}

bool TcpPlace::give(int fd) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (waiting_.size() >= kTcpBacklog) return false;
  waiting_.push_back(fd);  // reserved in join()
  (void)eventfd_write(event_, 1);
  return true;
}

Status TcpDesk::join(const TcpAddress& address, const std::string& name,
                     std::shared_ptr<TcpPlace>* place) {
  const std::string key = address.host + ":" + address.port;
  const std::lock_guard<std::mutex> lock(desks_mutex);
  const auto at =
      std::find_if(desks.begin(), desks.end(), [&](const auto& each) { return each->key_ == key; });
  std::unique_ptr<TcpDesk> opened;
  TcpDesk* desk = at != desks.end() ? at->get() : nullptr;
  if (!desk) {
    opened.reset(new TcpDesk(key));
    if (Status status = opened->open(address); !status.ok()) return status;
    desk = opened.get();
  }
  auto made = std::make_shared<TcpPlace>(name, desk->bound_);
  made->event_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (made->event_ < 0) return system_error("cannot make an event for tcp:" + key, errno);
  made->waiting_.reserve(kTcpBacklog);
  {
    const std::lock_guard<std::mutex> inside(desk->mutex_);
    for (const auto& other : desk->places_) {
      if (other->name_ != name) continue;
      return {Code::already_exists, "another output at tcp:" + key + " is selected by \"" + name +
                                        "\"; give this one another name"};
    }
    desk->places_.push_back(made);
  }
  if (opened) {
    opened->thread_ = std::thread([desk] { desk->run(); });
    desks.push_back(std::move(opened));
  }
  *place = std::move(made);
  return {};
}

void TcpDesk::leave(const std::shared_ptr<TcpPlace>& place) noexcept {
  const std::lock_guard<std::mutex> lock(desks_mutex);
  for (auto desk = desks.begin(); desk != desks.end(); ++desk) {
    bool last = false;
    {
      const std::lock_guard<std::mutex> inside((*desk)->mutex_);
      auto& places = (*desk)->places_;
      const auto at = std::find(places.begin(), places.end(), place);
      if (at == places.end()) continue;
      places.erase(at);
      last = places.empty();
    }
    if (last) desks.erase(desk);
    return;
  }
}

Status TcpDesk::open(const TcpAddress& address) {
  if (Status status = tcp_listen(address, &listener_, &bound_); !status.ok()) return status;
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ < 0) return system_error("cannot make an event for " + bound_, errno);
  newcomers_.reserve(kTcpNewcomersMax);
  return {};
}

TcpDesk::~TcpDesk() {
  stop_.store(true);
  if (thread_.joinable()) {
    (void)eventfd_write(wake_, 1);
    thread_.join();
  }
  for (const Newcomer& client : newcomers_) close(client.fd);
  if (listener_ >= 0) close(listener_);
  if (wake_ >= 0) close(wake_);
}

void TcpDesk::run() noexcept {
  (void)pthread_setname_np(pthread_self(), "tcp-desk");
  std::vector<pollfd> fds;
  fds.reserve(kTcpNewcomersMax + 2);
  while (!stop_.load()) {
    (void)poll(fds.data(), fds.size(), sleep(fds, now_ms()));
    const int64_t now = now_ms();
    welcome(now);
    for (size_t i = newcomers_.size(); i-- > 0;) {
      if (hear(newcomers_[i], now)) newcomers_.erase(newcomers_.begin() + static_cast<long>(i));
    }
  }
}

// What to sleep on, and for how long.
int TcpDesk::sleep(std::vector<pollfd>& fds, int64_t now) noexcept {
  fds.clear();
  fds.push_back({wake_, POLLIN, 0});
  // Who waits until some of these have gone waits in the system's queue.
  if (newcomers_.size() < kTcpNewcomersMax) fds.push_back({listener_, POLLIN, 0});
  int64_t until = INT64_MAX;
  for (const Newcomer& client : newcomers_) {
    fds.push_back({client.fd, POLLIN, 0});
    until = std::min(until, client.deadline_ms);
  }
  return until == INT64_MAX ? -1 : static_cast<int>(std::max<int64_t>(0, until - now));
}

void TcpDesk::welcome(int64_t now) noexcept {
  while (newcomers_.size() < kTcpNewcomersMax) {
    const int fd = tcp_accept(listener_);
    if (fd < 0) return;
    newcomers_.push_back({.fd = fd, .deadline_ms = now + kTcpSilenceMs, .used = 0, .line = {}});
  }
}

// True: it is settled, one way or the other.
bool TcpDesk::hear(Newcomer& client, int64_t now) noexcept {
  const uint32_t had = client.used;
  char* to = client.line.data() + had;
  const ssize_t n = recv(client.fd, to, client.line.size() - had, MSG_DONTWAIT);
  const bool late = now >= client.deadline_ms;
  if (n < 0 && errno != EAGAIN && errno != EINTR) return close(client.fd), true;
  if (n > 0) client.used += static_cast<uint32_t>(n);
  if (had == 0 && n > 0) client.deadline_ms = now + kTcpLineMs;  // it does say something
  const std::string_view said(client.line.data(), client.used);
  const size_t end = said.find('\n');
  if (end == std::string_view::npos && client.used < client.line.size() && n != 0 && !late) {
    return false;
  }
  std::string_view name = said.substr(0, end);
  if (name.ends_with('\r')) name.remove_suffix(1);
  hand_over(client.fd, name);
  return true;
}

void TcpDesk::hand_over(int fd, std::string_view name) noexcept {
  static constexpr std::string_view kNone = "bricks: no output here has that name; there are:\n";
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& place : places_) {
    if (!name.empty() && place->name_ != name) continue;
    if (!place->give(fd)) close(fd);
    return;
  }
  // A few bytes into an empty socket: all of them, or the client is gone.
  (void)send(fd, kNone.data(), kNone.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  for (const auto& place : places_) {
    (void)send(fd, place->name_.data(), place->name_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  close(fd);
}

}  // namespace bricks
