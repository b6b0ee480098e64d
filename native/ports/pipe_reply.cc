#include "ports/pipe_reply.hh"

#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <initializer_list>

#include "ports/pipe_pair.hh"

namespace bricks {
namespace {

uint32_t reply_code(Code code) {
  switch (code) {
    case Code::ok:
      return 0;
    case Code::invalid_argument:
      return BRICKS_INVALID;
    case Code::permission_denied:
      return 5;
    case Code::no_such_pipe:
      return 6;
    case Code::busy:
      return 7;
    default:
      return 1;
  }
}

bool send_with_fds(int fd, void* reply, size_t size, std::initializer_list<int> fds) {
  iovec part{reply, size};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(5 * sizeof(int))] = {};
  if (fds.size()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.begin(), fds.size() * sizeof(int));
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == static_cast<ssize_t>(size);
}

template <typename Reply>
void begin_reply(Reply* reply, const Status& status) {
  reply->magic = BRICKS_PIPE_MAGIC;
  reply->version = BRICKS_PIPE_VERSION;
  reply->code = reply_code(status.code);
  status.message.copy(reply->message, sizeof reply->message - 1);
}

}  // namespace

bool send_reply(int fd, const Status& status, const PipeShare* pipe) {
  bricks_attach_reply reply{};
  begin_reply(&reply, status);
  if (!pipe) return send_with_fds(fd, &reply, sizeof reply, {});
  reply.pipe_offset = pipe->pipe_offset;
  reply.region_bytes = pipe->region_bytes;
  return send_with_fds(fd, &reply, sizeof reply,
                       {pipe->memory_fd, pipe->data_event, pipe->space_event});
}

Status send_list(int fd, const std::vector<bricks_listed>& rows) {
  const size_t bytes = rows.size() * sizeof(bricks_listed);
  const int memory = memfd_create("bricks list", MFD_CLOEXEC);
  Status status;
  if (memory < 0 || write(memory, rows.data(), bytes) != static_cast<ssize_t>(bytes)) {
    status = system_error("cannot make a list of what can be read", errno);
  } else {
    bricks_attach_reply reply{};
    begin_reply(&reply, {});
    reply.region_bytes = bytes;
    send_with_fds(fd, &reply, sizeof reply, {memory});
  }
  if (memory >= 0) close(memory);
  return status;
}

bool send_end_reply(int fd, const Status& status, bricks_end_reply reply,
                    const PipeOpening& opening) {
  begin_reply(&reply, status);
  if (!status.ok()) return send_with_fds(fd, &reply, sizeof reply, {});
  const bool master = opening.end == 0;
  const PipeShare& gets = opening.pair->read_at(master ? PipeEnd::master : PipeEnd::slave);
  const PipeShare& sends = opening.pair->read_at(master ? PipeEnd::slave : PipeEnd::master);
  return send_with_fds(
      fd, &reply, sizeof reply,
      {gets.memory_fd, sends.data_event, sends.space_event, gets.data_event, gets.space_event});
}

}  // namespace bricks
