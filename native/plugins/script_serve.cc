// What a script asks of a session, carried out on the engine's thread: bricks_host's calls, with
// arguments that are checked here first.
#include <algorithm>
#include <cstring>

#include "plugins/script_worker.hh"
#include "wire/community_id.hh"

namespace bricks {

namespace {

constexpr uint32_t kKeyBytes = 64;  // with its NUL; the value follows

// A number that fits 32 bits; else one that no object has.
uint32_t number_of(int64_t value) noexcept {
  return value >= 0 && value < UINT32_MAX ? static_cast<uint32_t>(value) : UINT32_MAX;
}

// A copy: what the script's memory holds may change meanwhile.
bool read_key(const ScriptRing& ring, uint32_t bytes, char* key) noexcept {
  if (bytes == 0 || bytes >= kKeyBytes) return false;
  std::memcpy(key, ring.call_bytes(), bytes);
  key[bytes] = 0;
  return std::strlen(key) == bytes;
}

}  // namespace

void ScriptWorker::serve(ScriptRequest* request, bricks_event& event) noexcept {
  const bricks_host& host = *host_.calls();
  bricks_session* session = session_of(request->session, event);
  if (!session) {
    request->code = BRICKS_ENOCTX;
    return;
  }
  const uint32_t a = number_of(request->a);
  char key[kKeyBytes];
  int code = BRICKS_EINVAL;
  switch (static_cast<ScriptCall>(request->call)) {
    case ScriptCall::detach:
      code = host.detach_me(session);
      break;
    case ScriptCall::take_over:
      code = host.take_over(session);
      break;
    case ScriptCall::drop:
      code = host.drop_packet(session);
      break;
    case ScriptCall::add_group:
      if (request->b >= -1 && request->b <= 1)
        code = host.add_group(session, a, static_cast<int>(request->b));
      break;
    case ScriptCall::remove_group:
      code = host.remove_group(session, a);
      break;
    case ScriptCall::set_metadata:
      code = set_metadata(*request, session);
      break;
    case ScriptCall::get_metadata:
      code = get_metadata(request, session);
      break;
    case ScriptCall::delete_metadata:
      if (read_key(*ring_, request->key_bytes, key)) code = host.del_metadata(session, key);
      break;
    case ScriptCall::lock:
      code = host.lock(session, host_.number());
      break;
    case ScriptCall::unlock:
      code = host.unlock(session, host_.number());
      break;
    case ScriptCall::set_output:
      code = host.set_output(session, a);
      break;
    case ScriptCall::kill:
      code = host.kill(session);
      break;
    case ScriptCall::open_child:
      code = open_child(request, session);
      break;
    case ScriptCall::close_child:
      code = host.close_child(session);
      break;
    case ScriptCall::community_id:
      code = community_id(request, event);
      break;
    case ScriptCall::fail:
      break;
  }
  request->code = code;
}

int ScriptWorker::set_metadata(const ScriptRequest& request, bricks_session* session) noexcept {
  char key[kKeyBytes];
  if (!read_key(*ring_, request.key_bytes, key)) return BRICKS_EINVAL;
  if (request.value_bytes > kScriptCallBytes - kKeyBytes) return BRICKS_ENOMEM;
  uint32_t expected = request.value_bytes;
  if (request.type == BRICKS_INTEGER || request.type == BRICKS_NUMBER) expected = 8;
  if (request.type == BRICKS_BOOLEAN) expected = 1;
  if (request.type == BRICKS_OPAQUE || request.type > BRICKS_BOOLEAN) return BRICKS_EINVAL;
  if (request.value_bytes != expected) return BRICKS_EINVAL;
  return host_.calls()->set_metadata(session, key, static_cast<bricks_value_type>(request.type),
                                     ring_->call_bytes() + kKeyBytes, request.value_bytes, nullptr);
}

int ScriptWorker::get_metadata(ScriptRequest* request, bricks_session* session) noexcept {
  char key[kKeyBytes];
  if (!read_key(*ring_, request->key_bytes, key)) return BRICKS_EINVAL;
  bricks_value_type type = BRICKS_OPAQUE;
  void* value = nullptr;
  size_t size = 0;
  const int code = host_.calls()->get_metadata(session, key, &type, &value, &size);
  if (code != BRICKS_DONE) return code;
  if (type == BRICKS_OPAQUE) return BRICKS_ENOTSUP;  // a pointer: only C reads what is behind it
  if (size > kScriptCallBytes - kKeyBytes) return BRICKS_ENOMEM;
  if (size) std::memcpy(ring_->call_bytes() + kKeyBytes, value, size);
  request->type = type;
  request->value_bytes = static_cast<uint32_t>(size);
  return BRICKS_DONE;
}

int ScriptWorker::community_id(ScriptRequest* request, const bricks_event& event) noexcept {
  char text[kCommunityIdSize];
  const int code = host_.calls()->community_id(&event, text);
  if (code != BRICKS_DONE) return code;
  request->type = BRICKS_BYTES;
  request->value_bytes = static_cast<uint32_t>(std::strlen(text));
  std::memcpy(ring_->call_bytes() + kKeyBytes, text, request->value_bytes);
  return BRICKS_DONE;
}

// Children are known to the script by their id. One that is over has another id there, or none:
// the manager never gives their memory back.
bricks_session* ScriptWorker::session_of(uint64_t id, const bricks_event& event) const noexcept {
  if (id == event.session->flow->id) return event.session;
  for (auto known = children_.rbegin(); known != children_.rend(); ++known) {
    if (known->first == id) return known->second->flow->id == id ? known->second : nullptr;
  }
  return nullptr;
}

int ScriptWorker::open_child(ScriptRequest* request, bricks_session* parent) noexcept {
  if (children_.size() >= children_kept_) {
    std::erase_if(children_, [](const auto& known) {
      return known.second->flow->id != known.first || known.second->state == BRICKS_SESSION_CLOSED;
    });
    if (children_.size() >= kScriptChildrenMax) return BRICKS_ENOMEM;
    children_kept_ =
        std::min<size_t>(kScriptChildrenMax, std::max(children_kept_, 2 * children_.size()));
  }
  bricks_session* made = nullptr;
  const int code = host_.calls()->open_child(parent, number_of(request->a), &made);
  if (code != BRICKS_DONE) return code;
  children_.push_back({made->flow->id, made});
  request->a = static_cast<int64_t>(made->flow->id);
  return BRICKS_DONE;
}

}  // namespace bricks
