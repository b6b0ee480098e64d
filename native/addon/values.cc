#include "addon/values.hh"

#include <cmath>
#include <sstream>

#include "addon/plugins.hh"

namespace bricks::addon {

namespace {

[[noreturn]] void wrong(Napi::Env env, const std::string& what) {
  throw Napi::TypeError::New(env, what);
}

Napi::Value field(const Napi::Object& object, const char* name) { return object.Get(name); }

std::string text_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = field(object, name);
  if (!value.IsString()) wrong(object.Env(), std::string(name) + " must be a string");
  return value.As<Napi::String>().Utf8Value();
}

int64_t integer_field(const Napi::Object& object, const char* name, int64_t missing) {
  const Napi::Value value = field(object, name);
  if (value.IsUndefined()) return missing;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : NAN;
  if (!(std::abs(number) < 9e15) || number != std::floor(number)) {
    wrong(object.Env(), std::string(name) + " must be a whole number");
  }
  return static_cast<int64_t>(number);
}

template <typename Value>
uint32_t index_field(const Napi::Object& object, const char* name, Value missing) {
  const int64_t value = integer_field(object, name, missing);
  if (value < 0 || value > UINT32_MAX) {
    wrong(object.Env(), std::string(name) + " must be 0 to 4294967295");
  }
  return static_cast<uint32_t>(value);
}

Napi::Array array_field(const Napi::Object& object, const char* name) {
  const Napi::Value value = field(object, name);
  if (!value.IsArray()) wrong(object.Env(), std::string(name) + " must be an array");
  return value.As<Napi::Array>();
}

Napi::Object element(const Napi::Array& array, uint32_t index) {
  const Napi::Value value = array.Get(index);
  if (!value.IsObject()) wrong(array.Env(), "an element of the graph must be an object");
  return value.As<Napi::Object>();
}

OptionValue to_list(const Napi::Array& array, const std::string& where) {
  std::vector<std::string> texts;
  std::vector<double> numbers;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    if (value.IsString()) texts.push_back(value.As<Napi::String>().Utf8Value());
    if (value.IsNumber()) numbers.push_back(value.As<Napi::Number>().DoubleValue());
  }
  if (texts.size() == array.Length() && !texts.empty()) return texts;
  if (numbers.size() == array.Length()) return numbers;
  wrong(array.Env(), where + " must be a list of strings or a list of numbers");
}

Napi::Value from_option(Napi::Env env, const OptionValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return Napi::Boolean::New(env, *flag);
  if (const auto* whole = std::get_if<int64_t>(&value)) {
    return Napi::Number::New(env, static_cast<double>(*whole));
  }
  if (const auto* number = std::get_if<double>(&value)) return Napi::Number::New(env, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return Napi::String::New(env, *text);
  Napi::Array list = Napi::Array::New(env);
  uint32_t at = 0;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& text : *texts) list.Set(at++, Napi::String::New(env, text));
  } else {
    for (const double number : std::get<std::vector<double>>(value)) {
      list.Set(at++, Napi::Number::New(env, number));
    }
  }
  return list;
}

const char* type_name(OptionType type) {
  switch (type) {
    case OptionType::boolean:
      return "boolean";
    case OptionType::integer:
      return "integer";
    case OptionType::number:
      return "number";
    case OptionType::text:
      return "text";
    case OptionType::text_list:
      return "text_list";
    case OptionType::number_list:
      return "number_list";
  }
  return "text";
}

void set_count(Napi::Object object, const char* name, uint64_t value) {
  object.Set(name, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

Napi::Object from_cell(Napi::Env env, const LedgerCell& cell) {
  Napi::Object made = Napi::Object::New(env);
  set_count(made, "packets", cell.packets);
  set_count(made, "bytes", cell.bytes);
  set_count(made, "delivered", cell.delivered);
  set_count(made, "deliveredBytes", cell.delivered_bytes);
  set_count(made, "copies", cell.copies);
  set_count(made, "notIp", cell.not_ip);
  set_count(made, "spilled", cell.spilled);
  set_count(made, "held", cell.held);
  Napi::Object faults = Napi::Object::New(env);
  for (uint32_t i = 1; i < kHeaderFaultCount; ++i) {  // 0: none
    if (cell.header_faults[i]) set_count(faults, kHeaderFaults[i].name, cell.header_faults[i]);
  }
  made.Set("headerFaults", faults);
  Napi::Object dropped = Napi::Object::New(env);
  for (uint32_t i = 0; i < kDropReasonCount; ++i) {
    if (cell.dropped[i]) set_count(dropped, kDropReasons[i].name, cell.dropped[i]);
  }
  made.Set("dropped", dropped);
  return made;
}

Napi::Object from_figures(Napi::Env env, const std::vector<Figure>& figures) {
  Napi::Object made = Napi::Object::New(env);
  for (const Figure& figure : figures) set_count(made, figure.name, figure.value);
  return made;
}

template <typename Row, typename Fill>
Napi::Array from_rows(Napi::Env env, const std::vector<Row>& rows, Fill fill) {
  Napi::Array made = Napi::Array::New(env, rows.size());
  for (uint32_t i = 0; i < rows.size(); ++i) {
    Napi::Object row = Napi::Object::New(env);
    fill(row, rows[i]);
    row.Set("cell", from_cell(env, rows[i].cell));
    made.Set(i, row);
  }
  return made;
}

}  // namespace

std::string to_text(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsString()) wrong(info.Env(), std::string(name) + " must be a string");
  return info[index].As<Napi::String>().Utf8Value();
}

double to_number(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (!info[index].IsNumber()) wrong(info.Env(), std::string(name) + " must be a number");
  return info[index].As<Napi::Number>().DoubleValue();
}

Options to_options(const Napi::Object& object, const std::string& where) {
  Options made;
  const Napi::Array names = object.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
    const Napi::Value value = object.Get(name);
    if (value.IsUndefined()) continue;
    if (value.IsBoolean()) {
      made[name] = value.As<Napi::Boolean>().Value();
    } else if (value.IsNumber()) {
      const double number = value.As<Napi::Number>().DoubleValue();
      if (number == std::floor(number) && std::abs(number) < 9e15) {
        made[name] = static_cast<int64_t>(number);
      } else {
        made[name] = number;
      }
    } else if (value.IsString()) {
      made[name] = value.As<Napi::String>().Utf8Value();
    } else if (value.IsArray()) {
      made[name] = to_list(value.As<Napi::Array>(), where + ": " + name);
    } else {
      wrong(object.Env(), where + ": " + name + " must be a boolean, number, string or list");
    }
  }
  return made;
}

Graph to_graph(const Napi::Object& object) {
  Graph graph;
  const Napi::Array inlets = array_field(object, "inlets");
  for (uint32_t i = 0; i < inlets.Length(); ++i) {
    const Napi::Object inlet = element(inlets, i);
    graph.inlets.push_back({text_field(inlet, "port"), index_field(inlet, "brick", 0)});
  }
  const Napi::Array nodes = array_field(object, "bricks");
  for (uint32_t i = 0; i < nodes.Length(); ++i) {
    const Napi::Object from = element(nodes, i);
    Graph::Node& node = graph.bricks.emplace_back();
    node.id = text_field(from, "id");
    node.kind = text_field(from, "kind");
    node.level = index_field(from, "level", 1);
    if (field(from, "options").IsObject()) {
      node.options = to_options(field(from, "options").As<Napi::Object>(), node.id);
    }
    const Napi::Array outlets = array_field(from, "outlets");
    for (uint32_t o = 0; o < outlets.Length(); ++o) {
      const Napi::Object outlet = element(outlets, o);
      const int64_t brick = integer_field(outlet, "brick", -1);
      if (brick < -1 || brick >= INT32_MAX) wrong(object.Env(), "brick is out of range");
      node.outlets.push_back({text_field(outlet, "name"), static_cast<int32_t>(brick)});
    }
  }
  return graph;
}

EngineOptions to_engine_options(const Napi::Object& object) {
  EngineOptions options;
  const auto narrow = [&object](const char* name, int64_t missing) {
    const int64_t value = integer_field(object, name, missing);
    if (value < INT32_MIN || value > INT32_MAX) {
      wrong(object.Env(), std::string(name) + " is out of range");
    }
    return static_cast<int32_t>(value);
  };
  options.cpu = narrow("cpu", -1);
  options.batch = index_field(object, "batch", 0);
  options.pipe_slots = index_field(object, "pipeSlots", 0);
  options.spill = index_field(object, "spill", 0);
  options.sessions = index_field(object, "sessions", 0);
  options.queue = narrow("queue", -1);
  const auto flag = [&object](const char* name) {
    const Napi::Value value = field(object, name);
    return value.IsBoolean() && value.As<Napi::Boolean>().Value();
  };
  options.shared = flag("shared");
  options.busy = flag("busy");
  return options;
}

Napi::Object from_options(Napi::Env env, const Options& options) {
  Napi::Object made = Napi::Object::New(env);
  for (const auto& [name, value] : options) made.Set(name, from_option(env, value));
  return made;
}

Napi::Array from_descriptors(Napi::Env env, std::span<const OptionDescriptor> descriptors) {
  Napi::Array made = Napi::Array::New(env, descriptors.size());
  uint32_t at = 0;
  for (const OptionDescriptor& option : descriptors) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", option.name);
    row.Set("type", type_name(option.type));
    row.Set("default", option.default_value);
    row.Set("summary", option.summary);
    if (option.minimum < option.maximum) {
      row.Set("minimum", option.minimum);
      row.Set("maximum", option.maximum);
    }
    if (option.choices) {
      Napi::Array choices = Napi::Array::New(env);
      std::istringstream words(option.choices);
      std::string word;
      while (std::getline(words, word, '|')) choices.Set(choices.Length(), word);
      row.Set("choices", choices);
    }
    made.Set(at++, row);
  }
  return made;
}

Napi::Array from_figure_table(Napi::Env env, std::span<const FigureDescriptor> figures) {
  Napi::Array made = Napi::Array::New(env, figures.size());
  uint32_t at = 0;
  for (const FigureDescriptor& figure : figures) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("name", figure.name);
    row.Set("kind", figure.kind == FigureKind::gauge ? "gauge" : "counter");
    row.Set("summary", figure.summary);
    made.Set(at++, row);
  }
  return made;
}

static void set_memory(Napi::Object& row, int fd, uint64_t offset) {
  if (fd < 0) return;
  Napi::Array memory = Napi::Array::New(row.Env(), 2);
  memory.Set(0u, fd);
  memory.Set(1u, static_cast<double>(offset));
  row.Set("memory", memory);
}

void set_tap(Napi::Object& row, const TapRow& from) {
  row.Set("name", from.name);
  row.Set("link", from.link);
  row.Set("expression", from.expression);
  row.Set("sample", from.sample);
  row.Set("consumerPid", from.consumer_pid);
  set_count(row, "passed", from.passed);
  row.Set("seconds", from.record_s);
  set_count(row, "overwritten", from.overwritten);
}

Napi::Object from_snapshot(Napi::Env env, const EngineSnapshot& snapshot) {
  Napi::Object made = Napi::Object::New(env);
  made.Set("name", snapshot.name);
  made.Set("running", snapshot.running);
  made.Set("linked", snapshot.linked);
  made.Set("drained", snapshot.drained);
  made.Set("cpu", snapshot.cpu);
  made.Set("batch", snapshot.batch);
  set_count(made, "breaths", snapshot.breaths);
  set_count(made, "spillFree", snapshot.spill_free);
  Napi::Object sessions = Napi::Object::New(env);
  set_count(sessions, "capacity", snapshot.session_capacity);
  set_count(sessions, "live", snapshot.sessions.live);
  set_count(sessions, "begun", snapshot.sessions.begun);
  set_count(sessions, "ended", snapshot.sessions.ended);
  set_count(sessions, "gaveWay", snapshot.sessions.gave_way);
  set_count(sessions, "refused", snapshot.sessions.refused);
  made.Set("sessions", sessions);
  made.Set("fragments", from_figures(env, snapshot.fragments));
  made.Set("inputs", from_rows(env, snapshot.inputs, [](Napi::Object& row, const auto& from) {
             row.Set("name", from.name);
             row.Set("description", from.description);
             row.Set("finished", from.finished);
             row.Set("lossless", from.lossless);
             row.Set("brick", from.brick);
           }));
  made.Set("bricks", from_rows(env, snapshot.bricks, [](Napi::Object& row, const auto& from) {
             row.Set("id", from.id);
             row.Set("kind", from.kind);
             row.Set("ways", from_ways(row.Env(), from.ways));
             Napi::Object figures = from_figures(row.Env(), from.figures);
             add_plugin_figures(figures, from.options);
             row.Set("figures", figures);
             row.Set("options", from_options(row.Env(), from.options));
           }));
  made.Set("outputs", from_rows(env, snapshot.outputs, [](Napi::Object& row, const auto& from) {
             row.Set("name", from.name);
             row.Set("brick", from.brick);
             row.Set("description", from.description);
             row.Set("consumerPid", from.consumer_pid);
             row.Set("slots", from.slots);
             set_memory(row, from.memory_fd, from.pipe_offset);
             row.Set("ready", from.ready);
             if (from.silent_ms >= 0) row.Set("silentMs", static_cast<double>(from.silent_ms));
           }));
  made.Set("taps", from_rows(env, snapshot.taps, set_tap));
  Napi::Array draining = Napi::Array::New(env);
  for (const DrainRow& from : snapshot.draining) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("brick", from.brick);
    row.Set("output", from.outlet);
    row.Set("since", static_cast<double>(from.since));
    row.Set("sessions", static_cast<double>(from.sessions));
    draining.Set(draining.Length(), row);
  }
  made.Set("draining", draining);
  Napi::Object retired = Napi::Object::New(env);
  retired.Set("inputs", from_cell(env, snapshot.retired_inputs));
  retired.Set("bricks", from_cell(env, snapshot.retired_bricks));
  retired.Set("outputs", from_cell(env, snapshot.retired_outputs));
  made.Set("retired", retired);
  Napi::Array warnings = Napi::Array::New(env);
  for (const std::string& warning : snapshot.warnings) warnings.Set(warnings.Length(), warning);
  for (const auto& brick : snapshot.bricks) add_plugin_warnings(warnings, brick.id, brick.options);
  made.Set("warnings", warnings);
  return made;
}

}  // namespace bricks::addon
