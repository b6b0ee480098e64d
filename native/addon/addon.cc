// The export table: one line of work per function; src/native/binding.ts says what each does.
// Engines belong to the process (Runtime), so the daemon's main thread and its Lua worker, which
// each load this addon into their own environment, see the same ones.
#include <napi.h>

#include <cmath>

#include "addon/limits.hh"
#include "addon/plugins.hh"
#include "addon/proof.hh"
#include "addon/queues.hh"
#include "addon/rules.hh"
#include "addon/scripts.hh"
#include "addon/values.hh"
#include "bricks/brick.hh"
#include "ports/port_registry.hh"

namespace bricks::addon {

namespace {

struct PerEnvironment {
  Napi::FunctionReference error_class;  // lent by JavaScript
};

}  // namespace

void check(const Napi::CallbackInfo& info, const Status& status) {
  if (status.ok()) return;
  const Napi::Env env = info.Env();
  auto* own = env.GetInstanceData<PerEnvironment>();
  const Napi::String code = Napi::String::New(env, code_name(status.code));
  const Napi::String message = Napi::String::New(env, status.message);
  if (own->error_class.IsEmpty()) throw Napi::Error::New(env, status.message);
  const Napi::Object error = own->error_class.New({code, message});
  throw Napi::Error(env, error);
}

namespace {

Napi::Value nothing(const Napi::CallbackInfo& info) { return info.Env().Undefined(); }

Napi::Object to_object(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), std::string(name) + " must be an object");
  }
  return info[index].As<Napi::Object>();
}

Napi::Value lend_error_class(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "errorClass must be a class");
  auto* own = info.Env().GetInstanceData<PerEnvironment>();
  own->error_class = Napi::Persistent(info[0].As<Napi::Function>());
  return nothing(info);
}

Napi::Array from_range(Napi::Env env, PortCount range) {
  Napi::Array made = Napi::Array::New(env, 2);
  made.Set(0u, range.minimum);
  made.Set(1u, range.maximum);
  return made;
}

Napi::Value list_brick_types(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array made = Napi::Array::New(env);
  for (const BrickType* type : brick_types()) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", type->name);
    row.Set("summary", type->summary);
    row.Set("details", type->details);
    row.Set("inputs", from_range(env, type->inputs));
    row.Set("outputs", from_range(env, type->outputs));
    row.Set("options", from_descriptors(env, type->options));
    row.Set("figures", from_figure_table(env, type->figures));
    made.Set(made.Length(), row);
  }
  return made;
}

Napi::Value list_port_schemes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array made = Napi::Array::New(env);
  for (const PortScheme* scheme : port_schemes()) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("scheme", scheme->scheme);
    row.Set("example", scheme->example);
    if (scheme->as_input) row.Set("asInput", scheme->as_input);
    if (scheme->as_output) row.Set("asOutput", scheme->as_output);
    row.Set("options", from_descriptors(env, scheme->options));
    made.Set(made.Length(), row);
  }
  return made;
}

Napi::Value list_drop_reasons(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array made = Napi::Array::New(env);
  for (const DropReason& reason : kDropReasons) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", reason.name);
    row.Set("summary", reason.summary);
    made.Set(made.Length(), row);
  }
  return made;
}

Napi::Value list_status_codes(const Napi::CallbackInfo& info) {
  Napi::Array made = Napi::Array::New(info.Env());
#define X(name) made.Set(made.Length(), #name);
  BRICKS_STATUS_CODES(X)
#undef X
  return made;
}

Napi::Value check_brick_options(const Napi::CallbackInfo& info) {
  const std::string kind = to_text(info, 0, "kind");
  const BrickType* type = find_brick_type(kind);
  if (!type) {
    std::string known;
    for (const BrickType* each : brick_types()) known += std::string(" ") + each->name;
    check(info, {Code::unknown_brick, "no brick of kind " + kind + "; there are" + known});
  }
  Options options = to_options(to_object(info, 1, "options"), kind);
  check(info, check_options(kind, type->options, &options));
  return from_options(info.Env(), options);
}

Napi::Value check_port_name(const Napi::CallbackInfo& info) {
  PortName name;
  check(info, parse_port_name(to_text(info, 0, "name"), &name));
  const bool input = to_text(info, 1, "direction") == "input";
  for (const PortScheme* scheme : port_schemes()) {
    if (name.scheme != scheme->scheme || (input ? scheme->as_input : scheme->as_output)) continue;
    check(info, {Code::invalid_port_name,
                 name.text + " cannot be an " +
                     (input ? "input: it only takes packets" : "output: it only gives packets")});
  }
  return nothing(info);
}

Napi::Value flip_name(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), flip_pipe_name(to_text(info, 0, "name")));
}

Napi::Value is_pipe_name(const Napi::CallbackInfo& info) {
  PortName name;
  const bool pipe = parse_port_name(to_text(info, 0, "name"), &name).ok() && name.scheme == "pipe";
  return Napi::Boolean::New(info.Env(), pipe);
}

Napi::Value open_ports(const Napi::CallbackInfo& info) {
  check(info, Runtime::instance().open_ports(to_text(info, 0, "runDir")));
  return nothing(info);
}

Napi::Value close_ports(const Napi::CallbackInfo& info) {
  Runtime::instance().close_ports();
  return nothing(info);
}

Napi::Value create_engine(const Napi::CallbackInfo& info) {
  const EngineOptions options = to_engine_options(to_object(info, 1, "options"));
  check(info, Runtime::instance().create_engine(to_text(info, 0, "name"), options));
  return nothing(info);
}

Napi::Value delete_engine(const Napi::CallbackInfo& info) {
  check(info, Runtime::instance().delete_engine(to_text(info, 0, "name")));
  return nothing(info);
}

Napi::Value apply(const Napi::CallbackInfo& info) {
  const Graph graph = to_graph(to_object(info, 1, "graph"));
  check(info, Runtime::instance().apply(to_text(info, 0, "name"), graph));
  return nothing(info);
}

Napi::Value start(const Napi::CallbackInfo& info) {
  check(info, Runtime::instance().start(to_text(info, 0, "name")));
  return nothing(info);
}

Napi::Value stop(const Napi::CallbackInfo& info) {
  check(info, Runtime::instance().stop(to_text(info, 0, "name")));
  return nothing(info);
}

Napi::Value wait_drained(const Napi::CallbackInfo& info) {
  const double timeout = to_number(info, 1, "timeoutMs");
  if (!(timeout >= 0 && timeout <= 3600000)) {
    throw Napi::RangeError::New(info.Env(), "timeoutMs must be 0 to 3600000");
  }
  bool drained = false;
  check(info, Runtime::instance().wait_drained(to_text(info, 0, "name"),
                                               static_cast<uint32_t>(timeout), &drained));
  return Napi::Boolean::New(info.Env(), drained);
}

Napi::Value snapshot(const Napi::CallbackInfo& info) {
  Napi::Array made = Napi::Array::New(info.Env());
  for (const EngineSnapshot& engine : Runtime::instance().snapshot()) {
    made.Set(made.Length(), from_snapshot(info.Env(), engine));
  }
  return made;
}

Napi::Value send_datagram(const Napi::CallbackInfo& info) {
  check(info, send_to_socket(to_text(info, 0, "path"), to_text(info, 1, "text")));
  return nothing(info);
}

Napi::Value redirect_output(const Napi::CallbackInfo& info) {
  check(info, redirect_standard_output(to_text(info, 0, "path")));
  return nothing(info);
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new PerEnvironment);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("lendErrorClass", lend_error_class);
  add("brickTypes", list_brick_types);
  add("portSchemes", list_port_schemes);
  add("dropReasons", list_drop_reasons);
  add("statusCodes", list_status_codes);
  add("checkBrickOptions", check_brick_options);
  add("checkPortName", check_port_name);
  add("flipPipeName", flip_name);
  add("isPipeName", is_pipe_name);
  add("openPorts", open_ports);
  add("closePorts", close_ports);
  add("createEngine", create_engine);
  add("deleteEngine", delete_engine);
  add("apply", apply);
  add("start", start);
  add("stop", stop);
  add("waitDrained", wait_drained);
  add("snapshot", snapshot);
  export_limits(env, exports);
  export_queues(env, exports);
  export_rules(env, exports);
  export_plugins(env, exports);
  export_proof(env, exports);
  export_scripts(env, exports);
  add("sendDatagram", send_datagram);
  add("redirectOutput", redirect_output);
  return exports;
}

}  // namespace

NODE_API_MODULE(bricks, initialise)

}  // namespace bricks::addon
