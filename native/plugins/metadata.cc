// Metadata: what is copied lies in blocks, all else stays the plugin's.
#include "plugins/metadata.hh"

#include <cstring>

namespace bricks {

struct Metadata::Entry {
  uint32_t older;
  uint32_t block;  // of copied bytes; 0: none
  uint8_t type, length, plugin;
  size_t size;
  void* value;
  bricks_free* free;
  uint64_t scalar;  // int64_t, double or uint8_t: its first bytes
  char key[kMetadataKeyMax + 1];
};
static_assert(kMetadataKeyMax + 1 + 48 <= 128);

namespace {

// 0: not a key.
size_t key_length(const char* key) noexcept {
  if (!key) return 0;
  const size_t length = strnlen(key, kMetadataKeyMax + 1);
  return length <= kMetadataKeyMax ? length : 0;
}

bool makes_sense(bricks_value_type type, const void* value, size_t size) noexcept {
  switch (type) {
    case BRICKS_OPAQUE:
    case BRICKS_BYTES:
      return value || size == 0;
    case BRICKS_INTEGER:
    case BRICKS_NUMBER:
      return value && size == 8;
    case BRICKS_BOOLEAN:
      return value && size == 1;
  }
  return false;
}

}  // namespace

uint32_t Metadata::find(const SessionExtra& session, const char* key, size_t length,
                        uint32_t* newer) const noexcept {
  uint32_t before = 0;
  for (uint32_t i = session.metadata; i; before = i, i = at(i).older) {
    const Entry& entry = at(i);
    if (entry.length != length || std::memcmp(entry.key, key, length) != 0) continue;
    if (newer) *newer = before;
    return i;
  }
  return 0;
}

// The old value goes; the entry stays.
void Metadata::release(SessionExtra& session, Entry& entry, Garbage* old) noexcept {
  *old = {};
  if (entry.type == BRICKS_OPAQUE) {
    *old = {entry.free, entry.value, entry.size, entry.plugin};
  } else if (entry.block) {
    session.metadata_bytes = static_cast<uint16_t>(session.metadata_bytes - entry.size);
    memory_.give(entry.block, entry.size);
  }
  entry.block = 0;
}

int Metadata::prepare(SessionExtra& session, const char* key, bricks_value_type type,
                      const void* value, size_t size, Change* change) noexcept {
  const size_t length = key_length(key);
  if (length == 0 || !makes_sense(type, value, size)) return BRICKS_EINVAL;
  *change = {};
  // Before anything is freed: it may be a value that was borrowed.
  if (type >= BRICKS_INTEGER) std::memcpy(&change->scalar, value, size);
  const uint32_t known = find(session, key, length);
  size_t bytes = session.metadata_bytes;
  if (known && at(known).block) bytes -= at(known).size;
  if (type == BRICKS_BYTES && (size > kMetadataBytesMax || bytes + size > kMetadataBytesMax)) {
    return BRICKS_ENOMEM;
  }
  if (!known && session.metadata_count >= kMetadataEntriesMax) return BRICKS_ENOMEM;
  if (type == BRICKS_BYTES && size) {
    change->block = memory_.take(size);
    if (!change->block) return BRICKS_ENOMEM;
    std::memcpy(memory_.at(change->block), value, size);  // may come out of what is to be replaced
  }
  change->entry = known ? known : memory_.take(sizeof(Entry));
  if (!change->entry) {
    if (change->block) memory_.give(change->block, size);
    return BRICKS_ENOMEM;
  }
  change->fresh = !known;
  if (!known) return BRICKS_DONE;
  Entry& entry = at(known);
  // The very same pointer: it is not to be freed under its owner's hands.
  if (type == BRICKS_OPAQUE && entry.type == BRICKS_OPAQUE && entry.value == value) {
    return BRICKS_DONE;
  }
  release(session, entry, &change->old);
  return BRICKS_DONE;
}

void Metadata::put(SessionExtra& session, const Change& change, const char* key,
                   bricks_value_type type, void* value, size_t size, bricks_free* free,
                   uint8_t plugin) noexcept {
  Entry& entry = at(change.entry);
  if (change.fresh) {
    entry.length = static_cast<uint8_t>(key_length(key));
    std::memcpy(entry.key, key, entry.length);
    entry.key[entry.length] = 0;
    entry.older = session.metadata;
    session.metadata = change.entry;
    ++session.metadata_count;
  }
  entry.type = static_cast<uint8_t>(type);
  entry.plugin = plugin;
  entry.size = size;
  entry.block = change.block;
  entry.free = type == BRICKS_OPAQUE ? free : nullptr;
  entry.value = type == BRICKS_OPAQUE ? value : &entry.scalar;
  entry.scalar = type == BRICKS_BOOLEAN ? change.scalar != 0 : change.scalar;
  if (!change.block) return;
  entry.value = memory_.at(change.block);
  session.metadata_bytes = static_cast<uint16_t>(session.metadata_bytes + size);
}

int Metadata::get(const SessionExtra& session, const char* key, bricks_value_type* type,
                  void** value, size_t* size) const noexcept {
  const size_t length = key_length(key);
  if (length == 0) return BRICKS_EINVAL;
  const uint32_t found = find(session, key, length);
  if (!found) return BRICKS_ENOENT;
  const Entry& entry = at(found);
  if (type) *type = static_cast<bricks_value_type>(entry.type);
  if (value) *value = entry.value;
  if (size) *size = entry.size;
  return BRICKS_DONE;
}

int Metadata::remove(SessionExtra& session, const char* key, Garbage* old) noexcept {
  const size_t length = key_length(key);
  if (length == 0) return BRICKS_EINVAL;
  uint32_t newer = 0;
  const uint32_t found = find(session, key, length, &newer);
  if (!found) return BRICKS_ENOENT;
  Entry& entry = at(found);
  release(session, entry, old);
  (newer ? at(newer).older : session.metadata) = entry.older;
  --session.metadata_count;
  memory_.give(found, sizeof(Entry));
  return BRICKS_DONE;
}

bool Metadata::remove_newest(SessionExtra& session, Garbage* old) noexcept {
  const uint32_t newest = session.metadata;
  if (!newest) return false;
  Entry& entry = at(newest);
  release(session, entry, old);
  session.metadata = entry.older;
  --session.metadata_count;
  memory_.give(newest, sizeof(Entry));
  return true;
}

}  // namespace bricks
