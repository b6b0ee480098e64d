/* The few words of an ELF file that say who loads it. The file is hostile: all is bounded. */
#ifndef BRICKS_RUN_ELF_FILE_H
#define BRICKS_RUN_ELF_FILE_H

#include <stdbool.h>
#include <stdint.h>

enum { ELF_LOADER_BYTES = 256 };

struct elf_file {
  uint16_t machine; /* EM_ value */
  uint8_t bits;     /* 32, 64, or 0 for what ELF does not know */
  bool little_endian;
  char loader[ELF_LOADER_BYTES]; /* PT_INTERP; empty: none, nobody loads libraries into it */
};

/* Reads the header and the program headers behind `fd`. NULL, or what is wrong with the file. */
const char *elf_read(int fd, struct elf_file *file);

#endif
