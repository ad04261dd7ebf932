# SPDX-License-Identifier: GPL-2.0-or-later
"""
System calls of 32-bit and x32 programs
---------------------------------------

Their numbers are part of the user space interface: arch/x86/entry/syscalls/syscall_32.tbl
and syscall_64.tbl. Since Linux 6.9 (1e3ad78334a6) the kernel has functions instead of tables
for them, so its memory does not show the numbers. From 424 on all architectures have the
same numbers.
"""

from collections.abc import Mapping

__all__ = ("X32_BIT", "i386_names", "x32_name")

#: ``__X32_SYSCALL_BIT`` of arch/x86/include/uapi/asm/unistd.h
X32_BIT = 1 << 30

#: First number that means the same on all architectures.
_COMMON = 424

#: Numbers that only 32-bit programs have; by the first number of a run. "-": no kernel that
#: the recorder runs on has it. "=": 64-bit programs have no call of this name.
_I386 = {
    0: """
        restart_syscall exit fork read write open close =waitpid creat link unlink execve chdir time
        mknod chmod lchown - =oldstat lseek getpid mount =umount setuid getuid =stime ptrace alarm
        =oldfstat pause utime - - access =nice - sync kill rename mkdir rmdir dup pipe times - brk
        setgid getgid =signal geteuid
    """,
    50: """
        getegid acct umount2 - ioctl fcntl - setpgid - =oldolduname umask chroot ustat dup2 getppid
        getpgrp setsid =sigaction =sgetmask =ssetmask setreuid setregid =sigsuspend =sigpending
        sethostname setrlimit getrlimit getrusage gettimeofday settimeofday getgroups setgroups
        select symlink =oldlstat readlink =uselib swapon reboot =readdir mmap munmap truncate
        ftruncate fchmod fchown getpriority setpriority - statfs
    """,
    100: """
        fstatfs ioperm =socketcall syslog setitimer getitimer stat lstat fstat =olduname iopl
        vhangup - - wait4 swapoff sysinfo =ipc fsync =sigreturn clone setdomainname uname modify_ldt
        adjtimex mprotect =sigprocmask - init_module delete_module - quotactl getpgid fchdir - sysfs
        personality - setfsuid setfsgid =_llseek getdents =_newselect flock msync readv writev
        getsid fdatasync -
    """,
    150: """
        mlock munlock mlockall munlockall sched_setparam sched_getparam sched_setscheduler
        sched_getscheduler sched_yield sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval nanosleep mremap setresuid getresuid - - poll - setresgid getresgid
        prctl rt_sigreturn rt_sigaction rt_sigprocmask rt_sigpending rt_sigtimedwait rt_sigqueueinfo
        rt_sigsuspend pread64 pwrite64 chown getcwd capget capset sigaltstack sendfile - - vfork
        =ugetrlimit =mmap2 =truncate64 =ftruncate64 =stat64 =lstat64 =fstat64 =lchown32 =getuid32
    """,
    200: """
        =getgid32 =geteuid32 =getegid32 =setreuid32 =setregid32 =getgroups32 =setgroups32 =fchown32
        =setresuid32 =getresuid32 =setresgid32 =getresgid32 =chown32 =setuid32 =setgid32 =setfsuid32
        =setfsgid32 pivot_root mincore madvise getdents64 =fcntl64 - - gettid readahead setxattr
        lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr
        lremovexattr fremovexattr tkill =sendfile64 futex sched_setaffinity sched_getaffinity
        =set_thread_area =get_thread_area io_setup io_destroy io_getevents io_submit io_cancel
    """,
    250: """
        fadvise64 - exit_group lookup_dcookie epoll_create epoll_ctl epoll_wait remap_file_pages
        set_tid_address timer_create timer_settime timer_gettime timer_getoverrun timer_delete
        clock_settime clock_gettime clock_getres clock_nanosleep =statfs64 =fstatfs64 tgkill utimes
        =fadvise64_64 - mbind get_mempolicy set_mempolicy mq_open mq_unlink mq_timedsend
        mq_timedreceive mq_notify mq_getsetattr kexec_load waitid - add_key request_key keyctl
        ioprio_set ioprio_get inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat
        mkdirat mknodat fchownat futimesat
    """,
    300: """
        =fstatat64 unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll
        unshare set_robust_list get_robust_list splice sync_file_range tee vmsplice move_pages
        getcpu epoll_pwait utimensat signalfd timerfd_create eventfd fallocate timerfd_settime
        timerfd_gettime signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv pwritev
        rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64
        name_to_handle_at open_by_handle_at clock_adjtime syncfs sendmmsg setns process_vm_readv
        process_vm_writev kcmp
    """,
    350: """
        finit_module sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create bpf
        execveat socket socketpair bind connect listen accept4 getsockopt setsockopt getsockname
        getpeername sendto sendmsg recvfrom recvmsg shutdown userfaultfd membarrier mlock2
        copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx arch_prctl
        io_pgetevents rseq - - - - - - semget semctl shmget shmctl shmat shmdt msgget
    """,
    400: """
        msgsnd msgrcv msgctl =clock_gettime64 =clock_settime64 =clock_adjtime64 =clock_getres_time64
        =clock_nanosleep_time64 =timer_gettime64 =timer_settime64 =timerfd_gettime64
        =timerfd_settime64 =utimensat_time64 =pselect6_time64 =ppoll_time64 - =io_pgetevents_time64
        =recvmmsg_time64 =mq_timedsend_time64 =mq_timedreceive_time64 =semtimedop_time64
        =rt_sigtimedwait_time64 =futex_time64 =sched_rr_get_interval_time64
    """,
}

#: First number that only x32 programs have, and the names from there on.
_X32_FIRST = 512
_X32 = """
    rt_sigaction rt_sigreturn ioctl readv writev recvfrom sendmsg recvmsg execve ptrace
    rt_sigpending rt_sigtimedwait rt_sigqueueinfo sigaltstack timer_create mq_notify kexec_load
    waitid set_robust_list get_robust_list vmsplice move_pages preadv pwritev rt_tgsigqueueinfo
    recvmmsg sendmmsg process_vm_readv process_vm_writev setsockopt getsockopt io_setup
    io_submit execveat preadv2 pwritev2
""".split()

#: Numbers below that which x32 programs do not have: ABI "64" of syscall_64.tbl
_NO_X32 = frozenset(
    map(
        int,
        """
        13 15 16 19 20 45 46 47 54 55 59 101 127 128 129 131 134 156 174 177 178 180 205 206 209 211
        214 215 222 236 244 246 247 273 274 278 279 295 296 297 299 307 310 311 322 327 328 335 336
        453
        """.split(),
    )
)


def i386_names(native: Mapping[int, str]) -> dict[int, str]:
    """
    Name the system calls of 32-bit programs.

    A call that 64-bit programs have too stays out if this kernel does not have it.

    :param native: names of the kernel's system calls of 64-bit programs, by number; empty:
        they are not known
    """
    known = set(native.values())
    names = {number: name for number, name in native.items() if number >= _COMMON}
    for first, text in _I386.items():
        for number, word in enumerate(text.split(), first):
            name = word.removeprefix("=")
            if word != "-" and (name != word or name in known or not known):
                names[number] = name
    return names


def x32_name(number: int, native: Mapping[int, str]) -> str | None:
    """
    Name a system call of the x32 ABI.

    :param number: without :data:`X32_BIT`
    :param native: as :func:`i386_names` takes them
    """
    special = number - _X32_FIRST
    if 0 <= special < len(_X32):
        name = _X32[special]
        return name if name in native.values() or not native else None
    return None if number in _NO_X32 else native.get(number)
