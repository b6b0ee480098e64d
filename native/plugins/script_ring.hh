// Events on their way to a script's thread and what it answers: one ring for each worker (engine)
// and plugin. The engine's thread posts copies; the script's thread takes what is there, and says
// how far it came. Of what the script's thread can write, nothing is believed.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "mem/limits.hh"
#include "plugins/script_record.hh"
#include "plugins/script_request.hh"

namespace bricks {

void futex_wait(std::atomic<uint32_t>& word, uint32_t value, uint64_t nanoseconds) noexcept;
void futex_wake(std::atomic<uint32_t>& word) noexcept;

class ScriptRing {
 public:
  // records: a power of two. Null: no memory.
  static std::shared_ptr<ScriptRing> create(uint32_t records, uint32_t bytes);
  ~ScriptRing();
  ScriptRing(const ScriptRing&) = delete;
  ScriptRing& operator=(const ScriptRing&) = delete;

  // The engine's thread.
  // Empties it; from now on it is for the script's thread of that epoch.
  void reset(uint32_t epoch) noexcept;
  uint32_t epoch() const noexcept { return control_->epoch.load(std::memory_order_acquire); }
  // Copies events as far as there is room: how many. They are not seen before publish().
  uint32_t post(std::span<const bricks_event> events, const ScriptWants& wants) noexcept;
  void publish() noexcept { control_->posted.store(posted_, std::memory_order_release); }
  // How many of those posted are dealt with; *failed: the next one has failed, the others behind it
  // will not be looked at. False: it answers nonsense.
  bool progress(uint32_t* done, bool* failed) noexcept;
  uint32_t waiting() const noexcept { return static_cast<uint32_t>(posted_ - done_); }
  // Where the script is, of those posted: for the name of what it hangs in.
  uint32_t position() const noexcept;
  ScriptRecord& posted_record(uint32_t behind) noexcept {  // 1: the newest
    return records_[(posted_ - behind) & mask_];
  }
  // Asked for something? Then `request` is a copy of it.
  bool asked(ScriptRequest* request) const noexcept;
  void answer(const ScriptRequest& request) noexcept;
  // Sleeps until the script's thread rings, or so long.
  void sleep(uint64_t nanoseconds) noexcept;

  // The script's thread.
  struct Run {
    uint32_t first, count;
  };
  Run take() noexcept;  // count 0: nothing; the next call after finish()
  void finish(uint32_t done, bool failed) noexcept;
  // Between take() and finish(): waits for the answer. BRICKS_ENOCTX: `running`, the epoch of the
  // thread that is listened to, is another by now.
  void ask(ScriptRequest* request, const std::atomic<uint32_t>& running) noexcept;
  bool taken() const noexcept { return taken_ != 0; }

  // The memory that the script's thread sees: position, records, bytes of calls, bytes of events.
  uint8_t* shared() const noexcept { return shared_; }
  size_t shared_bytes() const noexcept { return shared_bytes_; }
  uint32_t records() const noexcept { return mask_ + 1; }
  uint8_t* call_bytes() const noexcept { return call_; }
  std::atomic<bool> closed{false};  // its worker is gone

 private:
  struct Control {
    alignas(64) std::atomic<uint64_t> posted{0};
    std::atomic<uint32_t> epoch{0};
    alignas(64) std::atomic<uint64_t> result{0};  // done, times two, plus one: failed
    alignas(64) std::atomic<uint32_t> asked{0};   // 1: a question, 2: its answer
    ScriptRequest request;
    alignas(64) std::atomic<uint32_t> bell{0};
    std::atomic<uint32_t> waits{0};
  };
  ScriptRing() = default;
  void ring() noexcept;
  bool reserve(uint32_t bytes, uint32_t* at) noexcept;
  void copy(const bricks_event& event, const uint8_t* from, uint32_t at, uint32_t bytes,
            uint8_t flags) noexcept;

  std::unique_ptr<Control> control_;
  uint8_t* shared_ = nullptr;
  size_t shared_bytes_ = 0;
  ScriptRecord* records_ = nullptr;
  uint8_t *call_ = nullptr, *data_ = nullptr;
  uint32_t mask_ = 0, data_bytes_ = 0;
  // The engine's own.
  uint64_t posted_ = 0, done_ = 0, last_ = 0, data_head_ = 0, data_tail_ = 0;
  std::vector<uint64_t> data_end_;  // by record
  // The script's.
  uint64_t cursor_ = 0;
  uint32_t taken_ = 0, seen_epoch_ = 0;
};

}  // namespace bricks
