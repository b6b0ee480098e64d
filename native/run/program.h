/* What bricks run is to start: where it is, and whether a preloaded library would be heard in it.
 */
#ifndef BRICKS_RUN_PROGRAM_H
#define BRICKS_RUN_PROGRAM_H

#include <stddef.h>

enum { /* as of a shell, of env(1) and of timeout(1) */
       RUN_USAGE = 2,
       RUN_REFUSED = 126, /* it is there, and cannot be started this way */
       RUN_NOT_FOUND = 127
};

enum { RUN_PATH_BYTES = 4096, RUN_WHY_BYTES = 2048 };

struct run_program {
  char path[RUN_PATH_BYTES]; /* what execve gets */
  char why[RUN_WHY_BYTES];   /* after a refusal: what, why, and what to type instead */
};

/* Finds `name` as execvp(3) does and judges it, a script by its interpreter. 0, or the exit code.
 */
int run_find(const char *name, struct run_program *program);

#endif
