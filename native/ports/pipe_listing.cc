// The part of the PipeDirectory that says what can be read (abi/bricks_list.h).
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "ports/pipe_directory.hh"
#include "ports/pipe_pair.hh"
#include "ports/port_registry.hh"

namespace bricks {
namespace {

// "zeek (1234)": the kernel's word for a process, and its number.
std::string process_name(int32_t pid) {
  char path[64], name[32] = "";
  std::snprintf(path, sizeof path, "/proc/%d/comm", pid);
  if (FILE* file = pid > 0 ? std::fopen(path, "re") : nullptr) {
    if (std::fgets(name, sizeof name, file)) name[std::strcspn(name, "\n")] = 0;
    std::fclose(file);
    for (char* c = name; *c; ++c) {
      if (static_cast<unsigned char>(*c) < 32 || *c == 127) *c = '?';  // it may call itself so
    }
  }
  if (!*name) return pid > 0 ? "process " + std::to_string(pid) : "a program elsewhere";
  return std::string(name) + " (" + std::to_string(pid) + ")";
}

uint32_t link_type_of(const PipeShare& pipe) {
  uint32_t type = 0;
  const auto at = static_cast<off_t>(pipe.pipe_offset + offsetof(bricks_pipe, link_type));
  if (pread(pipe.memory_fd, &type, sizeof type, at) != sizeof type) return 0;
  return type & 0xffffu;  // hostile: the memory is the consumer's, too
}

bricks_listed row_of(const PipeShare& pipe, const std::string& what, bool readable) {
  const int32_t holder = pipe.consumer_pid.load();
  bricks_listed row{};
  row.kind = BRICKS_LISTED_PIPE;
  row.holder = holder;
  row.flags = readable && holder == 0 ? BRICKS_LISTED_TAKE : 0;
  row.link_type = link_type_of(pipe);
  pipe.consumer_name.copy(row.name, sizeof row.name - 1);
  what.copy(row.sentence, sizeof row.sentence - 1);
  return row;
}

}  // namespace

void PipeDirectory::list(const Peer& peer, std::vector<bricks_listed>* rows) {
  std::unique_lock lock(mutex_);
  for (const auto& [name, pipe] : pipes_) {
    if (pipe->access.allows(peer)) rows->push_back(row_of(*pipe, "pipe", true));
  }
  for (const auto& [name, weak] : pairs_) {
    const auto pair = weak.lock();
    for (const PipeEnd end : {PipeEnd::master, PipeEnd::slave}) {
      if (!pair) continue;
      const PipeShare& read = pair->read_at(end);
      if (pipes_.contains(read.consumer_name) || !read.access.allows(peer)) continue;
      // Whoever opens the other end as a netmap program may send from there.
      const PipeEnd sender = end == PipeEnd::master ? PipeEnd::slave : PipeEnd::master;
      const int32_t writer = read.producer_pid.load();
      if (writer == 0 && pair->openings[static_cast<uint32_t>(sender)].tx == 0) continue;
      const std::string what = "pipe that a program fills";
      rows->push_back(row_of(read, what, pair->rings_read_at(end) == 1));
    }
  }
  lock.unlock();
  std::sort(rows->begin(), rows->end(), [](const bricks_listed& a, const bricks_listed& b) {
    return std::strcmp(a.name, b.name) < 0;
  });
}

void describe_reader(bricks_listed* row) {
  std::string text = row->sentence;
  text += row->holder == 0 ? ", nobody reads it" : ", read by " + process_name(row->holder);
  row->sentence[text.copy(row->sentence, sizeof row->sentence - 1)] = 0;
}

}  // namespace bricks
