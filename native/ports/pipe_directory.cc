#include "ports/pipe_directory.hh"

#include <sys/eventfd.h>
#include <unistd.h>

#include <ctime>
#include <utility>

namespace bricks {

PipeShare::~PipeShare() {
  for (int fd : {memory_fd, data_event, space_event}) {
    if (fd >= 0) close(fd);
  }
}

namespace {

uint64_t monotonic() noexcept {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000000000 + static_cast<uint64_t>(now.tv_nsec);
}

Status no_such_pipe(const std::string& name) {
  return {Code::no_such_pipe,
          "there is no pipe '" + name + "'; `bricks status` lists those there are"};
}

Status not_yours(const PipeShare& pipe, const Peer& peer) {
  const std::string who = peer.known ? user_name(peer.user) : "somebody unknown";
  const std::string engine_end = pipe.access.shared ? "" : ", such as ?user=" + who;
  return {Code::permission_denied, "'" + pipe.consumer_name + "' is not for " + who +
                                       " to read: it belongs to " + pipe.access.describe() +
                                       "; run as one who may, or have the operator add user, " +
                                       "group or mode to the output's name" + engine_end};
}

}  // namespace

Status PipeDirectory::add(const std::shared_ptr<PipeShare>& pipe) {
  std::function<void()> changed;
  {
    std::lock_guard lock(mutex_);
    if (!pipes_.emplace(pipe->consumer_name, pipe).second) {
      return {Code::already_exists, "there is a pipe '" + pipe->consumer_name +
                                        "' already; unlink the brick that fills it first, or "
                                        "choose another number"};
    }
    shared_ += pipe->access.shared;
    changed = changed_;
  }
  if (changed) changed();
  return {};
}

void PipeDirectory::remove(const std::string& consumer_name) {
  std::function<void()> changed;
  {
    std::lock_guard lock(mutex_);
    const auto found = pipes_.find(consumer_name);
    if (found == pipes_.end()) return;
    found->second->restore = nullptr;  // whoever made it may be gone by the time of detach
    shared_ -= found->second->access.shared;
    changed = changed_;
    pipes_.erase(found);
  }
  if (changed) changed();
}

Status PipeDirectory::attach(const std::string& consumer_name, int32_t pid,
                             std::shared_ptr<PipeShare>* pipe) {
  Peer self;
  self.pid = pid;
  self.user = geteuid();
  self.group = getegid();
  return attach(consumer_name, self, pipe);
}

Status PipeDirectory::attach(const std::string& consumer_name, const Peer& peer,
                             std::shared_ptr<PipeShare>* pipe) {
  std::lock_guard lock(mutex_);
  const auto found = pipes_.find(consumer_name);
  if (found == pipes_.end()) return no_such_pipe(consumer_name);
  PipeShare& share = *found->second;
  if (!share.access.allows(peer)) return not_yours(share, peer);
  int32_t holder = 0;
  // A peer of another process namespace has no number here: -1 stands for "somebody".
  if (!share.consumer_pid.compare_exchange_strong(holder, peer.pid > 0 ? peer.pid : -1)) {
    const std::string who = holder > 0 ? "process " + std::to_string(holder) : "another program";
    return {Code::busy, "'" + consumer_name + "' is held by " + who +
                            "; end that first, or read another pipe (a Duplicator makes one more)"};
  }
  share.attachments.fetch_add(1);
  if (share.doorbell) share.doorbell->ring();
  *pipe = found->second;
  return {};
}

void PipeDirectory::detach(const std::shared_ptr<PipeShare>& pipe) {
  {
    std::lock_guard lock(mutex_);
    if (pipe->consumer_pid.load() == 0) return;
    if (pipe->restore) pipe->restore();
    pipe->left_at.store(monotonic());
    pipe->consumer_pid.store(0);
  }
  // An engine that waits for room should not go on waiting for somebody who has left.
  if (pipe->space_event >= 0) eventfd_write(pipe->space_event, 1);
  if (pipe->doorbell) pipe->doorbell->ring();
}

void PipeDirectory::listen(std::function<void()> changed) {
  std::lock_guard lock(mutex_);
  changed_ = std::move(changed);
}

bool PipeDirectory::any_shared() {
  std::lock_guard lock(mutex_);
  return shared_ != 0;
}

}  // namespace bricks
