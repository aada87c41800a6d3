// SPDX-License-Identifier: MIT
#include "qmp_raw.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int send_all(int fd, const char* text, size_t size) {
  while (size > 0) {
    const ssize_t n = send(fd, text, size, MSG_NOSIGNAL);
    if (n < 0) return -1;
    text += n;
    size -= (size_t)n;
  }
  return 0;
}

/// Reads until so many lines have come; how many came, more if they were there, or -1.
static int read_lines(int fd, int wanted) {
  static char buffer[65536];
  int lines = 0;
  while (lines < wanted) {
    const ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return -1;
    const char* end = buffer + n;
    for (const char* at = buffer; (at = memchr(at, '\n', (size_t)(end - at))) != NULL; ++at)
      ++lines;
  }
  return lines;
}

int raw_connect(const char* path, int oob) {
  struct sockaddr_un address;
  memset(&address, 0, sizeof address);
  address.sun_family = AF_UNIX;
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const char* plain = "{\"execute\":\"qmp_capabilities\",\"id\":1}";
  const char* with_oob =
      "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},\"id\":1}";
  const char* negotiation = oob ? with_oob : plain;
  if (fd < 0 || connect(fd, (const struct sockaddr*)&address, sizeof address) != 0 ||
      read_lines(fd, 1) < 0 || send_all(fd, negotiation, strlen(negotiation)) != 0 ||
      read_lines(fd, 1) < 0) {
    if (fd >= 0) close(fd);
    return -1;
  }
  return fd;
}

int raw_query(int fd, int count, int window) {
  int sent = 0;
  int answered = 0;
  while (answered < count) {
    char text[64];
    while (sent < count && sent - answered < window) {
      const int size =
          snprintf(text, sizeof text, "{\"execute\":\"query-status\",\"id\":%d}", sent + 2);
      if (send_all(fd, text, (size_t)size) != 0) return -1;
      ++sent;
    }
    const int lines = read_lines(fd, 1);
    if (lines < 0) return -1;
    answered += lines;
  }
  return 0;
}
