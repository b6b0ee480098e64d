// tcp: clients that come, go, are slow or too many; what each of them gets.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.hh"
#include "pcap_bytes.hh"
#include "pipe_fixture.hh"
#include "ports/port_registry.hh"
#include "ports/tcp_desk.hh"

using namespace bricks;
using conformance::Frame;
using conformance::PortPair;

namespace {

// "tcp:127.0.0.1:0..." and the port that it got.
std::unique_ptr<Output> serve(const std::string& parameters, uint16_t* port) {
  std::unique_ptr<Output> output;
  CHECK_EQ(open_output("tcp:127.0.0.1:0" + parameters, {}, &output).message, "");
  const std::string text = output ? output->describe() : "";
  const size_t at = text.find("127.0.0.1:");
  CHECK(at != std::string::npos);
  *port = static_cast<uint16_t>(std::atoi(text.c_str() + at + 10));
  return output;
}

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_port = htons(port);
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) == 0);
  }
  ~Client() { leave(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  void leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void look() {
    char bytes[65536];
    for (ssize_t n; !ended_ && (n = recv(fd_, bytes, sizeof bytes, MSG_DONTWAIT)) >= 0;) {
      ended_ = n == 0;
      seen.append(bytes, static_cast<size_t>(n));
    }
  }
  void say(std::string_view text) {
    CHECK_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
  }
  bool read_until(size_t bytes) {
    return eventually([&] { return look(), seen.size() >= bytes; });
  }
  bool read_to_end() {
    return eventually([&] { return look(), ended_; });
  }
  captures::Reading frames(const captures::Folder& folder) const {
    return captures::read_port("pcap:" + folder.write("seen.pcap", seen));
  }
  captures::Bytes seen;

 private:
  int fd_;
  bool ended_ = false;
};

bool has_clients(const Output& output, int count) {
  const std::string wanted = " " + std::to_string(count) + " clients now";
  return eventually([&] { return output.describe().find(wanted) != std::string::npos; });
}

std::vector<Frame> some_frames(uint32_t count, uint32_t length = 60) {
  std::vector<Frame> frames;
  for (uint32_t i = 0; i < count; ++i) frames.push_back(conformance::make_frame(i, length));
  return frames;
}

void send_live(Output& output, const std::vector<Frame>& frames, LedgerCell& cell) {
  const auto batch = std::make_unique<Batch>();
  for (const Frame& frame : frames) {
    batch->count = 1;
    batch->packets[0] = {};
    batch->packets[0].data = const_cast<uint8_t*>(frame.bytes.data());
    batch->packets[0].length = static_cast<uint32_t>(frame.bytes.size());
    batch->packets[0].timestamp = frame.timestamp;
    const Index pick = 0;
    ++cell.packets;
    output.transmit(*batch, &pick, 1, false, cell);
  }
  output.flush(1, cell);
}

void check_tcp(const std::string& parameters) {
  const captures::Folder folder;
  std::unique_ptr<Client> client;
  PortPair pair{.name = "tcp:" + parameters};
  pair.open_output = [&] {
    client.reset();
    uint16_t port = 0;
    auto output = serve(parameters, &port);
    client = std::make_unique<Client>(port);
    CHECK(has_clients(*output, 1));
    return output;
  };
  pair.arrived = [&](bool closed) {
    client->look();
    if (!closed) return std::vector<Frame>();
    CHECK(client->read_to_end());
    captures::Reading reading = client->frames(folder);
    CHECK_EQ(reading.status.message, "");
    CHECK_EQ(reading.warning, "");
    return reading.frames;
  };
  conformance::check_port(pair);
}

}  // namespace

TEST(port_conformance_tcp) {
  check_tcp("");
  check_tcp("?ng=1");
  check_tcp("?ns=1&buffer=1&client_buffer=1");
}

TEST(tcp_clients_each_get_a_capture) {
  const captures::Folder folder;
  uint16_t port = 0;
  auto output = serve("?max=2", &port);
  LedgerCell cell;
  send_live(*output, some_frames(10), cell);
  CHECK_EQ(cell.dropped[static_cast<uint32_t>(Drop::no_consumer)], 10u);
  Client a(port);
  CHECK(has_clients(*output, 1));
  send_live(*output, some_frames(100), cell);
  CHECK(a.read_until(24 + 100 * 76));
  Client b(port);
  CHECK(has_clients(*output, 2));
  Client turned_away(port);
  CHECK(turned_away.read_to_end());
  CHECK_EQ(turned_away.seen.size(), 0u);
  send_live(*output, some_frames(50), cell);
  CHECK(a.read_until(24 + 150 * 76) && b.read_until(24 + 50 * 76));
  CHECK_EQ(captures::number({}, 0xa1b2c3d4, 4), b.seen.substr(0, 4));
  CHECK_EQ(captures::number({}, 65535, 4), b.seen.substr(16, 4));  // snaplen
  CHECK(b.frames(folder).frames == some_frames(50));
  a.leave();
  send_live(*output, some_frames(50), cell);
  CHECK(b.read_until(24 + 100 * 76));
  CHECK(
      eventually([&] {  // the first packet to one that is gone meets no reader, the second an error
        send_live(*output, some_frames(1), cell);
        return output->describe().find(" 1 clients now") != std::string::npos;
      }));
  output->finish(cell);
  CHECK(b.read_to_end());
  output->close(cell);
  CHECK_EQ(cell.held, 0u);
  CHECK(conformance::balanced(cell));
}

// One that reads nothing loses what does not fit into its buffer; the other gets everything.
TEST(tcp_slow_client_loses_its_own) {
  const captures::Folder folder;
  uint16_t port = 0;
  auto output = serve("?client_buffer=1&buffer=16", &port);
  Client fast(port);
  CHECK(has_clients(*output, 1));
  Client slow(port);
  CHECK(has_clients(*output, 2));
  LedgerCell cell;
  const auto frames = some_frames(20'000, 1000);
  for (size_t at = 0; at < frames.size(); at += 500) {
    const std::vector<Frame> some(frames.begin() + static_cast<ptrdiff_t>(at),
                                  frames.begin() + static_cast<ptrdiff_t>(at) + 500);
    send_live(*output, some, cell);
    CHECK(fast.read_until(24 + (at + 500) * 1016));
  }
  CHECK(output->describe().find("too many for a slow one") != std::string::npos);
  output->finish(cell);
  CHECK(fast.read_to_end());
  CHECK(fast.frames(folder).frames == frames);
  CHECK(slow.read_to_end());
  const auto seen = slow.frames(folder);
  CHECK_EQ(seen.warning, "");
  CHECK(seen.frames.size() > 500 && seen.frames.size() < frames.size());
  output->close(cell);
  CHECK_EQ(cell.delivered, frames.size());
}

TEST(tcp_outputs_share_a_port) {
  uint16_t port = 0;
  std::unique_ptr<Output> b, again;
  auto a = serve("?select=a", &port);
  CHECK_EQ(open_output("tcp:127.0.0.1:0?select=b", {}, &b).message, "");
  CHECK(b->describe().find(std::to_string(port)) != std::string::npos);
  CHECK(open_output("tcp:127.0.0.1:0?select=b", {}, &again).code == Code::already_exists);
  Client silent(port), wants_b(port), windows(port), slow(port), lost(port), halved(port);
  wants_b.say("b\n");
  windows.say("b\r\n");
  lost.say("c\n");
  slow.say("b");
  CHECK(lost.read_to_end());
  CHECK(lost.seen.ends_with("there are:\na\nb\n"));
  CHECK(has_clients(*b, 2));
  CHECK(has_clients(*a, 2));  // those who have said nothing
  slow.say("\n");
  CHECK(has_clients(*b, 3));
  LedgerCell cell_a, cell_b;
  send_live(*a, some_frames(10), cell_a);
  send_live(*b, some_frames(20), cell_b);
  CHECK(silent.read_until(24 + 10 * 76) && wants_b.read_until(24 + 20 * 76));
  CHECK(windows.read_until(24 + 20 * 76) && slow.read_until(24 + 20 * 76));
  CHECK(b->describe().find(" has 20, 127.0.0.1:") != std::string::npos);
  // The first goes: the other is the first now.
  a->close(cell_a);
  a.reset();
  CHECK(silent.read_to_end());
  Client next(port);
  CHECK(has_clients(*b, 4));
  // The port is free when the last has gone.
  b->close(cell_b);
  b.reset();
  CHECK_EQ(open_output("tcp:127.0.0.1:" + std::to_string(port), {}, &again).message, "");
  CHECK(conformance::balanced(cell_a) && conformance::balanced(cell_b));
}

TEST(tcp_says_that_a_replay_waits) {
  uint16_t port = 0;
  auto output = serve("", &port);
  const auto batch = std::make_unique<Batch>();
  const auto frames = some_frames(1);
  batch->count = 1;
  batch->packets[0].data = const_cast<uint8_t*>(frames[0].bytes.data());
  batch->packets[0].length = 60;
  const Index pick = 0;
  const auto waits = [&] {
    return output->describe().find("waits for its first") != std::string::npos;
  };
  CHECK(!waits());
  CHECK_EQ(output->room(*batch, &pick, 1), 0u);
  CHECK(waits());
  Client client(port);
  CHECK(has_clients(*output, 1));
  CHECK_EQ(output->room(*batch, &pick, 1), 1u);
  CHECK(!waits());
  client.leave();
}

// A port is not kept busy by those who never say what they want.
TEST(tcp_newcomers_are_bounded) {
  uint16_t port = 0;
  auto output = serve("?select=a&max=200", &port);
  std::vector<std::unique_ptr<Client>> crowd;
  for (uint32_t i = 0; i < kTcpNewcomersMax + 20; ++i) {
    crowd.push_back(std::make_unique<Client>(port));
    crowd.back()->say(std::string(1, 'x'));
  }
  Client patient(port);
  patient.say("a\n");
  CHECK(has_clients(*output, 1));
  Client endless(port);
  endless.say(std::string(4000, 'a'));
  CHECK(endless.read_to_end());
}

TEST(tcp_refusals) {
  std::unique_ptr<Output> output;
  uint16_t port = 0;
  auto first = serve("", &port);
  const auto code = [&](const std::string& name) { return open_output(name, {}, &output).code; };
  CHECK(code("tcp:127.0.0.1:" + std::to_string(port)) == Code::busy);
  CHECK(code("tcp:0.0.0.0:0") == Code::invalid_argument);
  CHECK(code("tcp:127.0.0.1") == Code::invalid_argument);
  CHECK(code("tcp:127.0.0.1:http-or-so") == Code::invalid_argument);
  CHECK(code("tcp:127.0.0.1:0?max=0") == Code::invalid_argument);
  CHECK(code("tcp:127.0.0.1:0?select=" + std::string(65, 'a')) == Code::invalid_argument);
  CHECK(code("tcp:0.0.0.0:0?select=a") == Code::invalid_argument);
  CHECK(code("tcp:127.0.0.1:" + std::to_string(port) + "?select=a") == Code::busy);
  CHECK(!output);
  CHECK(code("tcp:0.0.0.0:0?public=1") == Code::ok);
}
