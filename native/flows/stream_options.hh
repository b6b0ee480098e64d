// bricks-streams: the command line.
#pragma once

#include "flows/options.hh"
#include "streams/overlap_policy.hh"

namespace bricks::flows {

inline constexpr uint32_t kStreamsDefault = 1'000'000;  // of a listing; sparse memory
inline constexpr uint32_t kStreamsMax = 16'000'000;

struct StreamListOptions : ListingOptions {
  StreamListOptions() { rows = kStreamsDefault; }
  streams::OverlapPolicy policy = streams::OverlapPolicy::bsd;
};

// -1: go on with *options; else the exit code: everything to say has been said.
int parse_stream_options(int argc, char** argv, StreamListOptions* options);

}  // namespace bricks::flows
