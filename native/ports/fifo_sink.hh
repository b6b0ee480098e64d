// The far end of `fifo:`: one named pipe, one reader after the other.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "ports/capture_format.hh"
#include "ports/queued_output.hh"

namespace bricks {

class FifoSink final : public FrameSink {
 public:
  // Makes the named pipe (with `mode`) where there is none. invalid_argument: it is something else;
  // busy: another output of this process writes to it; limit_reached, permission_denied, failed.
  static Status open(const std::string& path, uint32_t mode, CaptureStyle style,
                     std::unique_ptr<FrameSink>* sink);
  ~FifoSink() override;

  bool work(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept override;
  int sleep_on(std::vector<pollfd>& fds) noexcept override;
  bool done(const FrameQueue& queue) const noexcept override;
  void end(FrameQueue& queue, FrameTally& tally) noexcept override;
  bool ready() const noexcept override { return ready_.load(); }
  std::string take_warning() override;
  std::string describe() const override;

 private:
  enum class State { awaiting, writing, leaving };  // leaving: a reader has still to see its end
  // One write() or several that the kernel may have put together: which frames it holds.
  struct Chunk {
    uint64_t begin, end;  // bytes of the stream
    uint32_t head;        // of them, before the first frame
    uint64_t position;    // of the queue, behind its last frame
  };
  static constexpr uint32_t kChunks = 4096;

  FifoSink(std::string path, CaptureStyle style)
      : path_(std::move(path)), encoder_(std::move(style)) {}
  bool await_reader() noexcept;
  bool reader_left() noexcept;
  void leave(FrameQueue& queue, FrameTally& tally, bool gone) noexcept;
  bool write_more(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept;
  bool fill(FrameQueue& queue, const FrameNews& news, FrameTally& tally) noexcept;
  bool push() noexcept;
  bool account(FrameQueue& queue, FrameTally& tally) noexcept;
  void deliver(FrameQueue& queue, FrameTally& tally, uint64_t until) noexcept;
  void finish(const FrameNews& news) noexcept;
  void discard(FrameQueue& queue, FrameTally& tally, Drop reason) noexcept;

  const std::string path_;
  CaptureEncoder encoder_;
  uint64_t device_ = 0, inode_ = 0;  // of the named pipe, while we have claimed it
  bool made_ = false;                // by us: removed at the end
  int held_ = -1;                    // O_PATH of it
  int watch_ = -1;                   // inotify: a reader closes
  int fd_ = -1;
  State state_ = State::awaiting;
  Nanos doubt_until_ = 0;  // a reader has closed it: is there another? Nothing is written meanwhile
  bool begun_ = false, blocked_ = false, ended_ = false;
  LinkType link_ = LinkType::ethernet;  // of the last frame
  std::unique_ptr<uint8_t[]> buffer_;
  uint32_t used_ = 0, sent_ = 0, head_ = 0;  // of buffer_: filled, written, before the first frame
  uint64_t next_ = 0;                        // position of the queue: the next frame to fill in
  uint64_t front_ = 0;                       // of the oldest frame not yet read
  uint64_t written_ = 0, unread_ = 0;        // bytes of this reader's stream
  uint64_t taken_ = 0, taken_bytes_ = 0, lost_ = 0;  // frames of this output's whole life
  std::array<Chunk, kChunks> chunks_{};
  uint64_t oldest_ = 0, newest_ = 0;

  std::atomic<bool> ready_{false};
  std::atomic<int> error_{0};
  std::atomic<uint64_t> readers_{0};
  int told_error_ = 0;
};

}  // namespace bricks
