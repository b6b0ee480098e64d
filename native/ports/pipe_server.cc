#include "ports/pipe_server.hh"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <map>
#include <thread>
#include <vector>

#include "mem/limits.hh"
#include "ports/pipe_reach.hh"
#include "ports/pipe_reply.hh"
#include "ports/pipe_request.hh"
#include "ports/port_registry.hh"
#include "ports/socket_path.hh"

namespace bricks {
namespace {

constexpr int kBacklog = 512;
constexpr int kTickMs = 500;  // how often silent connections are looked at, while there are any
constexpr int kEventsPerTurn = 64;

using Clock = std::chrono::steady_clock;

struct Fd {
  int value = -1;
  Fd() = default;
  explicit Fd(int fd) : value(fd) {}
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(-1); }
  void reset(int fd) {
    if (value >= 0) close(value);
    value = fd;
  }
};

struct Connection {
  Peer peer;
  bool asked = false;
  Clock::time_point since;
  std::string waits_for;            // a pipe that is not there yet
  std::shared_ptr<PipeShare> pipe;  // whose end it holds
  bool writes = false;              // as its producer
  PipeOpening opening;              // or a netmap program's end
  std::string tap;                  // made for it: its pipe
};

}  // namespace

struct PipeServer::State {
  State(PipeDirectory& pipes, PipeServices* engines) : directory(pipes), services(engines) {}
  ~State();
  Status start(const std::string& socket_path);

  void run();
  void watch(int fd, uint32_t events, int operation);
  void accept_all();
  void read_from(int fd);
  Status carry_out(int fd, Connection& connection, const PipeRequest& request);
  Status answer(int fd, Connection& connection, const bricks_attach_request& request);
  Status list(int fd, const Connection& connection);
  Status open_tap(int fd, Connection& connection, const bricks_tap_request& request);
  void open_end(int fd, Connection& connection, const bricks_end_request& request);
  void answer_waiting();
  void stop_waiting(int fd, Connection& connection);
  void close_silent();
  void drop(int fd);

  PipeDirectory& directory;
  PipeServices* services;  // null: there are pipes and nothing else
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  Fd listener, epoll, stop;
  // Shared with the directory's callback, which may be running while we go.
  std::shared_ptr<Fd> added;
  std::shared_ptr<PipeReach> reach;
  std::map<int, Connection> connections;
  std::deque<int> waiting;           // in the order they asked
  size_t silent = 0;                 // connections that have not asked yet
  std::map<uid_t, uint32_t> guests;  // connections of users who are not masters
  size_t guests_waiting = 0;
  bool listening = true;
  std::thread thread;
};

Status PipeServer::State::start(const std::string& socket_path) {
  path = socket_path;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return {Code::invalid_argument, "the path " + path + " is longer than the " +
                                        std::to_string(sizeof address.sun_path - 1) +
                                        " bytes a socket may have; set BRICKS_RUN_DIR to a "
                                        "shorter folder"};
  }
  path.copy(address.sun_path, path.size());
  listener.reset(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (listener.value < 0) return system_error("cannot make the port server's socket", errno);
  if (Status s = bind_private_socket(listener.value, address); !s.ok()) return s;
  struct stat made {};
  if (stat(path.c_str(), &made) == 0) {
    device = made.st_dev;
    inode = made.st_ino;
  }
  epoll.reset(epoll_create1(EPOLL_CLOEXEC));
  stop.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  added = std::make_shared<Fd>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (epoll.value < 0 || stop.value < 0 || added->value < 0 || listen(listener.value, kBacklog)) {
    return system_error("cannot serve " + path, errno);
  }
  watch(listener.value, EPOLLIN, EPOLL_CTL_ADD);
  watch(stop.value, EPOLLIN, EPOLL_CTL_ADD);
  watch(added->value, EPOLLIN, EPOLL_CTL_ADD);
  reach = std::make_shared<PipeReach>(path, directory);
  directory.listen([event = added, modes = reach] {
    modes->update();
    eventfd_write(event->value, 1);
  });
  reach->update();
  // Signals belong to the host program's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return {};
}

PipeServer::State::~State() {
  if (thread.joinable()) {
    directory.listen({});
    reach->end();
    eventfd_write(stop.value, 1);
    thread.join();
  }
  while (!connections.empty()) drop(connections.begin()->first);
  struct stat now {};
  if (inode && stat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode) {
    unlink(path.c_str());
  }
}

void PipeServer::State::watch(int fd, uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll.value, operation, fd, &event);
}

void PipeServer::State::run() {
  pthread_setname_np(pthread_self(), "bricks-ports");
  epoll_event events[kEventsPerTurn];
  for (;;) {
    const int timeout = silent > 0 || !listening ? kTickMs : -1;
    const int count = epoll_wait(epoll.value, events, kEventsPerTurn, timeout);
    bool more_connections = false;
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == stop.value) return;
      if (fd == listener.value)
        more_connections = true;
      else if (fd == added->value)
        answer_waiting();
      else
        read_from(fd);
    }
    if (silent > 0) close_silent();
    // Last: a number closed above and given out anew has no event of its former owner left.
    if (more_connections) accept_all();
    if (!listening && connections.size() < kPortConnectionsMax) {
      listening = true;
      watch(listener.value, EPOLLIN, EPOLL_CTL_MOD);
    }
  }
}

void PipeServer::State::accept_all() {
  for (int turn = 0; turn < kBacklog; ++turn) {
    int fd = -1;
    if (connections.size() < kPortConnectionsMax) {
      fd = accept4(listener.value, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)) return;
    }
    if (fd < 0) {  // too many, or out of descriptors: whoever comes waits in the backlog for a tick
      listening = false;
      watch(listener.value, 0, EPOLL_CTL_MOD);
      return;
    }
    Peer peer = peer_of(fd);
    // A guest may not use up what the daemon's own consumers need.
    if (!peer.is_master() && guests[peer.user]++ >= kPortConnectionsPerUser) {
      --guests[peer.user];
      close(fd);
      continue;
    }
    Connection& connection = connections[fd];
    connection.peer = std::move(peer);
    connection.since = Clock::now();
    ++silent;
    watch(fd, EPOLLIN | EPOLLRDHUP, EPOLL_CTL_ADD);
  }
}

void PipeServer::State::read_from(int fd) {
  const auto found = connections.find(fd);
  if (found == connections.end()) return;  // closed earlier in this turn
  Connection& connection = found->second;
  char bytes[sizeof(PipeRequest) + 1];
  const ssize_t size = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
  PipeRequest request;
  Status status =
      parse_pipe_request(bytes, static_cast<size_t>(std::max<ssize_t>(size, 0)), &request);
  if (!connection.tap.empty() && status.ok() && request.attach.operation == BRICKS_TAP) {
    status = services->filter_tap(connection.tap, request.tap.expression);
    if (!send_reply(fd, status, nullptr)) drop(fd);
    return;
  }
  // Any other second request, like the end of the connection, gives back what the first one got.
  if (size <= 0 || connection.asked) return drop(fd);
  connection.asked = true;
  --silent;
  if (status.ok()) status = carry_out(fd, connection, request);
  if (status.ok()) return;
  send_reply(fd, status, nullptr);
  drop(fd);
}

Status PipeServer::State::carry_out(int fd, Connection& connection, const PipeRequest& request) {
  const uint32_t operation = request.attach.operation;
  if (operation == BRICKS_OPEN_END) {
    open_end(fd, connection, request.end);
    return {};
  }
  if (operation == BRICKS_LIST) return list(fd, connection);
  if (operation == BRICKS_TAP) return open_tap(fd, connection, request.tap);
  return answer(fd, connection, request.attach);
}

Status PipeServer::State::list(int fd, const Connection& connection) {
  std::vector<bricks_listed> rows;
  Status status;
  if (services) {
    status = services->list(connection.peer, &rows);
  } else {
    directory.list(connection.peer, &rows);
  }
  if (status.ok()) status = send_list(fd, rows);
  if (!status.ok()) return status;
  drop(fd);
  return {};
}

Status PipeServer::State::open_tap(int fd, Connection& connection,
                                   const bricks_tap_request& request) {
  if (!services) return {Code::unsupported, "this daemon has no engines whose links to copy"};
  std::string name;
  const TapWish wish = {request.name, request.expression, request.last_ms};
  Status status = services->open_tap(wish, connection.peer, &name);
  if (!status.ok()) return status;
  connection.tap = name;  // from here on drop() closes it
  std::shared_ptr<PipeShare> pipe;
  status = directory.attach(name, connection.peer, &pipe);
  if (!status.ok()) return status;
  connection.pipe = std::move(pipe);
  if (!send_reply(fd, {}, connection.pipe.get())) drop(fd);
  return {};
}

// Ok: the connection holds its end now, waits for it, or is gone.
Status PipeServer::State::answer(int fd, Connection& connection,
                                 const bricks_attach_request& request) {
  if (!connection.peer.is_master() && !directory.any_shared()) {
    return {Code::permission_denied,
            "only root and the daemon's own user may read its pipes; run as one of them, or have "
            "the operator share one: 'eth3{0?user=" +
                user_name(connection.peer.user) + "'"};
  }
  std::string name = request.name;
  if (name.starts_with("netmap:")) name.erase(0, 7);
  std::shared_ptr<PipeShare> pipe;
  const bool writes = request.operation == BRICKS_ATTACH_WRITER;
  if (writes && !connection.peer.is_master()) {
    return {Code::permission_denied,
            "only root and the daemon's own user may write to its pipes; run as one of them"};
  }
  Status status = writes ? directory.attach_writer(name, connection.peer.pid, &pipe)
                         : directory.attach(name, connection.peer, &pipe);
  if (status.ok()) {
    connection.pipe = std::move(pipe);
    connection.writes = writes;
    if (!send_reply(fd, {}, connection.pipe.get())) drop(fd);
    return {};
  }
  if (status.code != Code::no_such_pipe || !(request.flags & BRICKS_ATTACH_WAIT)) return status;
  // Most who ask for the end that an engine writes at have mixed up the braces: waiting is no help.
  if (directory.is_filled(flip_pipe_name(name))) return status;
  const bool guest = !connection.peer.is_master();  // all guests have half of the places
  if (waiting.size() >= kConsumersWaitingMax ||
      (guest && guests_waiting >= kConsumersWaitingMax / 2)) {
    return {Code::limit_reached, std::to_string(kConsumersWaitingMax) +
                                     " programs wait for pipes already; end some of them"};
  }
  connection.waits_for = std::move(name);
  waiting.push_back(fd);
  guests_waiting += guest;
  // The pipe may have come between the look and now: its event is still to be read, so it is not
  // lost.
  return {};
}

void PipeServer::State::open_end(int fd, Connection& connection,
                                 const bricks_end_request& request) {
  bricks_end_reply reply{};
  Status status;
  if (!connection.peer.is_master()) {
    status = {Code::permission_denied,
              "only root and the daemon's own user may open its pipes; run as one of them"};
  } else {
    status = directory.open_end(request, connection.peer.pid, &connection.opening, &reply);
  }
  if (!send_end_reply(fd, status, reply, connection.opening) || !status.ok()) drop(fd);
}

void PipeServer::State::answer_waiting() {
  eventfd_t count;
  eventfd_read(added->value, &count);
  const std::deque<int> asked = waiting;
  for (int fd : asked) {
    const auto found = connections.find(fd);
    if (found == connections.end()) continue;
    Connection& connection = found->second;
    std::shared_ptr<PipeShare> pipe;
    const Status status = directory.attach(connection.waits_for, connection.peer, &pipe);
    if (status.code == Code::no_such_pipe) continue;
    stop_waiting(fd, connection);
    connection.pipe = std::move(pipe);
    if (!send_reply(fd, status, connection.pipe.get()) || !status.ok()) drop(fd);
  }
}

void PipeServer::State::stop_waiting(int fd, Connection& connection) {
  std::erase(waiting, fd);
  connection.waits_for.clear();
  guests_waiting -= !connection.peer.is_master();
}

void PipeServer::State::close_silent() {
  const auto too_old = Clock::now() - std::chrono::milliseconds(kPortRequestMs);
  for (auto i = connections.begin(); i != connections.end();) {
    const auto next = std::next(i);
    if (!i->second.asked && i->second.since < too_old) drop(i->first);
    i = next;
  }
}

void PipeServer::State::drop(int fd) {
  const auto found = connections.find(fd);
  if (found == connections.end()) return;
  Connection& connection = found->second;
  if (connection.pipe && connection.writes) directory.detach_writer(connection.pipe);
  if (connection.pipe && !connection.writes) directory.detach(connection.pipe);
  directory.close_end(connection.opening);
  if (!connection.tap.empty()) services->close_tap(connection.tap);
  if (!found->second.waits_for.empty()) stop_waiting(fd, found->second);
  if (const Peer& peer = found->second.peer; !peer.is_master() && --guests[peer.user] == 0) {
    guests.erase(peer.user);
  }
  if (!found->second.asked) --silent;
  connections.erase(found);
  watch(fd, 0, EPOLL_CTL_DEL);  // closing alone is not enough while a forked child has it, too
  close(fd);
}

Status PipeServer::open(const std::string& socket_path, PipeDirectory& directory,
                        std::unique_ptr<PipeServer>* server, PipeServices* services) {
  std::unique_ptr<PipeServer> made(new PipeServer);
  made->state_ = std::make_unique<State>(directory, services);
  if (Status s = made->state_->start(socket_path); !s.ok()) return s;
  *server = std::move(made);
  return {};
}

PipeServer::~PipeServer() = default;

}  // namespace bricks
