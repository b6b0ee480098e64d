/* bricks-run: finds the program and judges whether the loader will put a library into it (ld.so(8),
 * LD_PRELOAD and secure-execution mode). What it would not serve is refused: a program that runs,
 * and finds no pipe, says nothing about why. */
#include "run/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "run/elf_file.h"

enum { kScriptsMax = 5, kFirstLine = 256 }; /* as the kernel has them (binfmt_script) */

static const char kOtherWays[] =
    "; without a preload, a program reads `bricks cat 'x}0' -w - | PROGRAM -r -`, or an output "
    "fifo:PATH, tap:NAME or tcp:HOST:PORT of the graph";

__attribute__((format(printf, 3, 4))) static int refuse(struct run_program *program, int code,
                                                        const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(program->why, sizeof program->why, format, arguments);
  va_end(arguments);
  return code;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
         faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* The path of `name` into `path`, by $PATH where there is no slash in it. */
static int look_up(const char *name, char *path, struct run_program *program) {
  const char *folders = getenv("PATH");
  if (!*name) return refuse(program, RUN_NOT_FOUND, "the program's name is empty");
  if (strlen(name) >= RUN_PATH_BYTES) {
    return refuse(program, RUN_NOT_FOUND, "the program's name is longer than %d bytes",
                  RUN_PATH_BYTES - 1);
  }
  if (strchr(name, '/')) {
    struct stat status;
    strcpy(path, name);
    if (is_program(path)) return 0;
    if (stat(path, &status) != 0) {
      return refuse(program, errno == EACCES ? RUN_REFUSED : RUN_NOT_FOUND, "%s: %s", path,
                    strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) return refuse(program, RUN_REFUSED, "%s is a folder", path);
    return refuse(program, RUN_REFUSED, "%s may not be executed; if it is a program: chmod +x it",
                  path);
  }
  for (const char *from = folders ? folders : "/usr/local/bin:/usr/bin:/bin"; from;) {
    const char *colon = strchr(from, ':');
    const int length = colon ? (int)(colon - from) : (int)strlen(from);
    const int n = snprintf(path, RUN_PATH_BYTES, "%.*s%s%s", length ? length : 1,
                           length ? from : ".", "/", name);
    if (n > 0 && n < RUN_PATH_BYTES && is_program(path)) return 0;
    from = colon ? colon + 1 : NULL;
  }
  return refuse(program, RUN_NOT_FOUND,
                "there is no program '%s' in $PATH (%s); install it, or name it by its path", name,
                folders ? folders : "unset");
}

/* Would the program run with rights that the caller has not? Then LD_PRELOAD is not heard. */
static int judge_rights(const char *path, int fd, struct run_program *program) {
  struct stat status;
  struct statvfs mount;
  if (fstat(fd, &status) != 0 || fstatvfs(fd, &mount) != 0) {
    return refuse(program, RUN_REFUSED, "cannot look at %s: %s", path, strerror(errno));
  }
  if (mount.f_flag & ST_NOSUID || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) return 0;
  const bool user = status.st_mode & S_ISUID && status.st_uid != getuid();
  const bool group =
      status.st_mode & S_ISGID && status.st_mode & S_IXGRP && status.st_gid != getgid();
  const bool capable = getuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
  if (!user && !group && !capable) return 0;
  const char *what = user ? "setuid" : group ? "setgid" : "given capabilities (setcap)";
  const char *instead = group && !user
                            ? "run a copy without that bit"
                            : "run it as root (sudo bricks run -- …), or a copy without that bit";
  return refuse(program, RUN_REFUSED,
                "%s is %s: the system lets nobody load libraries into it, so it would see no "
                "pipe; %s%s",
                path, what, instead, kOtherWays);
}

static int judge_elf(const char *path, int fd, struct run_program *program) {
  static const char kSelf[] = "/proc/self/exe";
  struct elf_file own, theirs;
  const int self = open(kSelf, O_RDONLY | O_CLOEXEC);
  const char *fault = self >= 0 ? elf_read(self, &own) : strerror(errno);
  if (self >= 0) close(self);
  if (fault) return refuse(program, RUN_REFUSED, "cannot read %s: %s", kSelf, fault);
  fault = elf_read(fd, &theirs);
  const bool same = theirs.machine == own.machine && theirs.bits == own.bits &&
                    theirs.little_endian == own.little_endian;
  if (theirs.bits != 0 && !same) {
    return refuse(program, RUN_REFUSED,
                  "%s is made for another machine (ELF machine %u, %u bits; bricks: %u, %u "
                  "bits): our libraries cannot be loaded into it%s",
                  path, theirs.machine, theirs.bits, own.machine, own.bits, kOtherWays);
  }
  if (fault) return refuse(program, RUN_REFUSED, "%s cannot be started: %s", path, fault);
  if (!theirs.loader[0]) {
    return refuse(program, RUN_REFUSED,
                  "%s is linked statically: no library can be loaded into it, so it would see no "
                  "pipe; take a dynamically linked build of it%s",
                  path, kOtherWays);
  }
  struct stat ours, its;
  if (stat(theirs.loader, &its) != 0) {
    return refuse(program, RUN_NOT_FOUND, "%s asks for the loader %s: %s", path, theirs.loader,
                  strerror(errno));
  }
  if (stat(own.loader, &ours) == 0 && ours.st_dev == its.st_dev && ours.st_ino == its.st_ino) {
    return judge_rights(path, fd, program);
  }
  return refuse(program, RUN_REFUSED,
                "%s is loaded by %s, another C library than the one bricks is built for (%s): our "
                "libraries cannot be loaded into it%s",
                path, theirs.loader, own.loader, kOtherWays);
}

/* The interpreter in a script's first line into `path`; behind env(1), what env starts. */
static int interpreter(const char *script, char *line, char *path, struct run_program *program) {
  static const char kBlank[] = " \t\r";
  char *rest = NULL;
  line[strcspn(line, "\n")] = 0;
  const char *word = strtok_r(line + 2, kBlank, &rest);
  if (!word) return refuse(program, RUN_REFUSED, "%s names no interpreter after its #!", script);
  const char *slash = strrchr(word, '/');
  const bool by_env = strcmp(slash ? slash + 1 : word, "env") == 0;
  while (by_env && (word = strtok_r(NULL, kBlank, &rest))) {
    if (strncmp(word, "-S", 2) == 0 && word[2]) {
      word += 2;
      break;
    }
    if (*word != '-' && !strchr(word, '=')) break;
  }
  if (!word) return refuse(program, RUN_REFUSED, "%s names no program after env", script);
  const int code = look_up(word, path, program);
  if (code == 0) return 0;
  char why[RUN_WHY_BYTES];
  memcpy(why, program->why, sizeof why);
  return refuse(program, code, "%s is a script; of its interpreter: %.1024s", script, why);
}

static int judge(const char *first, struct run_program *program) {
  char path[RUN_PATH_BYTES], line[kFirstLine];
  strcpy(path, first);
  for (int depth = 0; depth <= kScriptsMax; ++depth) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      return refuse(program, RUN_REFUSED,
                    "%s cannot be read (%s), so whether a library can be loaded into it is "
                    "unknown; run as a user who may read it",
                    path, strerror(errno));
    }
    const ssize_t got = pread(fd, line, sizeof line - 1, 0);
    line[got > 0 ? got : 0] = 0;
    const bool elf = got >= 4 && memcmp(line, "\177ELF", 4) == 0;
    const int code = elf ? judge_elf(path, fd, program) : 0;
    close(fd);
    if (elf) return code;
    if (got < 2 || line[0] != '#' || line[1] != '!') {
      return refuse(program, RUN_REFUSED,
                    "%s is neither an ELF program nor a script that begins with #!; name what "
                    "runs it: bricks run -- sh %s",
                    path, path);
    }
    char next[RUN_PATH_BYTES];
    const int found = interpreter(path, line, next, program);
    if (found != 0) return found;
    strcpy(path, next);
  }
  return refuse(program, RUN_REFUSED, "%s: more than %d interpreters of interpreters", first,
                kScriptsMax);
}

int run_find(const char *name, struct run_program *program) {
  const int code = look_up(name, program->path, program);
  return code == 0 ? judge(program->path, program) : code;
}
