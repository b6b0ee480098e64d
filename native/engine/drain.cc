#include "engine/drain.hh"

#include <algorithm>
#include <ctime>
#include <utility>

namespace bricks {

void DrainList::update(const Plan& plan) {
  std::vector<Where> where;
  std::vector<DrainRow> rows;
  for (const auto& brick : plan.bricks) {
    const auto option = brick->options.find("drain");
    if (option == brick->options.end()) continue;
    const auto* names = std::get_if<std::vector<std::string>>(&option->second);
    if (!names) continue;
    const std::vector<std::string>& outlets = brick->place.outlet_names;
    for (const std::string& name : *names) {
      const auto found = std::find(outlets.begin(), outlets.end(), name);
      if (found == outlets.end()) continue;
      const auto before = std::find_if(rows_.begin(), rows_.end(), [&](const DrainRow& row) {
        return row.brick == brick->id && row.outlet == name;
      });
      rows.push_back({brick->id, name, before == rows_.end() ? time(nullptr) : before->since, -1});
      where.push_back({brick, static_cast<uint32_t>(found - outlets.begin())});
    }
  }
  where_ = std::move(where);
  rows_ = std::move(rows);
}

void DrainList::count() noexcept {
  for (size_t i = 0; i < rows_.size(); ++i) {
    rows_[i].sessions = where_[i].brick->brick->outlet_sessions(where_[i].outlet);
  }
}

}  // namespace bricks
