/* SPDX-License-Identifier: MIT */
/* A statically linked program that does what a program under Syscall User Dispatch could be noticed by. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static volatile sig_atomic_t hits;

static void jump(int number) {
    (void)number;
    siglongjmp(back, 1);
}

static void count(int number) {
    (void)number;
    hits = hits + 1;
    if (write(1, "", 0) != 0) abort();
}

static void *thread(void *argument) {
    for (int i = 0; i < 2000; i++)
        if (getppid() <= 0) abort();
    return argument;
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    sigfillset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

static int children(void) {
    for (int i = 0; i < 20; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) _exit(getppid() > 0 ? i : 99);
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != i) return 1;
        child = vfork();
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(1);
        }
        if (waitpid(child, &status, 0) != child || status != 0) return 2;
    }
    return 0;
}

/* Every signal blocked, SIGSYS among them: calls go on being made. */
static void blocked(void) {
    sigset_t all, old, now;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    if (getppid() <= 0) abort();
    raise(SIGUSR1);
    sigprocmask(SIG_SETMASK, NULL, &now);
    printf("%d %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGKILL));
    sigprocmask(SIG_SETMASK, &old, NULL);
    sigdelset(&all, SIGALRM);
    handle(SIGALRM, count);
    ualarm(1000, 0);
    sigsuspend(&all);
}

int main(int words, char **word) {
    pthread_t threads[8];
    int ends[2], i;
    for (i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, thread, NULL);
    for (i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    if (children() != 0 || pipe(ends) != 0) return 1;
    handle(SIGUSR1, count);
    for (i = 0; i < 50; i++)
        raise(SIGUSR1);
    blocked();
    signal(SIGSEGV, jump);
    for (volatile int turn = 0; turn < 5; turn++)
        if (sigsetjmp(back, 1) == 0) *(volatile int *)8 = 1;
    signal(SIGALRM, jump);
    for (volatile int turn = 0; turn < 20; turn++)
        if (sigsetjmp(back, 1) == 0) {
            char byte;
            ualarm(500, 0);
            if (read(ends[0], &byte, 1) != 0) abort();
        }
    signal(SIGSYS, count);
    raise(SIGSYS);
    printf("%d signals, %d words, called %s, with %s\n", (int)hits, words, word[0], getenv("HOME"));
    fflush(stdout);
    return system("echo child; exit 7") >> 8;
}
