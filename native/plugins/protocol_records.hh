// The records of decoders (abi/bricks_protocols.h) field by field: how one is copied with
// everything it points to, and how other languages read the copy.
//
// A copy is the struct, then what its pointers point to; instead of a pointer there is a distance
// from the copy's beginning.
#pragma once

#include <cstdint>
#include <span>

namespace bricks {

enum class RecordType : uint8_t {
  u8,
  u16,
  u32,
  u64,
  i8,
  i64,
  bytes,        // `size` of them, in the struct
  text,         // bricks_text
  u16_list,     // a pointer to as many as the field at `count_at` says
  text_list,    // likewise, of bricks_text
  record_list,  // likewise, of structs with the fields `inner`
};

struct RecordLayout;
struct RecordField {
  const char* name;
  RecordType type;
  uint16_t at, size;
  uint16_t count_at;          // of lists: where their count is, 32 bits
  const RecordLayout* inner;  // of record_list
};

struct RecordLayout {
  const char* name;  // of the struct, without bricks_
  uint16_t size;
  std::span<const RecordField> fields;
};

inline constexpr const char* kRecordTypes[] = {
    "u8", "u16", "u32", "u64", "i8", "i64", "bytes", "text", "u16List", "textList", "recordList"};

// By bricks_record; null: there is none of that number.
const RecordLayout* record_layout(uint16_t kind) noexcept;

uint32_t packed_record_bytes(uint16_t kind, const void* record) noexcept;
// room: what packed_record_bytes said. Of a copy that would exceed kScriptEventBytes, what does not
// fit is absent.
void pack_record(uint16_t kind, const void* record, uint8_t* to, uint32_t room) noexcept;

}  // namespace bricks
