// bricks_host's functions, for whichever thread is in a call of a plugin.
#pragma once

#include "plugins/plugin_call.hh"

namespace bricks {

class HostCalls {
 public:
  static int detach_me(bricks_session*) noexcept;
  static int take_over(bricks_session*) noexcept;
  static int drop_packet(bricks_session*) noexcept;
  static int add_group(bricks_session*, uint32_t group, int direction) noexcept;
  static int remove_group(bricks_session*, uint32_t group) noexcept;
  static int set_metadata(bricks_session*, const char* key, bricks_value_type, void* value,
                          size_t size, bricks_free*) noexcept;
  static int get_metadata(bricks_session*, const char* key, bricks_value_type*, void** value,
                          size_t* size) noexcept;
  static int del_metadata(bricks_session*, const char* key) noexcept;
  static int lock(bricks_session*, uint32_t plugin) noexcept;
  static int unlock(bricks_session*, uint32_t plugin) noexcept;
  static int set_output(bricks_session*, uint32_t output) noexcept;
  static int kill(bricks_session*) noexcept;
  static int open_child(bricks_session* parent, uint32_t type, bricks_session** child) noexcept;
  static int close_child(bricks_session* child) noexcept;
  static int create_group(uint32_t group, uint64_t rate, uint64_t burst) noexcept;
  static int delete_group(uint32_t group) noexcept;
  static int emit(uint32_t plugin, const char* line, size_t length) noexcept;
  static int add_figure(uint32_t plugin, uint32_t figure, int64_t value) noexcept;
  static int community_id(const bricks_event*, char* text) noexcept;

 private:
  // A session of the call that the thread is in.
  struct Place {
    PluginManager* manager;
    WorkerGeneration* generation;
    bricks_session* session;
    SessionExtra* extra;
    bricks_event* event;  // null: a child of one of them
    uint32_t place;       // the plugin's
    uint32_t at;          // the event's
  };
  static int find(const bricks_session* session, Place* found) noexcept;
  static bool locked(const Place& found) noexcept;
  static uint32_t milliseconds(const PluginManager& manager) noexcept;
  static bool has_group(uint32_t group) noexcept;
  static PluginCounts& counts(const Place& found) noexcept;
  static uint32_t number(const Place& found) noexcept;
};

}  // namespace bricks
