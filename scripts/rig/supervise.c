// SPDX-License-Identifier: MIT
// usage: supervise RESULT BOOT_SECONDS COMMAND_SECONDS QEMU ARGS…
//
// Starts QEMU with one end of a socket pair as descriptor 3 (for `-chardev socket,fd=3`), copies the agent's frames to
// stdout and stderr, ends QEMU, and writes one line to RESULT:
//   exit N        the command ended with status N      timeout       it ran longer than COMMAND_SECONDS
//   boot-timeout  it was not started in BOOT_SECONDS    boot-end      QEMU ended before it was started
//   end           QEMU ended, or broke the framing, while it ran
//   output        what the command wrote could not be written here
// QEMU dies with this process, whatever ends it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"

static volatile sig_atomic_t expired;

static void on_alarm(int signal) {
  (void)signal;
  expired = 1;
}

// Repeats every second after the first time: a signal that comes just before a blocking call is not lost.
static void set_limit(long seconds) {
  struct itimerval timer = {.it_value.tv_sec = seconds, .it_interval.tv_sec = 1};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static pid_t start(int argc, char **argv, int ours, int theirs) {
  (void)argc;
  pid_t parent = getpid(), pid = fork();
  if (pid != 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  // Out of the terminal's process group: Ctrl-C is the script's business.
  setpgid(0, 0);
  close(ours);
  int null = open("/dev/null", O_RDONLY);
  // QEMU has nothing to say on stdout; what it complains about must not mix with the command's stderr.
  int log = open("qemu.log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) _exit(1);
  if (theirs != 3 && dup2(theirs, 3) < 0) _exit(1);
  fcntl(3, F_SETFD, 0);
  execvp(argv[0], argv);
  fprintf(stderr, "cannot run %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

// 1, or 0 at the end of the stream or when the time is up.
static int read_all(int fd, unsigned char *data, size_t size) {
  while (size > 0) {
    if (expired) return 0;
    ssize_t n = read(fd, data, size);
    if (n == 0 || (n < 0 && errno != EINTR)) return 0;
    if (n > 0) {
      data += n;
      size -= (size_t)n;
    }
  }
  return 1;
}

// 1, or 0 when the time is up, or -1 on an error (a full disk; SIGPIPE is left at its default).
static int write_all(int fd, const unsigned char *data, size_t size) {
  while (size > 0) {
    if (expired) return 0;
    ssize_t n = write(fd, data, size);
    // Our output may share a non-blocking file description with another program.
    if (n < 0 && errno == EAGAIN) {
      usleep(1000);
    } else if (n < 0 && errno != EINTR) {
      return -1;
    } else if (n > 0) {
      data += n;
      size -= (size_t)n;
    }
  }
  return 1;
}

static const char *copy_frames(int fd, long command_seconds, int *status) {
  static unsigned char payload[kFramePayload];
  unsigned char header[kFrameHeader];
  int started = 0;
  for (;;) {
    if (!read_all(fd, header, sizeof header)) break;
    uint32_t length = frame_length(header);
    if (length > sizeof payload || !read_all(fd, payload, length)) break;
    if (header[0] == FRAME_STARTED) {
      started = 1;
      set_limit(command_seconds);
    } else if (header[0] == FRAME_STDOUT || header[0] == FRAME_STDERR) {
      int written = write_all(header[0] == FRAME_STDOUT ? 1 : 2, payload, length);
      if (written < 0) return "output";
      if (written == 0) break;
    } else if (header[0] == FRAME_EXIT && length == 1) {
      *status = payload[0];
      return "exit";
    } else {
      break;
    }
  }
  if (expired) return started ? "timeout" : "boot-timeout";
  return started ? "end" : "boot-end";
}

int main(int argc, char **argv) {
  int sockets[2], status = 0;
  if (argc < 5) return 2;
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    perror("supervise: socketpair");
    return 2;
  }
  pid_t qemu = start(argc - 4, argv + 4, sockets[0], sockets[1]);
  if (qemu < 0) {
    perror("supervise: fork");
    return 2;
  }
  close(sockets[1]);
  set_limit(atol(argv[2]));
  const char *result = copy_frames(sockets[0], atol(argv[3]), &status);
  kill(qemu, SIGKILL);
  while (waitpid(qemu, NULL, 0) < 0 && errno == EINTR) continue;
  FILE *file = fopen(argv[1], "w");
  if (file == NULL) return 2;
  fprintf(file, "%s %d\n", result, status);
  return fclose(file) == 0 ? 0 : 2;
}
