// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls by all entries that a program can take: built with -m32, int 0x80 and the
 * vDSO's (SYSENTER or SYSCALL); built for 64 bits, int 0x80, SYSCALL and the x32 ABI.
 * Without a C library, which need not be there for 32 bits.
 */
typedef unsigned long word;

static long int80(word nr, word a, word b, word c, word d)
{
	long ret;

	/* The kernel saves them, but does not give them to 32-bit calls. */
	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d)
		     : "memory"
#ifdef __x86_64__
		       ,
		       "r8", "r9", "r10", "r11"
#endif
	);
	return ret;
}

static void calls(long (*call)(word, word, word, word, word))
{
	call(60, 022, 0, 0, 0);		 /* umask */
	call(140, -1, 0x11, 0x22, 0x33); /* _llseek */
	call(6, -1, 0, 0, 0);		 /* close */
	call(192, 0, 0x1234000, 0, 0);	 /* mmap2 */
	call(403, 1, 0, 0, 0);		 /* clock_gettime64 */
	call(437, -1, 0x10, 0x20, 0x30); /* openat2 */
	call(9999, 1, 2, 3, 4);
}

#ifdef __x86_64__
static long syscall64(word nr, word a, word b, word c, word d)
{
	register word r10 asm("r10") = d;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10)
		     : "rcx", "r11", "memory");
	return ret;
}

/* What the kernel must not look at is in the upper halves. */
static long int80_of_64(word nr, word a, word b, word c, word d)
{
	const word upper = 0xdead00000000;

	return int80(nr, a | upper, b | upper, c | upper, d | upper);
}

void _start(void)
{
	const word x32 = 0x40000000;

	calls(int80_of_64);
	syscall64(95, 022, 0, 0, 0);		      /* umask */
	syscall64((1UL << 32) | 95, 023, 0, 0, 0);    /* the same */
	syscall64(x32 | 95, 024, 0, 0, 0);	      /* umask */
	syscall64(x32 | 514, -1, 0x5401, 0x22, 0x33); /* ioctl */
	syscall64(x32 | 16, 0, 0, 0, 0);	      /* ioctl, but not of x32 */
	syscall64(x32 | 9999, 0, 0, 0, 0);
	syscall64(514, 0, 0, 0, 0);
	syscall64(-1, 0, 0, 0, 0);
	syscall64(231, 0, 0, 0, 0); /* exit_group */
}
#else
static word vsyscall;

static long fast(word nr, word a, word b, word c, word d)
{
	long ret;

	asm volatile("call *%5"
		     : "=a"(ret)
		     : "a"(nr), "b"(a), "c"(b), "d"(c), "m"(vsyscall), "S"(d)
		     : "memory");
	return ret;
}

void start(word *stack)
{
	/* Arguments, environment, then pairs: AT_SYSINFO is 32. */
	word *at = stack + 1 + stack[0] + 1;

	while (*at++)
		;
	for (; at[0]; at += 2)
		if (at[0] == 32)
			vsyscall = at[1];
	calls(int80);
	calls(fast);
	int80(252, 0, 0, 0, 0); /* exit_group */
}

asm(".globl _start\n_start: push %esp\ncall start\n");
#endif
