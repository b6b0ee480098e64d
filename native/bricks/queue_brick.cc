// Queue: all packets go through queue groups, for graphs without plugins.
#include <cmath>

#include "bricks/brick.hh"
#include "queues/egress_queues.hh"

namespace bricks {

namespace {

constexpr uint32_t kOneSession = 1;  // of several groups: packets keep their order

class Queue final : public Brick {
 public:
  explicit Queue(std::vector<uint32_t> groups)
      : groups_(std::move(groups)), session_(groups_.size() > 1 ? kOneSession : kNoSession) {}
  Status open(const std::string& id, uint32_t packets) {
    EgressOptions options;
    options.packets = packets;
    options.sessions = kOneSession + 1;
    return EgressQueues::create(id, options, process_queue_groups(), nullptr, &queues_);
  }

  void push(Batch& batch, Picks in, Outlets& out) noexcept override {
    started_ = true;
    queues_->set_virtual_time(batch.packet_time);
    for (const Index pick : in) {
      const Nanos now = batch.packet_time ? batch.packets[pick].timestamp : batch.now;
      const Enqueued done = queues_->enqueue(batch, pick, groups_, session_, now, out.cell(), 0,
                                             out.cut_before(pick));
      if (done == Enqueued::pass) out.put(0, pick);
    }
  }

  bool due(Nanos now, bool all) const noexcept override { return queues_->due(now, all); }
  Nanos due_at() const noexcept override { return queues_->due_at(); }
  void release(Batch& batch, Nanos now, bool all, Outlets& out) noexcept override {
    queues_->release(batch, now, all, out.cell());
    for (uint32_t i = 0; i < batch.count; ++i) {
      const auto index = static_cast<Index>(i);
      if (const uint32_t cut = queues_->leaving(index).cut; cut != UINT32_MAX) out.cut(index, cut);
      out.put(0, index);
    }
  }
  void recycle(Batch&) noexcept override { queues_->recycle(); }
  // Before its first packet its queues do not know whether one of them goes by it.
  bool asks_room() const noexcept override { return !started_ || queues_->asks_room(); }
  void room(uint32_t packets, Nanos now) noexcept override {
    started_ ? queues_->follow_room(packets, now) : queues_->set_room(packets);
  }

  uint32_t figures(Figure* to) const noexcept override {
    to[0] = {"waiting", queues_->held()};
    to[1] = {"unknown_group", queues_->unknown_group()};
    to[2] = {"clock_back", queues_->clock_back()};
    return 3;
  }
  Decision explain(const Batch&, Index, uint32_t) const override {
    Decision decision{{0}, "through queue group"};
    for (const uint32_t group : groups_) {
      decision.why += " " + std::to_string(group);
      if (!process_queue_groups().has(group)) decision.why += " (which is not there)";
    }
    decision.why += ": it passes, waits or is dropped there";
    return decision;
  }

 private:
  const std::vector<uint32_t> groups_;
  const uint32_t session_;
  std::unique_ptr<EgressQueues> queues_;
  bool started_ = false;
};

constexpr OptionDescriptor kOptions[] = {
    {"groups", OptionType::number_list, "", 0, 4294967295.0, nullptr,
     "numbers of queue groups, four at most: BRICKS.queue_group makes them"},
    {"packets", OptionType::integer, "65536", 64, kQueuePacketsMax, nullptr,
     "how many may wait in this brick, whatever its groups say"},
};

constexpr FigureDescriptor kFigures[] = {
    {"waiting", FigureKind::gauge, "packets that wait now"},
    {"unknown_group", FigureKind::counter,
     "times a packet's group was not there: deleted while the brick used it"},
    {"clock_back", FigureKind::counter,
     "how often the clock was set back, or a capture began again"},
};

Status make(const Options& options, const BrickPlace& place, std::unique_ptr<Brick>* brick) {
  const auto& numbers = std::get<std::vector<double>>(options.at("groups"));
  if (numbers.empty() || numbers.size() > kQueueGroupsOfPacket) {
    return {Code::invalid_argument,
            place.id + ": groups has " + std::to_string(numbers.size()) +
                " numbers and must have 1 to " + std::to_string(kQueueGroupsOfPacket) +
                ", like BRICKS.queue_group{ id = 1, cir = 1250000 } and { groups = { 1 } }"};
  }
  std::vector<uint32_t> groups;
  for (const double number : numbers) {
    const auto id = static_cast<uint32_t>(number);
    if (number != std::floor(number) || !process_queue_groups().has(id)) {
      return {Code::invalid_argument, place.id + ": there is no queue group " + std::to_string(id) +
                                          "; make it first: BRICKS.queue_group{ id = " +
                                          std::to_string(id) + ", cir = 1250000 }"};
    }
    groups.push_back(id);
  }
  auto made = std::make_unique<Queue>(std::move(groups));
  Status status = made->open(place.id, static_cast<uint32_t>(option_integer(options, "packets")));
  if (status.ok()) *brick = std::move(made);
  return status;
}

}  // namespace

extern const BrickType kQueue = {
    .name = "Queue",
    .summary = "polices or shapes packets: a rate, a queue, and what keeps it short",
    .details =
        "All packets go through the queue groups it names. A group (docs/queues.md) has a rate "
        "and a queue's rules; several bricks, engines and plugins can share one, and its rate "
        "holds for all of them together. What waits leaves in order, at the instant its tokens "
        "are there; where all inputs are captures time is the packets' own, and a packet that "
        "has waited has the time at which it left as its timestamp. At the end of a capture "
        "all of them leave at their times; when an engine stops they leave at once, or are "
        "dropped (the group's at_end).",
    .inputs = {1, kInletsMax},
    .outputs = {1, 1},
    .duplicates = false,
    .reads_flows = true,
    .cuts = false,
    .holds = true,
    .options = kOptions,
    .figures = kFigures,
    .make = make,
};

}  // namespace bricks
