// A list's readers, and lists by number.
#include <algorithm>
#include <map>

#include "filter/rule_list.hh"
#include "mem/limits.hh"

namespace bricks {

namespace {

struct Numbered {
  std::mutex mutex;
  std::map<uint64_t, std::shared_ptr<RuleList>> lists;
  uint64_t last = 0;
};

Numbered& numbered() {
  static Numbered* const all = new Numbered;  // Filters may outlive static destruction at exit()
  return *all;
}

}  // namespace

Status RuleList::attach(const std::vector<std::string>& outlets, std::unique_ptr<Reader>* reader) {
  std::unique_ptr<Reader> made(new Reader);
  made->names_ = outlets;
  made->outlets_ = std::make_unique<uint16_t[]>(kOutletsMax);
  made->list_ = shared_from_this();
  std::lock_guard lock(mutex_);
  purge();
  readers_.push_back(made.get());
  for (uint32_t i = 0; i < names_.size(); ++i) made->learn_name(i, names_[i]);
  if (Status status = check_copies(*made); !status.ok()) {
    std::erase(readers_, made.get());
    return status;
  }
  *reader = std::move(made);
  return {};
}

uint32_t RuleList::size() {
  std::lock_guard lock(mutex_);
  purge();
  return static_cast<uint32_t>(records_.size());
}

void RuleList::Reader::learn_name(uint32_t number, const std::string& name) noexcept {
  const auto found = std::find(names_.begin(), names_.end(), name);
  outlets_[number] =
      static_cast<uint16_t>(found == names_.end() ? kOutletsMax : found - names_.begin());
}

RuleList::Reader::~Reader() {
  if (!list_) return;
  std::lock_guard lock(list_->mutex_);
  std::erase(list_->readers_, this);
  list_->collect();
}

Status open_rule_list(uint64_t* number) {
  Numbered& all = numbered();
  std::lock_guard lock(all.mutex);
  if (all.lists.size() >= kRuleListsMax) {
    return {Code::limit_reached, "there are " + std::to_string(kRuleListsMax) +
                                     " lists of rules, which is the most (kRuleListsMax)"};
  }
  all.lists.emplace(++all.last, std::make_shared<RuleList>());
  *number = all.last;
  return {};
}

std::shared_ptr<RuleList> find_rule_list(uint64_t number) {
  Numbered& all = numbered();
  std::lock_guard lock(all.mutex);
  const auto found = all.lists.find(number);
  return found == all.lists.end() ? nullptr : found->second;
}

void close_rule_list(uint64_t number) {
  std::shared_ptr<RuleList> last;  // freed outside the lock
  Numbered& all = numbered();
  std::lock_guard lock(all.mutex);
  const auto found = all.lists.find(number);
  if (found == all.lists.end()) return;
  last = std::move(found->second);
  all.lists.erase(found);
}

}  // namespace bricks
