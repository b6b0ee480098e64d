// Pipes for tests: a run folder with a port server, an engine's end to fill, and child processes.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "abi/bricks.h"
#include "eventually.hh"
#include "ports/pipe_directory.hh"
#include "ports/pipe_output.hh"
#include "ports/pipe_server.hh"

namespace bricks {

using Bytes = std::vector<uint8_t>;

// xorshift: the same packets for the same seed, anywhere.
struct Random {
  uint64_t state;
  uint64_t next() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
  uint32_t below(uint32_t limit) { return static_cast<uint32_t>(next() % limit); }
};

inline Bytes make_frame(uint64_t number, size_t length) {
  Bytes frame(length);
  Random random{number * 2 + 1};
  for (uint8_t& byte : frame) byte = static_cast<uint8_t>(random.next() >> 32);
  for (size_t i = 0; i < 8 && i < length; ++i) frame[i] = static_cast<uint8_t>(number >> (8 * i));
  return frame;
}

class RunFolder {
 public:
  RunFolder() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base && *base ? base : "/tmp") + "/bricks-test-XXXXXX";
    if (!mkdtemp(path_.data())) std::abort();
  }
  ~RunFolder() {
    unlink(socket().c_str());
    rmdir(path_.c_str());
  }
  const std::string& path() const { return path_; }
  std::string socket() const { return path_ + "/ports.sock"; }

 private:
  std::string path_;
};

// The engine's end, and everything a consumer needs to find it.
struct PipeHouse {
  RunFolder folder;
  PipeDirectory directory;
  std::unique_ptr<PipeServer> server;
  std::unique_ptr<PipeOutput> output;
  LedgerCell cell;

  Status serve() { return PipeServer::open(folder.socket(), directory, &server); }
  Status open(const std::string& name, uint32_t slots) {
    return PipeOutput::open(name, slots, nullptr, &directory, &output);
  }
  void put(Bytes& frame, uint64_t timestamp = 1000, uint32_t wire = 0,
           LinkType link = LinkType::ethernet) {
    static thread_local Batch batch;
    const Index pick = 0;
    batch.count = 1;
    batch.link = link;
    batch.packets[0] = {};
    batch.packets[0].data = frame.data();
    batch.packets[0].length = static_cast<uint32_t>(frame.size());
    batch.packets[0].timestamp = timestamp;
    if (wire > frame.size()) batch.packets[0].flags = kPacketCut;
    batch.wire_lengths[0] = wire;
    while (output->room(batch, &pick, 1) == 0) {
      output->flush(0, cell);
      std::this_thread::yield();
    }
    output->transmit(batch, &pick, 1, false, cell);
  }
  void send(Bytes frame, uint64_t timestamp = 1000, uint32_t wire = 0,
            LinkType link = LinkType::ethernet) {
    put(frame, timestamp, wire, link);
    output->flush(0, cell);
  }
  bricks_result attach(bricks_consumer** consumer, const char* name, int64_t timeout_ms = 0,
                       bool follow = false) {
    bricks_options options{};
    options.run_dir = folder.path().c_str();
    options.timeout_ms = timeout_ms;
    options.follow = follow;
    return bricks_attach(consumer, name, &options, why, sizeof why);
  }
  char why[768] = "";
};

// `body` in a process of its own; what it returns is the exit code.
class Child {
 public:
  explicit Child(const std::function<int()>& body) {
    std::fflush(nullptr);
    pid_ = fork();
    if (pid_ == 0) _exit(body());
  }
  ~Child() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      wait();
    }
  }
  pid_t pid() const { return pid_; }
  // The exit code; 128 + the signal that ended it.
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

}  // namespace bricks
