#include "ports/fifo_sink.hh"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <set>

namespace bricks {
namespace {

constexpr int kPipeBytes = 1 << 20;  // what anybody may ask for
constexpr int kAwaitMs = 10;         // how often we look for a reader
constexpr int kUnreadMs = 5;         // how often we look how far it has got
// The kernel says that a reader closes a moment before it has: so long we look whether it was the
// only one.
constexpr Nanos kDoubt = 100'000'000;
constexpr uint32_t kWritesMax = 64;  // before we look at what else there is
// Up to so many bytes a write to a pipe is one piece or nothing.
constexpr uint32_t kWhole = PIPE_BUF;
constexpr uint32_t kBufferBytes = kFrameMax + kCaptureAround + 2 * kCaptureHeadMax;

std::mutex claims_mutex;
std::set<std::pair<uint64_t, uint64_t>> claims;  // named pipes that outputs of this process write

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec);
}

Nanos monotonic_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanos>(now.tv_sec) * 1'000'000'000 + static_cast<Nanos>(now.tv_nsec);
}

Status cannot(const std::string& path, int error) {
  Status status = system_error("cannot make the named pipe " + path, error);
  if (error == ENOENT) status.message += "; make its folder first";
  return status;
}

}  // namespace

Status FifoSink::open(const std::string& path, uint32_t mode, CaptureStyle style,
                      std::unique_ptr<FrameSink>* sink) {
  std::unique_ptr<FifoSink> made(new FifoSink(path, std::move(style)));
  made->buffer_.reset(new uint8_t[kBufferBytes]);
  if (mkfifo(path.c_str(), 0600) == 0) {
    made->made_ = true;
    // Whatever the mask says; and only now, when it is certainly ours.
    if (chmod(path.c_str(), mode) != 0) return cannot(path, errno);
  } else if (errno != EEXIST) {
    return cannot(path, errno);
  }
  struct stat info;
  // Held, so that what takes its place later has another number.
  made->held_ = ::open(path.c_str(), O_PATH | O_CLOEXEC);
  if (made->held_ < 0 || fstat(made->held_, &info) != 0) return cannot(path, errno);
  if (!S_ISFIFO(info.st_mode)) {
    return {Code::invalid_argument, path +
                                        " is there and is no named pipe; name another file, or "
                                        "write a capture with pcap:" +
                                        path};
  }
  if (access(path.c_str(), W_OK) != 0) return system_error("cannot write to " + path, errno);
  {
    std::lock_guard lock(claims_mutex);
    if (!claims.insert({info.st_dev, info.st_ino}).second) {
      return {Code::busy, path + " has another output of this process writing to it; name another"};
    }
  }
  made->device_ = info.st_dev;
  made->inode_ = info.st_ino;
  made->watch_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (made->watch_ < 0 || inotify_add_watch(made->watch_, path.c_str(), IN_CLOSE_NOWRITE) < 0) {
    const int error = errno;
    Status status = system_error("cannot watch the readers of " + path, error);
    if (error == EMFILE || error == ENOSPC) {
      status.code = Code::limit_reached;
      status.message += "; raise it: sysctl fs.inotify.max_user_instances=1024";
    }
    return status;
  }
  *sink = std::move(made);
  return {};
}

FifoSink::~FifoSink() {
  if (fd_ >= 0) ::close(fd_);
  if (watch_ >= 0) ::close(watch_);
  struct stat info;
  if (made_ && stat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) {
    (void)unlink(path_.c_str());
  }
  if (held_ >= 0) ::close(held_);
  if (inode_ == 0) return;
  std::lock_guard lock(claims_mutex);
  claims.erase({device_, inode_});
}

bool FifoSink::await_reader() noexcept {
  const int fd = ::open(path_.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) {
    if (errno != ENXIO && errno != EINTR) error_.store(errno);
    return false;
  }
  struct stat info;
  if (fstat(fd, &info) != 0 || !S_ISFIFO(info.st_mode) || info.st_dev != device_ ||
      info.st_ino != inode_) {
    error_.store(ESTALE);  // somebody has put something else in its place: not ours to write
    ::close(fd);
    return false;
  }
  error_.store(0);
  (void)fcntl(fd, F_SETPIPE_SZ, kPipeBytes);  // refused: it stays as it is, and smaller
  (void)reader_left();                        // what was before is over
  fd_ = fd;
  state_ = State::writing;
  begun_ = ended_ = blocked_ = false;
  doubt_until_ = 0;
  used_ = sent_ = head_ = 0;
  written_ = unread_ = 0;
  oldest_ = newest_ = 0;
  readers_.fetch_add(1, std::memory_order_relaxed);
  ready_.store(true);
  return true;
}

bool FifoSink::reader_left() noexcept {
  alignas(inotify_event) char events[4096];
  bool left = false;
  while (read(watch_, events, sizeof events) > 0) left = true;
  return left;
}

// `gone`: nobody has it open any more; else a reader has still to see its end before another may
// come.
void FifoSink::leave(FrameQueue& queue, FrameTally& tally, bool gone) noexcept {
  ready_.store(false);
  account(queue, tally);
  // What it did not read, or only in part.
  uint64_t unread = 0;
  const uint64_t sent = newest_ != oldest_ ? chunks_[(newest_ - 1) % kChunks].position : front_;
  for (uint64_t at = front_; at < sent; ++unread) {
    const FrameRecord* record = queue.at(&at);
    at += FrameQueue::size_of(record->length);
    front_ = at;
  }
  if (unread) tally.drop(Drop::unread, unread);
  lost_ += unread;
  queue.release(front_);
  next_ = front_;
  oldest_ = newest_ = 0;
  ::close(fd_);
  fd_ = -1;
  if (gone) (void)reader_left();
  state_ = gone ? State::awaiting : State::leaving;
}

void FifoSink::discard(FrameQueue& queue, FrameTally& tally, Drop reason) noexcept {
  uint64_t dropped = 0;
  while (const FrameRecord* record = queue.at(&front_)) {
    front_ += FrameQueue::size_of(record->length);
    ++dropped;
  }
  next_ = front_;
  queue.release(front_);
  lost_ += dropped;
  if (dropped) tally.drop(reason, dropped);
}

bool FifoSink::work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept {
  bool moved = false;
  if (state_ == State::leaving && reader_left()) state_ = State::awaiting;
  if (state_ == State::awaiting) moved = await_reader();
  if (state_ != State::writing) {
    const uint64_t before = queue.released();
    discard(queue, tally, Drop::no_consumer);
    return moved || queue.released() != before;
  }
  pollfd reader{fd_, POLLOUT, 0};
  (void)poll(&reader, 1, 0);
  if (reader.revents & POLLERR) return leave(queue, tally, true), true;
  // One reader has closed it while there is one: it is another, which must not begin in the middle.
  if (reader_left() && doubt_until_ == 0) doubt_until_ = monotonic_clock() + kDoubt;
  if (doubt_until_) {
    if (monotonic_clock() < doubt_until_) return false;
    return leave(queue, tally, false), true;
  }
  blocked_ = (reader.revents & POLLOUT) == 0;
  if (!blocked_ && write_more(queue, news, tally)) moved = true;
  if (state_ == State::writing && account(queue, tally)) moved = true;
  return moved;
}

// Fills the buffer with whole records, as many as a pipe takes in one piece, or one that is longer.
// False: nothing to write.
bool FifoSink::fill(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept {
  used_ = sent_ = head_ = 0;
  if (newest_ - oldest_ == kChunks) return false;
  if (!begun_) {
    uint64_t at = next_;
    const FrameRecord* first = queue.at(&at);
    // A classic header names the link type: it waits until one is known.
    if (!first && news.link < 0 && !news.finished && !news.stopping) return false;
    const auto said = news.link < 0 ? LinkType::ethernet : static_cast<LinkType>(news.link);
    link_ = first ? static_cast<LinkType>(first->link) : said;
    begun_ = true;
    head_ = used_ = encoder_.begin(buffer_.get(), link_);
    head_ = used_ += encoder_.describe(buffer_.get() + used_, link_);
  }
  uint64_t at = next_;
  while (const FrameRecord* record = queue.at(&at)) {
    const auto link = static_cast<LinkType>(record->link);
    if (!encoder_.described(link)) {
      if (used_ != head_) break;  // its description begins a chunk
      if (!encoder_.holds(link)) {
        // In its turn: what went before is accounted for first.
        if (head_ || newest_ != oldest_) break;
        front_ = next_ = at += FrameQueue::size_of(record->length);
        queue.release(front_);
        tally.drop(Drop::link_type, 1);
        ++lost_;
        continue;
      }
      head_ = used_ += encoder_.describe(buffer_.get() + used_, link);
      link_ = link;
    }
    const uint32_t size = encoder_.record_size(*record);
    if (used_ + size > kWhole && used_ != head_) break;
    used_ += encoder_.record(buffer_.get() + used_, *record);
    next_ = at += FrameQueue::size_of(record->length);
    if (used_ >= kWhole) break;
  }
  return used_ != 0;
}

// True when the buffer has been written as far as to its end.
bool FifoSink::push() noexcept {
  while (sent_ < used_) {
    const ssize_t n = write(fd_, buffer_.get() + sent_, used_ - sent_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      blocked_ = true;
      return false;
    }
    sent_ += static_cast<uint32_t>(n);
  }
  const bool same = newest_ != oldest_ && head_ == 0 && chunks_[(newest_ - 1) % kChunks].head == 0;
  if (same && newest_ - oldest_ > kChunks / 2) {  // its frames follow the last ones': one chunk
    chunks_[(newest_ - 1) % kChunks].end = written_ + used_;
    chunks_[(newest_ - 1) % kChunks].position = next_;
  } else {
    chunks_[newest_++ % kChunks] = {written_, written_ + used_, head_, next_};
  }
  written_ += used_;
  used_ = sent_ = 0;
  return true;
}

bool FifoSink::write_more(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept {
  bool moved = false;
  for (uint32_t writes = 0; writes < kWritesMax; ++writes) {
    if (used_ == 0 && !fill(queue, news, tally)) break;
    if (!push()) return moved;
    moved = true;
  }
  if (moved || used_ != 0 || !queue.empty() || !begun_ || unread_ != 0) return moved;
  if (news.finished) return finish(news), leave(queue, tally, false), true;
  return moved;
}

// The reader has everything: statistics, then the end.
void FifoSink::finish(const FrameNews& news) noexcept {
  uint8_t block[kCaptureHeadMax];
  const uint64_t lost = lost_ + news.missed;
  const uint32_t bytes = encoder_.statistics(block, link_, wall_clock(), taken_ + lost, lost);
  if (bytes) (void)!write(fd_, block, bytes);  // into an empty pipe: all of it
}

// Counts what the reader has taken out of the pipe.
bool FifoSink::account(FrameQueue& queue, FrameTally& tally) noexcept {
  int unread = 0;
  if (written_ == 0 || ioctl(fd_, FIONREAD, &unread) != 0) return false;
  const uint64_t unread_before = unread_;
  unread_ = static_cast<uint64_t>(unread);
  // A record that is being written in pieces is none yet: its bytes are beyond written_.
  const uint64_t pieces = sent_, all = written_ + pieces;
  const uint64_t until = all > unread_ ? all - unread_ : 0;
  const uint64_t before = front_;
  deliver(queue, tally, until);
  return front_ != before || unread_ < unread_before;
}

// Frames whose bytes all lie before `until` of the stream.
void FifoSink::deliver(FrameQueue& queue, FrameTally& tally, uint64_t until) noexcept {
  uint64_t packets = 0, bytes = 0;
  for (; oldest_ != newest_; ++oldest_) {
    Chunk& chunk = chunks_[oldest_ % kChunks];
    uint64_t at = chunk.begin + chunk.head;
    while (front_ != chunk.position) {
      uint64_t position = front_;
      const FrameRecord* record = queue.at(&position);
      const uint64_t end = at + encoder_.record_size(*record);
      if (end > until) break;
      at = end;
      front_ = position + FrameQueue::size_of(record->length);
      ++packets;
      bytes += record->length;
    }
    if (front_ != chunk.position || chunk.end > until) {
      if (at > chunk.begin + chunk.head) {
        chunk.begin = at;
        chunk.head = 0;
      }
      break;
    }
  }
  queue.release(front_);
  taken_ += packets;
  if (packets) tally.deliver(packets, bytes);
}

int FifoSink::sleep_on(std::vector<pollfd>& fds) noexcept {
  if (state_ == State::awaiting) return kAwaitMs;
  fds.push_back({watch_, POLLIN, 0});
  if (state_ == State::leaving) return -1;
  fds.push_back({fd_, static_cast<short>(blocked_ ? POLLOUT : 0), 0});
  return newest_ != oldest_ || unread_ || doubt_until_ ? kUnreadMs : -1;
}

// What the pipe has, its reader will have: nobody waits for that.
bool FifoSink::done(const FrameQueue& queue) const noexcept {
  if (state_ != State::writing) return queue.empty();
  return begun_ && used_ == 0 && next_ == queue.committed();
}

void FifoSink::end(FrameQueue& queue, FrameTally& tally) noexcept {
  if (state_ == State::writing) {
    pollfd reader{fd_, 0, 0};
    (void)poll(&reader, 1, 0);
    const bool gone = reader.revents & POLLERR;
    if (!gone && done(queue)) finish({});
    // It will read what the pipe has, which is beyond our recall.
    if (!gone) deliver(queue, tally, written_);
    leave(queue, tally, gone);
  }
  discard(queue, tally, Drop::unread);
}

std::string FifoSink::take_warning() {
  const int error = error_.load();
  if (error == told_error_ || error == 0) return {};
  told_error_ = error;
  if (error == ESTALE) {
    return path_ +
           " is not the named pipe any more that this output began with; nobody gets its "
           "packets until the engine is applied anew";
  }
  return system_error("cannot write to the named pipe " + path_, error).message;
}

std::string FifoSink::describe() const {
  const uint64_t readers = readers_.load(std::memory_order_relaxed);
  return std::string("named pipe ") + path_ + ", " + (encoder_.style().ng ? "pcapng" : "pcap") +
         (ready_.load() ? ", being read" : ", nobody reads it") + ", " + std::to_string(readers) +
         " readers so far";
}

}  // namespace bricks
