// Who may read a pipe: parameters, file-like classes, and real processes of other users.
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>

#include "check.hh"
#include "pipe_fixture.hh"
#include "ports/port_registry.hh"

using namespace bricks;

namespace {

constexpr uid_t kNobody = 65534, kZeek = 54321;
constexpr gid_t kIds = 54322;

Status parse(const std::string& user, const std::string& group, const std::string& mode,
             PipeAccess* access) {
  const Options given = {{"user", user}, {"group", group}, {"mode", mode}};
  return parse_pipe_access("output x{0", given, access);
}

Peer peer(uid_t user, gid_t group = 60000, std::vector<gid_t> groups = {}) {
  Peer made;
  made.user = user;
  made.group = group;
  made.groups = std::move(groups);
  return made;
}

uint32_t mode_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? status.st_mode & 07777u : 0;
}

// A pipe as an engine opens it.
std::unique_ptr<Output> open_pipe(PipeHouse& house, const std::string& name) {
  PortContext context;
  context.pipes = &house.directory;
  context.owner = "e0";
  std::unique_ptr<Output> output;
  const Status status = open_output(name, context, &output);
  if (!status.ok()) std::printf("  %s\n", status.message.c_str());
  CHECK(status.ok());
  return output;
}

// What a process of that user and groups gets to hear: its exit code, and the message.
int attach_as(PipeHouse& house, const std::string& pipe, uid_t user, std::vector<gid_t> groups,
              std::string* message = nullptr) {
  int text[2];
  CHECK_EQ(::pipe(text), 0);
  Child child([&] {
    if (setgroups(groups.size(), groups.data()) != 0 || setgid(kNobody) != 0 || setuid(user) != 0) {
      return 99;
    }
    bricks_consumer* consumer = nullptr;
    const int result = static_cast<int>(house.attach(&consumer, pipe.c_str()));
    if (write(text[1], house.why, std::strlen(house.why)) < 0) return 98;
    bricks_detach(consumer);
    return result;
  });
  const int code = child.wait();
  close(text[1]);
  char bytes[1024];
  const ssize_t got = read(text[0], bytes, sizeof bytes);
  close(text[0]);
  if (message) message->assign(bytes, got > 0 ? static_cast<size_t>(got) : 0);
  return code;
}

}  // namespace

TEST(pipe_access_says_what_makes_no_sense) {
  PipeAccess access;
  for (const char* mode : {"640x", "0777", "1", "0100", "7", "06666", "-1", "rw", " 600"}) {
    const Status status = parse("", "", mode, &access);
    CHECK_EQ(status.code, Code::invalid_argument);
    CHECK(status.message.find("output x{0: mode is \"" + std::string(mode)) == 0);
  }
  CHECK_EQ(parse("no-such-user", "", "", &access).code, Code::invalid_argument);
  CHECK_EQ(parse("", "no-such-group", "", &access).code, Code::invalid_argument);
  CHECK_EQ(parse("4294967295", "", "", &access).code, Code::invalid_argument);
  CHECK_EQ(parse("-1", "", "", &access).code, Code::invalid_argument);
}

TEST(pipe_access_classes_are_those_of_files) {
  PipeAccess access;
  CHECK(parse("", "", "", &access).ok());
  CHECK(!access.shared);
  CHECK(access.allows(peer(geteuid())) && access.allows(peer(0)) && !access.allows(peer(kZeek)));
  CHECK(parse("54321", "", "", &access).ok());
  CHECK(access.shared && access.mode == 0600);
  CHECK(access.allows(peer(kZeek)) && !access.allows(peer(kNobody)));
  CHECK(!access.allows(peer(kNobody, getegid())));
  CHECK(parse("", "54322", "", &access).ok());
  CHECK_EQ(access.mode, 0640u);
  CHECK(access.allows(peer(kNobody, kIds)) && access.allows(peer(kNobody, 1, {5, kIds, 7})));
  CHECK(!access.allows(peer(kNobody, 1, {5, 7})));
  CHECK(parse("54321", "54322", "0044", &access).ok());
  CHECK(!access.allows(peer(kZeek, kIds)));  // the owner's class decides, and says no
  CHECK(access.allows(peer(kNobody, kIds)) && access.allows(peer(kNobody)));
  CHECK(parse("54321", "54322", "0604", &access).ok());
  CHECK(!access.allows(peer(kNobody, kIds)) && access.allows(peer(kNobody)));
  CHECK(parse("54321", "54322", "0000", &access).ok());
  CHECK(!access.shared && !access.allows(peer(kZeek)) && access.allows(peer(0)));
  Peer unknown = peer(0);
  unknown.known = false;
  CHECK(!access.allows(unknown));
}

TEST(pipe_access_of_real_users) {
  if (geteuid() != 0) SKIP("needs root, to become somebody else");
  PipeHouse house;
  CHECK(house.serve().ok());
  const std::string folder = house.folder.path();
  CHECK_EQ(mode_of(folder), 0700u);
  const auto own = open_pipe(house, "own{0");
  CHECK_EQ(attach_as(house, "own}0", kNobody, {}), static_cast<int>(BRICKS_PERMISSION));
  {
    const auto zeeks = open_pipe(house, "zeek{0?user=54321");
    const auto group = open_pipe(house, "group{0?group=54322");
    CHECK_EQ(mode_of(folder), 0711u);
    CHECK_EQ(mode_of(house.folder.socket()), 0666u);
    CHECK_EQ(attach_as(house, "zeek}0", kZeek, {}), 0);
    std::string message;
    CHECK_EQ(attach_as(house, "zeek}0", kNobody, {}, &message),
             static_cast<int>(BRICKS_PERMISSION));
    CHECK(message.find("'zeek}0' is not for") == 0);
    CHECK(message.find("it belongs to 54321:") != std::string::npos);
    CHECK_EQ(attach_as(house, "own}0", kZeek, {}), static_cast<int>(BRICKS_PERMISSION));
    CHECK_EQ(attach_as(house, "group}0", kNobody, {}), static_cast<int>(BRICKS_PERMISSION));
    CHECK_EQ(attach_as(house, "group}0", kNobody, {12, kIds, 13}), 0);  // supplementary
    CHECK_EQ(attach_as(house, "zeek}0", 0, {}), 0);
    CHECK_EQ(attach_as(house, "none}0", kZeek, {}), static_cast<int>(BRICKS_NOT_FOUND));
    CHECK(zeeks->describe().find("for 54321:") != std::string::npos);
  }
  CHECK_EQ(mode_of(folder), 0700u);  // nothing is shared any more
  CHECK_EQ(mode_of(house.folder.socket()), 0600u);
  const auto again = open_pipe(house, "zeek{0?user=54321");
  CHECK_EQ(mode_of(folder), 0711u);
  house.server.reset();
  CHECK_EQ(mode_of(folder), 0700u);
  CHECK(house.serve().ok());  // a server that comes after the pipe
  CHECK_EQ(attach_as(house, "zeek}0", kZeek, {}), 0);
  house.server.reset();
}

TEST(pipe_access_a_guest_does_not_use_up_the_places_of_others) {
  if (geteuid() != 0) SKIP("needs root, to become somebody else");
  PipeHouse house;
  CHECK(house.serve().ok());
  const auto zeeks = open_pipe(house, "zeek{0?user=54321");
  Child greedy([&] {
    if (setuid(kZeek) != 0) return 99;
    int held = 0;
    for (uint32_t i = 0; i < 4 * kPortConnectionsPerUser; ++i) {
      bricks_consumer* consumer = nullptr;
      if (house.attach(&consumer, "later}0", 1) == BRICKS_TIMEOUT) ++held;
    }
    return held == 0 ? 1 : 0;
  });
  CHECK_EQ(greedy.wait(), 0);
  CHECK_EQ(attach_as(house, "zeek}0", kZeek, {}), 0);  // those who have left count no more
}

TEST(pipe_access_is_refused_where_memory_is_shared) {
  PipeHouse house;
  PortContext context;
  context.pipes = &house.directory;
  context.owner = "e0";
  context.filters = true;
  CHECK(Region::create("e0", 1 << 20, 4096, &context.shared_region).ok());
  std::unique_ptr<Output> output;
  for (const char* name : {"x{0?user=54321", "x{0?mode=0644", "x{0?filter=tcp port 443"}) {
    const Status status = open_output(name, context, &output);
    CHECK_EQ(status.code, Code::invalid_argument);
    CHECK(status.message.find("engine e0 keeps all packets in one memory") != std::string::npos);
  }
  CHECK(open_output("x{0?user=0&mode=0600", context, &output).ok());
  context.shared_region = nullptr;
  context.filters = false;
  CHECK_EQ(open_output("y{0?filter=tcp", context, &output).code, Code::invalid_argument);
}

// Copies run to the end of a cache line elsewhere, and what lies behind a packet is its neighbour.
TEST(pipe_access_a_shared_pipe_holds_not_a_byte_of_another_packet) {
  PipeHouse house;
  const auto output = open_pipe(house, "x{0?user=54321");
  std::shared_ptr<PipeShare> share;
  CHECK(house.directory.attach("x}0", getpid(), &share).ok());
  std::vector<uint8_t> input(8192, 0xee);  // what others send
  for (uint32_t i = 0; i < 4; ++i) std::fill_n(input.begin() + i * 2048, 61 + i * 13, 0x11);
  Batch batch;
  batch.padded = true;
  const Index picks[4] = {0, 1, 2, 3};
  for (uint32_t i = 0; i < 4; ++i) {
    batch.packets[i] = {};
    batch.packets[i].data = input.data() + i * 2048;
    batch.packets[i].length = 61 + i * 13;
  }
  batch.count = 4;
  LedgerCell cell;
  output->transmit(batch, picks, 4, false, cell);
  output->flush(0, cell);
  CHECK(batch.padded);
  std::vector<uint8_t> memory(share->region_bytes);
  CHECK_EQ(pread(share->memory_fd, memory.data(), memory.size(), 0),
           static_cast<ssize_t>(memory.size()));
  uint64_t own = 0, foreign = 0;
  for (size_t i = 1; i < memory.size(); ++i) {
    own += memory[i] == 0x11;
    foreign += memory[i] == 0xee && memory[i - 1] == 0xee;  // an index may be 0xee, a pair is not
  }
  CHECK(own >= 61 + 74 + 87 + 100);
  CHECK_EQ(foreign, 0u);
}
