// Queue groups: between JavaScript and queues/queue_groups.hh.
#include "addon/queues.hh"

#include <cmath>

#include "addon/values.hh"
#include "queues/queue_groups.hh"

namespace bricks::addon {

namespace {

uint32_t to_id(const Napi::CallbackInfo& info) {
  const double number = to_number(info, 0, "id");
  if (!(number >= 0 && number <= UINT32_MAX) || number != std::floor(number)) {
    check(info, {Code::invalid_argument,
                 "a queue group's id must be a whole number from 0 to 4,294,967,295"});
  }
  return static_cast<uint32_t>(number);
}

Napi::Value list_options(const Napi::CallbackInfo& info) {
  return from_descriptors(info.Env(), queue_options());
}

Napi::Value list_counts(const Napi::CallbackInfo& info) {
  return from_figure_table(info.Env(), kQueueCounts);
}

Napi::Value create_group(const Napi::CallbackInfo& info) {
  const uint32_t id = to_id(info);
  if (!info[1].IsObject()) {
    throw Napi::TypeError::New(info.Env(), "a queue group's options must be an object");
  }
  const std::string where = "queue group " + std::to_string(id);
  Options options = to_options(info[1].As<Napi::Object>(), where);
  QueueParameters parameters;
  Status status = check_options(where, queue_options(), &options);
  if (status.ok()) status = read_queue_options(where, options, &parameters);
  if (status.ok()) status = process_queue_groups().create(id, parameters);
  check(info, status);
  return info.Env().Undefined();
}

Napi::Value remove_group(const Napi::CallbackInfo& info) {
  check(info, process_queue_groups().remove(to_id(info)));
  return info.Env().Undefined();
}

Napi::Value list_groups(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<QueueGroupInfo> groups = process_queue_groups().list();
  Napi::Array made = Napi::Array::New(env, groups.size());
  for (uint32_t i = 0; i < groups.size(); ++i) {
    const Napi::HandleScope scope(env);
    const QueueGroupInfo& group = groups[i];
    Napi::Object row = Napi::Object::New(env);
    row.Set("id", static_cast<double>(group.id));
    row.Set("options", from_options(env, queue_options_of(group.parameters)));
    row.Set("updates", group.updates);
    row.Set("workers", group.workers);
    Napi::Object counts = Napi::Object::New(env);
    for (uint32_t k = 0; k < kQueueCountsSize; ++k) {
      counts.Set(kQueueCounts[k].name, static_cast<double>(group.stats.count[k]));
    }
    row.Set("counts", counts);
    Napi::Array delays = Napi::Array::New(env, kQueueDelays);
    for (uint32_t k = 0; k < kQueueDelays; ++k) {
      delays.Set(k, static_cast<double>(group.stats.delays[k]));
    }
    row.Set("delays", delays);
    made.Set(i, row);
  }
  return made;
}

}  // namespace

void export_queues(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("queueOptions", list_options);
  add("queueCounts", list_counts);
  add("createQueueGroup", create_group);
  add("removeQueueGroup", remove_group);
  add("listQueueGroups", list_groups);
}

}  // namespace bricks::addon
