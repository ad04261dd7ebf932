// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lkst-grab: copies the recorder out of a dead kernel's memory into a small file
 * that every reading command of lkst takes as a source.
 *
 * For the capture kernel, before the dump is taken. It needs no library and little
 * memory, and ends in time whatever happens: the work is done by a child, which
 * may hang in a way that even SIGKILL does not end.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "grab.h"

enum { DONE, FAILED, WRONG_USAGE };

struct options {
	const char *source;
	const char *list;
	const char *output;
	const char *folder;
	long seconds;
	bool kernel;
};

static int usage(void)
{
	fputs("usage: lkst-grab [-i CORE] [-l LIST] [-t SECONDS] [-n] {-o FILE | -d FOLDER}\n"
	      "Copy the recorder out of CORE (/proc/vmcore) into FILE, or into a new folder\n"
	      "lkst-DATE in FOLDER, by the LIST of its pages, or else by looking at all memory.\n"
	      "Not done after SECONDS (20; 0: any time): give up. -n: without the kernel's names\n",
	      stderr);
	return WRONG_USAGE;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The name of the file in a new folder; whether the folder could be made. */
static bool make_folder(const char *folder, char *made, char *path)
{
	char date[32];
	time_t seconds = time(NULL);

	strftime(date, sizeof(date), "%Y%m%d%H%M%S", gmtime(&seconds));
	if ((size_t)snprintf(made, PATH_MAX, "%s/lkst-%s", folder, date) >= PATH_MAX - 8) {
		complain("%s: %s", folder, strerror(ENAMETOOLONG));
		return false;
	}
	if (mkdir(made, 0700) && errno != EEXIST) {
		complain("%s: %s", made, strerror(errno));
		return false;
	}
	snprintf(path, PATH_MAX + 8, "%s/grab", made);
	return true;
}

/* Without VMCOREINFO; all of memory is looked at only if it has been anyway. */
static void guess(const char *source, bool everywhere)
{
	uint64_t physical = everywhere ? guess_vmcoreinfo() : 0;

	if (physical) {
		complain("%s: has no VMCOREINFO note: took the text in its memory at %#llx", source,
			 (unsigned long long)physical);
		add_vmcoreinfo();
	} else {
		complain("%s: has no VMCOREINFO note: the kernel's names are left out", source);
	}
}

static int grab(const struct options *options)
{
	char made[PATH_MAX] = "", path[PATH_MAX + 8] = "";
	const char *how = "by the list of its pages";
	double start = now();
	char *list = NULL;
	struct rusage used;
	uint64_t size;

	if (!open_memory(options->source))
		return FAILED;
	if (options->list)
		list = take_listed(options->list);
	if (!list) {
		how = "by looking at all memory";
		if (!take_scanned()) {
			complain("%s: no recorder with a record in it", options->source);
			return FAILED;
		}
	}
	if (!memory.vmcoreinfo)
		guess(options->source, !list);
	settle(&recorder_plan);
	if (options->kernel)
		take_kernel(!list);
	else
		kernel_plan.nr_runs = 0;
	settle(&kernel_plan);
	if (options->folder && !make_folder(options->folder, made, path))
		return FAILED;
	if (options->output)
		snprintf(path, sizeof(path), "%s", options->output);
	size = write_core(path, list ? list : "lkst-scan 1\n");
	if (!size) {
		if (*made)
			rmdir(made);
		return FAILED;
	}
	getrusage(RUSAGE_SELF, &used);
	printf("lkst-grab: %s: %.1f MiB, %s, %.2f s, %.1f MiB of memory\n", path,
	       (double)size / (1 << 20), how, now() - start, (double)used.ru_maxrss / 1024);
	return DONE;
}

/* Waits for the child; ends it when its time is over. */
static int supervise(pid_t child, long seconds)
{
	struct timespec time = {seconds, 0};
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (double end = now() + (double)seconds;;) {
		if (waitpid(child, &status, WNOHANG) == child) {
			if (WIFEXITED(status))
				return WEXITSTATUS(status);
			complain("ended by signal %d", WTERMSIG(status));
			return FAILED;
		}
		if (seconds && now() >= end)
			break;
		if (seconds) {
			double left = end - now();

			left = left > 0 ? left : 0;
			time.tv_sec = (time_t)left;
			time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
		}
		sigtimedwait(&signals, NULL, seconds ? &time : NULL);
	}
	kill(child, SIGKILL);
	complain("not done after %ld s", seconds);
	return FAILED;
}

static bool parse(int count, char **words, struct options *options)
{
	char *end;
	int option;

	while ((option = getopt(count, words, "i:l:o:d:t:n")) != -1) {
		switch (option) {
		case 'i':
			options->source = optarg;
			break;
		case 'l':
			options->list = optarg;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 'd':
			options->folder = optarg;
			break;
		case 't':
			options->seconds = strtol(optarg, &end, 10);
			if (*end || end == optarg || options->seconds < 0 ||
			    options->seconds > 86400)
				return false;
			break;
		case 'n':
			options->kernel = false;
			break;
		default:
			return false;
		}
	}
	return optind == count && !options->output != !options->folder;
}

int main(int count, char **words)
{
	struct options options = {.source = "/proc/vmcore", .seconds = 20, .kernel = true};
	sigset_t signals;
	pid_t child;

	if (!parse(count, words, &options))
		return usage();
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	child = fork();
	if (child < 0) {
		complain("fork: %s", strerror(errno));
		return FAILED;
	}
	if (!child) {
		int status = grab(&options);

		fflush(NULL);
		_exit(status);
	}
	return supervise(child, options.seconds);
}
