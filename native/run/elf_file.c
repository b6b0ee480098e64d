/* bricks-run: reading an ELF file's headers (gABI, chapters 4 and 5), of either class and order. */
#include "run/elf_file.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { kHeadersMax = 512 }; /* program headers; a linker writes about a dozen */

static uint64_t number(const struct elf_file *file, const uint8_t *at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= (uint64_t)at[i] << 8 * (file->little_endian ? i : bytes - 1 - i);
  }
  return value;
}

static bool read_at(int fd, void *to, size_t bytes, uint64_t offset) {
  if (offset > INT64_MAX) return false;
  return pread(fd, to, bytes, (off_t)offset) == (ssize_t)bytes;
}

static const char *read_loader(int fd, struct elf_file *file, uint64_t offset, uint64_t bytes) {
  if (bytes < 2 || bytes > sizeof file->loader) return "its PT_INTERP is too long for a path";
  if (!read_at(fd, file->loader, bytes, offset)) return "its PT_INTERP lies outside the file";
  if (file->loader[bytes - 1] != 0 || file->loader[0] == 0) return "its PT_INTERP is no path";
  return NULL;
}

const char *elf_read(int fd, struct elf_file *file) {
  uint8_t head[sizeof(Elf64_Ehdr)];
  memset(file, 0, sizeof *file);
  if (!read_at(fd, head, sizeof(Elf32_Ehdr), 0)) return "its ELF header is cut short";
  const bool wide = head[EI_CLASS] == ELFCLASS64;
  file->bits = wide ? 64 : head[EI_CLASS] == ELFCLASS32 ? 32 : 0;
  file->little_endian = head[EI_DATA] == ELFDATA2LSB;
  if (wide && !read_at(fd, head, sizeof(Elf64_Ehdr), 0)) return "its ELF header is cut short";
  file->machine = (uint16_t)number(file, head + offsetof(Elf64_Ehdr, e_machine), 2);
  if (file->bits == 0) return "its ELF header has neither 32 nor 64 bits";
  const uint16_t type = (uint16_t)number(file, head + offsetof(Elf64_Ehdr, e_type), 2);
  if (type != ET_EXEC && type != ET_DYN) return "it is an ELF file, but no program";
  const uint64_t table = wide ? number(file, head + offsetof(Elf64_Ehdr, e_phoff), 8)
                              : number(file, head + offsetof(Elf32_Ehdr, e_phoff), 4);
  const uint8_t *counts =
      head + (wide ? offsetof(Elf64_Ehdr, e_phentsize) : offsetof(Elf32_Ehdr, e_phentsize));
  const uint64_t each = number(file, counts, 2), count = number(file, counts + 2, 2);
  if (each != (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) || count > kHeadersMax) {
    return "its program headers cannot be";
  }
  for (uint64_t i = 0; i < count; ++i) {
    uint8_t part[sizeof(Elf64_Phdr)];
    if (table > INT64_MAX / 2 || !read_at(fd, part, each, table + i * each)) {
      return "its program headers lie outside the file";
    }
    if (number(file, part, 4) != PT_INTERP) continue;
    return wide ? read_loader(fd, file, number(file, part + offsetof(Elf64_Phdr, p_offset), 8),
                              number(file, part + offsetof(Elf64_Phdr, p_filesz), 8))
                : read_loader(fd, file, number(file, part + offsetof(Elf32_Phdr, p_offset), 4),
                              number(file, part + offsetof(Elf32_Phdr, p_filesz), 4));
  }
  return NULL;
}
