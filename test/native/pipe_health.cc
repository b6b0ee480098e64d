// What an engine knows of a pipe's consumer: alive, stopped, hung, dead, back again, too slow; and
// that a heartbeat is a hint which cannot do more harm than a lie about oneself.
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>

#include <ctime>

#include "check.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

constexpr Nanos kMillisecond = 1000000;

Nanos monotonic() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanos>(now.tv_sec) * 1000000000 + static_cast<Nanos>(now.tv_nsec);
}

Status open_pipe(PipeHouse& house, uint32_t heartbeat_ms, uint32_t slots = 64) {
  PipeSettings settings;
  settings.heartbeat_ms = heartbeat_ms;
  return PipeOutput::open("h{0", slots, nullptr, &house.directory, &house.output, settings);
}

bool ready_now(PipeHouse& house) {
  house.output->look(monotonic(), house.cell);
  return house.output->ready();
}

bool becomes(PipeHouse& house, bool ready) {
  return eventually([&] { return ready_now(house) == ready; });
}

// Stays so for the whole time, looked at as an engine does.
bool stays_ready(PipeHouse& house, int milliseconds) {
  const Nanos end = monotonic() + static_cast<Nanos>(milliseconds) * kMillisecond;
  while (monotonic() < end) {
    if (!ready_now(house)) return false;
    poll(nullptr, 0, 10);
  }
  return true;
}

int read_for_ever(const std::string& run_dir) {
  bricks_options options{};
  options.run_dir = run_dir.c_str();
  bricks_consumer* consumer = nullptr;
  if (bricks_attach(&consumer, "h}0", &options, nullptr, 0) != BRICKS_OK) return 1;
  bricks_packet packet;
  do {
    while (bricks_next(consumer, &packet) == BRICKS_OK) continue;
  } while (bricks_wait(consumer, -1) == BRICKS_OK);
  return 0;
}

int read_one_and_hang(const std::string& run_dir) {
  bricks_options options{};
  options.run_dir = run_dir.c_str();
  bricks_consumer* consumer = nullptr;
  if (bricks_attach(&consumer, "h}0", &options, nullptr, 0) != BRICKS_OK) return 1;
  bricks_packet packet;
  while (bricks_next(consumer, &packet) == BRICKS_EMPTY) bricks_wait(consumer, -1);
  for (;;) pause();
}

int sleep_on_fd(const std::string& run_dir) {
  bricks_options options{};
  options.run_dir = run_dir.c_str();
  bricks_consumer* consumer = nullptr;
  if (bricks_attach(&consumer, "h}0", &options, nullptr, 0) != BRICKS_OK) return 1;
  pollfd news = {bricks_fd(consumer), POLLIN, 0};
  bricks_packet packet;
  for (;;) {
    bricks_result result;
    while ((result = bricks_next(consumer, &packet)) == BRICKS_OK) continue;
    if (result != BRICKS_EMPTY) return 0;
    poll(&news, 1, -1);
  }
}

// The consumer's words in a pipe's memory, as a program that writes what it likes.
struct Words {
  std::shared_ptr<PipeShare> share;
  uint8_t* memory;
  bricks_pipe* pipe;
  netmap_ring* ring;
  explicit Words(PipeHouse& house) {
    CHECK(house.directory.attach("h}0", getpid(), &share).ok());
    memory = static_cast<uint8_t*>(mmap(nullptr, share->region_bytes, PROT_READ | PROT_WRITE,
                                        MAP_SHARED, share->memory_fd, 0));
    pipe = reinterpret_cast<bricks_pipe*>(memory + share->pipe_offset);
    ring = reinterpret_cast<netmap_ring*>(memory + pipe->ring_offset);
  }
  ~Words() { munmap(memory, share->region_bytes); }
};

}  // namespace

TEST(pipe_health_idle_stopped_and_continued) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(open_pipe(house, 2500).ok());
  CHECK(!ready_now(house));  // nobody is there
  const Child child([path = house.folder.path()] { return read_for_ever(path); });
  CHECK(becomes(house, true));
  CHECK(stays_ready(house, 3500));  // without a packet
  CHECK(house.output->silent_ms() >= 0 && house.output->silent_ms() < 2500);
  kill(child.pid(), SIGSTOP);
  CHECK(becomes(house, false));
  CHECK(house.output->attached());
  CHECK(house.output->silent_ms() >= 2500);
  kill(child.pid(), SIGCONT);
  CHECK(becomes(house, true));
}

TEST(pipe_health_hung_dead_and_restarted) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(open_pipe(house, 300).ok());
  const std::string path = house.folder.path();
  {
    const Child hangs([&] { return read_one_and_hang(path); });
    // Its first sign of life: from now on it reads what comes.
    CHECK(eventually([&] { return ready_now(house) && house.output->silent_ms() >= 0; }));
    house.send(make_frame(1, 60));
    CHECK(becomes(house, false));
    CHECK(house.output->attached());
  }  // killed
  CHECK(eventually([&] { return !house.output->attached(); }));
  CHECK(!ready_now(house));
  CHECK_EQ(house.output->silent_ms(), -1);
  const Child next([&] { return read_for_ever(path); });
  CHECK(becomes(house, true));
}

TEST(pipe_health_sleep_on_a_descriptor_is_no_hang) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(open_pipe(house, 1000).ok());
  const Child child([path = house.folder.path()] { return sleep_on_fd(path); });
  CHECK(becomes(house, true));
  CHECK(stays_ready(house, 1500));
  house.send(make_frame(1, 60));
  CHECK(eventually([&] { return house.output->flush(0, house.cell), house.cell.held == 0; }));
  CHECK(stays_ready(house, 1500));
}

TEST(pipe_health_believes_no_clock) {
  PipeHouse house;
  CHECK(open_pipe(house, 1000).ok());
  const Words words(house);
  Nanos now = 5000 * kMillisecond;
  const auto look = [&](Nanos later) {
    now += later;
    house.output->look(now, house.cell);
    return house.output->ready();
  };
  CHECK(look(0));
  CHECK(look(5000 * kMillisecond));  // none: it may be a program without one
  words.pipe->consumer_beat = UINT64_MAX;
  CHECK(look(100 * kMillisecond));
  CHECK(look(900 * kMillisecond));
  CHECK(!look(200 * kMillisecond));  // far in the future, but it does not move
  CHECK_EQ(house.output->silent_ms(), int64_t{1100});
  for (const uint64_t beat : {1ull, 0x8000000000000000ull, 2ull}) {
    words.pipe->consumer_beat = beat;
    CHECK(look(5000 * kMillisecond));
  }
  now = 1000 * kMillisecond;  // our own clock never goes back; if it did
  CHECK(look(0));
  CHECK_EQ(house.output->silent_ms(), int64_t{0});
  house.directory.detach(words.share);
  CHECK(!look(0));
  CHECK_EQ(words.pipe->consumer_beat, uint64_t{0});  // the next one does not inherit it
}

TEST(pipe_health_full_is_lost_until_it_is_half_empty) {
  PipeHouse house;
  CHECK(open_pipe(house, 0, 64).ok());
  const Words words(house);
  Nanos now = 1000 * kMillisecond;
  Bytes frame = make_frame(1, 60);
  const auto transmit = [&](uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
      Batch batch;
      const Index pick = 0;
      batch.count = 1;
      batch.packets[0] = {};
      batch.packets[0].data = frame.data();
      batch.packets[0].length = 60;
      house.output->transmit(batch, &pick, 1, false, house.cell);
    }
    house.output->flush(0, house.cell);
  };
  const auto look = [&] {
    now += 100 * kMillisecond;
    house.output->look(now, house.cell);
    return house.output->ready();
  };
  CHECK(look());
  transmit(70);                                // 63 fit
  for (int i = 0; i < 20; ++i) CHECK(look());  // a burst is no reason
  int looks = 0;
  do {
    transmit(1);
    ++looks;
  } while (look() && looks < 50);
  CHECK_EQ(looks, 11);  // one to begin with, and a second
  CHECK(!look());       // nothing more is lost, but it is still full
  words.ring->head = words.ring->cur = 20;
  house.output->flush(0, house.cell);
  CHECK(!look());
  words.ring->head = words.ring->cur = 40;
  house.output->flush(0, house.cell);
  CHECK(look());
}
