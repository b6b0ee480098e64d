// Between JavaScript values and the data plane's. What comes in is checked: a wrong type is a
// TypeError that names the argument.
#pragma once

#include <napi.h>

#include <string>

#include "engine/runtime.hh"

namespace bricks::addon {

// process.cc: what Node cannot do to its own process.
Status send_to_socket(const std::string& path, const std::string& text);
Status redirect_standard_output(const std::string& path);

// Throws the status as an error of the lent class, unless it is ok.
void check(const Napi::CallbackInfo& info, const Status& status);

std::string to_text(const Napi::CallbackInfo& info, size_t index, const char* name);
double to_number(const Napi::CallbackInfo& info, size_t index, const char* name);
Options to_options(const Napi::Object& object, const std::string& where);
Graph to_graph(const Napi::Object& object);
EngineOptions to_engine_options(const Napi::Object& object);

Napi::Object from_options(Napi::Env env, const Options& options);
Napi::Array from_descriptors(Napi::Env env, std::span<const OptionDescriptor> descriptors);
// Tables of what is counted: name, kind and summary of each.
Napi::Array from_figure_table(Napi::Env env, std::span<const FigureDescriptor> figures);
Napi::Array from_ways(Napi::Env env, const std::vector<ExplainStep::Way>& ways);
Napi::Object from_snapshot(Napi::Env env, const EngineSnapshot& snapshot);

}  // namespace bricks::addon
