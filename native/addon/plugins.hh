// The part of the export table that is about lists of plugins.
#pragma once

#include <napi.h>

#include "mem/option.hh"

namespace bricks::addon {

void export_plugins(Napi::Env env, Napi::Object exports);

// Of a brick whose options name a list of plugins: the plugins' counts, as PLUGIN.COUNT; what has
// gone wrong with them goes to the end of `warnings`.
void add_plugin_figures(Napi::Object& figures, const Options& options);
void add_plugin_warnings(Napi::Array& warnings, const std::string& id, const Options& options);

}  // namespace bricks::addon
