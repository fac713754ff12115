// SPDX-License-Identifier: MIT
// usage: agent PORT NEWROOT          process 1 of the rig host (L1), started by init when all is mounted
//
// Runs the command of /rig/argv (NUL-terminated words; /rig/env likewise, /rig/cwd, /rig/stdin if there is one) in NEWROOT
// and sends its output and status through PORT. Reaps orphans. Ends by powering off.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"

static int port;
static unsigned char buffer[kFrameHeader + kFramePayload];

static void power_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void fail(const char *what) {
  // init looks for this prefix on the console and so does rig.sh.
  printf("rig-init: agent: %s: %s\n", what, strerror(errno));
  fflush(stdout);
  power_off();
}

static void send_frame(enum frame_type type, uint32_t length) {
  frame_pack(buffer, type, length);
  size_t done = 0, total = kFrameHeader + length;
  while (done < total) {
    ssize_t n = write(port, buffer + done, total - done);
    if (n > 0) {
      done += (size_t)n;
    } else if (n < 0 && errno == EAGAIN) {
      struct pollfd fd = {.fd = port, .events = POLLOUT};
      poll(&fd, 1, 100);
    } else if (n < 0 && errno != EINTR) {
      fail("write to the port");
    }
  }
}

static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) fail(path);
  char *data = malloc((size_t)st.st_size + 1);
  if (data == NULL) fail("malloc");
  size_t have = 0;
  while (have < (size_t)st.st_size) {
    ssize_t n = read(fd, data + have, (size_t)st.st_size - have);
    if (n <= 0) fail(path);
    have += (size_t)n;
  }
  data[have] = '\0';
  *size = have;
  close(fd);
  return data;
}

static char **read_words(const char *path) {
  size_t size, count = 0, next = 0;
  char *data = read_file(path, &size);
  for (size_t i = 0; i < size; i++) count += data[i] == '\0';
  char **words = calloc(count + 1, sizeof *words);
  if (words == NULL) fail("calloc");
  for (size_t i = 0; i < count; i++) {
    words[i] = data + next;
    next += strlen(words[i]) + 1;
  }
  return words;
}

static void run_command(const char *root, int in, int out, int err) {
  size_t size;
  char **argv = read_words("/rig/argv"), **env = read_words("/rig/env");
  char *cwd = read_file("/rig/cwd", &size);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  setsid();
  if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) _exit(125);
  clearenv();
  for (; *env != NULL; env++) putenv(*env);
  if (chroot(root) != 0 || chdir(cwd) != 0) {
    fprintf(stderr, "rig: cannot enter %s: %s\n", cwd, strerror(errno));
    _exit(126);
  }
  execvp(argv[0], argv);
  int reason = errno;
  fprintf(stderr, "rig: cannot run %s: %s\n", argv[0], strerror(reason));
  _exit(reason == ENOENT ? 127 : 126);
}

// Moves what is there, at most one frame; false at end of file, or when nothing is there and the pipe does not block.
static int forward(int fd, enum frame_type type) {
  ssize_t n = read(fd, buffer + kFrameHeader, kFramePayload);
  if (n <= 0) return 0;
  send_frame(type, (uint32_t)n);
  return 1;
}

static int shell_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Until the command itself ends; children that it leaves behind do not keep the rig up.
static int serve(pid_t command, int out, int err, int signals) {
  struct pollfd fds[3] = {{.fd = out, .events = POLLIN}, {.fd = err, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
  for (;;) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) fail("poll");
    if (fds[0].revents != 0 && !forward(out, FRAME_STDOUT) && errno != EAGAIN) fds[0].fd = -1;
    if (fds[1].revents != 0 && !forward(err, FRAME_STDERR) && errno != EAGAIN) fds[1].fd = -1;
    if (fds[2].revents == 0) continue;
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof info) < 0 && errno != EAGAIN) fail("signalfd");
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
      if (pid == command) return shell_status(status);
  }
}

int main(int argc, char **argv) {
  int out[2], err[2];
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  sigprocmask(SIG_BLOCK, &chld, NULL);
  if (argc != 3) fail("usage");
  port = open(argv[1], O_WRONLY | O_CLOEXEC);
  if (port < 0) fail(argv[1]);
  int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
  int in = open("/rig/stdin", O_RDONLY | O_CLOEXEC);
  if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (signals < 0 || in < 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) fail("pipe");

  send_frame(FRAME_STARTED, 0);
  pid_t command = fork();
  if (command < 0) fail("fork");
  if (command == 0) run_command(argv[2], in, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  fcntl(out[0], F_SETFL, O_NONBLOCK);
  fcntl(err[0], F_SETFL, O_NONBLOCK);
  int status = serve(command, out[0], err[0], signals);
  while (forward(out[0], FRAME_STDOUT)) continue;
  while (forward(err[0], FRAME_STDERR)) continue;
  sync();
  buffer[kFrameHeader] = (unsigned char)status;
  send_frame(FRAME_EXIT, 1);
  power_off();
}
