// Queue groups for JavaScript.
#pragma once

#include <napi.h>

namespace bricks::addon {

void export_queues(Napi::Env env, Napi::Object exports);

}  // namespace bricks::addon
