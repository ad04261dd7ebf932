// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command "lkst" of crash(8): replays what a recorder has left in the memory that
 * crash has open. All of it is done by a Python process, which gets memory from here.
 */
#define _GNU_SOURCE
#include <defs.h>

#include <sys/socket.h>

#include "lkst.h"

/* The exit status of wrong usage. Scripts may mean other things by it. */
#define USAGE 2

/* Runs as long as crash does, and keeps what it has read. */
static struct lkst_child resident = LKST_NO_CHILD;

/* Where error messages go: as crash's own do, with "set error". */
static int error_fd(int output)
{
	bool file = !STREQ(pc->error_path, "default") && !STREQ(pc->error_path, "redirect");

	if (!file && (pc->stdpipe || STREQ(pc->error_path, "redirect")))
		return output;
	return fileno(pc->error_fp ? pc->error_fp : stdout);
}

static char *join_words(size_t *size)
{
	char *words = NULL;
	FILE *stream = open_memstream(&words, size);

	if (!stream)
		return NULL;
	for (int i = 1; i < argcnt; i++)
		fprintf(stream, "%s%c", args[i], '\0');
	if (fclose(stream)) {
		free(words);
		return NULL;
	}
	return words;
}

/* Ends crash's pager, which would want the terminal, too. */
static void leave_pager(void)
{
	if (!pc->stdpipe)
		return;
	close(fileno(pc->stdpipe));
	pc->stdpipe = NULL;
	if (pc->stdpipe_pid)
		waitpid(pc->stdpipe_pid, NULL, 0);
	pc->stdpipe_pid = 0;
	pc->redirect &= ~(REDIRECT_TO_STDPIPE | REDIRECT_PID_KNOWN);
	fp = stdout;
}

/* Whether "lkst sql" has options only, and the query is still to be asked for. */
static bool lacks_query(void)
{
	static const char *const with_value[] = {"--format", "-o", "--output"};
	static const char *const no_query[] = {"--schema", "--help", "-h"};

	for (int i = 2; i < argcnt; i++) {
		if (args[i][0] != '-')
			return false;
		for (size_t k = 0; k < sizeof(no_query) / sizeof(*no_query); k++)
			if (STREQ(args[i], no_query[k]))
				return false;
		for (size_t k = 0; k < sizeof(with_value) / sizeof(*with_value); k++)
			if (STREQ(args[i], with_value[k])) {
				i++;
				break;
			}
	}
	return true;
}

/* Whether a command can ask at the terminal. crash's pager does not count: it is left. */
static bool can_ask(void)
{
	return isatty(0) && isatty(1) && (fp == stdout || fp == pc->stdpipe);
}

static void tell_died(const struct lkst_child *child)
{
	if (child->greeted)
		error(INFO, "the Python process died before it was done\n");
	else
		error(INFO, "Python has not answered: install Python 3.11 and LKST, or name an "
			    "interpreter that has it in LKST_PYTHON\n");
}

/* Returns the exit status, or LKST_DIED; frees the words. */
static int run(struct lkst_child *child, char *words, size_t size)
{
	int output = fileno(fp), status = LKST_DIED;
	int input = child->alone && isatty(0) ? dup(0) : open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int stdio[3] = {input, output, error_fd(output)};

	fflush(fp);
	fflush(stdout);
	if (!lkst_alive(child))
		lkst_end(child);
	if (child->socket < 0 && !lkst_start(child, stdio)) {
		error(INFO, "cannot start a process: %s\n", strerror(errno));
		status = 1;
	} else {
		status = lkst_serve(child, words, size, child->alone ? NULL : stdio);
		if (status == LKST_DIED && (!lkst_interrupts() || child->prompt))
			tell_died(child);
	}
	if (child->alone || status == LKST_DIED)
		lkst_end(child);
	if (input >= 0)
		close(input);
	free(words);
	return status;
}

static void cmd_lkst(void)
{
	struct lkst_child own = {.socket = -1, .pidfd = -1, .alone = true};
	struct sigaction before;
	bool drgn = argcnt > 1 && STREQ(args[1], "drgn");
	bool sql = argcnt > 1 && STREQ(args[1], "sql") && lacks_query() && can_ask();
	bool prompt = sql || (drgn && argcnt == 2);
	struct termios terminal;
	bool have_terminal;
	char *words;
	size_t size;
	int status;

	if (argcnt < 2)
		cmd_usage(pc->curcmd, SYNOPSIS);
	if (prompt && !can_ask())
		error(FATAL, "drgn's prompt needs a terminal; lkst drgn SCRIPT does not\n");
	own.prompt = prompt;
	if (prompt)
		leave_pager();
	words = join_words(&size);
	if (!words)
		error(FATAL, "out of memory\n");

	have_terminal = tcgetattr(0, &terminal) == 0;
	/* crash's own handler would jump out of this function. */
	lkst_count_interrupts(&before);
	status = run(drgn || sql ? &own : &resident, words, size);
	sigaction(SIGINT, &before, NULL);
	if (have_terminal && (drgn || sql))
		tcsetattr(0, TCSADRAIN, &terminal);

	if (lkst_interrupts() && !prompt)
		raise(SIGINT);
	else if (status == USAGE && !drgn)
		cmd_usage(pc->curcmd, SYNOPSIS);
}

static char *help_lkst[] = {
	"lkst",
	"replay the kernel's events up to the panic",
	"COMMAND [ARGUMENT ...]\n"
	"  lkst drgn [SCRIPT [ARGUMENT ...]]",
	"  This command shows what a recorder of the Linux Kernel State Tracer has left in",
	"  memory: the newest events of each CPU. The words are those of the program lkst,",
	"  without SOURCE, which is the dump or the live system of this session.",
	" ",
	"    list     which recorders there are, and per CPU: records, time span, loss.",
	"    replay   the sequence of events up to the panic.",
	"    state    what every CPU and task was in the middle of, and what looks wrong.",
	"    counts   what was counted instead of recorded.",
	"    measure  what was slow, how often, and when.",
	"    sql      anything, asked for in SQL; without a query it asks at a terminal.",
	"    report   write an HTML page with a timeline.",
	"    events   which events there are, and their fields.",
	"    save     keep the trace in a file.",
	"    slice    cut out the smallest vmcore that still replays.",
	"    drgn     start drgn on the memory that crash has open, or run a script in it;",
	"             \"prog\" is the program.",
	" ",
	"  \"lkst --help\" shows all commands, \"lkst replay --help\" the options of one.",
	" ",
	"  The work is done by a Python process, which is started for the first command and",
	"  ends with crash. The environment variable LKST_PYTHON names the interpreter that",
	"  has LKST installed.",
	"\nEXAMPLES",
	"  Show the last 5 events:\n",
	"    crash> lkst replay --last 5",
	" ",
	"  Show switches and wakeups of CPU 1 in the last 10 milliseconds before the panic:\n",
	"    crash> lkst replay --cpu 1 --event sched_switch,sched_wakeup --since -0.01s",
	" ",
	"  Count the system calls of a task:\n",
	"    crash> lkst replay --comm mysqld --event sys_enter | wc -l",
	" ",
	"  Keep the trace, for use without the dump:\n",
	"    crash> lkst save -o /tmp/panic.lkst",
	" ",
	"  Run a drgn script on this dump:\n",
	"    crash> lkst drgn tasks.py --sort pid",
	NULL,
};

static struct command_table_entry commands[] = {
	{"lkst", cmd_lkst, help_lkst, 0},
	{NULL},
};

__attribute__((constructor)) static void load(void)
{
	register_extension(commands);
}

__attribute__((destructor)) static void unload(void)
{
	lkst_end(&resident);
}
