// Options by name, for bricks and ports alike: one descriptor from which help, argument checks and
// the reference pages come. Control plane only.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "mem/status.hh"

namespace bricks {

enum class OptionType { boolean, integer, number, text, text_list, number_list };

using OptionValue =
    std::variant<bool, int64_t, double, std::string, std::vector<std::string>, std::vector<double>>;
using Options = std::map<std::string, OptionValue>;

struct OptionDescriptor {
  const char* name;
  OptionType type;
  const char* default_value;  // as one would type it; "" where there is none
  double minimum;             // integer, number: the range, both ends included
  double maximum;
  const char* choices;  // text: "a|b|c", or nullptr for any
  const char* summary;
};

// Checks names, types and ranges and fills in defaults. `where` names the brick or port in
// messages. Numbers that are whole may stand for integers; numeric strings for numbers (Lua 5.1's
// habit).
Status check_options(const std::string& where, std::span<const OptionDescriptor> allowed,
                     Options* options);

// After check_options: the value, which is there and of that type.
bool option_flag(const Options& options, const char* name);
int64_t option_integer(const Options& options, const char* name);
double option_number(const Options& options, const char* name);
const std::string& option_text(const Options& options, const char* name);

}  // namespace bricks
