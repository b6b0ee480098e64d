// libbricks against the real engine's end of a pipe.
#include <poll.h>
#include <signal.h>

#include <algorithm>

#include "check.hh"
#include "pipe_fixture.hh"
#include "ports/port_registry.hh"

using namespace bricks;

namespace {

constexpr uint64_t kPackets = 60000;

size_t length_of(uint64_t number) { return 8 + Random{number + 77}.below(3000); }

// Reads kPackets of make_frame, in order; the exit code says what was wrong.
int read_all(const std::string& run_dir) {
  bricks_options options{};
  options.run_dir = run_dir.c_str();
  options.timeout_ms = 20000;  // the daemon is not there yet
  bricks_consumer* consumer = nullptr;
  if (bricks_attach(&consumer, "netmap:x}3", &options, nullptr, 0) != BRICKS_OK) return 2;
  uint64_t number = 0;
  bricks_packet packets[100];
  for (;;) {
    uint32_t count = 0;
    const bool batch = number % 3 != 0;
    const bricks_result result =
        batch ? bricks_next_batch(consumer, packets, 100, &count) : bricks_next(consumer, packets);
    if (result == BRICKS_END) break;
    if (result == BRICKS_EMPTY) {
      if (bricks_wait(consumer, 20000) != BRICKS_OK) return 3;
      continue;
    }
    if (result != BRICKS_OK) return 4;
    if (!batch) count = 1;
    for (uint32_t i = 0; i < count; ++i, ++number) {
      const Bytes expected = make_frame(number, length_of(number));
      if (packets[i].captured != expected.size() || packets[i].wire_length != expected.size() ||
          packets[i].timestamp_ns != number * 10 || packets[i].link_type != 1 ||
          std::memcmp(packets[i].data, expected.data(), expected.size()) != 0) {
        return 5;
      }
    }
  }
  bricks_detach(consumer);
  return number == kPackets ? 0 : 6;
}

bool readable(bricks_consumer* consumer, int timeout_ms) {
  pollfd fd{bricks_fd(consumer), POLLIN, 0};
  return poll(&fd, 1, timeout_ms) == 1;
}

}  // namespace

TEST(client_gets_every_packet_in_order_in_another_process) {
  PipeHouse house;
  const std::string run_dir = house.folder.path();
  Child child([&] { return read_all(run_dir); });
  CHECK(house.serve().ok());
  CHECK(house.open("x{3", 256).ok());
  for (uint64_t n = 0; n < kPackets; ++n) {
    Bytes frame = make_frame(n, length_of(n));
    house.put(frame, n * 10);
    if (n % 64 == 0) house.output->flush(0, house.cell);
  }
  house.output->flush(0, house.cell);
  house.output->finish(house.cell);
  CHECK_EQ(child.wait(), 0);
  house.output->flush(0, house.cell);
  CHECK_EQ(house.cell.delivered, kPackets);
  CHECK_EQ(house.cell.dropped_total(), uint64_t{0});
  CHECK_EQ(house.cell.held, uint64_t{0});
}

TEST(client_puts_frames_of_many_buffers_together) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("big{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "big}0"), BRICKS_OK);
  const size_t lengths[] = {1, 2047, 2048, 2049, 4096, 4097, 9000, 65534, 65535, 60};
  uint64_t number = 0;
  for (int round = 0; round < 5; ++round) {
    for (size_t length : lengths) {
      ++number;
      house.send(make_frame(number, length), number);
      house.send(make_frame(number, 100), number, 3000);
      bricks_packet packets[8];
      uint32_t count = 0;
      CHECK_EQ(bricks_next_batch(consumer, packets, 8, &count), BRICKS_OK);
      const Bytes expected = make_frame(number, length);
      CHECK(count >= 1 && packets[0].captured == length);
      CHECK(std::equal(expected.begin(), expected.end(), packets[0].data));
      CHECK_EQ(packets[0].wire_length, static_cast<uint32_t>(length));
      if (count == 1) CHECK_EQ(bricks_next(consumer, &packets[1]), BRICKS_OK);
      CHECK_EQ(packets[1].captured, 100u);
      CHECK_EQ(packets[1].wire_length, 3000u);
      CHECK_EQ(bricks_next(consumer, packets), BRICKS_EMPTY);
    }
  }
  bricks_detach(consumer);
}

TEST(client_reads_wire_length_and_link_type_of_the_trailer) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("t{0", 64).ok());
  house.send(make_frame(1, 60), 5);
  house.send(make_frame(2, 96), 6, 1500);
  house.send(make_frame(3, 60), 7, 0, LinkType::raw);
  house.send(make_frame(4, 5000), 8, 9000, LinkType::null);
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "t}0"), BRICKS_OK);
  CHECK_EQ(bricks_link_type(consumer), 1u);
  CHECK_EQ(std::string(bricks_name(consumer)), std::string("t}0"));
  const uint32_t expected[][3] = {{60, 60, 1}, {96, 1500, 1}, {60, 60, 101}, {5000, 9000, 0}};
  for (const auto& row : expected) {
    bricks_packet packet{};
    CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
    CHECK_EQ(packet.captured, row[0]);
    CHECK_EQ(packet.wire_length, row[1]);
    CHECK_EQ(packet.link_type, row[2]);
  }
  bricks_detach(consumer);
}

TEST(client_tells_empty_timeout_end_and_gone_apart) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("s{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  bricks_packet packet;
  CHECK_EQ(house.attach(&consumer, "s}0"), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK_EQ(bricks_wait(consumer, 0), BRICKS_TIMEOUT);
  CHECK_EQ(bricks_wait(consumer, 30), BRICKS_TIMEOUT);
  house.send(make_frame(1, 60));
  CHECK_EQ(bricks_wait(consumer, 0), BRICKS_OK);
  house.output->finish(house.cell);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_END);
  CHECK_EQ(bricks_wait(consumer, -1), BRICKS_OK);
  house.send(make_frame(2, 60));  // the input begins anew
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  house.output->close(house.cell);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_END);
  CHECK_EQ(house.cell.delivered, uint64_t{2});
  bricks_detach(consumer);
}

TEST(client_that_follows_outlives_the_end_but_not_the_pipe) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("f{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  bricks_packet packet;
  CHECK_EQ(house.attach(&consumer, "f}0", 0, true), BRICKS_OK);
  house.output->finish(house.cell);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK_EQ(bricks_wait(consumer, 20), BRICKS_TIMEOUT);
  house.send(make_frame(1, 60));
  CHECK_EQ(bricks_wait(consumer, -1), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  house.output->close(house.cell);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_GONE);
  CHECK_EQ(bricks_closed(consumer), 1);
  bricks_detach(consumer);
}

TEST(client_reads_the_rest_when_the_daemon_vanishes) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("v{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  bricks_packet packet;
  CHECK_EQ(house.attach(&consumer, "v}0"), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK(!readable(consumer, 0));
  house.send(make_frame(1, 60));
  house.server.reset();  // as far as a consumer sees: the process behind the socket is no more
  CHECK(readable(consumer, 20000));
  CHECK_EQ(bricks_wait(consumer, -1), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK(readable(consumer, 0));  // the end of the connection
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_GONE);
  CHECK_EQ(bricks_closed(consumer), 0);
  CHECK_EQ(bricks_wait(consumer, -1), BRICKS_OK);
  bricks_detach(consumer);
}

TEST(client_fd_is_readable_when_there_is_news_and_only_then) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("p{0", 64).ok());
  bricks_consumer* consumer = nullptr;
  bricks_packet packet;
  CHECK_EQ(house.attach(&consumer, "p}0"), BRICKS_OK);
  for (int round = 0; round < 100; ++round) {
    CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
    house.send(make_frame(1, 60));
    CHECK(readable(consumer, 20000));
    CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  }
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_EMPTY);
  CHECK(!readable(consumer, 0));  // no stale count keeps a sleeper awake
  bricks_detach(consumer);
}

TEST(client_waits_for_any_of_several_pipes) {
  PipeHouse house;
  CHECK(house.serve().ok());
  std::unique_ptr<PipeOutput> outputs[4];
  bricks_consumer* consumers[4] = {};
  for (int i = 0; i < 4; ++i) {
    const std::string name = "any{" + std::to_string(i);
    CHECK(PipeOutput::open(name, 64, nullptr, &house.directory, &outputs[i]).ok());
    CHECK_EQ(house.attach(&consumers[i], flip_pipe_name(name).c_str()), BRICKS_OK);
  }
  CHECK_EQ(bricks_wait_any(consumers, 4, 10), BRICKS_TIMEOUT);
  CHECK_EQ(bricks_wait_any(consumers, 0, 10), BRICKS_INVALID);
  for (int i = 0; i < 4; ++i) {
    house.output.swap(outputs[i]);
    std::thread sender([&] { house.send(make_frame(1, 60)); });
    CHECK_EQ(bricks_wait_any(consumers, 4, 20000), BRICKS_OK);
    sender.join();
    bricks_packet packet;
    for (int k = 0; k < 4; ++k) {
      CHECK_EQ(bricks_next(consumers[k], &packet), k == i ? BRICKS_OK : BRICKS_EMPTY);
    }
    house.output.swap(outputs[i]);
  }
  for (bricks_consumer* consumer : consumers) bricks_detach(consumer);
}

TEST(client_interrupted_wait_says_so) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("i{0", 64).ok());
  int started[2];
  CHECK_EQ(pipe(started), 0);
  const std::string run_dir = house.folder.path();
  Child child([&] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGUSR1, &action, nullptr);
    bricks_options options{};
    options.run_dir = run_dir.c_str();
    bricks_consumer* consumer = nullptr;
    if (bricks_attach(&consumer, "i}0", &options, nullptr, 0) != BRICKS_OK) return 1;
    if (write(started[1], "", 1) != 1) return 2;
    return bricks_wait(consumer, 20000) == BRICKS_INTERRUPTED ? 0 : 3;
  });
  char byte;
  CHECK_EQ(read(started[0], &byte, 1), ssize_t{1});
  bool ended = false;  // signals until one falls into the wait
  CHECK(eventually([&] {
    siginfo_t info{};
    kill(child.pid(), SIGUSR1);
    waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WNOHANG | WNOWAIT);
    return ended = info.si_pid != 0;
  }));
  if (ended) CHECK_EQ(child.wait(), 0);
  close(started[0]);
  close(started[1]);
}
