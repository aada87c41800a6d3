// SPDX-License-Identifier: MIT
// The least that it takes to ask QEMUs whether they run, one after the other, for comparison:
// connects, negotiates, sends `query-status`, reads the reply. Looks at none of what it reads.
//
// usage: raw_ask SOCKET_PATH...
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int fail(const char* what) {
  fprintf(stderr, "error: %s: %s\n", what, strerror(errno));
  return 0;
}

static int read_line(int qmp) {
  for (;;) {
    char part[4096];
    const ssize_t got = read(qmp, part, sizeof part);
    if (got <= 0) return 0;
    if (part[got - 1] == '\n') return 1;
  }
}

static int say(int qmp, const char* text) {
  const ssize_t length = (ssize_t)strlen(text);
  return write(qmp, text, (size_t)length) == length && read_line(qmp);
}

static int ask(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail(path);
  }
  strcpy(address.sun_path, path);
  const int qmp = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (qmp < 0 || connect(qmp, (const struct sockaddr*)&address, sizeof address) != 0) {
    return fail(path);
  }
  const int answered = read_line(qmp) && say(qmp, "{\"execute\":\"qmp_capabilities\"}") &&
                       say(qmp, "{\"execute\":\"query-status\"}");
  close(qmp);
  return answered ? 1 : fail(path);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: raw_ask SOCKET_PATH...\n");
    return 2;
  }
  for (int at = 1; at < argc; ++at) {
    if (!ask(argv[at])) return 1;
  }
  return 0;
}
