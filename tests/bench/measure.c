// SPDX-License-Identifier: MIT
// Runs one command, its stdout discarded, and prints `NANOSECONDS PEAK_KIB EXIT_CODE`.
// Small on purpose: what wait4() reports as the peak of a child is never less than what the parent
// had in memory when it started the child.
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char** environ;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: measure COMMAND [ARGUMENT...]\n");
    return 2;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);

  pid_t pid = 0;
  const long long began = now();
  const int failure = posix_spawnp(&pid, argv[1], &actions, NULL, argv + 1, environ);
  if (failure != 0) {
    fprintf(stderr, "error: cannot run `%s`: %s\n", argv[1], strerror(failure));
    return 1;
  }
  int status = 0;
  struct rusage usage;
  if (wait4(pid, &status, 0, &usage) != pid) {
    perror("error: wait4");
    return 1;
  }
  const long long ended = now();
  printf("%lld %ld %d\n", ended - began, usage.ru_maxrss,
         WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
