// bricks-flows: the command line; exit codes of all programs here.
#pragma once

#include <string>
#include <vector>

#include "flows/flow_table.hh"

namespace bricks::flows {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kConfiguration = 3, kSignal = 128 };

struct FlowOptions {
  std::vector<std::string> files;
  bool tsv = false;
  bool quiet = false;
  uint32_t flows = kFlowsDefault;
};

// A number from 1 to `most`; else false.
bool parse_number(const char* text, uint32_t most, uint32_t* number);
// What is wrong with the names of captures; empty: nothing.
std::string wrong_files(const std::vector<std::string>& files);

// -1: go on with *options; else the exit code: everything to say has been said.
int parse_options(int argc, char** argv, FlowOptions* options);

}  // namespace bricks::flows
