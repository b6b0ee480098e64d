/* bricks-run: starts a program with our libraries preloaded, so that it opens pipes by their names.
 * It becomes the program: signals, job control and the exit code are the program's own. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/program.h"

static const char kUsage[] =
    "usage: bricks run [--run-dir DIR] [--] PROGRAM [ARG...]\n"
    "\n"
    "Starts PROGRAM so that it opens pipes of the daemon by their names, as it is: a program of\n"
    "libpcap as bricks:NAME, a program of netmap as netmap:NAME, without the kernel module.\n"
    "\n"
    "  --run-dir DIR  the daemon's folder; default $BRICKS_RUN_DIR, else /run/bricks for root,\n"
    "                 else $XDG_RUNTIME_DIR/bricks\n"
    "  -h             this text\n"
    "\n"
    "  bricks run -- tcpdump -i 'bricks:eth3}0' 'tcp port 443'\n"
    "  bricks run -- pkt-gen -i 'netmap:eth3}0' -f rx\n"
    "\n"
    "Exit code: PROGRAM's; 126 when it cannot be started this way, 127 when it is not there.\n";

/* Libraries beside this program; what each serves. */
static const char *const kLibraries[] = {"libbricks-pcap.so", "libbricks-netmap.so"};

static int complain(int code, const char *what, const char *which) {
  fprintf(stderr, "bricks run: %s%s\n", what, which);
  return code;
}

/* The folder of this program into `folder`; false, and said, when LD_PRELOAD cannot name it. */
static bool own_folder(char *folder) {
  const ssize_t length = readlink("/proc/self/exe", folder, PATH_MAX - 1);
  if (length <= 0) {
    complain(RUN_REFUSED, "cannot find its own folder: ", strerror(errno));
    return false;
  }
  folder[length] = 0;
  *strrchr(folder, '/') = 0;
  if (!strpbrk(folder, " :$\t\n")) return true;
  complain(RUN_REFUSED, folder,
           ": LD_PRELOAD cannot name a folder with a blank, a colon or a $ in it; install bricks "
           "in another");
  return false;
}

/* Is `path` in `list`, whose entries are parted by blanks or colons? */
static bool listed(const char *list, const char *path) {
  const size_t length = strlen(path);
  for (const char *at = list; *at;) {
    const size_t entry = strcspn(at, " :");
    if (entry == length && memcmp(at, path, length) == 0) return true;
    at += entry + (at[entry] != 0);
  }
  return false;
}

/* LD_PRELOAD: ours, then what was there. 0, or the exit code. */
static int set_preload(void) {
  char folder[PATH_MAX], path[PATH_MAX + 32];
  if (!own_folder(folder)) return RUN_REFUSED;
  const char *before = getenv("LD_PRELOAD");
  if (!before) before = "";
  char *list = malloc(sizeof kLibraries / sizeof *kLibraries * sizeof path + strlen(before) + 1);
  if (!list) return complain(RUN_REFUSED, "no memory", "");
  char *end = list;
  *end = 0;
  for (size_t i = 0; i < sizeof kLibraries / sizeof *kLibraries; ++i) {
    snprintf(path, sizeof path, "%s/%s", folder, kLibraries[i]);
    if (access(path, R_OK) != 0) {
      free(list);
      complain(RUN_REFUSED, path, " is not built; build it with: npm run build");
      return RUN_REFUSED;
    }
    if (!listed(before, path)) end += sprintf(end, "%s%s", end == list ? "" : ":", path);
  }
  if (*before) sprintf(end, "%s%s", end == list ? "" : ":", before);
  const int set = setenv("LD_PRELOAD", list, 1);
  free(list);
  return set == 0 ? 0 : complain(RUN_REFUSED, "cannot set LD_PRELOAD: ", strerror(errno));
}

/* Says where the daemon is: the program may change its user or its folder before it asks. */
static int set_run_dir(const char *given) {
  char whole[PATH_MAX], of_user[PATH_MAX];
  const char *folder = given ? given : getenv("BRICKS_RUN_DIR");
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (!folder || !*folder) {
    if (geteuid() == 0) {
      folder = "/run/bricks";
    } else if (runtime && *runtime) {
      snprintf(of_user, sizeof of_user, "%s/bricks", runtime);
      folder = of_user;
    } else {
      return 0; /* the library says what is missing, if the program asks for a pipe at all */
    }
  }
  if (*folder != '/') {
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here)) return complain(RUN_REFUSED, "no folder: ", strerror(errno));
    if (snprintf(whole, sizeof whole, "%s/%s", here, folder) >= (int)sizeof whole) {
      return complain(RUN_USAGE, "--run-dir is too long: ", folder);
    }
    folder = whole;
  }
  return setenv("BRICKS_RUN_DIR", folder, 1) == 0
             ? 0
             : complain(RUN_REFUSED, "cannot set BRICKS_RUN_DIR: ", strerror(errno));
}

/* Takes our own options off the front: the index of PROGRAM, or -1 with *code. */
static int options(int argc, char **argv, const char **run_dir, int *code) {
  static const char kRunDir[] = "--run-dir";
  int at = 1;
  for (; at < argc && argv[at][0] == '-'; ++at) {
    const char *word = argv[at];
    *code = RUN_USAGE;
    if (strcmp(word, "--") == 0) {
      ++at;
      break;
    }
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
      *code = fputs(kUsage, stdout) < 0 || fflush(stdout) != 0;
      return -1;
    }
    const size_t length = sizeof kRunDir - 1;
    if (strncmp(word, kRunDir, length) == 0 && (word[length] == '=' || word[length] == 0)) {
      *run_dir = word[length] ? word + length + 1 : argv[++at];
      if (at < argc && **run_dir) continue;
      complain(RUN_USAGE, "a folder is missing after --run-dir", "; see bricks run -h");
      return -1;
    }
    fprintf(stderr, "bricks run: there is no option %s; see bricks run -h\n", word);
    return -1;
  }
  if (at < argc) return at;
  fputs(kUsage, stderr);
  *code = RUN_USAGE;
  return -1;
}

int main(int argc, char **argv) {
  static struct run_program program;
  const char *run_dir = NULL;
  int code = 0;
  const int at = options(argc, argv, &run_dir, &code);
  if (at < 0) return code;
  code = run_find(argv[at], &program);
  if (code != 0) return complain(code, program.why, "");
  code = set_run_dir(run_dir);
  if (code == 0) code = set_preload();
  if (code != 0) return code;
  execv(program.path, argv + at);
  fprintf(stderr, "bricks run: cannot start %s: %s\n", program.path, strerror(errno));
  return errno == ENOENT ? RUN_NOT_FOUND : RUN_REFUSED;
}
