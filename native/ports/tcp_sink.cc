#include "ports/tcp_sink.hh"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "mem/limits.hh"

namespace bricks {
namespace {

constexpr uint32_t kFramesAtOnce = 512;  // before they are sent
constexpr size_t kTcpClientsShown = 8;   // one by one, in status
constexpr uint64_t kRecordMax = kFrameMax + kCaptureAround + 2 * kCaptureHeadMax;

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec);
}

}  // namespace

Status TcpSink::open(const TcpSettings& settings, CaptureStyle style,
                     std::unique_ptr<FrameSink>* sink) {
  std::unique_ptr<TcpSink> made(new TcpSink(settings, std::move(style)));
  Status status = settings.select.empty()
                      ? tcp_listen(settings.address, &made->listener_, &made->bound_)
                      : TcpDesk::join(settings.address, settings.select, &made->place_);
  if (!status.ok()) return status;
  if (made->place_) made->bound_ = made->place_->bound();
  made->clients_.reserve(settings.clients_max);
  *sink = std::move(made);
  return {};
}

TcpSink::~TcpSink() {
  while (!clients_.empty()) leave(clients_.size() - 1);
  if (place_) TcpDesk::leave(place_);
  if (listener_ >= 0) ::close(listener_);
}

bool TcpSink::admit(int fd) noexcept {
  auto buffer = clients_.size() < settings_.clients_max
                    ? std::unique_ptr<uint8_t[]>(new (std::nothrow) uint8_t[settings_.client_bytes])
                    : nullptr;
  if (!buffer) {
    turned_away_.fetch_add(1, std::memory_order_relaxed);
    ::close(fd);
    return false;
  }
  const int yes = 1;
  (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  auto counts = std::make_shared<Counts>(tcp_peer(fd));
  {
    const std::lock_guard<std::mutex> lock(counts_mutex_);
    counts_.push_back(counts);
  }
  clients_.push_back({.fd = fd,
                      .encoder = CaptureEncoder(style_),
                      .buffer = std::move(buffer),
                      .counts = std::move(counts)});
  clients_ever_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool TcpSink::accept_all() noexcept {
  bool any = false;
  for (uint32_t i = 0; i < kTcpBacklog; ++i) {
    const int fd = place_ ? place_->take() : tcp_accept(listener_);
    if (fd < 0) break;
    if (admit(fd)) any = true;
  }
  clients_now_.store(static_cast<uint32_t>(clients_.size()));
  return any;
}

void TcpSink::leave(size_t i) noexcept {
  ::close(clients_[i].fd);
  {
    const std::lock_guard<std::mutex> lock(counts_mutex_);
    std::erase(counts_, clients_[i].counts);
  }
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
  client.counts->taken.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void TcpSink::lose(Client& client) noexcept {
  client.counts->lost.fetch_add(1, std::memory_order_relaxed);
  lost_.fetch_add(1, std::memory_order_relaxed);
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
      lose(client);
      continue;
    }
    if (!client.encoder.holds(link_)) continue;  // a classic capture has one link type
    held = true;
    if (take(client, record)) {
      taken = true;
    } else {
      lose(client);
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
    const uint64_t taken = client.counts->taken.load(), lost = client.counts->lost.load();
    client.end += client.encoder.statistics(to, link, wall_clock(), taken + lost, lost);
    (void)send(client);  // into an empty socket: all of it
    leave(i);
  }
}

int TcpSink::sleep_on(std::vector<pollfd>& fds) noexcept {
  fds.push_back({place_ ? place_->event() : listener_, POLLIN, 0});
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
  std::string text = std::string(style_.ng ? "pcapng" : "pcap") + " over TCP at " + bound_ +
                     (place_ ? ", selected by " + place_->name() : "") + ", " +
                     std::to_string(clients_now_.load()) + " clients now, " +
                     std::to_string(clients_ever_.load()) + " so far";
  if (const uint64_t away = turned_away_.load()) {
    text += ", " + std::to_string(away) + " turned away";
  }
  if (const uint64_t lost = lost_.load()) {
    text += ", " + std::to_string(lost) + " packets too many for a slow one";
  }
  const std::lock_guard<std::mutex> lock(counts_mutex_);
  for (size_t i = 0; i < counts_.size() && i < kTcpClientsShown; ++i) {
    const Counts& each = *counts_[i];
    text += (i ? ", " : "; ") + each.peer + " has " + std::to_string(each.taken.load());
    if (const uint64_t lost = each.lost.load()) text += " and lost " + std::to_string(lost);
  }
  return text;
}

}  // namespace bricks
