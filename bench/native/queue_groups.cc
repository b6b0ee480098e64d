// queues: what an egress scheduler does with a packet of a queue group, one core, packets hot: it
// passes, is dropped, or waits (a copy) and leaves.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "figure.hh"
#include "must.hh"
#include "queues/egress_queues.hh"

namespace bench {

using namespace bricks;

namespace {

class Offered {
 public:
  Offered(const QueueParameters& parameters, uint32_t groups) : count_(groups) {
    for (uint32_t i = 0; i < groups; ++i) {
      ids_[i] = i + 1;
      must(groups_.create(ids_[i], parameters));
    }
    EgressOptions options;
    options.sessions = 1024;
    must(EgressQueues::create("bench", options, groups_, nullptr, &queues_));
    batch_->count = kBatchDefault;
    batch_->decoded = true;
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      Packet& packet = batch_->packets[i];
      packet = {};
      packet.data = frames_[i];
      packet.length = 60;
      packet.network = 14;
      packet.ip_version = 4;
      packet.hash = i * 2654435761u;
      frames_[i][14] = 0x45;
      frames_[i][17] = 46;
    }
  }
  // One batch a `step`.
  uint64_t breathe(Nanos step) {
    now_ += step;
    while (queues_->due(now_, false)) {
      queues_->release(*released_, now_, false, cell_);
      queues_->recycle();
    }
    for (uint32_t i = 0; i < kBatchDefault; ++i) {
      const auto index = static_cast<Index>(i);
      queues_->enqueue(*batch_, index, {ids_, count_}, 1 + i, now_, cell_);
    }
    return kBatchDefault;
  }

 private:
  QueueGroups groups_;
  std::unique_ptr<EgressQueues> queues_;
  std::unique_ptr<Batch> batch_ = std::make_unique<Batch>(), released_ = std::make_unique<Batch>();
  alignas(64) uint8_t frames_[kBatchDefault][64] = {};
  LedgerCell cell_;
  uint32_t ids_[kQueueGroupsOfPacket] = {};
  const uint32_t count_;
  Nanos now_ = 1700000000000000000;
};

void measure(Figures& figures, const char* name, const QueueParameters& parameters, uint32_t groups,
             Nanos step) {
  auto offered = std::make_unique<Offered>(parameters, groups);
  figures.push_back(
      {"queues", name, "Mpps", measure_rate([&] { return offered->breathe(step); }), 0});
}

}  // namespace

// 128 packets of 46 bytes a microsecond are 5,888,000,000 bytes a second.
void measure_queues(const Wanted& wanted, Figures& figures) {
  if (!wanted("queues")) return;
  QueueParameters wide = default_queue(10000000000, 1000000);
  wide.packets = 60000;
  QueueParameters police = wide;
  police.kind = QueueKind::policer;
  measure(figures, "policer, all pass", police, 1, 1000);
  measure(figures, "policer, 4 groups, all pass", police, 4, 1000);
  police.leased = true;
  measure(figures, "policer leased, all pass", police, 1, 1000);
  police.leased = false;
  police.cir = 1000;
  measure(figures, "policer, all dropped", police, 1, 1000);
  measure(figures, "shaper, all pass", wide, 1, 1000);
  // Half as fast as they come: half of them wait and leave, half find the queue full.
  QueueParameters shape = default_queue(2944000000, 6000);
  shape.packets = 1000;
  measure(figures, "shaper, 1 in 2 waits", shape, 1, 1000);
  shape.discipline = QueueDiscipline::fq_codel;
  measure(figures, "shaper fq_codel, 1 in 2 waits", shape, 1, 1000);
}

}  // namespace bench
