// LoadBalancer: the line that picks the output is in push().
#include <algorithm>
#include <array>
#include <cmath>

#include "bricks/brick.hh"
#include "wire/decode.hh"

namespace bricks {

namespace {

constexpr OptionDescriptor kOptions[] = {
    {"tuple", OptionType::integer, "4", 2, 4, nullptr,
     "what makes a flow: 4 = addresses, ports and protocol; 2 = addresses only"},
    {"weights", OptionType::number_list, "", 0, 1e6, nullptr,
     "share of each output, in their order; all alike where none are given"},
};

// Flows hash to a bucket, buckets belong to outputs. 16,384 of them keep every share within 2 % of
// its weight, and the table of up to 256 outputs within half of a first-level cache.
constexpr uint32_t kBucketBits = 14;
constexpr uint32_t kBuckets = 1u << kBucketBits;

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

// Weighted rendezvous hashing (Thaler, Ravishankar 1998; Schindelhauer, Schomaker 2005): a bucket
// goes to the output with the highest score; so an output that leaves takes only its own along.
std::vector<uint16_t> assign_buckets(const std::vector<std::string>& names,
                                     const std::vector<double>& weights) {
  std::vector<uint16_t> table(kBuckets);
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    double best = -1;
    for (size_t i = 0; i < names.size(); ++i) {
      const uint64_t hash = mix(hash_name(names[i]) + bucket * 0x9e3779b97f4a7c15ull);
      const double unit = (static_cast<double>(hash >> 11) + 0.5) / 9007199254740992.0;
      const double weight = weights.empty() ? 1 : weights[i];
      const double score = weight > 0 ? weight / -std::log(unit) : 0;
      if (score > best) {
        best = score;
        table[bucket] = static_cast<uint16_t>(i);
      }
    }
  }
  return table;
}

template <typename Entry, bool kAddressesOnly>
class LoadBalancer final : public Brick {
 public:
  LoadBalancer(const std::vector<uint16_t>& table, uint32_t level)
      : salt_(static_cast<uint32_t>(mix(level)) | 1), seed_(process_hash_seed()) {
    for (uint32_t i = 0; i < kBuckets; ++i) table_[i] = static_cast<Entry>(table[i]);
  }

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    Outlets::List* lists = out.lists();
    const uint32_t salt = salt_;
    for (const Index i : in) {
      const Packet& packet = batch.packets[i];
      const uint32_t hash = kAddressesOnly ? hash_addresses(packet, seed_) : packet.hash;
      // Each level multiplies by another odd number: a balancer behind a balancer decides anew.
      *lists[table_[(hash * salt) >> (32 - kBucketBits)]].end++ = i;
    }
  }

  Decision explain(const Batch& batch, Index i, uint32_t) const override {
    const Packet& packet = batch.packets[i];
    const uint32_t hash = kAddressesOnly ? hash_addresses(packet, seed_) : packet.hash;
    const uint32_t bucket = (hash * salt_) >> (32 - kBucketBits);
    return {{table_[bucket]},
            "by the hash of its flow, bucket " + std::to_string(bucket) + " of " +
                std::to_string(kBuckets)};
  }

 private:
  alignas(64) std::array<Entry, kBuckets> table_;
  uint32_t salt_;
  const HashSeed& seed_;
};

template <typename Entry>
std::unique_ptr<Brick> make_with(const std::vector<uint16_t>& table, int64_t tuple,
                                 uint32_t level) {
  if (tuple == 2) return std::make_unique<LoadBalancer<Entry, true>>(table, level);
  return std::make_unique<LoadBalancer<Entry, false>>(table, level);
}

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  const int64_t tuple = option_integer(options, "tuple");
  if (tuple == 3) {
    return {Code::invalid_argument,
            "LoadBalancer: tuple is 3; 2 is addresses only, 4 is "
            "addresses, ports and protocol"};
  }
  std::vector<double> weights;
  if (const auto found = options.find("weights"); found != options.end()) {
    if (const auto* given = std::get_if<std::vector<double>>(&found->second)) weights = *given;
  }
  if (!weights.empty() && weights.size() != place.outlets) {
    return {Code::invalid_argument, "LoadBalancer: " + std::to_string(weights.size()) +
                                        " weights for " + std::to_string(place.outlets) +
                                        " outputs; give one for each"};
  }
  if (!weights.empty() &&
      std::none_of(weights.begin(), weights.end(), [](double weight) { return weight > 0; })) {
    return {Code::invalid_argument, "LoadBalancer: all weights are 0; one must be above"};
  }
  const std::vector<uint16_t> table = assign_buckets(place.outlet_names, weights);
  *brick = place.outlets <= 256 ? make_with<uint8_t>(table, tuple, place.level)
                                : make_with<uint16_t>(table, tuple, place.level);
  return {};
}

}  // namespace

extern const BrickType kLoadBalancer = {
    .name = "LoadBalancer",
    .summary = "gives each flow to one of its outputs, both directions to the same",
    .details =
        "A flow is the outermost IP conversation: addresses, ports and protocol, or the "
        "addresses alone. Fragments go by addresses and protocol; what is not IP goes by its "
        "pair of MAC addresses. Shares are even, or as `weights` say; when outputs come or "
        "go, flows of the others stay where they are.",
    .inputs = {1, kInletsMax},
    .outputs = {1, kOutletsMax},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .options = kOptions,
    .make = make,
};

}  // namespace bricks
