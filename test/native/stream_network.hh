// A network at its worst, as a capture behind it sees one direction of a connection.
#pragma once

#include <random>
#include <string>
#include <vector>

namespace stream_fixture {

// What the capture sees, in its order: data, or an ACK of the other side.
struct Step {
  int64_t at;  // of an ACK: up to where
  std::string bytes;
};

class Network {
 public:
  explicit Network(std::mt19937_64& random) : random_(random) {}

  std::vector<Step> steps() {
    const int64_t length = 5000 + up_to(25000);
    std::string stream;
    while (std::ssize(stream) < length) stream += static_cast<char>(random_());
    std::vector<Step> steps;
    for (int64_t at = 0; at < length;) {
      const int64_t bytes = std::min<int64_t>(length - at, one_in(4) ? 1 + up_to(20) : 1460);
      const std::string part = stream.substr(static_cast<size_t>(at), static_cast<size_t>(bytes));
      if (!one_in(25)) steps.push_back({at, part});  // else the capture never saw it
      if (one_in(20)) steps.push_back({at, part});   // sent again
      if (one_in(6)) steps.push_back(forged(at));
      at += bytes;
      if (one_in(6)) steps.push_back({at, ""});
    }
    for (size_t i = 0; i < steps.size(); ++i) {
      if (!one_in(5)) continue;
      const size_t other = std::min(i + 1 + static_cast<size_t>(up_to(9)), steps.size() - 1);
      std::swap(steps[i], steps[other]);
    }
    return steps;
  }

 private:
  int64_t up_to(uint64_t most) { return static_cast<int64_t>(random_() % (most + 1)); }
  bool one_in(uint64_t count) { return random_() % count == 0; }
  Step forged(int64_t near) {
    const int64_t at = std::max<int64_t>(0, near + up_to(6000) - 3000);
    std::string bytes;
    for (int64_t i = 1 + up_to(3000); i > 0; --i) bytes += static_cast<char>(random_());
    return {at, bytes};
  }
  std::mt19937_64& random_;
};

}  // namespace stream_fixture
