// Programs that measure end when something they need does not work.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "mem/status.hh"

namespace bench {

inline void must(const bricks::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "bench: %s\n", status.message.c_str());
  std::exit(1);
}

}  // namespace bench
