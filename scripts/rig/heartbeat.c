// SPDX-License-Identifier: MIT
// Keeps every CPU of the rig host (L1) interrupted regularly, and only that.
//
// QEMU's TCG (7.2 up to 10.0) now and then loses an interrupt at a nested VM exit: the local APIC has the request, the
// virtual CPU sleeps on. Any later interrupt delivers the lost one too. So one SCHED_FIFO thread on each CPU sends the
// next CPU an interrupt every 10 ms, by waking the thread there; its own timer serves its own CPU.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { kPeriodNs = 10 * 1000 * 1000, kMaxCpus = 64 };

static int wakeups[kMaxCpus];
static long cpus;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void *beat(void *arg) {
  long self = (long)(intptr_t)arg;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(self, &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) fail("heartbeat: sched_setaffinity");
  struct sched_param param = {.sched_priority = 50};
  if (sched_setscheduler(0, SCHED_FIFO, &param) != 0) fail("heartbeat: sched_setscheduler");

  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec period = {.it_interval.tv_nsec = kPeriodNs, .it_value.tv_nsec = kPeriodNs};
  if (timer < 0 || timerfd_settime(timer, 0, &period, NULL) != 0) fail("heartbeat: timerfd");
  for (;;) {
    struct pollfd fds[2] = {{.fd = timer, .events = POLLIN}, {.fd = wakeups[self], .events = POLLIN}};
    uint64_t count;
    if (poll(fds, 2, -1) < 0) continue;
    // A wake-up is only consumed, never passed on: otherwise the threads would wake each other without end.
    if (fds[1].revents & POLLIN && read(wakeups[self], &count, sizeof count) < 0) continue;
    if (fds[0].revents & POLLIN && read(timer, &count, sizeof count) == sizeof count) {
      count = 1;
      if (write(wakeups[(self + 1) % cpus], &count, sizeof count) < 0) continue;
    }
  }
  return NULL;
}

int main(void) {
  cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (cpus > kMaxCpus) cpus = kMaxCpus;
  for (long i = 0; i < cpus; i++) {
    wakeups[i] = eventfd(0, EFD_NONBLOCK);
    if (wakeups[i] < 0) fail("heartbeat: eventfd");
  }
  for (long i = 0; i < cpus; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, beat, (void *)(intptr_t)i) != 0) fail("heartbeat: pthread_create");
  }
  pthread_exit(NULL);
}
