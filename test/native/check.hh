// Forty lines instead of a test framework: TEST(name) { CHECK(...); } and main.cc runs them all.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace check {

struct Test {
  const char* name;
  void (*body)();
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
struct Register {
  Register(const char* name, void (*body)()) { tests().push_back({name, body}); }
};
inline int failures = 0;     // CHECKs that failed in the running test
inline std::string skipped;  // SKIP's reason

}  // namespace check

#define TEST(name)                                                  \
  static void test_##name();                                        \
  static const check::Register register_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) {                                                     \
      std::printf("  %s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      ++check::failures;                                                    \
    }                                                                       \
  } while (0)

#define CHECK_EQ(actual, expected)                                             \
  do {                                                                         \
    const auto check_a = (actual);                                             \
    const auto check_e = (expected);                                           \
    if (!(check_a == check_e)) {                                               \
      std::printf("  %s:%d: %s is %s, not %s\n", __FILE__, __LINE__, #actual,  \
                  check::show(check_a).c_str(), check::show(check_e).c_str()); \
      ++check::failures;                                                       \
    }                                                                          \
  } while (0)

#define SKIP(reason)         \
  do {                       \
    check::skipped = reason; \
    return;                  \
  } while (0)

namespace check {
inline std::string show(const std::string& s) { return s; }
inline std::string show(const char* s) { return s; }
template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_enum_v<T>)
    return std::to_string(static_cast<long long>(value));
  else
    return std::to_string(value);
}
}  // namespace check
