#include "ports/pipe_directory.hh"

#include <sys/eventfd.h>
#include <unistd.h>

#include <ctime>
#include <utility>

#include "ports/pipe_pair.hh"
#include "ports/port_registry.hh"

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

Status no_such_pipe(const std::string& name, bool is_other_end) {
  const std::string hint = is_other_end
                               ? "consumers read the other end, '" + flip_pipe_name(name) + "'"
                               : "`bricks status` lists those there are";
  return {Code::no_such_pipe, "there is no pipe '" + name + "'; " + hint};
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
    const auto pair = find_pair(pipe->consumer_name);
    if (pair) {
      const PipeShare& share = pair->read_at(PipeEnd::slave);
      const bool slave = share.consumer_name == pipe->consumer_name;
      const PipeShare& mine = slave ? share : pair->read_at(PipeEnd::master);
      if (const int32_t pid = mine.producer_pid.load()) {
        return {Code::busy, "process " + std::to_string(pid) + " sends to '" + pipe->consumer_name +
                                "' already; end it first, or choose another number"};
      }
      if (mine.consumer_pid.load() == getpid()) {
        return {Code::busy, "an engine reads '" + pipe->consumer_name +
                                "' as a pipe that programs fill; start the engine that fills it "
                                "before the one that reads it"};
      }
      // Whoever reads there in the pair's memory learns that packets come from elsewhere now.
      if (!pipes_.contains(pipe->consumer_name)) {
        pair->set_state(slave ? PipeEnd::slave : PipeEnd::master, BRICKS_PRODUCER_CLOSED);
      }
    }
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

void PipeDirectory::tell_changed() {
  std::function<void()> changed;
  {
    std::lock_guard lock(mutex_);
    changed = changed_;
  }
  if (changed) changed();
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
    if (const auto pair = find_pair(consumer_name)) {  // it is the programs' again
      const bool slave = pair->read_at(PipeEnd::slave).consumer_name == consumer_name;
      pair->set_state(slave ? PipeEnd::slave : PipeEnd::master, BRICKS_PRODUCER_LIVE);
    }
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
  return take(consumer_name, peer, pipe);
}

Status PipeDirectory::take(const std::string& consumer_name, const Peer& peer,
                           std::shared_ptr<PipeShare>* pipe) {
  std::shared_ptr<PipeShare> share;
  if (const auto found = pipes_.find(consumer_name); found != pipes_.end()) {
    share = found->second;
  } else if (auto pair = find_pair(consumer_name)) {
    PipeShare& slave = pair->read_at(PipeEnd::slave);
    PipeShare& read = slave.consumer_name == consumer_name ? slave : pair->read_at(PipeEnd::master);
    if (pair->rings_read_at(&read == &slave ? PipeEnd::slave : PipeEnd::master) != 1) {
      return {Code::unsupported,
              "'" + consumer_name + "' has several rings; only netmap programs read such a pipe"};
    }
    share = std::shared_ptr<PipeShare>(std::move(pair), &read);
  } else {
    return no_such_pipe(consumer_name, pipes_.contains(flip_pipe_name(consumer_name)));
  }
  if (!share->access.allows(peer)) return not_yours(*share, peer);
  int32_t holder = 0;
  // A peer of another process namespace has no number here: -1 stands for "somebody".
  if (!share->consumer_pid.compare_exchange_strong(holder, peer.pid > 0 ? peer.pid : -1)) {
    const std::string who = holder > 0 ? "process " + std::to_string(holder) : "another program";
    return {Code::busy, "'" + consumer_name + "' is held by " + who +
                            "; end that first, or read another pipe (a Duplicator makes one more)"};
  }
  share->attachments.fetch_add(1);
  if (share->doorbell) share->doorbell->ring();
  *pipe = std::move(share);
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

Status PipeDirectory::check_access(const std::string& consumer_name, const Peer& peer) {
  std::lock_guard lock(mutex_);
  const auto found = pipes_.find(consumer_name);
  if (found == pipes_.end()) {
    return no_such_pipe(consumer_name, pipes_.contains(flip_pipe_name(consumer_name)));
  }
  return found->second->access.allows(peer) ? Status() : not_yours(*found->second, peer);
}

bool PipeDirectory::is_filled(const std::string& consumer_name) {
  std::lock_guard lock(mutex_);
  return pipes_.contains(consumer_name);
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
