// Lines from plugins to a file: any thread puts them into a ring without waiting, a thread of the
// writer's own makes the system calls. A file that was renamed (logrotate) is opened anew.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "mem/sparse_array.hh"
#include "mem/status.hh"
#include "plugins/plugin_counts.hh"

namespace bricks {

class LineWriter {
 public:
  // Appends. What is lost is counted there. The system's refusal.
  static Status open(const std::string& path, std::shared_ptr<PluginCounts> counts,
                     std::unique_ptr<LineWriter>* writer);
  // Writes what there is, for a second at most if the file does not take it.
  ~LineWriter();

  // A newline is added. BRICKS_ENOMEM: no room; BRICKS_EINVAL: longer than kPluginLineMax.
  int put(const char* line, size_t length) noexcept;

 private:
  // Records lie at multiples of 8: `size` is set last, and 0 again before the place is free.
  struct Header {
    std::atomic<uint32_t> size;  // with this header, without padding; kSkip: go on at the start
    uint32_t unused;
  };
  static constexpr uint32_t kSkip = UINT32_MAX;

  LineWriter() = default;
  Header& header(uint64_t at) const noexcept {
    return *reinterpret_cast<Header*>(&ring_[at % kPluginFileBytes]);
  }
  void run() noexcept;
  bool gather() noexcept;
  void write_out() noexcept;
  void look_for_rename() noexcept;

  std::string path_;
  std::shared_ptr<PluginCounts> counts_;
  SparseArray<char> ring_;
  alignas(64) std::atomic<uint64_t> reserved_{0};
  alignas(64) std::atomic<uint64_t> taken_{0};
  int file_ = -1;
  uint32_t out_length_ = 0, out_lines_ = 0;
  std::unique_ptr<char[]> out_;
  std::mutex mutex_;
  std::condition_variable ends_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace bricks
