// The rules of one Filter: kept, changed and listed by the control thread while an engine matches
// packets against them. A change holds from the engine's next batch on; nothing on the packet path
// waits for it. What is taken out is freed once no reader can be looking at it (epochs: Fraser
// 2004).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "filter/rule.hh"
#include "filter/rule_view.hh"
#include "mem/status.hh"

namespace bricks {

struct RuleInfo {
  Options fields;
  uint64_t packets, bytes, dropped;
  double seconds_left;  // < 0: no time-out
};

class RuleList : public std::enable_shared_from_this<RuleList> {
 public:
  class Reader;

  ~RuleList();

  // Control calls: thread-safe, all or nothing. Messages name rules by their id, or their place in
  // `rules` (1 for the first). invalid_argument, already_exists (id), limit_reached.
  Status add(const std::vector<Options>& rules, std::vector<uint32_t>* ids);
  Status remove(uint32_t id);                          // invalid_argument: no such rule
  Status change(uint32_t id, const Options& changes);  // keeps counts; a new timeout starts anew
  // All rules at once; those whose id stays keep their counts.
  Status replace(const std::vector<Options>& rules, std::vector<uint32_t>* ids);
  std::vector<RuleInfo> list();  // first to match first; without those whose time is over
  uint32_t size();

  // Makes the list known to a Filter with these outputs. invalid_graph: a rule copies to another.
  Status attach(const std::vector<std::string>& outlets, std::unique_ptr<Reader>* reader);

 private:
  struct Record;
  struct Tables;
  Status check_names(const Rule& rule, const std::string& where) const;
  Status check_copies(const Reader& reader) const;
  Status make_records(const std::vector<Options>& rules, bool keep_old,
                      std::vector<std::unique_ptr<Record>>* made);
  Status insert(Record& record);
  void erase(Record& record);
  void forget(std::unique_ptr<Record> record);
  void publish();
  void purge();
  void retire(std::shared_ptr<void> object);
  void collect();

  std::mutex mutex_;
  std::map<uint32_t, std::unique_ptr<Record>> records_;
  std::multimap<MonotonicNanos, uint32_t> deadlines_;
  std::unique_ptr<Tables> tables_;
  std::unique_ptr<RuleView> published_;
  std::vector<std::string> names_;  // outputs that rules copied to so far, by number
  std::vector<Reader*> readers_;
  std::vector<std::pair<uint64_t, std::shared_ptr<void>>> retired_;
  uint32_t last_id_ = 0;
  bool stale_ = false;  // tables_ are not what is published

  friend class Reader;
  std::atomic<const RuleView*> view_{nullptr};  // null: no rules
  std::atomic<uint64_t> epoch_{1};

 public:
  RuleList();
};

// A Filter's side. enter and leave belong to the engine's thread, the rest to the control thread.
class RuleList::Reader {
 public:
  ~Reader();

  // The rules as they are now, or null where there are none; valid until leave().
  const RuleView* enter() noexcept {
    if (!list_->view_.load(std::memory_order_relaxed)) return nullptr;
    seen_.exchange(list_->epoch_.load(std::memory_order_acquire), std::memory_order_acq_rel);
    return list_->view_.load(std::memory_order_acquire);
  }
  void leave() noexcept { seen_.store(kIdle, std::memory_order_release); }

  // The outlet of a name's number; kOutletsMax: this Filter has no such output.
  uint32_t outlet(uint32_t name) const noexcept { return outlets_[name]; }

 private:
  friend class RuleList;
  static constexpr uint64_t kIdle = UINT64_MAX;
  Reader() = default;
  void learn_name(uint32_t number, const std::string& name) noexcept;

  std::shared_ptr<RuleList> list_;
  std::vector<std::string> names_;       // of the Filter's outlets
  std::unique_ptr<uint16_t[]> outlets_;  // per number of a name; kOutletsMax of them
  std::atomic<uint64_t> seen_{kIdle};
};

// Lists by number, for those who cannot hold a pointer: an option of a brick, a script.
Status open_rule_list(uint64_t* number);  // limit_reached
// Null where there is none of that number. Lives on while a Filter reads it.
std::shared_ptr<RuleList> find_rule_list(uint64_t number);
void close_rule_list(uint64_t number);

}  // namespace bricks
