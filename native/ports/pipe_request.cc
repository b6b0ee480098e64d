#include "ports/pipe_request.hh"

#include <cstring>

#include "mem/limits.hh"

namespace bricks {

namespace {

size_t size_of(uint32_t operation) {
  switch (operation) {
    case BRICKS_ATTACH:
    case BRICKS_ATTACH_WRITER:
    case BRICKS_LIST:
      return sizeof(bricks_attach_request);
    case BRICKS_OPEN_END:
      return sizeof(bricks_end_request);
    case BRICKS_TAP:
      return sizeof(bricks_tap_request);
    default:
      return 0;
  }
}

bool ends(const char* text, size_t size) { return std::memchr(text, 0, size) != nullptr; }

}  // namespace

Status parse_pipe_request(const void* bytes, size_t size, PipeRequest* request) {
  if (size < sizeof request->attach || size > sizeof *request) {
    return {Code::failed, "this is not an attach request"};
  }
  std::memcpy(request, bytes, size);
  if (request->attach.magic != BRICKS_PIPE_MAGIC || size != size_of(request->attach.operation)) {
    return {Code::failed, "this is not an attach request"};
  }
  if (request->attach.version != BRICKS_PIPE_VERSION) {
    return {Code::failed, "the daemon speaks version " + std::to_string(BRICKS_PIPE_VERSION) +
                              " of the pipe protocol, this program version " +
                              std::to_string(request->attach.version) +
                              "; use libbricks of this daemon"};
  }
  if (!ends(request->attach.name, sizeof request->attach.name)) {
    return {Code::failed, "the pipe's name is longer than " + std::to_string(kNameMax) + " bytes"};
  }
  if (request->attach.operation == BRICKS_TAP &&
      !ends(request->tap.expression, sizeof request->tap.expression)) {
    return {Code::failed,
            "the filter is longer than " + std::to_string(BRICKS_EXPRESSION_BYTES - 1) + " bytes"};
  }
  return {};
}

}  // namespace bricks
