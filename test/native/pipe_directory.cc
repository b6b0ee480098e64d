#include "ports/pipe_directory.hh"

#include <sys/eventfd.h>

#include "check.hh"

using namespace bricks;

namespace {
std::shared_ptr<PipeShare> make_share(const std::string& name) {
  auto share = std::make_shared<PipeShare>();
  share->consumer_name = name;
  share->space_event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return share;
}
}  // namespace

TEST(pipe_directory_has_one_pipe_of_a_name_and_one_holder_of_a_pipe) {
  PipeDirectory directory;
  std::shared_ptr<PipeShare> held, other;
  CHECK_EQ(directory.attach("a}0", 7, &held).code, Code::no_such_pipe);
  CHECK(directory.add(make_share("a}0")).ok());
  CHECK_EQ(directory.add(make_share("a}0")).code, Code::already_exists);
  CHECK(directory.attach("a}0", 7, &held).ok());
  const Status busy = directory.attach("a}0", 8, &other);
  CHECK_EQ(busy.code, Code::busy);
  CHECK(busy.message.find("process 7") != std::string::npos);
  directory.detach(held);
  directory.detach(held);
  CHECK(directory.attach("a}0", 0, &other).ok());  // a peer of another process namespace
  CHECK_EQ(other->consumer_pid.load(), -1);
  CHECK_EQ(directory.attach("a}0", 8, &held).code, Code::busy);
  directory.remove("a}0");
  directory.remove("a}0");
  CHECK_EQ(directory.attach("a}0", 8, &held).code, Code::no_such_pipe);
  directory.detach(other);
}

TEST(pipe_directory_restores_at_detach_while_the_pipe_is_there_and_tells_the_engine) {
  PipeDirectory directory;
  int restored = 0;
  auto share = make_share("a}0");
  share->restore = [&] { ++restored; };
  CHECK(directory.add(share).ok());
  std::shared_ptr<PipeShare> held;
  CHECK(directory.attach("a}0", 7, &held).ok());
  directory.detach(held);
  CHECK_EQ(restored, 1);
  eventfd_t count = 0;
  CHECK_EQ(eventfd_read(share->space_event, &count), 0);
  directory.detach(held);
  CHECK_EQ(restored, 1);
  CHECK(directory.attach("a}0", 7, &held).ok());
  directory.remove("a}0");
  directory.detach(held);
  CHECK_EQ(restored, 1);
}

TEST(pipe_directory_tells_its_listener_of_every_pipe) {
  PipeDirectory directory;
  int added = 0;
  directory.listen([&] {
    ++added;
    std::shared_ptr<PipeShare> pipe;  // outside the lock: may look at once
    CHECK(directory.attach("a}" + std::to_string(added), 1, &pipe).ok());
  });
  CHECK(directory.add(make_share("a}1")).ok());
  CHECK(directory.add(make_share("a}2")).ok());
  directory.listen({});
  CHECK(directory.add(make_share("a}3")).ok());
  CHECK_EQ(added, 2);
}
