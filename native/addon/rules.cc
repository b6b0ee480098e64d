// Lists of rules: between JavaScript and filter/rule_list.hh.
#include "addon/rules.hh"

#include <cmath>

#include "addon/values.hh"
#include "filter/rule_list.hh"

namespace bricks::addon {

namespace {

uint64_t to_whole(const Napi::CallbackInfo& info, size_t index, const char* name, double most) {
  const double number = to_number(info, index, name);
  if (!(number >= 0 && number <= most) || number != std::floor(number)) {
    throw Napi::RangeError::New(info.Env(), std::string(name) + " must be a whole number");
  }
  return static_cast<uint64_t>(number);
}

std::shared_ptr<RuleList> to_list(const Napi::CallbackInfo& info) {
  const uint64_t number = to_whole(info, 0, "list", 9007199254740991.0);
  std::shared_ptr<RuleList> list = find_rule_list(number);
  if (!list) {
    check(info, {Code::invalid_argument,
                 "there is no list of rules with the number " + std::to_string(number)});
  }
  return list;
}

uint32_t to_id(const Napi::CallbackInfo& info) {
  return static_cast<uint32_t>(to_whole(info, 1, "id", UINT32_MAX));
}

Options to_fields(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsObject()) {
    throw Napi::TypeError::New(info.Env(), "a rule must be an object");
  }
  return to_options(info[index].As<Napi::Object>(), "rule");
}

std::vector<Options> to_rules(const Napi::CallbackInfo& info, size_t index) {
  if (!info[index].IsArray()) {
    throw Napi::TypeError::New(info.Env(), "rules must be an array");
  }
  const Napi::Array array = info[index].As<Napi::Array>();
  std::vector<Options> rules;
  rules.reserve(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::HandleScope scope(info.Env());
    const Napi::Value rule = array.Get(i);
    const std::string where = "rule #" + std::to_string(i + 1);
    if (!rule.IsObject()) throw Napi::TypeError::New(info.Env(), where + " must be an object");
    rules.push_back(to_options(rule.As<Napi::Object>(), where));
  }
  return rules;
}

Napi::Value from_ids(const Napi::CallbackInfo& info, const std::vector<uint32_t>& ids) {
  Napi::Array made = Napi::Array::New(info.Env(), ids.size());
  for (uint32_t i = 0; i < ids.size(); ++i) made.Set(i, ids[i]);
  return made;
}

Napi::Value open_list(const Napi::CallbackInfo& info) {
  uint64_t number = 0;
  check(info, open_rule_list(&number));
  return Napi::Number::New(info.Env(), static_cast<double>(number));
}

Napi::Value close_list(const Napi::CallbackInfo& info) {
  close_rule_list(to_whole(info, 0, "list", 9007199254740991.0));
  return info.Env().Undefined();
}

Napi::Value add_rules(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> ids;
  check(info, to_list(info)->add(to_rules(info, 1), &ids));
  return from_ids(info, ids);
}

Napi::Value replace_rules(const Napi::CallbackInfo& info) {
  std::vector<uint32_t> ids;
  check(info, to_list(info)->replace(to_rules(info, 1), &ids));
  return from_ids(info, ids);
}

Napi::Value remove_rule(const Napi::CallbackInfo& info) {
  check(info, to_list(info)->remove(to_id(info)));
  return info.Env().Undefined();
}

Napi::Value change_rule(const Napi::CallbackInfo& info) {
  check(info, to_list(info)->change(to_id(info), to_fields(info, 2)));
  return info.Env().Undefined();
}

Napi::Value list_rules(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::vector<RuleInfo> rules = to_list(info)->list();
  Napi::Array made = Napi::Array::New(env, rules.size());
  for (uint32_t i = 0; i < rules.size(); ++i) {
    const Napi::HandleScope scope(env);
    Napi::Object row = from_options(env, rules[i].fields);
    row.Set("hits", static_cast<double>(rules[i].packets));
    row.Set("bytes", static_cast<double>(rules[i].bytes));
    row.Set("dropped", static_cast<double>(rules[i].dropped));
    if (rules[i].seconds_left >= 0) row.Set("seconds_left", rules[i].seconds_left);
    made.Set(i, row);
  }
  return made;
}

Napi::Value list_rule_fields(const Napi::CallbackInfo& info) {
  return from_descriptors(info.Env(), rule_fields());
}

}  // namespace

void export_rules(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  add("ruleFields", list_rule_fields);
  add("openRules", open_list);
  add("closeRules", close_list);
  add("addRules", add_rules);
  add("replaceRules", replace_rules);
  add("removeRule", remove_rule);
  add("changeRule", change_rule);
  add("listRules", list_rules);
}

}  // namespace bricks::addon
