#include "ports/pipe_directory.hh"

#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

namespace bricks {

PipeShare::~PipeShare() {
  for (int fd : {memory_fd, data_event, space_event}) {
    if (fd >= 0) close(fd);
  }
}

Status PipeDirectory::add(const std::shared_ptr<PipeShare>& pipe) {
  std::function<void()> added;
  {
    std::lock_guard lock(mutex_);
    if (!pipes_.emplace(pipe->consumer_name, pipe).second) {
      return {Code::already_exists, "there is a pipe '" + pipe->consumer_name +
                                        "' already; unlink the brick that fills it first, or "
                                        "choose another number"};
    }
    added = added_;
  }
  if (added) added();
  return {};
}

void PipeDirectory::remove(const std::string& consumer_name) {
  std::lock_guard lock(mutex_);
  const auto found = pipes_.find(consumer_name);
  if (found == pipes_.end()) return;
  found->second->restore = nullptr;  // whoever made it may be gone by the time of detach
  pipes_.erase(found);
}

Status PipeDirectory::attach(const std::string& consumer_name, int32_t pid,
                             std::shared_ptr<PipeShare>* pipe) {
  std::lock_guard lock(mutex_);
  const auto found = pipes_.find(consumer_name);
  if (found == pipes_.end()) {
    return {Code::no_such_pipe,
            "there is no pipe '" + consumer_name + "'; `bricks status` lists those there are"};
  }
  int32_t holder = 0;
  // A peer of another process namespace has no number here: -1 stands for "somebody".
  if (!found->second->consumer_pid.compare_exchange_strong(holder, pid > 0 ? pid : -1)) {
    const std::string who = holder > 0 ? "process " + std::to_string(holder) : "another program";
    return {Code::busy, "'" + consumer_name + "' is held by " + who +
                            "; end that first, or read another pipe (a Duplicator makes one more)"};
  }
  found->second->attachments.fetch_add(1);
  *pipe = found->second;
  return {};
}

void PipeDirectory::detach(const std::shared_ptr<PipeShare>& pipe) {
  {
    std::lock_guard lock(mutex_);
    if (pipe->consumer_pid.load() == 0) return;
    if (pipe->restore) pipe->restore();
    pipe->consumer_pid.store(0);
  }
  // An engine that waits for room should not go on waiting for somebody who has left.
  if (pipe->space_event >= 0) eventfd_write(pipe->space_event, 1);
}

void PipeDirectory::listen(std::function<void()> added) {
  std::lock_guard lock(mutex_);
  added_ = std::move(added);
}

}  // namespace bricks
