/* SPDX-License-Identifier: MIT */
/*
 * The periodic timer of AEM's talk, with another include: a handler every PERIOD ms while the main program computes.
 *
 *   farcall-aem-timer [PERIOD [COUNT]]
 */
#include <stdio.h>
#include <stdlib.h>

#include <farcall/aem.h>

static volatile long ticks;

static void timer_handler(int ed, long expirations)
{
	if (expirations < 0) {
		static const char text[] = "farcall-aem-timer: the host is gone\n";

		(void)!write(2, text, sizeof(text) - 1);
		_exit(1);
	}
	(void)ed;
	ticks += expirations;
}

int main(int argc, char **argv)
{
	unsigned long period = argc > 1 ? strtoul(argv[1], NULL, 10) : 100;
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
	unsigned long long steps = 0;
	long seen = 0;
	int ed = evtimer(period, period, timer_handler, EVF_PRIORITY(JOB_HIGH));

	if (ed < 0) {
		perror("evtimer");
		return 1;
	}
	while (seen < count) {
		if (ticks == seen) {
			steps++;
			continue;
		}
		seen = ticks;
		printf("tick %ld\n", seen);
	}
	evunregister(ed);
	printf("%ld periods of %lu ms, %s work between them\n", seen, period, steps > 0 ? "with" : "no");
	return 0;
}
