// bricks-flows: the command line; exit codes of all programs here.
#pragma once

#include <getopt.h>

#include <functional>
#include <string>
#include <vector>

#include "flows/flow_table.hh"

namespace bricks::flows {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kConfiguration = 3, kSignal = 128 };

// What the programs that list something of captures have in common.
struct ListingOptions {
  std::vector<std::string> files;
  bool tsv = false;
  uint32_t rows = 0;  // at most
};
struct FlowOptions : ListingOptions {
  FlowOptions() { rows = kFlowsDefault; }
  bool quiet = false;
};

// Of such a program.
struct Listing {
  const char* rows;  // "flows": its name behind bricks, and of the option with their number
  uint32_t rows_max;
  const char* usage;
  // An option of its own, by its letter; those of `options` that are not common.
  std::vector<option> options;
  std::string letters;
  std::function<std::string(int letter, const char* value)> take;  // what is wrong with it; or ""
};
// As parse_options, below.
int parse_listing(int argc, char** argv, const Listing& listing, ListingOptions* options);

// -1: go on with *options; else the exit code: everything to say has been said.
int parse_options(int argc, char** argv, FlowOptions* options);

}  // namespace bricks::flows
