// ports.sock against clients that are broken, silent, many, or not allowed.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "abi/pipe.h"
#include "check.hh"
#include "mem/limits.hh"
#include "pipe_fixture.hh"

using namespace bricks;

namespace {

// A client of our own making, with as bad manners as the test needs.
struct Client {
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  bool connected = false;
  explicit Client(const RunFolder& folder) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", folder.socket().c_str());
    connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval patience{20, 0};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  Client(Client&& other) : fd(other.fd), connected(other.connected) { other.fd = -1; }
  ~Client() {
    if (fd >= 0) close(fd);
  }
  bool say(const void* bytes, size_t size) const {
    return send(fd, bytes, size, MSG_NOSIGNAL) == static_cast<ssize_t>(size);
  }
  bool ask(const std::string& name, uint32_t flags = 0) const {
    bricks_attach_request request{};
    request.magic = BRICKS_PIPE_MAGIC;
    request.version = BRICKS_PIPE_VERSION;
    request.operation = BRICKS_ATTACH;
    request.flags = flags;
    name.copy(request.name, sizeof request.name - 1);
    return say(&request, sizeof request);
  }
  // The reply's code (descriptors fall on the floor); -1: closed without one, -2: nothing came.
  int code() const {
    bricks_attach_reply reply{};
    const ssize_t size = recv(fd, &reply, sizeof reply, 0);
    if (size == sizeof reply && reply.magic == BRICKS_PIPE_MAGIC) {
      return static_cast<int>(reply.code);
    }
    return size < 0 && errno == EAGAIN ? -2 : -1;
  }
};

uint32_t holder(const PipeHouse& house) {
  return static_cast<uint32_t>(house.output->share()->consumer_pid.load());
}

}  // namespace

TEST(pipe_server_answers_nonsense_and_goes_on) {
  constexpr uint64_t kSeed = 0x5eed0004;
  std::printf("  seed %llx\n", static_cast<unsigned long long>(kSeed));
  Random random{kSeed};
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  for (int i = 0; i < 300; ++i) {
    uint8_t noise[1024];
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random.next());
    const Client client(house.folder);
    CHECK(client.connected);
    CHECK(client.say(noise, 1 + random.below(sizeof noise)));
    CHECK_EQ(client.code(), 1);
    CHECK_EQ(client.code(), -1);  // and hangs up
  }
  bricks_attach_request request{};
  request.magic = BRICKS_PIPE_MAGIC;
  request.version = BRICKS_PIPE_VERSION;
  request.operation = BRICKS_ATTACH;
  std::memset(request.name, 'x', sizeof request.name);  // no end
  const Client endless(house.folder);
  CHECK(endless.say(&request, sizeof request));
  CHECK_EQ(endless.code(), 1);
  request.version = 99;
  const Client newer(house.folder);
  CHECK(newer.say(&request, sizeof request));
  CHECK_EQ(newer.code(), 1);
  const Client nameless(house.folder);
  CHECK(nameless.ask(""));
  CHECK_EQ(nameless.code(), 6);
  const Client good(house.folder);
  CHECK(good.ask("netmap:x}0"));
  CHECK_EQ(good.code(), 0);
  CHECK_EQ(holder(house), static_cast<uint32_t>(getpid()));
  CHECK(good.ask("x}0"));  // a second request ends the first
  CHECK_EQ(good.code(), -1);
  CHECK(eventually([&] { return holder(house) == 0; }));
}

TEST(pipe_server_is_not_held_up_by_silent_clients) {
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  std::vector<Client> silent;
  for (int i = 0; i < 200; ++i) silent.emplace_back(house.folder);
  const Client deaf(house.folder);  // asks and never reads
  CHECK(deaf.ask("x}0"));
  CHECK(eventually([&] { return holder(house) != 0; }));
  bricks_consumer* consumer = nullptr;
  CHECK_EQ(house.attach(&consumer, "x}0"), BRICKS_BUSY);
  CHECK_EQ(house.attach(&consumer, "y}0"), BRICKS_NOT_FOUND);
  CHECK_EQ(silent[0].code(), -1);  // kPortRequestMs are over: hung up
}

TEST(pipe_server_answers_those_who_wait_in_turn_and_forgets_who_left) {
  PipeHouse house;
  CHECK(house.serve().ok());
  auto left = std::make_unique<Client>(house.folder);
  CHECK(left->ask("x}0", BRICKS_ATTACH_WAIT));
  const Client first(house.folder), second(house.folder), other(house.folder);
  left.reset();
  CHECK(first.ask("x}0", BRICKS_ATTACH_WAIT));
  const Client marker(house.folder);  // its answer tells that all before it were taken in
  CHECK(marker.ask("none}0"));
  CHECK_EQ(marker.code(), 6);
  CHECK(second.ask("x}0", BRICKS_ATTACH_WAIT));
  CHECK(other.ask("y}0", BRICKS_ATTACH_WAIT));
  const Client again(house.folder);
  CHECK(again.ask("none}0"));
  CHECK_EQ(again.code(), 6);
  CHECK(house.open("x{0", 64).ok());
  CHECK_EQ(first.code(), 0);
  CHECK_EQ(second.code(), 7);
  std::unique_ptr<PipeOutput> y;
  CHECK(PipeOutput::open("y{0", 64, nullptr, &house.directory, &y).ok());
  CHECK_EQ(other.code(), 0);
}

TEST(pipe_server_bounds_how_many_wait) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit before = limit;
  if (limit.rlim_max < 4096) SKIP("fewer than 4096 descriptors are allowed");
  limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
  setrlimit(RLIMIT_NOFILE, &limit);
  {
    PipeHouse house;
    CHECK(house.serve().ok());
    std::vector<Client> waiting;
    for (uint32_t i = 0; i < kConsumersWaitingMax; ++i) {
      waiting.emplace_back(house.folder);
      CHECK(waiting.back().ask("x}0", BRICKS_ATTACH_WAIT));
    }
    const Client marker(house.folder);
    CHECK(marker.ask("none}0"));
    CHECK_EQ(marker.code(), 6);
    // The server may take requests in another order than they came: one of 1,025 is turned away.
    const Client extra(house.folder);
    CHECK(eventually([&] {
      const Client probe(house.folder);
      return probe.ask("x}0", BRICKS_ATTACH_WAIT) && probe.code() == 1;
    }));
  }
  setrlimit(RLIMIT_NOFILE, &before);
}

TEST(pipe_server_replaces_a_stale_socket_but_not_a_live_one) {
  PipeHouse house;
  {
    const int stale = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", house.folder.socket().c_str());
    CHECK_EQ(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    close(stale);
  }
  CHECK(house.serve().ok());
  struct stat status {};
  CHECK_EQ(stat(house.folder.socket().c_str(), &status), 0);
  CHECK_EQ(status.st_mode & 0777u, 0600u);
  std::unique_ptr<PipeServer> second;
  const Status refused = PipeServer::open(house.folder.socket(), house.directory, &second);
  CHECK_EQ(refused.code, Code::busy);
  CHECK(Client(house.folder).connected);
  house.server.reset();
  CHECK_EQ(access(house.folder.socket().c_str(), F_OK), -1);
  CHECK(house.serve().ok());
  const Status nowhere =
      PipeServer::open(house.folder.path() + "/no/such/ports.sock", house.directory, &second);
  CHECK_EQ(nowhere.code, Code::no_such_file);
  const Status too_long = PipeServer::open("/" + std::string(200, 'x'), house.directory, &second);
  CHECK_EQ(too_long.code, Code::invalid_argument);
}

TEST(pipe_server_turns_other_users_away) {
  if (geteuid() != 0) SKIP("needs root, to become somebody else");
  constexpr uid_t kNobody = 65534;
  PipeHouse house;
  CHECK(house.serve().ok());
  CHECK(house.open("x{0", 64).ok());
  const auto as_nobody = [&] {
    Child child([&] {
      if (setuid(kNobody) != 0) return 99;
      bricks_consumer* consumer = nullptr;
      return static_cast<int>(house.attach(&consumer, "x}0"));
    });
    return child.wait();
  };
  CHECK_EQ(as_nobody(), static_cast<int>(BRICKS_PERMISSION));  // by the file's mode
  chmod(house.folder.path().c_str(), 0755);
  chmod(house.folder.socket().c_str(), 0666);
  CHECK_EQ(as_nobody(), static_cast<int>(BRICKS_PERMISSION));  // by the server
  CHECK_EQ(holder(house), 0u);
}
