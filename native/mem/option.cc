#include "mem/option.hh"

#include <cassert>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

namespace bricks {
namespace {

constexpr double kWholeMax = 9007199254740992.0;  // 2^53: beyond it a double skips whole numbers

std::string number_text(double value) {
  char text[40];
  const bool whole = std::floor(value) == value && std::fabs(value) <= kWholeMax;
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.10g", value);
  return text;
}

std::optional<double> parse_number(const std::string& text) {
  if (text.empty() || text.size() > 64) return {};
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || !std::isfinite(value)) return {};
  return value;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  for (size_t from = 0;;) {
    const size_t comma = text.find(',', from);
    parts.push_back(text.substr(from, comma - from));
    if (comma == std::string::npos) return parts;
    from = comma + 1;
  }
}

std::optional<double> as_number(const OptionValue& value) {
  if (const auto* n = std::get_if<double>(&value); n && std::isfinite(*n)) return *n;
  if (const auto* n = std::get_if<int64_t>(&value)) return static_cast<double>(*n);
  if (const auto* text = std::get_if<std::string>(&value)) return parse_number(*text);
  return {};
}

std::optional<bool> as_flag(const OptionValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* text = std::get_if<std::string>(&value)) {
    for (const char* yes : {"1", "true", "yes", "on"})
      if (*text == yes) return true;
    for (const char* no : {"0", "false", "no", "off"})
      if (*text == no) return false;
    return {};
  }
  const auto number = as_number(value);
  if (number == 1.0) return true;
  if (number == 0.0) return false;
  return {};
}

bool is_choice(const char* choices, const std::string& text) {
  std::string_view rest = choices;
  for (;;) {
    const size_t bar = rest.find('|');
    if (rest.substr(0, bar) == text) return true;
    if (bar == std::string_view::npos) return false;
    rest.remove_prefix(bar + 1);
  }
}

std::string expected(const OptionDescriptor& option) {
  const std::string range = number_text(option.minimum) + " to " + number_text(option.maximum);
  switch (option.type) {
    case OptionType::boolean:
      return "true or false";
    case OptionType::integer:
      return "a whole number from " + range;
    case OptionType::number:
      return "a number from " + range;
    case OptionType::number_list:
      return "a list of numbers, each from " + range;
    case OptionType::text_list:
      return "a list of texts";
    case OptionType::text:
      break;
  }
  return option.choices ? std::string("one of ") + option.choices : "a text";
}

std::string shown(const OptionValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return '"' + text->substr(0, 80) + '"';
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<int64_t>(&value)) return std::to_string(*whole);
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? number_text(*number) : "not a number";
  }
  return "a list";
}

bool in_range(const OptionDescriptor& option, double value) {
  return value >= option.minimum && value <= option.maximum;
}

bool convert_integer(const OptionDescriptor& option, OptionValue* value) {
  if (const auto* whole = std::get_if<int64_t>(value)) {
    return in_range(option, static_cast<double>(*whole));
  }
  const auto number = as_number(*value);
  // Outside 2^53 a double may stand for a neighbour of what was typed.
  if (!number || std::floor(*number) != *number || std::fabs(*number) > kWholeMax) return false;
  if (!in_range(option, *number)) return false;
  *value = static_cast<int64_t>(*number);
  return true;
}

bool convert_text(const OptionDescriptor& option, OptionValue* value) {
  if (const auto* flag = std::get_if<bool>(value)) {
    *value = std::string(*flag ? "1" : "0");
  } else if (!std::holds_alternative<std::string>(*value)) {
    const auto number = as_number(*value);
    if (!number) return false;
    *value = number_text(*number);
  }
  return !option.choices || is_choice(option.choices, std::get<std::string>(*value));
}

bool convert_numbers(const OptionDescriptor& option, OptionValue* value) {
  if (const auto* text = std::get_if<std::string>(value)) *value = split(*text);
  std::vector<double> numbers;
  if (const auto* texts = std::get_if<std::vector<std::string>>(value)) {
    for (const std::string& text : *texts) {
      const auto number = parse_number(text);
      if (!number) return false;
      numbers.push_back(*number);
    }
  } else if (const auto* list = std::get_if<std::vector<double>>(value)) {
    numbers = *list;
  } else if (const auto number = as_number(*value)) {
    numbers.push_back(*number);
  } else {
    return false;
  }
  for (double number : numbers)
    if (!in_range(option, number)) return false;
  *value = std::move(numbers);
  return true;
}

bool convert_texts(OptionValue* value) {
  if (std::holds_alternative<std::vector<std::string>>(*value)) return true;
  if (const auto* text = std::get_if<std::string>(value)) {
    *value = split(*text);
    return true;
  }
  std::vector<std::string> texts;
  if (const auto* list = std::get_if<std::vector<double>>(value)) {
    for (double number : *list) texts.push_back(number_text(number));
  } else if (const auto number = as_number(*value)) {
    texts.push_back(number_text(*number));
  } else {
    return false;
  }
  *value = std::move(texts);
  return true;
}

// Makes `value` one of the option's type; false when it cannot be one, or is out of range.
bool convert(const OptionDescriptor& option, OptionValue* value) {
  switch (option.type) {
    case OptionType::boolean: {
      const auto flag = as_flag(*value);
      if (flag) *value = *flag;
      return flag.has_value();
    }
    case OptionType::integer:
      return convert_integer(option, value);
    case OptionType::number: {
      const auto number = as_number(*value);
      if (!number || !in_range(option, *number)) return false;
      *value = *number;
      return true;
    }
    case OptionType::text:
      return convert_text(option, value);
    case OptionType::text_list:
      return convert_texts(value);
    case OptionType::number_list:
      return convert_numbers(option, value);
  }
  return false;
}

bool has_default(const OptionDescriptor& option) {
  // What goes by another option's value, "NAME!=VALUE", is for whoever looks at that one, too.
  if (std::string_view(option.default_value).find("!=") != std::string_view::npos) return false;
  const bool may_be_empty = option.type == OptionType::text ||
                            option.type == OptionType::text_list ||
                            option.type == OptionType::number_list;
  return may_be_empty || option.default_value[0] != '\0';
}

OptionValue default_of(const OptionDescriptor& option) {
  OptionValue value = std::string(option.default_value);
  // An empty text is the absence of a choice, whatever the choices are.
  if (option.type == OptionType::text) return value;
  [[maybe_unused]] const bool sound = convert(option, &value);
  assert(sound && "a descriptor's default is a value of its own type and range");
  return value;
}

std::string names_of(std::span<const OptionDescriptor> allowed) {
  std::string names;
  for (const OptionDescriptor& option : allowed) {
    if (!names.empty()) names += ", ";
    names += option.name;
  }
  return names;
}

const OptionValue& value_of(const Options& options, const char* name) {
  const auto found = options.find(name);
  assert(found != options.end() && "check_options ran, and the descriptor has this name");
  return found->second;
}

}  // namespace

Status check_options(const std::string& where, std::span<const OptionDescriptor> allowed,
                     Options* options) {
  Options checked;
  for (const auto& [name, value] : *options) {
    const OptionDescriptor* descriptor = nullptr;
    for (const OptionDescriptor& option : allowed)
      if (name == option.name) descriptor = &option;
    if (!descriptor) {
      const std::string known =
          allowed.empty() ? "it has no options" : "its options are " + names_of(allowed);
      return {Code::invalid_argument,
              where + " has no option \"" + name.substr(0, 80) + "\"; " + known};
    }
    OptionValue converted = value;
    if (!convert(*descriptor, &converted)) {
      return {Code::invalid_argument, where + ": " + name + " is " + shown(value) +
                                          ", which must be " + expected(*descriptor)};
    }
    checked[name] = std::move(converted);
  }
  for (const OptionDescriptor& option : allowed)
    if (!checked.contains(option.name) && has_default(option))
      checked[option.name] = default_of(option);
  *options = std::move(checked);
  return {};
}

bool option_flag(const Options& options, const char* name) {
  return std::get<bool>(value_of(options, name));
}
int64_t option_integer(const Options& options, const char* name) {
  return std::get<int64_t>(value_of(options, name));
}
double option_number(const Options& options, const char* name) {
  return std::get<double>(value_of(options, name));
}
const std::string& option_text(const Options& options, const char* name) {
  return std::get<std::string>(value_of(options, name));
}

}  // namespace bricks
