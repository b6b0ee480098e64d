#include "bricks/rendezvous.hh"

#include <algorithm>
#include <cmath>
#include <new>

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
      open_count_(static_cast<uint32_t>(names.size())),
      salt_(static_cast<uint32_t>(mix(level)) | 1),
      even_(std::all_of(weights.begin(), weights.end(),
                        [&weights](double weight) { return weight == weights[0]; })) {
  for (const std::string& name : names) {
    const uint64_t hash = hash_name(name);
    const auto key = [hash](uint32_t round) { return static_cast<uint32_t>(mix(hash + round)); };
    names_.push_back({hash, {key(0), key(1), key(2)}});
  }
  table_.reset(std::calloc(kBuckets, narrow() ? sizeof(uint8_t) : sizeof(uint16_t)));
  if (!table_) throw std::bad_alloc();
}

// An output's scores over all buckets are a permutation of them, by its name: each is there once,
// which takes a third of the chance out of its share. Where two outputs have the same, it is the
// lower bits that differ.
double Rendezvous::score(uint32_t bucket, uint32_t outlet) const noexcept {
  const Name& name = names_[outlet];
  uint32_t at = bucket;
  for (const uint32_t key : name.key) {
    at = ((at ^ (key >> 8)) * (key | 1)) & (kBuckets - 1);
    at ^= at >> (kBucketBits / 2);
  }
  const uint64_t low = (name.hash ^ bucket * 0x9e3779b97f4a7c15ull) * 0xff51afd7ed558ccdull >> 32;
  constexpr double kAll = uint64_t{kBuckets} << 32;
  const double unit = (static_cast<double>(uint64_t{at} << 32 | low) + 0.5) / kAll;
  if (even_) return unit;
  return weights_[outlet] > 0 ? weights_[outlet] / -std::log(unit) : -1;
}

uint32_t Rendezvous::settle(uint32_t bucket) const noexcept {
  double most = -2;
  uint32_t found = 0;
  for (uint32_t i = 0; i < names_.size(); ++i) {
    if (!open_[i] && open_count_) continue;
    const double here = score(bucket, i);
    if (here > most) {
      most = here;
      found = i;
    }
  }
  if (narrow()) {
    static_cast<uint8_t*>(table_.get())[bucket] = static_cast<uint8_t>(found + 1);
  } else {
    static_cast<uint16_t*>(table_.get())[bucket] = static_cast<uint16_t>(found + 1);
  }
  return found;
}

void Rendezvous::set_open(uint32_t outlet, bool open) noexcept {
  if (open_[outlet] == open) return;
  open_[outlet] = open;
  open ? ++open_count_ : --open_count_;
  if (open_count_ == 0) return;
  all_stale_ = open || stale_;
  stale_ = true;
  closed_ = outlet;
}

// With many outlets a bucket is dear to settle: one that leaves costs only its own.
void Rendezvous::clear_stale() const noexcept {
  const auto clear = [this]<typename Entry>(Entry* cells) {
    if (all_stale_) {
      std::fill_n(cells, kBuckets, Entry{0});
      return;
    }
    const auto gone = static_cast<Entry>(closed_ + 1);
    for (uint32_t i = 0; i < kBuckets; ++i) cells[i] = cells[i] == gone ? Entry{0} : cells[i];
  };
  if (narrow()) {
    clear(static_cast<uint8_t*>(table_.get()));
  } else {
    clear(static_cast<uint16_t*>(table_.get()));
  }
  stale_ = all_stale_ = false;
}

}  // namespace bricks
