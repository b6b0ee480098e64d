// An operating error as a value: a code of the catalogue and a sentence that says what, where, why
// and what to type next. Control plane only; the packet path has counters instead.
#pragma once

#include <string>
#include <utility>

namespace bricks {

// The catalogue. src/errors.ts has the same names with their exit codes; a test holds both
// together.
#define BRICKS_STATUS_CODES(X)                                                      \
  X(ok)                                                                             \
  X(failed)            /* 1: the system said no, errno's text is in the message */  \
  X(invalid_argument)  /* 3: an option or argument out of its range */              \
  X(invalid_port_name) /* 3: a port name that makes no sense */                     \
  X(invalid_graph)     /* 3: bricks, inputs and outputs that do not fit together */ \
  X(unknown_brick)     /* 3: no such kind */                                        \
  X(not_a_capture)     /* 3: the file is not pcap or pcapng */                      \
  X(permission_denied) /* 5 */                                                      \
  X(no_such_file)      /* 6 */                                                      \
  X(no_such_interface) /* 6 */                                                      \
  X(no_such_engine)    /* 6 */                                                      \
  X(no_such_pipe)      /* 6 */                                                      \
  X(already_exists)    /* 7: engine, brick or port of that name */                  \
  X(already_running)   /* 7 */                                                      \
  X(not_running)       /* 7 */                                                      \
  X(not_linked)        /* 7: started before a brick was linked */                   \
  X(busy)              /* 7: somebody else holds it */                              \
  X(limit_reached)     /* 3: a bound of mem/limits.hh */                            \
  X(unsupported)       /* 1: not on this machine or kernel */

enum class Code {
#define X(name) name,
  BRICKS_STATUS_CODES(X)
#undef X
};

inline const char* code_name(Code code) noexcept {
  static constexpr const char* kNames[] = {
#define X(name) #name,
      BRICKS_STATUS_CODES(X)
#undef X
  };
  return kNames[static_cast<int>(code)];
}

struct [[nodiscard]] Status {
  Code code = Code::ok;
  std::string message;

  Status() = default;
  Status(Code c, std::string text) : code(c), message(std::move(text)) {}
  bool ok() const noexcept { return code == Code::ok; }
};

// `what`: errno's text, with the errno codes that have a name of their own in the catalogue.
Status system_error(const std::string& what, int error_number);

}  // namespace bricks
