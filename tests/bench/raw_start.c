// SPDX-License-Identifier: MIT
// The least that a launcher of QEMU can do, for comparison: makes the listening sockets, starts
// QEMU with them as the descriptors that its arguments name, waits for QMP, and leaves QEMU
// running. Checks and tidies nothing beyond that.
//
// usage: raw_start greeting|started ARGUMENT_FILE PID_FILE QMP_FD FD=SOCKET_PATH...
// `greeting` waits for the greeting, which QEMU sends before it makes its devices; `started` for
// the reply to the first command, after which they are there. The first file holds QEMU's
// arguments, program first, each ended by a zero byte; QEMU's pid is written to the second.
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { max_arguments = 4096 };

extern char** environ;

static _Noreturn void fail(const char* what) {
  fprintf(stderr, "error: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void write_pid(const char* path, pid_t pid) {
  FILE* file = fopen(path, "w");
  if (file == NULL || fprintf(file, "%d\n", (int)pid) < 0 || fclose(file) != 0) fail(path);
}

// The buffer that the arguments lie in lives as long as the program.
static char** read_arguments(const char* path) {
  static char* arguments[max_arguments + 1];
  FILE* file = fopen(path, "rb");
  if (file == NULL) fail(path);
  char* text = NULL;
  size_t size = 0;
  const ssize_t length = getdelim(&text, &size, EOF, file);
  if (length < 0) fail(path);
  fclose(file);
  size_t count = 0;
  for (char* at = text; at < text + length && count < max_arguments; at += strlen(at) + 1) {
    arguments[count++] = at;
  }
  arguments[count] = NULL;
  return arguments;
}

static struct sockaddr_un address_of(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(path);
  }
  strcpy(address.sun_path, path);
  return address;
}

static int listen_on(const char* path) {
  const struct sockaddr_un address = address_of(path);
  unlink(path);
  const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (made < 0 || bind(made, (const struct sockaddr*)&address, sizeof address) != 0 ||
      listen(made, 8) != 0) {
    fail(path);
  }
  // Out of the way of the numbers that QEMU expects.
  const int listening = fcntl(made, F_DUPFD_CLOEXEC, 200);
  if (listening < 0) fail(path);
  close(made);
  return listening;
}

static void read_line(int qmp) {
  char last = 0;
  while (last != '\n') {
    char part[4096];
    const ssize_t got = read(qmp, part, sizeof part);
    if (got <= 0) {
      if (got == 0) errno = ECONNRESET;
      fail("QEMU ended before it had answered");
    }
    last = part[got - 1];
  }
}

int main(int argc, char** argv) {
  if (argc < 6) {
    fprintf(stderr,
            "usage: raw_start greeting|started ARGUMENT_FILE PID_FILE QMP_FD FD=SOCKET_PATH...\n");
    return 2;
  }
  const int until_started = strcmp(argv[1], "started") == 0;
  --argc;
  ++argv;
  umask(077);
  char** arguments = read_arguments(argv[1]);
  const int qmp_number = atoi(argv[3]);
  const char* qmp_path = NULL;

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  // QEMU outlives this program and must not hold a pipe that somebody reads to its end.
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  for (int i = 4; i < argc; ++i) {
    char* path = strchr(argv[i], '=');
    if (path == NULL) {
      errno = EINVAL;
      fail(argv[i]);
    }
    ++path;
    const int number = atoi(argv[i]);
    if (number == qmp_number) qmp_path = path;
    posix_spawn_file_actions_adddup2(&actions, listen_on(path), number);
  }
  if (qmp_path == NULL) {
    errno = EINVAL;
    fail("no socket for QMP");
  }

  // The socket listens already: this connects before QEMU is there, with nothing to poll for.
  const struct sockaddr_un address = address_of(qmp_path);
  const int qmp = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (qmp < 0 || connect(qmp, (const struct sockaddr*)&address, sizeof address) != 0) {
    fail(qmp_path);
  }

  pid_t pid = 0;
  errno = posix_spawnp(&pid, arguments[0], &actions, NULL, arguments, environ);
  if (errno != 0) fail(arguments[0]);
  write_pid(argv[2], pid);

  read_line(qmp);
  if (until_started) {
    static const char command[] = "{\"execute\":\"qmp_capabilities\"}";
    if (write(qmp, command, sizeof command - 1) != (ssize_t)(sizeof command - 1)) fail("QMP");
    read_line(qmp);
  }
  return 0;
}
