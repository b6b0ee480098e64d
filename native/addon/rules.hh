// The part of the export table that is about the rules of Filters.
#pragma once

#include <napi.h>

namespace bricks::addon {

void export_rules(Napi::Env env, Napi::Object exports);

}  // namespace bricks::addon
