#include "ports/tcp_sink.hh"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace bricks {
namespace {

constexpr int kBacklog = 16;
constexpr uint32_t kFramesAtOnce = 512;  // before they are sent
constexpr uint64_t kRecordMax = kFrameMax + kCaptureAround + 2 * kCaptureHeadMax;

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec);
}

bool is_loopback(const sockaddr* address) noexcept {
  if (address->sa_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(address);
    return ntohl(four->sin_addr.s_addr) >> 24 == 127;
  }
  const auto* six = reinterpret_cast<const sockaddr_in6*>(address);
  return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

std::string shown(const sockaddr* address, socklen_t length) {
  char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";
  (void)getnameinfo(address, length, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV);
  const bool six = address->sa_family == AF_INET6;
  return (six ? "[" : "") + std::string(host) + (six ? "]:" : ":") + port;
}

Status listen_at(const addrinfo& where, int* fd) {
  const std::string address = shown(where.ai_addr, where.ai_addrlen);
  *fd = socket(where.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (*fd < 0) return system_error("cannot make a socket for " + address, errno);
  const int yes = 1;
  (void)setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(*fd, where.ai_addr, where.ai_addrlen) == 0 && listen(*fd, kBacklog) == 0) return {};
  const int error = errno;
  close(*fd);
  *fd = -1;
  if (error == EADDRINUSE) {
    return {Code::busy, "another program listens at " + address + "; choose another port"};
  }
  return system_error("cannot listen at " + address, error);
}

}  // namespace

Status TcpSink::open(const TcpSettings& settings, CaptureStyle style,
                     std::unique_ptr<FrameSink>* sink) {
  std::unique_ptr<TcpSink> made(new TcpSink(settings, std::move(style)));
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int fault = getaddrinfo(settings.host.c_str(), settings.port.c_str(), &hints, &found)) {
    return {Code::invalid_argument, settings.host + ":" + settings.port +
                                        " is not where one can listen: " + gai_strerror(fault) +
                                        "; try tcp:127.0.0.1:5555"};
  }
  Status status;
  if (!settings.public_too && !is_loopback(found->ai_addr)) {
    status = {Code::invalid_argument,
              settings.host +
                  " is not this machine alone: anybody who can reach it would get "
                  "these packets; add ?public=1 if that is meant, or take 127.0.0.1"};
  } else {
    status = listen_at(*found, &made->listener_);
  }
  freeaddrinfo(found);
  if (!status.ok()) return status;
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  auto* address = reinterpret_cast<sockaddr*>(&bound);
  if (getsockname(made->listener_, address, &length) == 0) made->address_ = shown(address, length);
  made->clients_.reserve(settings.clients_max);
  *sink = std::move(made);
  return {};
}

TcpSink::~TcpSink() {
  while (!clients_.empty()) leave(clients_.size() - 1);
  if (listener_ >= 0) ::close(listener_);
}

bool TcpSink::accept_all() noexcept {
  bool any = false;
  for (int i = 0; i < kBacklog; ++i) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) break;
    auto buffer =
        clients_.size() < settings_.clients_max
            ? std::unique_ptr<uint8_t[]>(new (std::nothrow) uint8_t[settings_.client_bytes])
            : nullptr;
    if (!buffer) {
      turned_away_.fetch_add(1, std::memory_order_relaxed);
      ::close(fd);
      continue;
    }
    const int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
    clients_.push_back({.fd = fd, .encoder = CaptureEncoder(style_), .buffer = std::move(buffer)});
    clients_ever_.fetch_add(1, std::memory_order_relaxed);
    any = true;
  }
  clients_now_.store(static_cast<uint32_t>(clients_.size()));
  return any;
}

void TcpSink::leave(size_t i) noexcept {
  ::close(clients_[i].fd);
  clients_.erase(clients_.begin() + static_cast<ptrdiff_t>(i));
  clients_now_.store(static_cast<uint32_t>(clients_.size()));
}

// Null: the client's buffer is full.
uint8_t* TcpSink::space(Client& client, uint64_t bytes) const noexcept {
  if (client.end + bytes > settings_.client_bytes && client.first != 0 &&
      client.end - client.first + bytes <= settings_.client_bytes) {
    // Moved to the front once it is mostly sent, so that moving costs less than sending did.
    if (client.first >= client.end - client.first) {
      std::memmove(client.buffer.get(), client.buffer.get() + client.first,
                   client.end - client.first);
      client.end -= client.first;
      client.first = 0;
    }
  }
  return client.end + bytes <= settings_.client_bytes ? client.buffer.get() + client.end : nullptr;
}

bool TcpSink::begin(Client& client, LinkType link) const noexcept {
  if (client.begun) return true;
  uint8_t* to = space(client, 2 * kCaptureHeadMax);
  if (!to) return false;
  client.end += client.encoder.begin(to, link);
  client.end += client.encoder.describe(client.buffer.get() + client.end, link);
  return client.begun = true;
}

bool TcpSink::take(Client& client, const FrameRecord& record) const noexcept {
  const auto link = static_cast<LinkType>(record.link);
  uint8_t* to = space(client, client.encoder.record_size(record) + kCaptureHeadMax);
  if (!to) return false;
  const uint32_t head = client.encoder.describe(to, link);
  client.end += head + client.encoder.record(to + head, record);
  ++client.taken;
  return true;
}

// False: not now, a client that is to get everything has no room.
bool TcpSink::hand_out(const FrameRecord& record, bool lossless, FrameTally& tally) noexcept {
  link_ = static_cast<LinkType>(record.link);
  if (clients_.empty()) return tally.drop(Drop::no_consumer, 1), true;
  if (lossless) {
    for (Client& client : clients_)
      if (!space(client, kRecordMax + 2 * kCaptureHeadMax)) return false;
  }
  bool taken = false, held = false;
  for (Client& client : clients_) {
    if (!begin(client, link_)) {
      ++client.lost;
      continue;
    }
    if (!client.encoder.holds(link_)) continue;  // a classic capture has one link type
    held = true;
    if (take(client, record)) {
      taken = true;
    } else {
      ++client.lost;
      lost_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  if (taken)
    tally.deliver(1, record.length);
  else
    tally.drop(held ? Drop::ring_full : Drop::link_type, 1);
  return true;
}

bool TcpSink::distribute(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept {
  bool moved = false;
  for (uint32_t i = 0; i < kFramesAtOnce; ++i) {
    const FrameRecord* record = queue.at(&at_);
    if (!record || !hand_out(*record, news.lossless, tally)) break;
    at_ += FrameQueue::size_of(record->length);
    moved = true;
  }
  if (moved) queue.release(at_);
  return moved;
}

// False: the client is gone.
bool TcpSink::send(Client& client) noexcept {
  client.blocked = false;
  while (client.first != client.end) {
    const ssize_t n = ::send(client.fd, client.buffer.get() + client.first,
                             client.end - client.first, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      client.blocked = errno == EAGAIN;
      return client.blocked;
    }
    client.first += static_cast<uint64_t>(n);
  }
  client.first = client.end = 0;
  return true;
}

bool TcpSink::work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept {
  bool moved = accept_all();
  if (news.link >= 0 && queue.empty()) {
    for (Client& client : clients_) {
      if (client.begun) continue;
      (void)begin(client, static_cast<LinkType>(news.link));
      moved = true;
    }
  }
  if (distribute(queue, news, tally)) moved = true;
  for (size_t i = clients_.size(); i-- > 0;) {
    Client& client = clients_[i];
    const uint64_t before = client.end - client.first;
    char ignored[256];
    // What a client says means nothing; that it hangs up is heard when something is sent to it.
    while (recv(client.fd, ignored, sizeof ignored, MSG_DONTWAIT) > 0) continue;
    pollfd state{client.fd, 0, 0};
    const bool gone = poll(&state, 1, 0) > 0 && (state.revents & (POLLERR | POLLHUP));
    if (gone || !send(client)) {
      leave(i);
      moved = true;
    } else if (client.end - client.first != before) {
      moved = true;
    }
  }
  if ((news.finished || news.stopping) && queue.empty() && !clients_.empty()) {
    const size_t had = clients_.size();
    finish_all(news);
    if (clients_.size() != had) moved = true;
  }
  return moved;
}

// Who has everything is told that it is over.
void TcpSink::finish_all(const FrameNews& news) noexcept {
  for (size_t i = clients_.size(); i-- > 0;) {
    Client& client = clients_[i];
    if (client.first != client.end) continue;
    const auto link = news.link < 0 ? LinkType::ethernet : static_cast<LinkType>(news.link);
    if (!begin(client, link)) continue;
    uint8_t* to = client.buffer.get() + client.end;
    client.end +=
        client.encoder.statistics(to, link, wall_clock(), client.taken + client.lost, client.lost);
    (void)send(client);  // into an empty socket: all of it
    leave(i);
  }
}

int TcpSink::sleep_on(std::vector<pollfd>& fds) noexcept {
  fds.push_back({listener_, POLLIN, 0});
  for (const Client& client : clients_)
    fds.push_back({client.fd, static_cast<short>(client.blocked ? POLLOUT : 0), 0});
  return -1;
}

bool TcpSink::done(const FrameQueue& queue) const noexcept {
  return queue.empty() && clients_.empty();
}

void TcpSink::end(FrameQueue& queue, FrameTally& tally) noexcept {
  while (!clients_.empty()) leave(clients_.size() - 1);
  uint64_t unread = 0;
  for (; const FrameRecord* record = queue.at(&at_); ++unread)
    at_ += FrameQueue::size_of(record->length);
  queue.release(at_);
  if (unread) tally.drop(Drop::unread, unread);
}

std::string TcpSink::describe() const {
  std::string text = std::string(style_.ng ? "pcapng" : "pcap") + " over TCP at " + address_ +
                     ", " + std::to_string(clients_now_.load()) + " clients now, " +
                     std::to_string(clients_ever_.load()) + " so far";
  if (const uint64_t away = turned_away_.load()) {
    text += ", " + std::to_string(away) + " turned away";
  }
  if (const uint64_t lost = lost_.load()) {
    text += ", " + std::to_string(lost) + " packets too many for a slow one";
  }
  return text;
}

}  // namespace bricks
