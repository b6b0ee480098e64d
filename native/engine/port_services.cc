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
    // What an engine writes at x{0 and what another reads at x}0 is one pipe, named by its reader.
    const bool writes = link.kind == BRICKS_LISTED_OUTPUT;
    const auto pipe = by_pipe.find(writes ? flip_pipe_name(link.name) : link.name);
    if (pipe != by_pipe.end() && (writes || link.kind == BRICKS_LISTED_INPUT)) {
      pipe->second.flags |= BRICKS_LISTED_TAP;
      if (link.recording) pipe->second.recorded_ms = link.recording->seconds() * 1000;
      set_sentence(&pipe->second,
                   writes ? link.sentence : pipe->second.sentence + (", " + link.sentence));
    } else if (peer.is_master() && link.name.size() < sizeof rows->front().name) {
      bricks_listed row{};
      row.kind = link.kind;
      row.flags = BRICKS_LISTED_TAP;
      if (link.recording) row.recorded_ms = link.recording->seconds() * 1000;
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
    // libpcap takes seconds for the longest, and everybody who asks for a pipe waits meanwhile.
    if (wish.expression.size() > kGuestExpressionMax) {
      return {Code::limit_reached, "the filter of another user's copy has at most " +
                                       std::to_string(kGuestExpressionMax) + " bytes"};
    }
    const auto own = std::count_if(open_.begin(), open_.end(),
                                   [&](const auto& tap) { return tap.second == peer.user; });
    if (own >= kTapsPerUser) {
      return {Code::limit_reached, user_name(peer.user) + " reads " + std::to_string(own) +
                                       " copies of links already, which is the most; end one"};
    }
    request.access = "?mode=0400&user=" + std::to_string(peer.user);
  }
  Status status = runtime_.open_tap(request, pipe, wish.last_ms);
  if (status.ok()) open_.emplace(*pipe, peer.user);
  return status;
}

Status PortServices::filter_tap(const std::string& pipe, const std::string& expression) {
  return runtime_.filter_tap(pipe, expression);
}

void PortServices::close_tap(const std::string& pipe) {
  open_.erase(pipe);
  runtime_.close_tap(pipe);
}

}  // namespace bricks
