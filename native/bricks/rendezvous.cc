#include "bricks/rendezvous.hh"

#include <algorithm>
#include <cmath>

namespace bricks {

namespace {

uint64_t mix(uint64_t x) noexcept {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdull;  // MurmurHash3's finaliser (Appleby)
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53ull;
  return x ^ (x >> 33);
}

uint64_t hash_name(const std::string& name) noexcept {
  uint64_t hash = 0xcbf29ce484222325ull;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return hash;
}

}  // namespace

Rendezvous::Rendezvous(const std::vector<std::string>& names, const std::vector<double>& weights,
                       uint32_t level)
    : weights_(weights),
      open_(names.size(), true),
      table_(kBuckets),
      salt_(static_cast<uint32_t>(mix(level)) | 1),
      even_(std::all_of(weights.begin(), weights.end(),
                        [&weights](double weight) { return weight == weights[0]; })) {
  for (const std::string& name : names) names_.push_back(hash_name(name));
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) table_[bucket] = best(bucket);
}

double Rendezvous::score(uint32_t bucket, uint32_t outlet) const noexcept {
  const uint64_t hash = mix(names_[outlet] + bucket * 0x9e3779b97f4a7c15ull);
  const double unit = (static_cast<double>(hash >> 11) + 0.5) / 9007199254740992.0;
  if (even_) return unit;
  return weights_[outlet] > 0 ? weights_[outlet] / -std::log(unit) : -1;
}

uint16_t Rendezvous::best(uint32_t bucket) const noexcept {
  double most = -2;
  uint32_t found = table_[bucket];
  for (uint32_t i = 0; i < names_.size(); ++i) {
    if (!open_[i]) continue;
    const double here = score(bucket, i);
    if (here > most) {
      most = here;
      found = i;
    }
  }
  return static_cast<uint16_t>(found);
}

void Rendezvous::set_open(uint32_t outlet, bool open) noexcept {
  if (open_[outlet] == open) return;
  open_[outlet] = open;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    const uint32_t now = table_[bucket];
    if (!open) {
      if (now == outlet) table_[bucket] = best(bucket);
    } else if (!open_[now] || score(bucket, outlet) > score(bucket, now)) {
      table_[bucket] = static_cast<uint16_t>(outlet);
    }
  }
}

}  // namespace bricks
