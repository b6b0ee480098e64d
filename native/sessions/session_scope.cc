#include "sessions/session_scope.hh"

#include <cstdlib>
#include <new>
#include <unordered_map>

#include "mem/limits.hh"

namespace bricks {

namespace {

// The first scope looks for digests as they are; each other one for its own.
uint64_t scope_salt(uint16_t number) noexcept {
  uint64_t x = number * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;  // MurmurHash3's finaliser (Appleby)
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return x ^ (x >> 33);
}

}  // namespace

void SessionScope::Free::operator()(Count* counts) const noexcept { std::free(counts); }

SessionScope::SessionScope(uint16_t number, std::string owner, const FlowRule& rule)
    : salt_(scope_salt(number)), number_(number), owner_(std::move(owner)), rule_(rule) {
  // calloc: pages that no pin has touched are not there.
  void* counts = std::calloc(kSessionPinsMax + 1, sizeof(Count));
  if (!counts) throw std::bad_alloc();
  live_.reset(static_cast<Count*>(counts));
  names_.emplace_back();  // kNoPin
}

Status SessionScope::name_pins(const std::vector<std::string>& names,
                               const std::vector<uint16_t>& in_use, std::vector<uint16_t>* pins) {
  std::vector<uint16_t> made;
  std::vector<bool> taken(kSessionPinsMax + 1, false);
  taken[kNoPin] = true;
  for (const uint16_t pin : in_use) taken[pin] = true;
  std::unordered_map<std::string, uint16_t> by_name;
  for (size_t i = 1; i < names_.size(); ++i) by_name[names_[i]] = static_cast<uint16_t>(i);
  for (const std::string& name : names) {
    const auto known = by_name.find(name);
    const uint16_t pin = known == by_name.end() ? kNoPin : known->second;
    made.push_back(pin);
    taken[pin] = true;
  }
  std::vector<std::string> after = names_;
  uint32_t next = 1;
  for (size_t i = 0; i < names.size(); ++i) {
    if (made[i] != kNoPin) continue;
    while (next <= kSessionPinsMax && next < after.size() && (taken[next] || live_[next])) ++next;
    if (next > kSessionPinsMax) {
      return {Code::limit_reached,
              owner_ + ": " + std::to_string(kSessionPinsMax) +
                  " outputs, most of them gone, have live sessions; wait for those to end"};
    }
    if (next == after.size()) after.emplace_back();
    after[next] = names[i];
    made[i] = static_cast<uint16_t>(next++);
  }
  names_ = std::move(after);
  *pins = std::move(made);
  return {};
}

}  // namespace bricks
