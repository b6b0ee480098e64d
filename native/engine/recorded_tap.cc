#include "engine/recorded_tap.hh"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <utility>

#include "ports/pipe_output.hh"

namespace bricks {

namespace {

constexpr int kLookMs = 10;  // for new packets
constexpr uint32_t kTapSlots = 8192;

Nanos wall_clock() noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

constexpr auto kAllPicks = [] {
  std::array<Index, kBatchMax> all{};
  for (uint32_t i = 0; i < kBatchMax; ++i) all[i] = static_cast<Index>(i);
  return all;
}();

}  // namespace

Status RecordedTap::open(const TapRequest& request, const std::string& pipe, uint32_t last_ms,
                         std::shared_ptr<Recording> recording, PipeDirectory* pipes,
                         std::unique_ptr<RecordedTap>* tap) {
  std::unique_ptr<RecordedTap> made(new RecordedTap);
  made->tap_.request = request;
  made->tap_.slot.name = pipe;
  Status status = compile_filter(request, &made->tap_.filter);
  PortContext context;
  context.pipes = pipes;
  context.pipe_slots = kTapSlots;
  context.owner = "recorder";
  if (status.ok()) status = open_output(pipe + request.access, context, &made->tap_.slot.port);
  if (!status.ok()) return status;
  const Nanos back = static_cast<Nanos>(last_ms) * 1000000;
  made->reader_ = std::make_unique<Recording::Reader>(recording, wall_clock() - back);
  made->recording_ = std::move(recording);
  // Signals belong to the host program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  RecordedTap* self = made.get();
  made->thread_ = std::thread([self] { self->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  *tap = std::move(made);
  return {};
}

RecordedTap::~RecordedTap() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  reader_.reset();
  if (tap_.slot.port) tap_.slot.port->close(tap_.slot.cell);
}

Status RecordedTap::set_filter(const std::string& expression) {
  TapRequest wanted = tap_.request;
  wanted.expression = expression;
  std::unique_ptr<Expression> filter;
  Status status = compile_filter(wanted, &filter);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  tap_.request.expression = expression;
  tap_.filter = std::move(filter);
  return {};
}

TapRow RecordedTap::row() {
  const std::lock_guard lock(mutex_);
  const PipeOutput* pipe = tap_.slot.port->pipe();
  return {tap_.slot.name,
          tap_.request.link,
          tap_.request.expression,
          tap_.request.sample,
          pipe ? pipe->share()->consumer_pid.load() : 0,
          tap_.passed,
          tap_.slot.cell};
}

RecordedTap::Next RecordedTap::work() noexcept {
  const std::lock_guard lock(mutex_);
  LedgerCell& cell = tap_.slot.cell;
  Output& pipe = *tap_.slot.port;
  uint64_t lost = 0;
  const bool over = recording_->finished() || recording_->closed();  // before the look
  const uint32_t count = reader_->look(batch_, &lost);
  tap_.passed += lost + count;
  cell.packets += lost;
  cell.drop(Drop::ring_full, lost);
  pipe.flush(wall_clock(), cell);  // and learns what the consumer has read
  if (count == 0) {
    if (over && !said_over_) pipe.finish(cell);
    said_over_ = over;
    return Next::wait_for_packets;
  }
  said_over_ = false;
  const uint32_t wanted = tap_.choose(batch_, kAllPicks.data(), count);
  const uint32_t fits = wanted ? pipe.room(batch_, tap_.matched, wanted) : 0;
  if (fits) {
    cell.packets += fits;
    pipe.transmit(batch_, tap_.matched, fits, false, cell);
    pipe.flush(wall_clock(), cell);
  }
  const uint32_t done = fits < wanted ? tap_.matched[fits] : count;
  tap_.passed -= count - done;
  reader_->release(done);
  if (fits == wanted) return Next::more;
  pipe.arm_wait();
  return Next::wait_for_room;
}

void RecordedTap::run() noexcept {
  pthread_setname_np(pthread_self(), "bricks-recorded");
  while (!stop_) {
    const Next next = work();
    if (next == Next::more) continue;
    pollfd room = {tap_.slot.port->wait_fd(), POLLIN, 0};
    if (poll(&room, next == Next::wait_for_room ? 1 : 0, kLookMs) == 1) {
      uint64_t ignored;
      [[maybe_unused]] const ssize_t n = read(room.fd, &ignored, sizeof ignored);
    }
  }
}

}  // namespace bricks
