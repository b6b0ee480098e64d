#include "mem/status.hh"

#include <cerrno>
#include <cstring>

namespace bricks {

Status system_error(const std::string& what, int error_number) {
  Code code = Code::failed;
  std::string hint;
  if (error_number == EACCES || error_number == EPERM) {
    code = Code::permission_denied;
    hint = "; run as root, or give the program the right it lacks";
  } else if (error_number == ENOENT) {
    code = Code::no_such_file;
  } else if (error_number == EBUSY) {
    code = Code::busy;
  }
  return {code, what + ": " + std::strerror(error_number) + hint};
}

}  // namespace bricks
