// What has to be so, whatever the input: else the program ends, and the input is a finding.
#pragma once

#include <cstdio>
#include <cstdlib>

inline void must(bool fact, const char* what) noexcept {
  if (fact) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::abort();
}
#define MUST(fact) must(fact, #fact)
