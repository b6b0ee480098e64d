// The egress scheduler of one brick: its packets go through queue groups, pass, wait or are
// dropped. One for each Session or Queue brick; engine's thread, but where it says.
//
// Packets of a session leave in the order they came, whatever its groups were meanwhile. A packet
// of several groups goes when all of them let it, and takes tokens of all of them or of none.
#pragma once

#include <memory>
#include <span>

#include "queues/egress_options.hh"
#include "queues/queue_groups.hh"
#include "wire/held_packets.hh"

namespace bricks {

struct QueueWorker;  // queues/queue_worker.hh

enum class Enqueued : uint8_t { pass, stolen, dropped };

class EgressQueues {
 public:
  // `groups` and `sessions` (may be null) outlive it. out_of_memory as `failed`.
  static Status create(const std::string& what, const EgressOptions& options, QueueGroups& groups,
                       QueuedSessions* sessions, std::unique_ptr<EgressQueues>* queues);
  ~EgressQueues();  // control thread; what is still held is dropped and counted as queue_gone

  // A packet of that session (kNoSession: none) and of those groups, four at most; numbers that
  // nobody has created are skipped and counted. pass: it goes on with its batch; stolen: a copy
  // waits here, the caller forgets it (cell.held); dropped: with its reason in `cell`. `note` comes
  // back with it; `cut` as in HeldPackets::take. Bytes that the caller may not write stay as they
  // are: a packet that is marked is always stolen.
  Enqueued enqueue(const Batch& batch, Index packet, std::span<const uint32_t> groups,
                   uint32_t session, Nanos now, LedgerCell& cell, uint32_t note = 0,
                   uint32_t cut = UINT32_MAX) noexcept;
  // Packets of the session wait here, or are about to leave: its others go through enqueue(), too,
  // with no group where they have none. With virtual time that is so of all packets while held().
  bool has_packets(uint32_t session) const noexcept;

  // In the manner of Brick; `now` is of the same clock as enqueue()'s. With virtual time only what
  // was due before the last enqueue() is due, until `all`.
  bool due(Nanos now, bool all) const noexcept;
  Nanos due_at() const noexcept;  // 0: nothing is held, or virtual time
  // Fills `batch`; packets dropped on the way and all that leave are counted out of cell.held.
  // Their note and cut: leaving(). all: the end of input, or of the brick. May give none.
  void release(Batch& batch, Nanos now, bool all, LedgerCell& cell) noexcept;
  struct Leaving {
    uint32_t note, cut, session;
  };
  const Leaving& leaving(Index packet) const noexcept;
  void recycle() noexcept;

  // For groups of kind aqm: how many packets what is behind can take; asked anew for each
  // enqueue() and release(). Not told: any number.
  void set_room(uint32_t packets) noexcept;
  // The same for bricks, by the clock of enqueue(): asked for from the first packet of such a group
  // on; where there is none, other groups' packets leave as if nobody had told.
  bool asks_room() const noexcept;
  void follow_room(uint32_t packets, Nanos now) noexcept;
  // Packets' time from now on, or the clock's: where an engine's inputs have changed.
  void set_virtual_time(bool on) noexcept;

  uint32_t held() const noexcept;
  uint64_t clock_back() const noexcept;     // how often time went back
  uint64_t unknown_group() const noexcept;  // packets' groups that nobody has created

 private:
  explicit EgressQueues(std::unique_ptr<QueueWorker> worker);
  std::unique_ptr<QueueWorker> worker_;
};

}  // namespace bricks
