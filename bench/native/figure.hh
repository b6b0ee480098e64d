// One measured figure: at least five runs, their least, middle and greatest.
#pragma once

#include <algorithm>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

namespace bench {

inline constexpr int kRuns = 7;
inline constexpr double kRunSeconds = 0.35;

inline double seconds_now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Spread {
  double minimum, median, maximum;
};

inline Spread spread(std::vector<double> runs) {
  std::sort(runs.begin(), runs.end());
  return {runs.front(), runs[runs.size() / 2], runs.back()};
}

struct Figure {
  std::string name, input, unit;
  Spread value;
  double limit = 0;  // median of the limit loop over the same memory in the same run; 0: none
};

// Calls `some` (which handles some packets and says how many) for kRunSeconds, kRuns times; Mpps.
inline Spread measure_rate(const std::function<uint64_t()>& some) {
  std::vector<double> runs;
  for (int run = -1; run < kRuns; ++run) {
    uint64_t packets = 0;
    const double begin = seconds_now();
    double end = begin;
    while (end - begin < (run < 0 ? kRunSeconds / 3 : kRunSeconds)) {
      for (int i = 0; i < 64; ++i) packets += some();
      end = seconds_now();
    }
    if (run >= 0) runs.push_back(static_cast<double>(packets) / (end - begin) / 1e6);
  }
  return spread(runs);
}

// The same for two loops in turns, so that whatever else the machine does meets both.
struct PairOfSpreads {
  Spread value, limit;
};
inline PairOfSpreads measure_with_limit(const std::function<uint64_t()>& some,
                                        const std::function<uint64_t()>& limit) {
  std::vector<double> values, limits;
  const auto once = [](const std::function<uint64_t()>& loop) {
    uint64_t packets = 0;
    const double begin = seconds_now();
    double end = begin;
    while (end - begin < kRunSeconds / 2) {
      for (int i = 0; i < 64; ++i) packets += loop();
      end = seconds_now();
    }
    return static_cast<double>(packets) / (end - begin) / 1e6;
  };
  for (int run = -1; run < kRuns + 2; ++run) {
    const double l = once(limit), v = once(some);
    if (run < 0) continue;
    limits.push_back(l);
    values.push_back(v);
  }
  return {spread(values), spread(limits)};
}

using Figures = std::vector<Figure>;

// Every question is one function that adds its figures; `wanted` says whether a name was asked for.
using Wanted = std::function<bool(const std::string&)>;
void measure_in_process(const Wanted& wanted, Figures& figures);
void measure_with_consumer(const Wanted& wanted, Figures& figures);
void measure_netmap_pipe(const Wanted& wanted, Figures& figures);
void measure_files_and_devices(const Wanted& wanted, Figures& figures);
void measure_xdp(const Wanted& wanted, Figures& figures);
void measure_tool_ports(const Wanted& wanted, Figures& figures);
void measure_filter_rules(const Wanted& wanted, Figures& figures);
void measure_queues(const Wanted& wanted, Figures& figures);
void measure_sessions(const Wanted& wanted, Figures& figures);
void measure_decoders(const Wanted& wanted, Figures& figures);
void measure_session_events(const Wanted& wanted, Figures& figures);
void measure_lua_events(const Wanted& wanted, Figures& figures);
void measure_streams(const Wanted& wanted, Figures& figures);
void measure_steering(const Wanted& wanted, Figures& figures);

}  // namespace bench
