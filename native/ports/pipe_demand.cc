// The part of the PipeDirectory that serves programs which fill pipes: pipes made on demand.
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "ports/pipe_directory.hh"
#include "ports/pipe_pair.hh"
#include "ports/port_registry.hh"

namespace bricks {
namespace {

// Beyond what the kernel module gives out: a program may hold ports of both.
constexpr uint16_t kFirstArena = 16384;

struct EndName {
  std::string base, number;
  uint32_t end = 0;
};

// "x}0", "x{abc": the last brace counts, as in netmap.
Status split(const std::string& name, EndName* parts) {
  const size_t brace = name.find_last_of("{}");
  const bool whole = brace != std::string::npos && brace > 0 && brace + 1 < name.size();
  const bool plain = std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 32 || c == 127 || c == '/';
  });
  if (!whole || !plain) {
    return {Code::invalid_argument, "'" + name + "' names no pipe's end; one looks like eth3}0"};
  }
  parts->base = name.substr(0, brace);
  parts->number = name.substr(brace + 1);
  parts->end = name[brace] == '{' ? 0 : 1;
  return {};
}

std::string master_name(const EndName& parts) { return parts.base + "{" + parts.number; }

Status held(const std::string& end, int32_t pid, const char* does) {
  const std::string who = pid > 0 ? "process " + std::to_string(pid) : "another program";
  return {Code::busy, "'" + end + "': " + who + " " + does + " there already; end that first"};
}

}  // namespace

std::shared_ptr<PipePair> PipeDirectory::find_pair(const std::string& end) {
  EndName parts;
  if (!split(end, &parts).ok()) return nullptr;
  const auto found = pairs_.find(master_name(parts));
  return found == pairs_.end() ? nullptr : found->second.lock();
}

Status PipeDirectory::find_arena(const std::string& name, const bricks_end_request* wishes,
                                 int32_t pid, uint32_t end, std::shared_ptr<PipeArena>* arena) {
  std::erase_if(arenas_, [](const auto& entry) { return entry.second.expired(); });
  if (wishes && wishes->memory_id) {
    const auto found = arenas_.find(static_cast<uint16_t>(wishes->memory_id));
    if (found != arenas_.end()) *arena = found->second.lock();
    const bool ours = *arena && wishes->memory_id < 65536 &&
                      std::count((*arena)->openers.begin(), (*arena)->openers.end(), pid) > 0;
    if (!ours) {
      return {Code::permission_denied, "'" + name + "': this process holds no port of memory " +
                                           std::to_string(wishes->memory_id)};
    }
    return {};
  }
  if (arenas_.size() >= 40000) return {Code::limit_reached, "there are too many pipes"};
  do last_arena_ = last_arena_ == 65535 ? kFirstArena : static_cast<uint16_t>(last_arena_ + 1);
  while (arenas_.contains(last_arena_));
  PipeShape shape;
  if (wishes) {
    shape = {{wishes->tx_slots, wishes->rx_slots}, {wishes->tx_rings, wishes->rx_rings}};
    if (end == 1) {
      std::swap(shape.slots[0], shape.slots[1]);
      std::swap(shape.rings[0], shape.rings[1]);
    }
  }
  Status s =
      PipePair::make_arena(name, shape, wishes ? wishes->extra_buffers : 0, last_arena_, arena);
  if (s.ok()) arenas_[last_arena_] = *arena;
  return s;
}

Status PipeDirectory::find_or_make(const std::string& end, const bricks_end_request* wishes,
                                   int32_t pid, std::shared_ptr<PipePair>* pair, uint32_t* which) {
  EndName parts;
  if (Status s = split(end, &parts); !s.ok()) return s;
  *which = parts.end;
  const std::string name = master_name(parts);
  if (auto there = find_pair(name)) {
    if (wishes && wishes->memory_id && there->arena()->id != wishes->memory_id) {
      return {Code::busy, "'" + end +
                              "' is open in memory of its own; end the programs that use "
                              "it, then it can lie in that of another port"};
    }
    *pair = std::move(there);
    return {};
  }
  std::erase_if(pairs_, [](const auto& entry) { return entry.second.expired(); });
  if (pairs_.size() >= kPipePairsMax) {
    return {Code::limit_reached, std::to_string(kPipePairsMax) + " pipes are open already"};
  }
  std::shared_ptr<PipeArena> arena;
  Status s = find_arena(name, wishes, pid, parts.end, &arena);
  if (!s.ok()) return s;
  PipeShape shape;
  if (wishes) {
    const uint32_t to = parts.end, from = 1 - parts.end;  // seen from `{`
    shape.slots[to] = wishes->tx_slots;
    shape.slots[from] = wishes->rx_slots;
    shape.rings[to] = wishes->tx_rings;
    shape.rings[from] = wishes->rx_rings;
  }
  s = PipePair::make(parts.base, parts.number, shape, std::move(arena), pair);
  if (!s.ok()) return s;
  pairs_[name] = *pair;
  for (PipeEnd read : {PipeEnd::master, PipeEnd::slave}) {
    if (pipes_.contains((*pair)->read_at(read).consumer_name)) {
      (*pair)->set_state(read, BRICKS_PRODUCER_CLOSED);  // an engine fills that direction
    }
  }
  return {};
}

Status PipeDirectory::attach_or_make(const std::string& consumer_name, int32_t pid,
                                     std::shared_ptr<PipeShare>* pipe) {
  std::shared_ptr<PipePair> pair;  // lives until somebody holds it
  {
    std::lock_guard lock(mutex_);
    if (!pipes_.contains(consumer_name)) {
      uint32_t end = 0;
      if (Status s = find_or_make(consumer_name, nullptr, pid, &pair, &end); !s.ok()) return s;
    }
    Peer self;
    self.pid = pid;
    self.user = geteuid();
    self.group = getegid();
    if (Status s = take(consumer_name, self, pipe); !s.ok()) return s;
  }
  if (pair) tell_changed();
  return {};
}

Status PipeDirectory::attach_writer(const std::string& end, int32_t pid,
                                    std::shared_ptr<PipeShare>* pipe) {
  std::shared_ptr<PipePair> pair;
  {
    std::lock_guard lock(mutex_);
    uint32_t which = 0;
    if (Status s = find_or_make(end, nullptr, pid, &pair, &which); !s.ok()) return s;
    const PipeEnd reader = which == 0 ? PipeEnd::slave : PipeEnd::master;
    PipeShare& share = pair->read_at(reader);
    if (pair->rings_read_at(reader) != 1) {
      return {Code::unsupported,
              "'" + end + "' has several rings; only netmap programs write to such a pipe"};
    }
    if (pipes_.contains(share.consumer_name)) {
      return {Code::busy, "'" + end + "' is filled by an engine already"};
    }
    int32_t holder = 0;
    if (!share.producer_pid.compare_exchange_strong(holder, pid > 0 ? pid : -1)) {
      return held(end, holder, "writes");
    }
    pair->set_unstamped(reader, false);
    pair->set_state(reader, BRICKS_PRODUCER_LIVE);
    *pipe = std::shared_ptr<PipeShare>(pair, &share);
  }
  tell_changed();
  return {};
}

void PipeDirectory::detach_writer(const std::shared_ptr<PipeShare>& pipe) {
  std::lock_guard lock(mutex_);
  pipe->producer_pid.store(0);
  if (pipe->restore) pipe->restore();
}

Status PipeDirectory::open_end(const bricks_end_request& request, int32_t pid, PipeOpening* opening,
                               bricks_end_reply* reply) {
  std::string name = request.name;
  if (name.starts_with("netmap:")) name.erase(0, 7);
  PipeOpening made;
  {
    std::lock_guard lock(mutex_);
    Status s = find_or_make(name, &request, pid, &made.pair, &made.end);
    if (!s.ok()) return s;
    const auto end = static_cast<PipeEnd>(made.end);
    const PipeEnd peer = end == PipeEnd::master ? PipeEnd::slave : PipeEnd::master;
    made.pid = pid > 0 ? pid : -1;
    made.tx = !(request.flags & BRICKS_END_NO_TX);
    made.rx = !(request.flags & BRICKS_END_NO_RX);
    made.exclusive = request.flags & BRICKS_END_EXCLUSIVE;
    PipePair::Openings& open = made.pair->openings[made.end];
    PipeShare& read = made.pair->read_at(end);
    PipeShare& sent = made.pair->read_at(peer);
    if (open.all && (made.exclusive || open.exclusive)) {
      return {Code::busy, "'" + name + "' is open exclusively; end the program that has it"};
    }
    if (made.rx && !open.rx) {
      const auto filled = pipes_.find(read.consumer_name);
      const PipeShare& share = filled == pipes_.end() ? read : *filled->second;
      if (const int32_t holder = share.consumer_pid.load()) return held(name, holder, "reads");
    }
    if (made.tx && !open.tx) {
      if (pipes_.contains(sent.consumer_name)) {
        return {Code::busy, "'" + name +
                                "' is filled by an engine; a program can open it for "
                                "receiving only (netmap:" +
                                name + "/R), or the other end"};
      }
      if (const int32_t holder = sent.producer_pid.load()) return held(name, holder, "writes");
    }
    if (s = made.pair->open_end(end, request, reply); !s.ok()) return s;
    made.if_offset = reply->if_offset;
    made.pair->resume(end, made.tx && !open.tx, made.rx && !open.rx);
    open.all += 1;
    open.tx += made.tx;
    open.rx += made.rx;
    open.exclusive += made.exclusive;
    if (made.tx && open.tx == 1) {
      sent.producer_pid.store(made.pid);
      made.pair->set_unstamped(peer, true);
    }
    if (made.rx && open.rx == 1) {
      read.consumer_pid.store(made.pid);
      read.attachments.fetch_add(1);
    }
    made.pair->arena()->openers.push_back(made.pid);
  }
  *opening = std::move(made);
  tell_changed();
  return {};
}

void PipeDirectory::close_end(PipeOpening& opening) {
  if (!opening.pair) return;
  {
    std::lock_guard lock(mutex_);
    PipePair& pair = *opening.pair;
    PipePair::Openings& open = pair.openings[opening.end];
    open.all -= 1;
    open.tx -= opening.tx;
    open.rx -= opening.rx;
    open.exclusive -= opening.exclusive;
    const auto end = static_cast<PipeEnd>(opening.end);
    const PipeEnd peer = end == PipeEnd::master ? PipeEnd::slave : PipeEnd::master;
    if (opening.tx && !open.tx) pair.read_at(peer).producer_pid.store(0);
    if (opening.rx && !open.rx) {
      PipeShare& read = pair.read_at(end);
      if (pipes_.contains(read.consumer_name)) pair.forget_copies(end);
      read.consumer_pid.store(0);
    }
    pair.close_end(opening.if_offset);
    auto& openers = pair.arena()->openers;
    const auto mine = std::find(openers.begin(), openers.end(), opening.pid);
    if (mine != openers.end()) openers.erase(mine);
    if (!open.all) pair.restore();
  }
  opening.pair.reset();
}

}  // namespace bricks
