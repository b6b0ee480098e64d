#include "addon/scripts.hh"

#include <thread>

#include "addon/values.hh"
#include "plugins/protocol_records.hh"
#include "plugins/script_worker.hh"

namespace bricks::addon {

namespace {

// Calls a function of JavaScript that starts and ends threads, from any thread.
class Starter {
 public:
  Starter(Napi::Env env, Napi::Function function)
      : own_(std::this_thread::get_id()),
        env_(env),
        direct_(Napi::Persistent(function)),
        remote_(Napi::ThreadSafeFunction::New(env, function, "plugins", 0, 1)) {
    remote_.Unref(env);
  }
  // JavaScript's thread.
  void release() {
    direct_.Reset();
    remote_.Release();
  }

  void call(const char* what, uint64_t host, uint32_t epoch, const std::string& text,
            uint32_t memory_mb) {
    const auto arguments = [=](Napi::Env env) {
      return std::vector<napi_value>{Napi::String::New(env, what),
                                     Napi::Number::New(env, static_cast<double>(host)),
                                     Napi::Number::New(env, epoch), Napi::String::New(env, text),
                                     Napi::Number::New(env, memory_mb)};
    };
    if (std::this_thread::get_id() != own_) {
      remote_.NonBlockingCall(
          [arguments](Napi::Env env, Napi::Function function) { function.Call(arguments(env)); });
      return;
    }
    const Napi::HandleScope scope(env_);
    try {
      direct_.Call(arguments(env_));
    } catch (const Napi::Error& error) {
      if (const auto found = ScriptHost::find(host)) found->refuse(epoch, error.Message());
    }
  }

 private:
  std::thread::id own_;
  Napi::Env env_;
  Napi::FunctionReference direct_;
  Napi::ThreadSafeFunction remote_;
};

Napi::Value serve_plugins(const Napi::CallbackInfo& info) {
  if (!info[0].IsFunction()) throw Napi::TypeError::New(info.Env(), "serve must be a function");
  const auto starter = std::make_shared<Starter>(info.Env(), info[0].As<Napi::Function>());
  auto served = std::make_shared<ScriptStarter>();
  served->start = [starter](uint64_t host, uint32_t epoch, const std::string& path,
                            uint32_t memory_mb) {
    starter->call("start", host, epoch, path, memory_mb);
  };
  served->stop = [starter](uint64_t host, uint32_t epoch, const std::string& why) {
    starter->call("stop", host, epoch, why, 0);
  };
  serve_scripts(std::move(served));
  info.Env().AddCleanupHook([starter] {
    serve_scripts(nullptr);
    starter->release();
  });
  return info.Env().Undefined();
}

struct Attached {
  std::shared_ptr<ScriptHost> host;
  uint32_t epoch;
};

Attached& to_script(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "script must be attached");
  return *info[0].As<Napi::External<Attached>>().Data();
}

uint32_t to_u32(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const double number = to_number(info, index, name);
  if (!(number >= 0 && number <= UINT32_MAX)) {
    throw Napi::RangeError::New(info.Env(), std::string(name) + " must be 0 to 4294967295");
  }
  return static_cast<uint32_t>(number);
}

Napi::Value end_threads(const Napi::CallbackInfo& info) {
  ScriptHost::close_all();
  return info.Env().Undefined();
}

Napi::Value plugin_exited(const Napi::CallbackInfo& info) {
  const auto host = ScriptHost::find(static_cast<uint64_t>(to_number(info, 0, "host")));
  const std::string how =
      host ? host->exited(to_u32(info, 1, "epoch"), to_text(info, 2, "why")) : "";
  return Napi::String::New(info.Env(), how);
}

Napi::Value attach_plugin(const Napi::CallbackInfo& info) {
  const auto host = ScriptHost::find(static_cast<uint64_t>(to_number(info, 0, "host")));
  if (!host) check(info, {Code::invalid_argument, "there is no such plugin any more"});
  const uint32_t epoch = to_u32(info, 1, "epoch");
  // On that thread, whatever ends it, and before its exit is heard of: an engine may be waiting for
  // it, and whoever would hear of it for the engine.
  info.Env().AddCleanupHook([host, epoch] { host->gone(epoch); });
  return Napi::External<Attached>::New(info.Env(), new Attached{host, epoch},
                                       [](Napi::Env, Attached* attached) { delete attached; });
}

std::string text_at(const Napi::Object& object, const char* name) {
  return object.Get(name).ToString().Utf8Value();
}

uint32_t number_at(const Napi::Object& object, const char* name) {
  return object.Get(name).ToNumber().Uint32Value();
}

Napi::Value describe_plugin(const Napi::CallbackInfo& info) {
  const Napi::Object from = info[1].As<Napi::Object>();
  ScriptDefinition made;
  made.name = text_at(from, "name");
  made.summary = text_at(from, "summary");
  made.events = number_at(from, "events");
  made.protocols = number_at(from, "protocols");
  made.wants.frame = number_at(from, "frame");
  made.wants.payload = number_at(from, "payload");
  const Napi::Array options = from.Get("options").As<Napi::Array>();
  for (uint32_t i = 0; i < options.Length(); ++i) {
    const Napi::Object option = options.Get(i).As<Napi::Object>();
    const bool preset = !option.Get("preset").IsUndefined();
    made.options.push_back({text_at(option, "name"), text_at(option, "summary"),
                            preset ? text_at(option, "preset") : "", text_at(option, "type")[0],
                            preset});
  }
  const Napi::Array figures = from.Get("figures").As<Napi::Array>();
  for (uint32_t i = 0; i < figures.Length(); ++i)
    made.figures.push_back(figures.Get(i).ToString().Utf8Value());
  const Attached& script = to_script(info);
  check(info, script.host->describe(script.epoch, std::move(made)));
  return info.Env().Undefined();
}

Napi::Value refuse_plugin(const Napi::CallbackInfo& info) {
  const Attached& script = to_script(info);
  script.host->refuse(script.epoch, to_text(info, 1, "why"));
  return info.Env().Undefined();
}

Napi::Value plugin_failed(const Napi::CallbackInfo& info) {
  to_script(info).host->failed(to_text(info, 1, "why"));
  return info.Env().Undefined();
}

Napi::Value plugin_started(const Napi::CallbackInfo& info) {
  const Attached& script = to_script(info);
  script.host->started(script.epoch);
  return info.Env().Undefined();
}

// [name, type, value as text], ...
Napi::Value plugin_options(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Array made = Napi::Array::New(env);
  for (const ScriptHost::OptionText& option : to_script(info).host->options()) {
    Napi::Array row = Napi::Array::New(env, 3);
    row.Set(0u, option.option.name);
    row.Set(1u, std::string(1, option.option.type));
    row.Set(2u, option.value);
    made.Set(made.Length(), row);
  }
  return made;
}

Napi::Value finish_turn(const Napi::CallbackInfo& info) {
  to_script(info).host->finish(info[1].As<Napi::Number>().Uint32Value(),
                               info[2].As<Napi::Boolean>().Value());
  return info.Env().Undefined();
}

Napi::Value next_turn(const Napi::CallbackInfo& info) {
  const Attached& script = to_script(info);
  script.host->finish(info[2].As<Napi::Number>().Uint32Value(),
                      info[3].As<Napi::Boolean>().Value());
  ScriptTurn turn{};
  const ScriptTask task =
      script.host->next(script.epoch, info[4].As<Napi::Number>().Uint32Value(), &turn);
  const Napi::Uint32Array out = info[1].As<Napi::Uint32Array>();
  if (out.ElementLength() < 4) throw Napi::RangeError::New(info.Env(), "turn has 4 elements");
  uint32_t* words = const_cast<Napi::Uint32Array&>(out).Data();
  words[0] = turn.worker;
  words[1] = turn.first;
  words[2] = turn.count;
  words[3] = turn.waits;
  return Napi::Number::New(info.Env(), static_cast<int32_t>(task));
}

Napi::Value ring_memory(const Napi::CallbackInfo& info) {
  const auto ring = to_script(info).host->ring(to_u32(info, 1, "worker"));
  if (!ring) check(info, {Code::invalid_argument, "there is no such worker any more"});
  auto* keep = new std::shared_ptr<ScriptRing>(ring);
  Napi::Object made = Napi::Object::New(info.Env());
  made.Set("records", ring->records());
  made.Set("memory",
           Napi::ArrayBuffer::New(
               info.Env(), ring->shared(), ring->shared_bytes(),
               [](Napi::Env, void*, std::shared_ptr<ScriptRing>* kept) { delete kept; }, keep));
  return made;
}

Napi::Value ask(const Napi::CallbackInfo& info) {
  const auto number = [&](size_t index) { return info[index].As<Napi::Number>().Int64Value(); };
  ScriptRequest request;
  request.call = static_cast<uint32_t>(number(2));
  request.event = static_cast<uint32_t>(number(3));
  request.session = static_cast<uint64_t>(number(4));
  request.a = number(5);
  request.b = number(6);
  request.key_bytes = static_cast<uint32_t>(number(7));
  request.value_bytes = static_cast<uint32_t>(number(8));
  request.type = static_cast<uint32_t>(number(9));
  const int code = to_script(info).host->ask(&request);
  Napi::Float64Array out = info[1].As<Napi::Float64Array>();
  if (out.ElementLength() < 3) throw Napi::RangeError::New(info.Env(), "answer has 3 elements");
  out[0] = request.type;
  out[1] = request.value_bytes;
  out[2] = static_cast<double>(request.a);
  return Napi::Number::New(info.Env(), code);
}

Napi::Value freed_contexts(const Napi::CallbackInfo& info) {
  Napi::Uint32Array out = info[1].As<Napi::Uint32Array>();
  ScriptWorker* worker = to_script(info).host->taken();
  const uint32_t count =
      worker ? worker->take_freed(out.Data(), static_cast<uint32_t>(out.ElementLength())) : 0;
  return Napi::Number::New(info.Env(), count);
}

Napi::Value emit_line(const Napi::CallbackInfo& info) {
  ScriptHost& host = *to_script(info).host;
  const std::string line = to_text(info, 1, "line");
  return Napi::Number::New(info.Env(), host.calls()->emit(host.number(), line.data(), line.size()));
}

Napi::Value add_figure(const Napi::CallbackInfo& info) {
  ScriptHost& host = *to_script(info).host;
  const uint32_t figure = to_u32(info, 1, "figure");
  if (figure >= host.definition().figures.size())
    return Napi::Number::New(info.Env(), BRICKS_ENOENT);
  const auto value = static_cast<int64_t>(to_number(info, 2, "value"));
  return Napi::Number::New(info.Env(), host.calls()->add_figure(host.number(), figure, value));
}

Napi::Value count_errors(const Napi::CallbackInfo& info) {
  to_script(info).host->count(ScriptFigure::script_errors, to_u32(info, 1, "errors"));
  return info.Env().Undefined();
}

Napi::Value create_group(const Napi::CallbackInfo& info) {
  const double rate = to_number(info, 2, "rate"), burst = to_number(info, 3, "burst");
  int code = BRICKS_EINVAL;
  if (rate >= 0 && rate < 1e18 && burst >= 0 && burst < 1e18) {
    code = to_script(info).host->calls()->create_group(
        to_u32(info, 1, "group"), static_cast<uint64_t>(rate), static_cast<uint64_t>(burst));
  }
  return Napi::Number::New(info.Env(), code);
}

Napi::Value delete_group(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           to_script(info).host->calls()->delete_group(to_u32(info, 1, "group")));
}

Napi::Array from_fields(Napi::Env env, const RecordLayout& layout) {
  Napi::Array made = Napi::Array::New(env);
  for (const RecordField& field : layout.fields) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", field.name);
    row.Set("type", kRecordTypes[static_cast<int>(field.type)]);
    row.Set("at", field.at);
    row.Set("size", field.size);
    row.Set("countAt", field.count_at);
    if (field.inner) {
      row.Set("innerSize", field.inner->size);
      row.Set("inner", from_fields(env, *field.inner));
    }
    made.Set(made.Length(), row);
  }
  return made;
}

Napi::Value plugin_layouts(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Object event = Napi::Object::New(env);
  for (const ScriptRecordField& field : kScriptRecordFields) event.Set(field.name, field.at);
  Napi::Array records = Napi::Array::New(env);
  for (uint16_t kind = 1; const RecordLayout* layout = record_layout(kind); ++kind) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", layout->name);
    row.Set("size", layout->size);
    row.Set("fields", from_fields(env, *layout));
    records.Set(kind, row);
  }
  Napi::Array calls = Napi::Array::New(env);
  for (const char* call : kScriptCalls) calls.Set(calls.Length(), call);
  Napi::Object made = Napi::Object::New(env);
  made.Set("event", event);
  made.Set("eventBytes", static_cast<double>(sizeof(ScriptRecord)));
  made.Set("records", records);
  made.Set("calls", calls);
  return made;
}

}  // namespace

void export_scripts(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("servePlugins", serve_plugins);
  add("endPluginThreads", end_threads);
  add("pluginExited", plugin_exited);
  add("attachPlugin", attach_plugin);
  add("pluginDefined", describe_plugin);
  add("refusePlugin", refuse_plugin);
  add("pluginFailed", plugin_failed);
  add("pluginStarted", plugin_started);
  add("pluginOptions", plugin_options);
  add("pluginFinish", finish_turn);
  add("pluginTurn", next_turn);
  add("pluginRing", ring_memory);
  add("pluginAsk", ask);
  add("pluginFreed", freed_contexts);
  add("pluginEmit", emit_line);
  add("pluginFigure", add_figure);
  add("pluginErrors", count_errors);
  add("pluginCreateGroup", create_group);
  add("pluginDeleteGroup", delete_group);
  add("pluginLayouts", plugin_layouts);
}

}  // namespace bricks::addon
