// The table of limits for JavaScript.
#pragma once

#include <napi.h>

namespace bricks::addon {

void export_limits(Napi::Env env, Napi::Object exports);

}  // namespace bricks::addon
