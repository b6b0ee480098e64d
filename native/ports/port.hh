// Where packets come from and go to. An engine's thread calls what is noexcept; construction and
// destruction belong to the control thread. None of the noexcept calls allocates, locks or throws;
// system calls happen at most once per batch.
#pragma once

#include <memory>
#include <string>

#include "mem/ledger.hh"
#include "mem/status.hh"
#include "wire/packet.hh"

namespace bricks {

class PipeOutput;  // ports/pipe_output.hh
class SpillPool;   // ports/spill_pool.hh

class Input {
 public:
  virtual ~Input() = default;

  // Fills `batch` with up to `max` packets (data, length, timestamp, buffer, flags; not what decode
  // adds) and returns how many. Counts them, and what it had to leave out, in `cell`. 0: none now.
  // `now` is wall-clock time of this breath.
  virtual uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept = 0;

  // Every packet of `batch` is dealt with: their memory may be used again.
  virtual void release(Batch& batch) noexcept = 0;

  // Somebody is about to read `cell`, or this input is about to stop: counts what the device knows
  // and receive() has not asked for yet. Called between breaths.
  virtual void settle(LedgerCell& cell) noexcept { (void)cell; }

  // True once a finite input has given its last packet.
  virtual bool finished() const noexcept { return false; }
  // True when outputs should be waited for rather than overrun (file replay).
  virtual bool lossless() const noexcept { return false; }
  // Readable when receive() may have something; -1: ask again (a file), or see wake_at.
  virtual int wait_fd() const noexcept { return -1; }
  // Wall-clock time before which receive() gives nothing (paced replay); 0: no such time.
  virtual Nanos wake_at() const noexcept { return 0; }
  // A warning for the operator, once (a truncated capture); empty: none. Control thread.
  virtual std::string take_warning() { return {}; }
  // One line for status: what this really is ("AF_PACKET on eth3, TPACKET_V3, 32 MiB").
  virtual std::string describe() const = 0;
};

class Output {
 public:
  virtual ~Output() = default;

  // How many of the `count` picks, from the first on, can be taken now without loss. Asked before
  // transmit, for lossless inputs only; an output that never fills says `count`.
  virtual uint32_t room(const Batch& batch, const Index* picks, uint32_t count) noexcept {
    (void)batch, (void)picks;
    return count;
  }

  // About how many packets it can take now without loss, after a look at what its consumer has
  // given back. UINT32_MAX: it cannot say, or the want of room is not why it would lose them.
  virtual uint32_t free_packets(LedgerCell& cell) noexcept { return (void)cell, UINT32_MAX; }

  // Takes `count` packets of `batch`, named by `picks` in order. Each ends in cell: delivered, held
  // or dropped. May exchange buffers (wire/packet.hh) only when `exclusive`: no other output gets
  // them. The engine has already counted them in cell.packets.
  virtual void transmit(Batch& batch, const Index* picks, uint32_t count, bool exclusive,
                        LedgerCell& cell) noexcept = 0;

  // End of a breath: everything taken becomes visible to the consumer. Whoever calls this does so
  // for all outputs, makes a fence (seq_cst) and calls flush().
  virtual void publish(Nanos now) noexcept { (void)now; }
  // Wakes a consumer that waits for what was published (or publishes it), and counts what it has
  // read since.
  virtual void flush(Nanos now, LedgerCell& cell) noexcept { (void)now, (void)cell; }

  // All inputs have ended: say so to the consumer (end of file). Undone by the next transmit.
  virtual void finish(LedgerCell& cell) noexcept { (void)cell; }

  // Control thread, after the engine has let go: settle what is held (delivered or dropped) in
  // cell.
  virtual void close(LedgerCell& cell) { (void)cell; }

  // Readable when room() may have grown; -1: ask again. arm_wait is called before sleeping on it.
  virtual int wait_fd() const noexcept { return -1; }
  virtual void arm_wait() noexcept {}
  // Holds packets back until there is room, although nobody asks room(): wake the engine by
  // wait_fd.
  virtual bool awaits_room() const noexcept { return false; }
  // Looks at the consumer: about ten times a second, and at once when one has come or gone.
  // Engine's thread, between breaths; `now` is monotonic.
  virtual void look(Nanos now, LedgerCell& cell) noexcept { (void)now, (void)cell; }
  // False: packets handed over now would reach nobody, since no consumer is there or its heartbeat
  // has stopped, or they would be lost, since it does not keep up. As of the last look. Engine's
  // thread, any time.
  virtual bool ready() const noexcept { return true; }
  // From now on what there is no room for waits in that pool (null: no longer, but what waits there
  // stays). Engine's thread, between breaths. Outputs that have no queue ignore it.
  virtual void spill_to(const std::shared_ptr<SpillPool>& pool) noexcept { (void)pool; }
  // The pipe behind this output; null when it is none.
  virtual const PipeOutput* pipe() const noexcept { return nullptr; }

  virtual std::string take_warning() { return {}; }
  virtual std::string describe() const = 0;
};

}  // namespace bricks
