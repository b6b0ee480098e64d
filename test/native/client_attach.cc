// Taking a pipe's end, losing it, finding it taken.
#include <signal.h>

#include "check.hh"
#include "pipe_fixture.hh"

using namespace bricks;

TEST(client_refuses_names_that_are_no_consumers_end) {
  PipeHouse house;
  bricks_consumer* consumer = nullptr;
  const std::string endless(300, 'x');
  for (const char* name : {"", "eth3", "{0", "}0", "eth3}", "eth3}x", "eth3}0 ", endless.c_str()}) {
    house.why[0] = 0;
    CHECK_EQ(house.attach(&consumer, name), BRICKS_INVALID);
    CHECK(consumer == nullptr && house.why[0] != 0);
  }
  // The end an engine writes is an end, too; only nobody fills the other way.
  CHECK(house.serve().ok());
  CHECK(house.open("eth3{0", 64).ok());
  CHECK_EQ(house.attach(&consumer, "eth3{0", -1), BRICKS_NOT_FOUND);  // not even with patience
  CHECK(std::strstr(house.why, "consumers read the other end, 'eth3}0'") != nullptr);
  CHECK_EQ(bricks_attach(&consumer, nullptr, nullptr, nullptr, 0), BRICKS_INVALID);
  bricks_detach(nullptr);
}

TEST(client_says_unreachable_not_found_and_timeout) {
  PipeHouse house;
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "x}0"), BRICKS_UNREACHABLE);
  CHECK_EQ(house.attach(&consumer, "x}0", 50), BRICKS_TIMEOUT);
  CHECK(std::strstr(house.why, "no daemon") != nullptr);
  CHECK(house.serve().ok());
  CHECK_EQ(house.attach(&consumer, "x}0"), BRICKS_NOT_FOUND);
  CHECK_EQ(house.attach(&consumer, "x}0", 50), BRICKS_TIMEOUT);
  CHECK(std::strstr(house.why, "no pipe") != nullptr);
  bricks_options options{};
  const std::string deep(200, 'd');
  options.run_dir = deep.c_str();
  CHECK_EQ(bricks_attach(&consumer, "x}0", &options, nullptr, 0), BRICKS_INVALID);
}

TEST(client_that_comes_first_gets_the_pipe_when_it_is_made) {
  PipeHouse house;
  CHECK(house.serve().ok());
  bricks_result result = BRICKS_FAILED;
  bricks_consumer* consumer = nullptr;
  std::thread early([&] { result = house.attach(&consumer, "late}7", -1); });
  std::unique_ptr<PipeOutput> other;  // another pipe's coming does not answer it
  CHECK(PipeOutput::open("late{6", 64, nullptr, &house.directory, &other).ok());
  CHECK(house.open("late{7", 64).ok());
  early.join();
  CHECK_EQ(result, BRICKS_OK);
  CHECK_EQ(house.output->share()->consumer_pid.load(), getpid());
  bricks_detach(consumer);
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() == 0; }));
}

TEST(client_finds_a_held_pipe_busy_and_free_after_detach) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("b{0", 64).ok());
  bricks_consumer *first = nullptr, *second = nullptr;
  CHECK_EQ(house.attach(&first, "b}0"), BRICKS_OK);
  CHECK_EQ(house.attach(&second, "netmap:b}0"), BRICKS_BUSY);
  CHECK(std::strstr(house.why, std::to_string(getpid()).c_str()) != nullptr);
  CHECK_EQ(house.attach(&second, "b}0", 20000), BRICKS_BUSY);
  for (uint64_t n = 0; n < 10; ++n) house.send(make_frame(n, 60), n);
  bricks_packet packet;
  for (int i = 0; i < 4; ++i) CHECK_EQ(bricks_next(first, &packet), BRICKS_OK);
  bricks_detach(first);
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() == 0; }));
  CHECK_EQ(house.attach(&second, "b}0"), BRICKS_OK);
  CHECK_EQ(bricks_next(second, &packet), BRICKS_OK);
  CHECK_EQ(packet.timestamp_ns, uint64_t{4});  // the unread ones stayed
  bricks_detach(second);
  CHECK_EQ(house.output->share()->attachments.load(), 2u);
}

TEST(client_killed_gives_the_end_back) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("k{0", 64).ok());
  const std::string run_dir = house.folder.path();
  int attached[2];
  CHECK_EQ(pipe(attached), 0);
  Child child([&] {
    bricks_options options{};
    options.run_dir = run_dir.c_str();
    bricks_consumer* consumer = nullptr;
    if (bricks_attach(&consumer, "k}0", &options, nullptr, 0) != BRICKS_OK) return 1;
    bricks_packet packet;
    bricks_next(consumer, &packet);
    if (write(attached[1], "", 1) != 1) return 2;
    pause();
    return 3;
  });
  char byte;
  CHECK_EQ(read(attached[0], &byte, 1), ssize_t{1});
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "k}0"), BRICKS_BUSY);
  CHECK_EQ(house.output->share()->consumer_pid.load(), child.pid());
  house.send(make_frame(1, 60));
  kill(child.pid(), SIGKILL);
  CHECK_EQ(child.wait(), 128 + SIGKILL);
  CHECK(eventually([&] { return house.output->share()->consumer_pid.load() == 0; }));
  CHECK_EQ(house.attach(&consumer, "k}0"), BRICKS_OK);
  bricks_packet packet;
  CHECK_EQ(bricks_next(consumer, &packet), BRICKS_OK);
  bricks_detach(consumer);
  close(attached[0]);
  close(attached[1]);
}

TEST(client_that_scribbles_over_its_ring_harms_only_itself) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("m{0", 64).ok());
  std::shared_ptr<PipeShare> share;
  CHECK(house.directory.attach("m}0", 4242, &share).ok());
  for (uint64_t n = 0; n < 20; ++n) house.send(make_frame(n, 60), n);
  {
    const Child mad([&] {  // all of it but the packets' buffers
      std::vector<uint8_t> noise(2048);
      Random random{20240607};
      for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random.next());
      return pwrite(share->memory_fd, noise.data(), noise.size(),
                    static_cast<off_t>(share->pipe_offset)) > 0
                 ? 0
                 : 1;
    });
    CHECK_EQ(const_cast<Child&>(mad).wait(), 0);
  }
  for (uint64_t n = 0; n < 100; ++n) {
    Bytes frame = make_frame(n, 60);
    Batch batch;
    const Index pick = 0;
    batch.packets[0] = {};
    batch.packets[0].data = frame.data();
    batch.packets[0].length = 60;
    house.output->transmit(batch, &pick, 1, false, house.cell);
    house.output->flush(0, house.cell);
  }
  house.directory.detach(share);
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "m}0"), BRICKS_OK);
  bricks_packet packet;
  uint64_t got = 0;
  bricks_result result;
  while ((result = bricks_next(consumer, &packet)) == BRICKS_OK) ++got;
  CHECK(result == BRICKS_EMPTY || result == BRICKS_FAILED);
  CHECK(got <= 63);
  bricks_detach(consumer);
}
