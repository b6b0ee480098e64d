// gen: packets made here once and handed out in a cycle, as fast as they are taken.
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "mem/region.hh"
#include "ports/packet_builder.hh"
#include "ports/port_schemes.hh"

namespace bricks {
namespace {

constexpr uint32_t kBuffersMin = 4096;
constexpr uint32_t kBuffersChosenMax = kSharedRegionBuffers / 2;  // unless told otherwise
constexpr uint32_t kBuffersMax = 1u << 20;
constexpr uint32_t kPacketsPerFlow = 5;

struct GenPlan {
  TrafficPlan traffic;
  uint32_t buffers = 0;
  uint64_t count = 0;  // 0: no end
  bool shuffle = false, lossless = false;
};

class GenInput final : public Input {
 public:
  static Status open(const GenPlan& plan, std::shared_ptr<Region> region,
                     std::unique_ptr<Input>* input);
  ~GenInput() override;

  uint32_t receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept override;
  void release(Batch& batch) noexcept override;
  bool finished() const noexcept override { return plan_.count != 0 && given_ == plan_.count; }
  bool lossless() const noexcept override { return plan_.lossless; }
  std::string describe() const override;

 private:
  explicit GenInput(const GenPlan& plan) : plan_(plan) {}
  struct Turn {
    uint32_t buffer;  // with kForeignBuffer: something else is in it, it gets a packet first
    uint32_t length;  // of the packet in it
  };
  Status take_memory(std::shared_ptr<Region> region);
  void make_packets();
  uint8_t* at(uint32_t buffer) const noexcept { return base_ + uint64_t{buffer} * stride_; }
  void make_packet(Turn& turn) noexcept;

  const GenPlan plan_;
  std::shared_ptr<Region> region_;  // null: memory of its own
  uint8_t* base_ = nullptr;         // of buffer 0
  uint64_t stride_ = kBufferStride, own_bytes_ = 0;
  std::vector<Turn> circle_;  // the buffers at hand, in the order they are given out
  bool plain_ = false;
  uint64_t made_ = 0, given_ = 0;
  uint32_t next_ = 0, lent_ = 0;  // positions in circle_
};

Status GenInput::open(const GenPlan& plan, std::shared_ptr<Region> region,
                      std::unique_ptr<Input>* input) {
  std::unique_ptr<GenInput> made(new GenInput(plan));
  // A packet that needs more than one buffer cannot be exchanged: such ones are copied.
  if (traffic_length_max(plan.traffic) > kBufferPayload) region = nullptr;
  Status status = made->take_memory(std::move(region));
  if (!status.ok()) return status;
  made->plain_ = traffic_length_max(plan.traffic) <= kBufferPayload;
  made->make_packets();
  *input = std::move(made);
  return {};
}

Status GenInput::take_memory(std::shared_ptr<Region> region) {
  if (region) {
    std::vector<uint32_t> buffers;
    Status status = region->allocate_buffers(plan_.buffers, &buffers);
    if (!status.ok()) return status;
    for (const uint32_t buffer : buffers) circle_.push_back({buffer, 0});
    region_ = std::move(region);
    base_ = region_->buffer(0);
    return {};
  }
  const uint64_t lines = (traffic_length_max(plan_.traffic) + 127) / 64;
  stride_ = std::max<uint64_t>(kBufferStride, (lines | 1) * 64);  // odd: mem/limits.hh says why
  own_bytes_ = stride_ * plan_.buffers;
  void* memory =
      mmap(nullptr, own_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    const int error = errno;
    own_bytes_ = 0;
    return system_error("gen: cannot have " + std::to_string(stride_ * plan_.buffers >> 20) +
                            " MiB for " + std::to_string(plan_.buffers) +
                            " packets; ask for fewer with ?buffers=",
                        error);
  }
  madvise(memory, own_bytes_, MADV_HUGEPAGE);
  base_ = static_cast<uint8_t*>(memory);
  for (uint32_t buffer = 0; buffer < plan_.buffers; ++buffer) circle_.push_back({buffer, 0});
  return {};
}

GenInput::~GenInput() {
  if (region_) {
    std::vector<uint32_t> buffers;
    for (const Turn& turn : circle_) buffers.push_back(turn.buffer & ~kForeignBuffer);
    region_->release_buffers(buffers);
  }
  if (own_bytes_) munmap(base_, own_bytes_);
}

void GenInput::make_packets() {
  for (Turn& turn : circle_) make_packet(turn);
  if (!plan_.shuffle) return;
  std::mt19937_64 random(plan_.traffic.seed);
  for (size_t i = circle_.size(); i > 1; --i) std::swap(circle_[i - 1], circle_[random() % i]);
}

void GenInput::make_packet(Turn& turn) noexcept {
  turn.buffer &= ~kForeignBuffer;
  turn.length = build_packet(plan_.traffic, made_++, at(turn.buffer));
}

uint32_t GenInput::receive(Batch& batch, uint32_t max, Nanos now, LedgerCell& cell) noexcept {
  const auto size = static_cast<uint32_t>(circle_.size());
  uint32_t count = std::min(max, size - next_);
  if (plan_.count != 0)
    count = static_cast<uint32_t>(std::min<uint64_t>(count, plan_.count - given_));
  batch.count = count;
  batch.link = LinkType::ethernet;
  batch.padded = true;
  batch.plain = plain_;
  batch.region = region_.get();
  Turn* const circle = circle_.data() + next_;
  const uint32_t with_buffer = region_ ? ~0u : 0;
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < count; ++i) {
    if (circle[i].buffer & kForeignBuffer) [[unlikely]]
      make_packet(circle[i]);
    const Turn turn = circle[i];
    // Eight bytes at a time: a field each would be twice as many stores.
    Packet& packet = batch.packets[i];
    const uint64_t length = turn.length, buffer = turn.buffer & with_buffer;
    packet.data = at(turn.buffer);
    std::memcpy(&packet.length, &length, sizeof length);  // hash: 0
    packet.timestamp = now;
    std::memcpy(&packet.buffer, &buffer, sizeof buffer);  // network, ip_version, flags: 0
    bytes += turn.length;
  }
  static_assert(kNoBuffer == 0 && std::endian::native == std::endian::little);
  static_assert(offsetof(Packet, hash) == offsetof(Packet, length) + 4);
  static_assert(offsetof(Packet, network) == offsetof(Packet, buffer) + 4);
  lent_ = next_;
  next_ += count;
  if (next_ == size) next_ = 0;
  given_ += count;
  cell.packets += count;
  cell.bytes += bytes;
  return count;
}

void GenInput::release(Batch& batch) noexcept {
  if (!region_) return;
  Turn* const circle = circle_.data() + lent_;
  for (uint32_t i = 0; i < batch.count; ++i) {
    circle[i] = {batch.packets[i].buffer, batch.packets[i].length};
  }
}

std::string GenInput::describe() const {
  char text[200];
  const std::string length = plan_.traffic.length ? std::to_string(plan_.traffic.length) : "IMIX";
  std::snprintf(text, sizeof text, "%s bytes, %u flows, seed %llu, %zu buffers%s%s%s",
                length.c_str(), plan_.traffic.flows,
                static_cast<unsigned long long>(plan_.traffic.seed), circle_.size(),
                plan_.shuffle ? ", shuffled" : "", plan_.traffic.mix ? ", mixed" : "",
                region_ ? ", shared region" : "");
  return text;
}

constexpr OptionDescriptor kOptions[] = {
    {"flows", OptionType::integer, "1000", 1, kTrafficFlowsMax, nullptr, "flows"},
    {"seed", OptionType::integer, "1", 0, 9007199254740992.0, nullptr,
     "the same seed makes the same packets"},
    {"count", OptionType::integer, "0", 0, 1e15, nullptr, "packets until the end; 0: no end"},
    {"buffers", OptionType::integer, "0", 0, kBuffersMax, nullptr,
     "packets made and handed out in turn; 0: five a flow, between 4096 and 131072"},
    {"shuffle", OptionType::boolean, "0", 0, 0, nullptr, "buffers in random order"},
    {"mix", OptionType::boolean, "0", 0, 0, nullptr, "IPv6 and VLAN tags for half of the flows"},
    {"lossless", OptionType::text, "auto", 0, 0, "auto|0|1|true|false",
     "wait for outputs that are full; auto: when there is a count"},
};

uint32_t choose_buffers(const TrafficPlan& traffic) {
  const uint64_t flows = traffic.flows;
  const uint64_t wanted = std::max<uint64_t>(flows * kPacketsPerFlow, kBuffersMin);
  // Whole rounds: each flow is as frequent as the others.
  const uint64_t rounded = (wanted + flows - 1) / flows * flows;
  return static_cast<uint32_t>(std::min<uint64_t>(rounded, kBuffersChosenMax));
}

Status open(const PortName& name, const Options& options, const PortContext& context,
            std::unique_ptr<Input>* input) {
  GenPlan plan;
  uint32_t length = 0;
  for (char c : name.target)
    length = c >= '0' && c <= '9' && length < 100'000 ? length * 10 + (c - '0') : 1'000'000;
  if (name.target == "imix")
    length = 0;
  else if (length < kTrafficLengthMin || length > kTrafficLengthMax) {
    return {Code::invalid_port_name, "\"" + name.text + "\": after gen: comes a frame's length, " +
                                         std::to_string(kTrafficLengthMin) + " to " +
                                         std::to_string(kTrafficLengthMax) +
                                         " bytes, or imix; as in gen:60?flows=1000"};
  }
  plan.traffic = {.length = length,
                  .flows = static_cast<uint32_t>(option_integer(options, "flows")),
                  .seed = static_cast<uint64_t>(option_integer(options, "seed")),
                  .mix = option_flag(options, "mix")};
  plan.count = static_cast<uint64_t>(option_integer(options, "count"));
  plan.buffers = static_cast<uint32_t>(option_integer(options, "buffers"));
  if (plan.buffers == 0) plan.buffers = choose_buffers(plan.traffic);
  // A packet never handed out need not be made.
  if (plan.count != 0 && plan.count < plan.buffers)
    plan.buffers = static_cast<uint32_t>(plan.count);
  plan.shuffle = option_flag(options, "shuffle");
  const std::string& lossless = option_text(options, "lossless");
  plan.lossless = lossless == "auto" ? plan.count != 0 : lossless == "1" || lossless == "true";
  return GenInput::open(plan, context.shared_region, input);
}

}  // namespace

const PortScheme kGenScheme = {
    .scheme = "gen",
    .example = "gen:60?flows=1000",
    .as_input = "packets made here, as fast as they are taken: gen:LENGTH or gen:imix",
    .as_output = nullptr,
    .options = kOptions,
    .open_input = open,
    .open_output = nullptr,
};

}  // namespace bricks
