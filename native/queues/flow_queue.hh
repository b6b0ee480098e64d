// First in, first out, over items that are linked where they lie. `Items`, whose they are, has
//   Item                    an unsigned number; Items::kNone: none
//   Item& next(Item)        for the queue an item is in
//   uint32_t bytes(Item)
//   Nanos enqueued(Item)    when it came
//   bool mark(Item)         marks it as having met congestion; false: it cannot be
//   void drop(Item)         by an algorithm; the item is gone
#pragma once

#include "queues/codel.hh"

namespace bricks {

template <typename Items>
struct FlowQueue {
  using Item = typename Items::Item;

  Item head = Items::kNone, tail = Items::kNone;
  uint32_t packets = 0;
  uint64_t bytes = 0;

  void push(Items& items, Item item) noexcept {
    items.next(item) = Items::kNone;
    if (tail == Items::kNone) {
      head = item;
    } else {
      items.next(tail) = item;
    }
    tail = item;
    ++packets;
    bytes += items.bytes(item);
  }
  Item pop(Items& items) noexcept {
    const Item item = head;
    if (item == Items::kNone) return item;
    head = items.next(item);
    if (head == Items::kNone) tail = Items::kNone;
    --packets;
    bytes -= items.bytes(item);
    return item;
  }
};

// What Codel::pull wants of a queue.
template <typename Items>
class CodelView {
 public:
  using Item = typename Items::Item;
  static constexpr Item kNone = Items::kNone;

  CodelView(Items& items, FlowQueue<Items>& queue, bool ecn) noexcept
      : items_(items), queue_(queue), ecn_(ecn) {}
  Item pop() noexcept { return queue_.pop(items_); }
  Nanos enqueued(Item item) const noexcept { return items_.enqueued(item); }
  uint64_t bytes() const noexcept { return queue_.bytes; }
  bool mark(Item item) noexcept { return ecn_ && items_.mark(item); }
  void drop(Item item) noexcept { items_.drop(item); }

 private:
  Items& items_;
  FlowQueue<Items>& queue_;
  bool ecn_;
};

}  // namespace bricks
