// Rows as text: TSV with a head line, or a JSON object a line.
#pragma once

#include <string>

#include "flows/flow.hh"

namespace bricks::flows {

std::string tsv_head();
void append_tsv(const Flow& flow, std::string* text);
void append_json(const Flow& flow, std::string* text);

}  // namespace bricks::flows
