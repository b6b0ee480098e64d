// FQ-CoDel (RFC 8290): flows take turns of a quantum of bytes each, new ones first; CoDel in each.
#pragma once

#include <algorithm>

#include "queues/flow_queue.hh"

namespace bricks {

inline constexpr uint32_t kFattestDrops = 64;  // most packets that make room at a time

template <typename Items>
class FqCodel {
 public:
  using Item = typename Items::Item;
  static constexpr uint32_t kNoFlow = UINT32_MAX;
  enum class State : uint8_t { inactive, fresh, old };
  struct Flow {
    FlowQueue<Items> queue;
    Codel codel;
    int64_t deficit = 0;
    uint32_t next = kNoFlow;
    State state = State::inactive;
  };

  // `flows`: `count` of them, the caller's.
  void begin(Flow* flows, uint32_t count, uint32_t quantum) noexcept {
    flows_ = flows;
    count_ = count;
    quantum_ = quantum;
    fresh_ = old_ = {};
    for (uint32_t i = 0; i < count; ++i) flows[i] = Flow();
  }
  void push(Items& items, Item item, uint32_t number) noexcept {
    Flow& flow = flows_[number];
    flow.queue.push(items, item);
    if (flow.state != State::inactive) return;
    flow.deficit = quantum_;
    append(fresh_, number, State::fresh);
  }
  Item pull(Items& items, const CodelParameters& p, bool ecn, Nanos now) noexcept {
    while (true) {
      List& list = fresh_.head != kNoFlow ? fresh_ : old_;
      const uint32_t number = list.head;
      if (number == kNoFlow) return Items::kNone;
      Flow& flow = flows_[number];
      if (flow.deficit <= 0) {
        flow.deficit += quantum_;
        remove_head(list);
        append(old_, number, State::old);
        continue;
      }
      CodelView<Items> view(items, flow.queue, ecn);
      const Item item = flow.codel.pull(view, p, now);
      if (item == Items::kNone) {
        // Through the old ones, or a flow could always be new and served first.
        remove_head(list);
        if (flow.state == State::fresh) {
          append(old_, number, State::old);
        } else {
          flow.state = State::inactive;
        }
        continue;
      }
      flow.deficit -= items.bytes(item);
      return item;
    }
  }
  // Without CoDel and turns: what goes when the queue goes.
  Item pop_any(Items& items) noexcept {
    for (List* list : {&fresh_, &old_}) {
      while (list->head != kNoFlow) {
        Flow& flow = flows_[list->head];
        if (const Item item = flow.queue.pop(items); item != Items::kNone) return item;
        flow.state = State::inactive;
        remove_head(*list);
      }
    }
    return Items::kNone;
  }
  // Of the flow that has most bytes the oldest half, kFattestDrops packets at most, one at least.
  void drop_fattest(Items& items) noexcept {
    uint32_t fattest = 0;
    for (uint32_t i = 1; i < count_; ++i) {
      if (flows_[i].queue.bytes > flows_[fattest].queue.bytes) fattest = i;
    }
    FlowQueue<Items>& queue = flows_[fattest].queue;
    const uint64_t rest = queue.bytes / 2;
    for (uint32_t i = 0; i < kFattestDrops; ++i) {
      const Item item = queue.pop(items);
      if (item == Items::kNone) return;
      items.drop(item);
      if (queue.bytes <= rest) return;
    }
  }
  const Flow& flow(uint32_t number) const noexcept { return flows_[number]; }
  void set_quantum(uint32_t quantum) noexcept { quantum_ = quantum; }

 private:
  struct List {
    uint32_t head = kNoFlow, tail = kNoFlow;
  };
  void append(List& list, uint32_t number, State state) noexcept {
    flows_[number].state = state;
    flows_[number].next = kNoFlow;
    (list.tail == kNoFlow ? list.head : flows_[list.tail].next) = number;
    list.tail = number;
  }
  void remove_head(List& list) noexcept {
    list.head = flows_[list.head].next;
    if (list.head == kNoFlow) list.tail = kNoFlow;
  }

  Flow* flows_ = nullptr;
  uint32_t count_ = 0;
  uint32_t quantum_ = 0;
  List fresh_, old_;
};

}  // namespace bricks
