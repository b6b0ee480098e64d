// CoDel (RFC 8289): packets are dropped, or marked, when all of an interval's have waited longer
// than the target.
#pragma once

#include <cmath>
#include <cstdint>

#include "wire/packet.hh"

namespace bricks {

struct CodelParameters {
  Nanos target = 5000000;
  Nanos interval = 100000000;
  uint32_t mtu = 1514;  // bytes: a queue with no more than this is never punished

  bool operator==(const CodelParameters&) const = default;
};

class Codel {
 public:
  // The next packet to go, or Queue::kNone. `queue` has
  //   Item pop()             takes the first packet out; kNone: it is empty
  //   Nanos enqueued(Item)   when it came
  //   uint64_t bytes()       of those that are left
  //   bool mark(Item)        marks it as having met congestion; false: it cannot be
  //   void drop(Item)
  template <typename Queue>
  typename Queue::Item pull(Queue& queue, const CodelParameters& p, Nanos now) noexcept {
    auto item = queue.pop();
    bool bad = is_bad(queue, item, p, now);
    if (dropping_) {
      if (!bad) dropping_ = false;
      while (dropping_ && now >= next_) {
        ++count_;
        if (queue.mark(item)) {
          next_ = control_law(next_, p);
          return item;
        }
        queue.drop(item);
        item = queue.pop();
        bad = is_bad(queue, item, p, now);
        if (bad) {
          next_ = control_law(next_, p);
        } else {
          dropping_ = false;
        }
      }
      return item;
    }
    if (!bad) return item;
    const bool marked = queue.mark(item);
    if (!marked) {
      queue.drop(item);
      item = queue.pop();
      is_bad(queue, item, p, now);
    }
    dropping_ = true;
    enter(p, now);
    return item;
  }
  bool dropping() const noexcept { return dropping_; }
  Nanos next_drop() const noexcept { return next_; }

 private:
  // The packet has waited too long, and so have all for an interval.
  template <typename Queue>
  bool is_bad(Queue& queue, typename Queue::Item item, const CodelParameters& p,
              Nanos now) noexcept {
    if (item == Queue::kNone) {
      first_above_ = 0;
      return false;
    }
    const Nanos came = queue.enqueued(item);
    if ((now > came ? now - came : 0) < p.target || queue.bytes() <= p.mtu) {
      first_above_ = 0;
      return false;
    }
    if (first_above_ == 0) {
      first_above_ = now + p.interval;
      return false;
    }
    return now >= first_above_;
  }
  void enter(const CodelParameters& p, Nanos now) noexcept {
    // Congestion that comes back soon is met at the rate that helped the last time.
    const uint32_t delta = count_ - last_count_;
    const bool soon = now < next_ || now - next_ < 16 * p.interval;
    count_ = delta > 1 && soon ? delta : 1;
    last_count_ = count_;
    next_ = control_law(now, p);
  }
  Nanos control_law(Nanos from, const CodelParameters& p) const noexcept {
    return from +
           static_cast<Nanos>(static_cast<double>(p.interval) / std::sqrt(double(count_)) + 0.5);
  }

  Nanos first_above_ = 0;
  Nanos next_ = 0;
  uint32_t count_ = 0, last_count_ = 0;
  bool dropping_ = false;
};

}  // namespace bricks
