// The session table of an engine: which flows are live, and what they are pinned to. One lookup is
// one cache line: an index of lines of four ways, digest and word; two lines are possible for a
// digest. The index grows line by line with what is in it (linear hashing), so it is as dense in
// the caches as it can be; all memory is reserved at the start and sparse.
//
// Bounded: when it is full, a session seen in one direction only gives way to a new one (GivesWay
// says in which order); one that was seen in both never does. Engine's thread, but where it says.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "sessions/session_index.hh"
#include "sessions/session_scope.hh"
#include "sessions/timer_wheel.hh"

namespace bricks {

class SessionTable : private SessionIndex {
 public:
  // invalid_argument: more than kSessionsMax, or none; failed: no memory.
  static Status create(const std::string& name, uint32_t capacity,
                       std::unique_ptr<SessionTable>* table);
  ~SessionTable();

  // Control thread. The scope of that owner and rule, kept while somebody holds it or sessions of
  // it live. limit_reached.
  Status open_scope(const std::string& owner, const FlowRule& rule,
                    std::shared_ptr<SessionScope>* scope);

  // Once a breath: the time goes on, and up to `most` sessions are looked at whose time has come;
  // the rest has its turn the next time. A clock that goes back stands still, unless it goes back
  // by more than any time-out: then it goes on from there.
  void tick(Nanos now, uint32_t most = kSessionsPerTick) noexcept {
    if (now >> kSessionTickShift != ticked_) advance(now >> kSessionTickShift, most);
  }
  bool is_behind(Nanos now) const noexcept { return now >> kSessionTickShift != ticked_; }

  // For each of `count` packets whose session is there and stays as it is: marks it as seen now and
  // gives its pin. The others' positions go to `rest`, in order: settle them by find, refresh and
  // begin. Returns how many.
  uint32_t touch(SessionBatch& batch, uint32_t count) noexcept;
  // The same without bits, in turns with what is done with the packets (session_words.hh): aim() at
  // all of them, then the words of parts, 0: it is not there. Each that is goes to found(word).
  void aim(SessionBatch& batch, uint32_t begin, uint32_t end) noexcept;
  template <typename Found>
  void look_for_words(SessionBatch& batch, uint32_t begin, uint32_t end, Found found) noexcept;

  // The word of a session, good until begin(); nullptr: there is none.
  uint64_t* find(uint64_t digest) noexcept { return find_word(digest); }
  // Adds what a packet shows. True: a closed connection has begun anew, its pin is for the caller
  // to choose.
  bool refresh(uint64_t* word, uint8_t bits) noexcept;
  // nullptr: there is no room. `digest` is not in the table.
  uint64_t* begin(SessionScope& scope, uint64_t digest, const FlowKey& key, uint8_t bits,
                  uint16_t pin) noexcept;
  void repin(uint64_t* word, uint16_t pin) noexcept;
  // From now on touch() leaves its packets to the slow path.
  void mark_read(uint64_t* word) noexcept { *word |= uint64_t{kSessionRead} << kSessionBitsShift; }

  // For scopes with an owner. Takes a session out without a word to the owner.
  void take_out(uint32_t entry) noexcept;
  // The owner is done with an entry that has ended or was taken out.
  void give_back(uint32_t entry) noexcept;
  // Its owner says something else of it than when this was asked last.
  void rearm(uint32_t entry) noexcept;
  const Session& record_at(uint32_t entry) const noexcept { return records_[entry]; }
  uint64_t* word_of(uint32_t entry) noexcept { return &word_at(records_[entry].way); }
  // Marks it as seen now.
  void mark_seen(uint64_t* word) const noexcept { *word = stamp(*word); }
  // Entries are less than this.
  uint32_t entries() const noexcept { return capacity_ + kSessionsKept + 1; }
  const Session& record(uint64_t word) const noexcept { return records_[word_entry(word)]; }
  // How long ago it began, and how long it has been silent.
  Nanos age(uint64_t word) const noexcept;
  Nanos silence(uint64_t word) const noexcept;
  const SessionCounts& counts() const noexcept { return counts_; }
  uint32_t capacity() const noexcept { return capacity_; }
  // Memory that sessions have touched: it stays for others.
  uint64_t bytes_used() const noexcept;

 private:
  SessionTable() = default;
  uint32_t take_record() noexcept;
  bool make_room() noexcept;
  uint32_t find_oldest(GivesWay rank, uint32_t* most) noexcept;
  GivesWay rank_of(uint32_t entry, uint64_t word) const noexcept;
  void remove(uint32_t entry, SessionEnd end) noexcept;
  SessionOwner* owner_of(uint32_t entry) const noexcept {
    return scope_of_[records_[entry].scope]->owner_of_sessions();
  }
  uint32_t idle_ticks(uint32_t entry, uint64_t word) const noexcept;
  void look_at(uint32_t entry, uint64_t tick) noexcept;
  void arm(uint32_t entry, uint64_t word, uint64_t tick) noexcept;
  void advance(uint64_t time, uint32_t most) noexcept;
  uint64_t stamp(uint64_t word) const noexcept {
    return (word & ~kSessionSeenMask) | (clock_ & 0xffff) << kSessionSeenShift;
  }
  template <typename Position>
  uint32_t look(SessionBatch& batch, uint32_t count, Position position) noexcept;
  void ask(SessionBatch& batch, uint32_t begin, uint32_t end) noexcept;

  uint32_t capacity_ = 0;
  uint64_t clock_ = 1;   // ticks, never goes back
  uint64_t offset_ = 0;  // from the time of the day to the clock
  uint64_t ticked_ = 0;  // the time that has been dealt with
  bool has_time_ = false;
  uint32_t free_ = 0;   // first of the free records
  uint32_t fresh_ = 1;  // the first record that was never used; 0 stands for none
  TimerWheel wheel_;
  SessionCounts counts_;
  void* memory_ = nullptr;
  uint64_t memory_bytes_ = 0;
  std::mutex scopes_mutex_;                            // control thread's
  std::vector<std::shared_ptr<SessionScope>> scopes_;  // by number
  std::unique_ptr<SessionScope*[]> scope_of_;          // the same, for the engine's thread
};

}  // namespace bricks
