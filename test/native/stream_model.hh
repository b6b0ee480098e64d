// TCP reassembly by brute force: a byte at a time, no trees, no blocks, no wrap. Shares nothing
// with native/streams but its enums.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "streams/tcp_streams.hh"

namespace stream_model {

using namespace bricks::streams;

// What a sink was told, adjacent payload in one.
struct Event {
  char kind;  // 'p' payload, 'g' gap
  uint64_t offset, length;
  std::string bytes;  // of payload; of a gap its reason
  bool operator==(const Event&) const = default;
};

inline void append_payload(std::vector<Event>* events, uint64_t offset, std::string_view bytes) {
  if (!events->empty() && events->back().kind == 'p' &&
      events->back().offset + events->back().length == offset) {
    events->back().bytes += bytes;
    events->back().length += bytes.size();
  } else {
    events->push_back({'p', offset, bytes.size(), std::string(bytes)});
  }
}

inline std::string show(const std::vector<Event>& events) {
  std::string text;
  for (const Event& event : events) {
    text += std::string(1, event.kind) + std::to_string(event.offset) + "+" +
            std::to_string(event.length) + ":" + event.bytes.substr(0, 60) + " ";
  }
  return text;
}

// Does a new segment over an old one get the byte? By what is known of the systems.
struct Lies {
  int64_t start, end;
};
inline bool is_new(OverlapPolicy policy, const Lies& now, const Lies& old) {
  switch (policy) {
    case OverlapPolicy::first:
    case OverlapPolicy::vista:
      return false;
    case OverlapPolicy::last:
      return true;
    case OverlapPolicy::linux_classic:
      return now.start < old.start || (now.start == old.start && now.end > old.end);
    case OverlapPolicy::old_linux:
      return now.start < old.start || (now.start == old.start && now.end >= old.end);
    case OverlapPolicy::solaris:
    case OverlapPolicy::hpux11:
      return now.end > old.end || (now.end == old.end && now.start <= old.start);
    default:
      return now.start < old.start;
  }
}

// One direction that began with a SYN.
class Model {
 public:
  Model(OverlapPolicy policy, Delivery delivery) : policy_(policy), delivery_(delivery) {}

  void segment(int64_t start, const std::string& bytes) {
    const Lies now{start, start + static_cast<int64_t>(bytes.size())};
    if (now.end <= next_) return;
    highest_ = std::max(highest_, now.end);
    for (int64_t at = std::max(start, next_); at < now.end; ++at) {
      const bool is_kept = std::any_of(old_.begin(), old_.end(), [&](const Lies& old) {
        return old.start <= at && at < old.end && !is_new(policy_, now, old);
      });
      if (!is_kept) byte_[at] = bytes[static_cast<size_t>(at - start)];
    }
    old_.push_back(now);
    deliver(false);
  }
  void ack(int64_t ack) {
    acked_ = std::max(acked_, std::min(ack, highest_));
    claimed_ = std::max(claimed_, ack);
    deliver(false);
  }
  void close() {
    deliver(true);
    if (claimed_ > next_ + 1) gap(claimed_, "ack_passed");
  }

  const std::vector<Event>& events() const { return events_; }

 private:
  void gap(int64_t to, const char* reason) {
    events_.push_back(
        {'g', static_cast<uint64_t>(next_), static_cast<uint64_t>(to - next_), reason});
    next_ = to;
  }
  void deliver(bool all) {
    while (!byte_.empty()) {
      const int64_t at = byte_.begin()->first;
      if (at > next_ && acked_ > at) {
        gap(at, "ack_passed");
      } else if (at > next_) {
        if (!all) break;
        gap(at, "flush");
      }
      if (delivery_ == Delivery::acked && !all && acked_ <= at) break;
      append_payload(&events_, static_cast<uint64_t>(at), std::string(1, byte_.begin()->second));
      byte_.erase(byte_.begin());
      next_ = at + 1;
    }
    std::erase_if(old_, [&](const Lies& old) { return old.end <= next_; });
  }

  OverlapPolicy policy_;
  Delivery delivery_;
  std::map<int64_t, char> byte_;  // not given out yet
  std::vector<Lies> old_;
  int64_t next_ = 0, acked_ = 0, highest_ = 0, claimed_ = 0;
  std::vector<Event> events_;
};

}  // namespace stream_model
