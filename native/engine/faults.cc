#include "engine/faults.hh"

#ifdef BRICKS_FAULTS

#include <cstdlib>
#include <cstring>

namespace bricks {

namespace {

struct Order {
  char kind = 0;  // first letter
  uint64_t every = 0;
};

Order read_order() {
  Order order;
  const char* text = std::getenv("BRICKS_FAULT");
  const char* colon = text ? std::strchr(text, ':') : nullptr;
  if (!colon) return order;
  order.kind = text[0];
  order.every = std::strtoull(colon + 1, nullptr, 10);
  return order;
}

void take_out(Outlets::List& list, uint32_t at) {
  std::memmove(list.own + at, list.own + at + 1, (list.count() - at - 1) * sizeof(Index));
  --list.end;
}

// In the batch's order.
void put_in(Outlets::List& list, Index packet) {
  uint32_t at = list.count();
  ++list.end;
  for (; at > 0 && list.own[at - 1] > packet; --at) list.own[at] = list.own[at - 1];
  list.own[at] = packet;
}

bool swap_flow(const Batch& batch, Outlets::List& list) {
  for (uint32_t i = 0; i + 1 < list.count(); ++i) {
    for (uint32_t k = i + 1; k < list.count(); ++k) {
      const Packet &a = batch.packets[list.own[i]], &b = batch.packets[list.own[k]];
      if (a.hash != b.hash) continue;
      std::swap(list.own[i], list.own[k]);
      return true;
    }
  }
  return false;
}

}  // namespace

void inject_fault(Batch& batch, std::span<Outlets::List> lists) noexcept {
  static const Order order = read_order();
  static uint64_t seen = 0;
  if (order.every == 0) return;
  seen += batch.count;
  if (seen < order.every) return;
  for (size_t o = 0; o < lists.size(); ++o) {
    Outlets::List& list = lists[o];
    if (list.count() == 0 || list.first != list.own) continue;
    const Index packet = list.own[0];
    switch (order.kind) {
      case 'f':
        take_out(list, 0);
        put_in(lists[(o + 1) % lists.size()], packet);
        break;
      case 'd':
        take_out(list, 0);
        break;
      case 's':
        if (!swap_flow(batch, list)) continue;
        break;
      case 'b':
        batch.packets[packet].data[batch.packets[packet].length - 1] ^= 1;
        break;
      default:
        return;
    }
    seen = 0;
    return;
  }
}

}  // namespace bricks

#endif
