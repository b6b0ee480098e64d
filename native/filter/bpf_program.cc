// The list below is the interpreter: one line per kind of step. `goto *` from the end of every step
// gives the branch predictor one place per step to learn from, and the commonest pairs (load,
// compare) are one step. A, X, M are BPF's registers and memory; see bpf(4).
#include "filter/bpf_program.hh"

#include <pcap/bpf.h>

#include <cassert>
#include <cstring>
#include <iterator>

namespace bricks {
namespace {

using Step = BpfProgram::Step;

// No program of libpcap goes round more often: each round of `protochain` skips at least 8 bytes.
constexpr uint32_t kRoundsMax = kFrameMax / 8 + 1;
// Larger offsets lie outside of every packet; with this bound, offset + 4 cannot wrap.
constexpr uint32_t kOffsetMax = 0x7fffffff;
constexpr uint32_t kPrefetchAhead = 4;

inline uint32_t load_word(const uint8_t* p) {
  uint32_t value;
  std::memcpy(&value, p, sizeof value);
  return __builtin_bswap32(value);
}
inline uint32_t load_half(const uint8_t* p) {
  uint16_t value;
  std::memcpy(&value, p, sizeof value);
  return __builtin_bswap16(value);
}
inline uint32_t load_byte(const uint8_t* p) { return *p; }

#define NEXT goto*(++at)->go
// A branch, not a choice of pointers: a predicted branch lets the next step begin before the load
// that decides has arrived. The empty asm keeps the compiler from turning it back.
#define JUMP(condition)   \
  if (condition) {        \
    at = at->yes;         \
    __asm__ volatile(""); \
    goto * at->go;        \
  }                       \
  at = at->no;            \
  goto * at->go
#define LOAD(load, bytes, from)                         \
  if (captured < uint64_t{from} + bytes) goto no_match; \
  A = load(data + (from))
#define INDEXED(load, bytes)                 \
  const uint64_t from = uint64_t{X} + at->k; \
  LOAD(load, bytes, from)

// X(name, what it does): the order is that of enum Kind and of the table of addresses.
#define BPF_STEPS(S)                                                                           \
  S(load_w, LOAD(load_word, 4, at->k); NEXT)                                                   \
  S(load_h, LOAD(load_half, 2, at->k); NEXT)                                                   \
  S(load_b, LOAD(load_byte, 1, at->k); NEXT)                                                   \
  S(load_w_equal, LOAD(load_word, 4, at->offset); JUMP(A == at->k))                            \
  S(load_h_equal, LOAD(load_half, 2, at->offset); JUMP(A == at->k))                            \
  S(load_b_equal, LOAD(load_byte, 1, at->offset); JUMP(A == at->k))                            \
  S(load_h_set, LOAD(load_half, 2, at->offset); JUMP((A & at->k) != 0))                        \
  S(indexed_w, INDEXED(load_word, 4); NEXT)                                                    \
  S(indexed_h, INDEXED(load_half, 2); NEXT)                                                    \
  S(indexed_b, INDEXED(load_byte, 1); NEXT)                                                    \
  S(indexed_h_equal, const uint64_t from = uint64_t{X} + at->offset; LOAD(load_half, 2, from); \
    JUMP(A == at->k))                                                                          \
  S(load_length, A = wire_length(batch, picks[i]); NEXT)                                       \
  S(load_constant, A = at->k; NEXT)                                                            \
  S(load_memory, A = M[at->k]; NEXT)                                                           \
  S(x_header, if (captured < at->k + 1) goto no_match; X = (data[at->k] & 15u) << 2; NEXT)     \
  S(x_length, X = wire_length(batch, picks[i]); NEXT)                                          \
  S(x_constant, X = at->k; NEXT)                                                               \
  S(x_memory, X = M[at->k]; NEXT)                                                              \
  S(store_a, M[at->k] = A; NEXT)                                                               \
  S(store_x, M[at->k] = X; NEXT)                                                               \
  S(add_k, A += at->k; NEXT)                                                                   \
  S(sub_k, A -= at->k; NEXT)                                                                   \
  S(mul_k, A *= at->k; NEXT)                                                                   \
  S(div_k, A /= at->k; NEXT)                                                                   \
  S(mod_k, A %= at->k; NEXT)                                                                   \
  S(and_k, A &= at->k; NEXT)                                                                   \
  S(or_k, A |= at->k; NEXT)                                                                    \
  S(xor_k, A ^= at->k; NEXT)                                                                   \
  S(lsh_k, A <<= at->k; NEXT)                                                                  \
  S(rsh_k, A >>= at->k; NEXT)                                                                  \
  S(add_x, A += X; NEXT)                                                                       \
  S(sub_x, A -= X; NEXT)                                                                       \
  S(mul_x, A *= X; NEXT)                                                                       \
  S(div_x, if (X == 0) goto no_match; A /= X; NEXT)                                            \
  S(mod_x, if (X == 0) goto no_match; A %= X; NEXT)                                            \
  S(and_x, A &= X; NEXT)                                                                       \
  S(or_x, A |= X; NEXT)                                                                        \
  S(xor_x, A ^= X; NEXT)                                                                       \
  S(lsh_x, A = X < 32 ? A << X : 0; NEXT)                                                      \
  S(rsh_x, A = X < 32 ? A >> X : 0; NEXT)                                                      \
  S(negate, A = 0 - A; NEXT)                                                                   \
  S(equal_k, JUMP(A == at->k))                                                                 \
  S(above_k, JUMP(A > at->k))                                                                  \
  S(least_k, JUMP(A >= at->k))                                                                 \
  S(set_k, JUMP((A & at->k) != 0))                                                             \
  S(equal_x, JUMP(A == X))                                                                     \
  S(above_x, JUMP(A > X))                                                                      \
  S(least_x, JUMP(A >= X))                                                                     \
  S(set_x, JUMP((A & X) != 0))                                                                 \
  S(jump, at = at->yes; goto * at->go)                                                         \
  S(jump_back, if (++rounds > kRoundsMax) goto no_match; at = at->yes; goto * at->go)          \
  S(a_to_x, X = A; NEXT)                                                                       \
  S(x_to_a, A = X; NEXT)                                                                       \
  S(return_k, found += at->k != 0; goto next_packet)                                           \
  S(return_a, found += A != 0; goto next_packet)

enum Kind : uint32_t {
#define S(name, ...) name,
  BPF_STEPS(S)
#undef S
      kKinds
};

// With first == nullptr: gives out the addresses of the steps in `addresses`, and 0.
uint32_t execute(const Step* first, const Batch& batch, const Index* picks, uint32_t count,
                 Index* matched, const void* const** addresses) noexcept {
  static const void* const kAddresses[] = {
#define S(name, ...) &&do_##name,
      BPF_STEPS(S)
#undef S
  };
  if (first == nullptr) {
    *addresses = kAddresses;
    return 0;
  }
  uint32_t M[BPF_MEMWORDS] = {};
  uint32_t found = 0;
  uint32_t i = 0;
  if (count == 0) return 0;
next_run:
  // The pick is written before it is known whether it stays: `found` moves on only if it does.
  matched[found] = picks[i];
  const uint32_t ahead = i + kPrefetchAhead < count ? i + kPrefetchAhead : i;
  __builtin_prefetch(batch.packets[picks[ahead]].data);
  const uint8_t* data = batch.packets[picks[i]].data;
  const uint32_t captured = batch.packets[picks[i]].length;
  uint32_t A = 0, X = 0, rounds = 0;
  const Step* at = first;
  goto * at->go;
#define S(name, ...) \
  do_##name : { __VA_ARGS__; }
  BPF_STEPS(S)
#undef S
no_match:
next_packet:
  if (++i < count) goto next_run;
  return found;
}

const void* address(Kind kind) {
  const void* const* addresses = nullptr;
  static const Batch kNone{};
  execute(nullptr, kNone, nullptr, 0, nullptr, &addresses);
  return addresses[kind];
}

struct Translation {
  uint16_t code;
  Kind kind;
};

#define ALU(operation, name) \
  {BPF_ALU | operation | BPF_K, name##_k}, { BPF_ALU | operation | BPF_X, name##_x }
#define CONDITION(operation, name) \
  {BPF_JMP | operation | BPF_K, name##_k}, { BPF_JMP | operation | BPF_X, name##_x }

constexpr Translation kTranslations[] = {
    {BPF_LD | BPF_W | BPF_ABS, load_w},
    {BPF_LD | BPF_H | BPF_ABS, load_h},
    {BPF_LD | BPF_B | BPF_ABS, load_b},
    {BPF_LD | BPF_W | BPF_IND, indexed_w},
    {BPF_LD | BPF_H | BPF_IND, indexed_h},
    {BPF_LD | BPF_B | BPF_IND, indexed_b},
    {BPF_LD | BPF_W | BPF_LEN, load_length},
    {BPF_LD | BPF_IMM, load_constant},
    {BPF_LD | BPF_MEM, load_memory},
    {BPF_LDX | BPF_B | BPF_MSH, x_header},
    {BPF_LDX | BPF_W | BPF_LEN, x_length},
    {BPF_LDX | BPF_IMM, x_constant},
    {BPF_LDX | BPF_MEM, x_memory},
    {BPF_ST, store_a},
    {BPF_STX, store_x},
    ALU(BPF_ADD, add),
    ALU(BPF_SUB, sub),
    ALU(BPF_MUL, mul),
    ALU(BPF_DIV, div),
    ALU(BPF_MOD, mod),
    ALU(BPF_AND, and),
    ALU(BPF_OR, or),
    ALU(BPF_XOR, xor),
    ALU(BPF_LSH, lsh),
    ALU(BPF_RSH, rsh),
    {BPF_ALU | BPF_NEG, negate},
    CONDITION(BPF_JEQ, equal),
    CONDITION(BPF_JGT, above),
    CONDITION(BPF_JGE, least),
    CONDITION(BPF_JSET, set),
    {BPF_JMP | BPF_JA, jump},
    {BPF_MISC | BPF_TAX, a_to_x},
    {BPF_MISC | BPF_TXA, x_to_a},
    {BPF_RET | BPF_K, return_k},
    {BPF_RET | BPF_A, return_a},
};

bool is_condition(Kind kind) { return kind >= equal_k && kind <= set_x; }
bool is_return(Kind kind) { return kind == return_k || kind == return_a; }
bool uses_memory(Kind kind) {
  return kind == load_memory || kind == x_memory || kind == store_a || kind == store_x;
}

// Empty, or what is wrong with instruction `i` of `count`.
std::string fault_of(const bpf_insn& in, Kind kind, int64_t i, int64_t count) {
  if (kind == kKinds) return "is not an instruction";
  if (uses_memory(kind) && in.k >= BPF_MEMWORDS) return "uses memory beyond 16 words";
  if ((kind == div_k || kind == mod_k) && in.k == 0) return "divides by 0";
  if ((kind == lsh_k || kind == rsh_k) && in.k > 31) return "shifts by more than 31";
  if (kind == jump) {
    const int64_t to = i + 1 + static_cast<int32_t>(in.k);
    if (to < 0 || to >= count) return "jumps out of the program";
  } else if (is_condition(kind)) {
    if (i + 1 + in.jt >= count || i + 1 + in.jf >= count) return "jumps out of the program";
  } else if (!is_return(kind) && i + 1 == count) {
    return "is the last and does not return";
  }
  return {};
}

Kind kind_of(const bpf_insn& in) {
  for (const Translation& each : kTranslations) {
    if (each.code == in.code) return each.kind;
  }
  return kKinds;
}

// The one step that does `load` and then `condition`, or kKinds.
Kind fused(Kind load, Kind condition) {
  if (condition == set_k) return load == load_h ? load_h_set : kKinds;
  if (condition != equal_k) return kKinds;
  switch (load) {
    case load_w:
      return load_w_equal;
    case load_h:
      return load_h_equal;
    case load_b:
      return load_b_equal;
    case indexed_h:
      return indexed_h_equal;
    default:
      return kKinds;
  }
}

}  // namespace

Status BpfProgram::load(const bpf_insn* instructions, uint32_t count, BpfProgram* program) {
  if (count == 0) return {Code::invalid_argument, "the BPF program is empty"};
  std::vector<Kind> kinds(count);
  for (uint32_t i = 0; i < count; ++i) {
    kinds[i] = kind_of(instructions[i]);
    const std::string fault = fault_of(instructions[i], kinds[i], i, count);
    if (!fault.empty()) {
      return {Code::invalid_argument,
              "instruction " + std::to_string(i) + " of the BPF program " + fault};
    }
  }
  std::vector<Step> steps(count);
  // Where a jump to `i` really goes: chains of unconditional jumps ahead are followed here, once.
  const auto target = [&](uint32_t i) {
    while (kinds[i] == jump && static_cast<int32_t>(instructions[i].k) >= 0) {
      i += 1 + instructions[i].k;
    }
    return &steps[i];
  };
  for (uint32_t i = 0; i < count; ++i) {
    const bpf_insn& in = instructions[i];
    Step& step = steps[i];
    step = {address(kinds[i]), in.k, 0, nullptr, nullptr};
    if (kinds[i] <= indexed_b || kinds[i] == x_header) {
      step.k = in.k < kOffsetMax ? in.k : kOffsetMax;
    }
    if (is_condition(kinds[i])) {
      step.yes = target(i + 1 + in.jt);
      step.no = target(i + 1 + in.jf);
    } else if (kinds[i] == jump) {
      const bool back = static_cast<int32_t>(in.k) < 0;
      step.yes = target(i + 1 + in.k);
      if (back) step.go = address(jump_back);
    }
  }
  for (uint32_t i = 0; i + 1 < count; ++i) {
    const Kind both = fused(kinds[i], kinds[i + 1]);
    if (both == kKinds) continue;  // the second stays where it is: others may jump to it
    const Step& second = steps[i + 1];
    steps[i] = {address(both), second.k, steps[i].k, second.yes, second.no};
  }
  program->steps_ = std::move(steps);
  return {};
}

uint32_t BpfProgram::match(const Batch& batch, const Index* picks, uint32_t count,
                           Index* matched) const noexcept {
  assert(!steps_.empty());
  return execute(steps_.data(), batch, picks, count, matched, nullptr);
}

}  // namespace bricks
