// What explains and checks, for JavaScript: src/native/binding.ts says what each does.
#include "addon/proof.hh"

#include <cmath>

#include "addon/values.hh"

namespace bricks::addon {

namespace {

double number_of(const Napi::Object& object, const char* name, double missing, double most) {
  const Napi::Value value = object.Get(name);
  if (value.IsUndefined()) return missing;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= most) || number != std::floor(number)) {
    throw Napi::RangeError::New(object.Env(), std::string(name) + " must be a number from 0 to " +
                                                  std::to_string(static_cast<int64_t>(most)));
  }
  return number;
}

std::string text_of(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) {
    throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a string");
  }
  return value.As<Napi::String>().Utf8Value();
}

Napi::Array from_texts(Napi::Env env, const std::vector<std::string>& texts) {
  Napi::Array made = Napi::Array::New(env, texts.size());
  for (uint32_t i = 0; i < texts.size(); ++i) made.Set(i, texts[i]);
  return made;
}

Napi::Object from_step(Napi::Env env, const ExplainStep& step) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("brick", step.brick);
  made.Set("kind", step.kind);
  made.Set("why", step.why);
  made.Set("ways", from_ways(env, step.ways));
  if (!step.if_gone.empty()) made.Set("ifGone", step.if_gone);
  return made;
}

Napi::Value explain(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject()) throw Napi::TypeError::New(env, "question must be an object");
  const Napi::Object from = info[0].As<Napi::Object>();
  FlowQuestion question;
  question.protocol = text_of(from, "protocol");
  question.source = text_of(from, "source");
  question.target = text_of(from, "target");
  question.source_port = static_cast<uint16_t>(number_of(from, "sourcePort", 0, 65535));
  question.target_port = static_cast<uint16_t>(number_of(from, "targetPort", 0, 65535));
  question.vlan = static_cast<int32_t>(number_of(from, "vlan", -1, 4094));
  question.vni = static_cast<int64_t>(number_of(from, "vni", -1, 16777215));
  std::vector<Explanation> answers;
  check(info, Runtime::instance().explain(question, &answers));
  Napi::Array made = Napi::Array::New(env, answers.size());
  for (uint32_t i = 0; i < answers.size(); ++i) {
    const Explanation& answer = answers[i];
    Napi::Object row = Napi::Object::New(env);
    row.Set("engine", answer.engine);
    row.Set("inputs", from_texts(env, answer.inputs));
    Napi::Array steps = Napi::Array::New(env, answer.steps.size());
    for (uint32_t k = 0; k < answer.steps.size(); ++k)
      steps.Set(k, from_step(env, answer.steps[k]));
    row.Set("steps", steps);
    row.Set("outputs", from_texts(env, answer.outputs));
    made.Set(i, row);
  }
  return made;
}

// A count that a device does not tell is left out.
void set_known(Napi::Object& row, const char* name, int64_t value) {
  if (value >= 0) row.Set(name, static_cast<double>(value));
}

Napi::Value inspect_interface(const Napi::CallbackInfo& info) {
  InterfaceState state;
  check(info, inspect_interface(to_text(info, 0, "name"), &state));
  const Napi::Env env = info.Env();
  Napi::Object made = Napi::Object::New(env);
  made.Set("driver", state.driver);
  made.Set("up", state.up);
  made.Set("running", state.running);
  made.Set("promiscuous", state.promiscuous);
  Napi::Object offloads = Napi::Object::New(env);
  for (const auto& [name, on] : state.offloads) offloads.Set(name, on);
  made.Set("offloads", offloads);
  set_known(made, "ringNow", state.ring_now);
  set_known(made, "ringMost", state.ring_most);
  set_known(made, "queues", state.queues);
  if (!state.rss_key.empty()) {
    made.Set("rssKey",
             Napi::Buffer<uint8_t>::Copy(env, state.rss_key.data(), state.rss_key.size()));
    made.Set("rssSymmetricXor", state.rss_symmetric_xor);
  }
  return made;
}

Napi::Value memory_lock_limit(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), memory_lock_bytes());
}

Napi::Value open_tap(const Napi::CallbackInfo& info) {
  TapRequest request;
  request.link = to_text(info, 0, "link");
  request.expression = to_text(info, 1, "expression");
  const double sample = to_number(info, 2, "sample");
  if (!(sample >= 1 && sample <= 1u << 24)) {
    throw Napi::RangeError::New(info.Env(), "sample must be 1 to 16777216");
  }
  request.sample = static_cast<uint32_t>(sample);
  std::string pipe;
  check(info, Runtime::instance().open_tap(request, &pipe));
  return Napi::String::New(info.Env(), pipe);
}

Napi::Value open_recorder(const Napi::CallbackInfo& info) {
  const double seconds = to_number(info, 2, "seconds"), bytes = to_number(info, 3, "bytes");
  if (!(seconds >= 0 && seconds <= UINT32_MAX && bytes >= 0 && bytes < 1e18)) {
    throw Napi::RangeError::New(info.Env(), "seconds and bytes must be numbers that can be");
  }
  check(info, Runtime::instance().open_recorder(
                  to_text(info, 0, "engine"), to_text(info, 1, "link"),
                  static_cast<uint32_t>(seconds), static_cast<uint64_t>(bytes)));
  return info.Env().Undefined();
}

Napi::Value close_recorder(const Napi::CallbackInfo& info) {
  check(info,
        Runtime::instance().close_recorder(to_text(info, 0, "engine"), to_text(info, 1, "link")));
  return info.Env().Undefined();
}

Napi::Value close_tap(const Napi::CallbackInfo& info) {
  Runtime::instance().close_tap(to_text(info, 0, "pipe"));
  return info.Env().Undefined();
}

}  // namespace

Napi::Array from_ways(Napi::Env env, const std::vector<ExplainStep::Way>& ways) {
  Napi::Array made = Napi::Array::New(env, ways.size());
  for (uint32_t i = 0; i < ways.size(); ++i) {
    Napi::Object way = Napi::Object::New(env);
    way.Set("link", ways[i].link);
    if (!ways[i].brick.empty()) way.Set("brick", ways[i].brick);
    made.Set(i, way);
  }
  return made;
}

void export_proof(Napi::Env env, Napi::Object exports) {
  exports.Set("explain", Napi::Function::New(env, explain, "explain"));
  exports.Set("openTap", Napi::Function::New(env, open_tap, "openTap"));
  exports.Set("openRecorder", Napi::Function::New(env, open_recorder, "openRecorder"));
  exports.Set("closeRecorder", Napi::Function::New(env, close_recorder, "closeRecorder"));
  exports.Set("closeTap", Napi::Function::New(env, close_tap, "closeTap"));
  exports.Set("inspectInterface",
              Napi::Function::New(
                  env, static_cast<Napi::Value (*)(const Napi::CallbackInfo&)>(inspect_interface),
                  "inspectInterface"));
  exports.Set("memoryLockLimit", Napi::Function::New(env, memory_lock_limit, "memoryLockLimit"));
}

}  // namespace bricks::addon
