// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Prints what a cheap system call takes in ns: the minimum over short rounds.
 * "syscalls CPU ..." makes them on some CPUs at once, for a second, and prints a
 * JSON list of the means.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 400
#define CALLS 500
#define MAX_CPUS 1024

static pthread_barrier_t together;
static double means[MAX_CPUS];

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void make_calls(void)
{
	for (int call = 0; call < CALLS; call++)
		syscall(SYS_getppid);
}

static void *on_cpu(void *arg)
{
	int *cpu = arg;
	double begin, end, own;
	long calls = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(*cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	pthread_barrier_wait(&together);
	begin = now(CLOCK_MONOTONIC);
	/* Of the thread's own time: others may run on the CPU as well. */
	own = now(CLOCK_THREAD_CPUTIME_ID);
	do {
		make_calls();
		calls += CALLS;
		end = now(CLOCK_MONOTONIC);
	} while (end - begin < 1e9);
	means[*cpu] = (now(CLOCK_THREAD_CPUTIME_ID) - own) / calls;
	return NULL;
}

static int on_cpus(int count, char **cpus)
{
	static pthread_t threads[MAX_CPUS];
	static int numbers[MAX_CPUS];

	pthread_barrier_init(&together, NULL, count);
	for (int i = 0; i < count; i++) {
		numbers[i] = atoi(cpus[i]) % MAX_CPUS;
		pthread_create(&threads[i], NULL, on_cpu, &numbers[i]);
	}
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < count; i++)
		printf("%s%.3f", i ? "," : "[", means[numbers[i]]);
	puts("]");
	return 0;
}

int main(int argc, char **argv)
{
	double best = 1e18;

	if (argc > 1 && argc <= MAX_CPUS)
		return on_cpus(argc - 1, argv + 1);
	for (int round = 0; round < ROUNDS; round++) {
		double start = now(CLOCK_MONOTONIC);

		make_calls();
		start = (now(CLOCK_MONOTONIC) - start) / CALLS;
		if (start < best)
			best = start;
	}
	printf("%.2f\n", best);
	return 0;
}
