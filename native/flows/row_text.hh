// A row as text: TSV, or a JSON object on a line.
#pragma once

#include <span>
#include <string>

#include "wire/flow_key.hh"

namespace bricks::flows {

using Columns = std::span<const char* const>;

std::string tsv_head(Columns columns);
std::string address_text(const FlowKey& key, int end);

// One cell after the other, in the order of the columns: for TSV as they are, for JSON with names,
// and quotes around words.
class Row {
 public:
  Row(Columns columns, bool json, std::string* text);
  void word(const std::string& value) { add(value, json_); }
  void number(uint64_t value) { add(std::to_string(value), false); }
  void number_text(const std::string& value) { add(value, false); }
  void truth(bool value) { add(value ? "true" : "false", false); }
  void end() { *text_ += json_ ? "}\n" : "\n"; }

 private:
  void add(const std::string& value, bool quoted);

  const Columns columns_;
  const bool json_;
  std::string* const text_;
  size_t column_ = 0;
};

}  // namespace bricks::flows
