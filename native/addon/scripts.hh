// The part of the export table that is about plugins in TypeScript: for whoever starts their
// threads, and for those threads.
#pragma once

#include <napi.h>

namespace bricks::addon {

void export_scripts(Napi::Env env, Napi::Object exports);

}  // namespace bricks::addon
