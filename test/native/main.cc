// Runs every TEST, or those whose name contains the first argument.
#include <cstring>

#include "check.hh"

int main(int argc, char** argv) {
  int passed = 0, failed = 0, skipped = 0;
  for (const check::Test& test : check::tests()) {
    if (argc > 1 && !std::strstr(test.name, argv[1])) continue;
    check::failures = 0;
    check::skipped.clear();
    test.body();
    if (check::failures) {
      ++failed;
      std::printf("not ok %s\n", test.name);
    } else if (!check::skipped.empty()) {
      ++skipped;
      std::printf("skipped %s: %s\n", test.name, check::skipped.c_str());
    } else {
      ++passed;
    }
    std::fflush(stdout);
  }
  std::printf("native: %d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed ? 1 : 0;
}
