// The Runtime's taps: copies of links, live or from what a recorder has kept.
#include "engine/runtime_state.hh"

namespace bricks {

namespace {

std::string recorder_of(const std::string& link) { return "recorder of " + link; }

// The link of that name, `eth3}0` and `eth3{0` being one; null: none.
const LinkRow* find_link(const LinkList& list, const std::string& name) {
  for (const LinkRow& row : list.links) {
    if (row.name == name || row.name == flip_pipe_name(name)) return &row;
  }
  return nullptr;
}

Status no_such_link(const std::string& name) {
  return {Code::no_such_pipe,
          "there is no link '" + name + "'; `bricks status` lists inputs, links and outputs"};
}

}  // namespace

Status Runtime::open_tap(const TapRequest& request, std::string* pipe, uint32_t last_ms) {
  if (request.sample == 0) return {Code::invalid_argument, "a tap's sample is 1 in 1 or more"};
  TapRequest wanted = request;
  for (const auto& [name, engine] : state_->named()) {
    LinkList there;
    engine->links(&there);
    const LinkRow* row = find_link(there, request.link);
    if (!row) continue;
    wanted.link = row->name;
    const std::string made = "tap" + std::to_string(state_->taps.fetch_add(1)) + "{0";
    Status status;
    if (last_ms == 0) {
      status = engine->open_tap(wanted, made);
    } else if (!row->recording) {
      status = {Code::invalid_argument, "nothing records what passes '" + request.link +
                                            "': in Lua, pe:record(\"" + row->name +
                                            "\", 60) keeps its last minute"};
    } else {
      std::unique_ptr<RecordedTap> tap;
      status = RecordedTap::open(wanted, made, last_ms, row->recording, &state_->pipes, &tap);
      std::lock_guard lock(state_->mutex);
      if (status.ok()) state_->recorded[flip_pipe_name(made)] = {name, std::move(tap)};
    }
    if (status.ok()) *pipe = flip_pipe_name(made);
    return status;
  }
  return no_such_link(request.link);
}

Status Runtime::filter_tap(const std::string& pipe, const std::string& expression) {
  std::shared_ptr<RecordedTap> recorded;
  {
    std::lock_guard lock(state_->mutex);
    const auto found = state_->recorded.find(pipe);
    if (found != state_->recorded.end()) recorded = found->second.tap;
  }
  if (recorded) return recorded->set_filter(expression);
  const std::string name = flip_pipe_name(pipe);
  for (const auto& engine : state_->all()) {
    Status status;
    if (engine->filter_tap(name, expression, &status)) return status;
  }
  return {Code::no_such_pipe, "the link behind '" + pipe + "' is gone"};
}

void Runtime::close_tap(const std::string& pipe) {
  std::shared_ptr<RecordedTap> recorded;  // its thread ends when the lock is free again
  {
    std::lock_guard lock(state_->mutex);
    const auto found = state_->recorded.find(pipe);
    if (found != state_->recorded.end()) {
      recorded = std::move(found->second.tap);
      state_->recorded.erase(found);
    }
  }
  const std::string name = flip_pipe_name(pipe);
  for (const auto& engine : state_->all()) {
    if (engine->close_tap(name)) return;
  }
}

LinkList Runtime::links() {
  LinkList made;
  for (const auto& engine : state_->all()) engine->links(&made);
  return made;
}

Status Runtime::open_recorder(const std::string& engine, const std::string& link, uint32_t seconds,
                              uint64_t bytes) {
  std::shared_ptr<Engine> found;
  Status status = state_->find(engine, &found);
  if (!status.ok()) return status;
  if (seconds == 0) return {Code::invalid_argument, "a recorder keeps 1 second or more"};
  LinkList there;
  found->links(&there);
  const LinkRow* row = find_link(there, link);
  if (!row) return no_such_link(link);
  TapRequest request;
  request.link = row->name;
  request.record_s = seconds;
  request.record_bytes = bytes;
  return found->open_tap(request, recorder_of(row->name));
}

Status Runtime::close_recorder(const std::string& engine, const std::string& link) {
  std::shared_ptr<Engine> found;
  Status status = state_->find(engine, &found);
  if (!status.ok()) return status;
  for (const std::string& name : {link, flip_pipe_name(link)}) {
    if (found->close_tap(recorder_of(name))) return {};
  }
  return {Code::no_such_pipe, "nothing records what passes '" + link + "'"};
}

void Runtime::State::add_recorded(std::vector<EngineSnapshot>* to) {
  std::lock_guard lock(mutex);
  for (const auto& [name, row] : recorded) {
    for (EngineSnapshot& snapshot : *to) {
      if (snapshot.name == row.engine) snapshot.taps.push_back(row.tap->row());
    }
  }
}

}  // namespace bricks
