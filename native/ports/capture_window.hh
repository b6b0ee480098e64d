// A file seen through a window that slides over it: what was read and not yet consumed. Packets
// point into the window, so it moves only in fill(). Plain read() in large chunks: for a file in
// the page cache that beats mapping it cold (docs/performance.md). Nothing here trusts the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace bricks {

inline constexpr size_t kCaptureRecordMax = 512 * 1024;  // bytes one record or block may have
inline constexpr size_t kCaptureChunk = 1024 * 1024;     // bytes of one read()
inline constexpr size_t kCapturePadding = 64;            // readable bytes behind the last one

class CaptureWindow {
 public:
  CaptureWindow();
  ~CaptureWindow();
  CaptureWindow(const CaptureWindow&) = delete;
  CaptureWindow& operator=(const CaptureWindow&) = delete;

  // Looks at another file from its beginning. Takes over `fd`. `stream`: no regular file; read()
  // might block, so it is asked first.
  void attach(int fd, bool stream) noexcept;
  void detach() noexcept;
  int fd() const noexcept { return fd_; }
  bool stream() const noexcept { return stream_; }

  const uint8_t* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  uint64_t offset() const noexcept { return offset_; }  // of data() in the file
  bool skipping() const noexcept { return to_skip_ > 0; }

  // Goes on by `bytes`, which may be more than there is in the window.
  void consume(uint64_t bytes) noexcept;
  // Takes back the last `bytes` consumed; only before the next fill(), and never past a skip.
  void unconsume(size_t bytes) noexcept;

  enum class Fill { more, end, not_now, failed };
  // Reads on, at most one read(). Keeps what is not consumed; moves data().
  Fill fill() noexcept;
  int error() const noexcept { return error_; }  // errno of the last failed fill()

 private:
  std::unique_ptr<uint8_t[], void (*)(void*)> memory_;
  uint8_t* read_at_;  // where chunks go: aligned, with room for an unfinished record in front
  const uint8_t* data_;
  size_t size_ = 0;
  uint64_t offset_ = 0, to_skip_ = 0;
  int fd_ = -1, error_ = 0;
  bool stream_ = false;
};

}  // namespace bricks
