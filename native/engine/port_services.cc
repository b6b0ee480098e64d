#include "engine/port_services.hh"

#include <algorithm>
#include <cstring>

#include "engine/runtime.hh"
#include "mem/limits.hh"
#include "ports/port_registry.hh"

namespace bricks {

namespace {

void set_sentence(bricks_listed* row, const std::string& text) {
  std::memset(row->sentence, 0, sizeof row->sentence);
  text.copy(row->sentence, sizeof row->sentence - 1);
}

bool by_name(const bricks_listed& a, const bricks_listed& b) {
  return std::strcmp(a.name, b.name) < 0;
}

}  // namespace

Status PortServices::list(const Peer& peer, std::vector<bricks_listed>* rows) {
  const LinkList there = runtime_.links();
  pipes_.list(peer, rows);
  std::map<std::string, bricks_listed> by_pipe;
  for (const bricks_listed& row : *rows) by_pipe.emplace(row.name, row);
  for (const std::string& tap : there.taps) by_pipe.erase(flip_pipe_name(tap));
  rows->clear();
  for (const LinkRow& link : there.links) {
    const std::string read_as = flip_pipe_name(link.name);
    const auto pipe = link.kind == BRICKS_LISTED_OUTPUT && read_as != link.name
                          ? by_pipe.find(read_as)
                          : by_pipe.end();
    if (pipe != by_pipe.end()) {
      pipe->second.flags |= BRICKS_LISTED_TAP;
      set_sentence(&pipe->second, link.sentence);
    } else if (peer.is_master() && link.name.size() < sizeof rows->front().name) {
      bricks_listed row{};
      row.kind = link.kind;
      row.flags = BRICKS_LISTED_TAP;
      link.name.copy(row.name, sizeof row.name - 1);
      set_sentence(&row, link.sentence);
      rows->push_back(row);
    }
  }
  for (auto& [name, row] : by_pipe) {
    describe_reader(&row);
    rows->push_back(row);
  }
  std::stable_sort(rows->begin(), rows->end(), by_name);
  if (rows->size() <= kListedMax) return {};
  return {Code::limit_reached, std::to_string(rows->size()) +
                                   " pipes and links are more than the " +
                                   std::to_string(kListedMax) + " a list may have"};
}

Status PortServices::open_tap(const TapWish& wish, const Peer& peer, std::string* pipe) {
  TapRequest request;
  request.link = wish.link;
  request.expression = wish.expression;
  if (!peer.is_master()) {
    const std::string name = wish.link.starts_with("netmap:") ? wish.link.substr(7) : wish.link;
    if (Status status = pipes_.check_access(name, peer); !status.ok()) {
      if (status.code != Code::no_such_pipe) return status;
      return {Code::permission_denied,
              "'" + name + "' is no pipe that " + user_name(peer.user) +
                  " may read; only root and the daemon's own user get copies of other links"};
    }
    const auto own = std::count_if(open_.begin(), open_.end(),
                                   [&](const auto& tap) { return tap.second == peer.user; });
    if (own >= kTapsPerUser) {
      return {Code::limit_reached, user_name(peer.user) + " reads " + std::to_string(own) +
                                       " copies of links already, which is the most; end one"};
    }
    request.access = "?mode=0400&user=" + std::to_string(peer.user);
  }
  if (wish.last_ms) {
    return {Code::invalid_argument, "nothing records what passes '" + wish.link + "'"};
  }
  Status status = runtime_.open_tap(request, pipe);
  if (status.ok()) open_.emplace(*pipe, peer.user);
  return status;
}

void PortServices::close_tap(const std::string& pipe) {
  open_.erase(pipe);
  runtime_.close_tap(pipe);
}

}  // namespace bricks
