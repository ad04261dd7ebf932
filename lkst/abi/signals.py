# SPDX-License-Identifier: GPL-2.0-or-later
"""
Signals
-------

Names of signals and of their si_code, part of the user space interface:
arch/x86/include/uapi/asm/signal.h, include/uapi/asm-generic/siginfo.h.
"""

__all__ = ("code_name", "signal_name")

_SIGNALS = (
    "0 HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT"
    " STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS"
).split()
# The C library keeps 32 and 33 to itself.
_SIGRTMIN, _SIGRTMAX = 34, 64

_CODES = {
    0x80: "SI_KERNEL",
    0: "SI_USER",
    -1: "SI_QUEUE",
    -2: "SI_TIMER",
    -3: "SI_MESGQ",
    -4: "SI_ASYNCIO",
    -5: "SI_SIGIO",
    -6: "SI_TKILL",
    -7: "SI_DETHREAD",
    -60: "SI_ASYNCNL",
}

# From 1 on, by the name of the signal.
_OWN_CODES = {
    "SIGILL": "ILL ILLOPC ILLOPN ILLADR ILLTRP PRVOPC PRVREG COPROC BADSTK BADIADDR",
    "SIGFPE": "FPE INTDIV INTOVF FLTDIV FLTOVF FLTUND FLTRES FLTINV FLTSUB",
    "SIGSEGV": "SEGV MAPERR ACCERR BNDERR PKUERR ACCADI ADIDERR ADIPERR MTEAERR MTESERR CPERR",
    "SIGBUS": "BUS ADRALN ADRERR OBJERR MCEERR_AR MCEERR_AO",
    "SIGTRAP": "TRAP BRKPT TRACE BRANCH HWBKPT UNK PERF",
    "SIGCHLD": "CLD EXITED KILLED DUMPED TRAPPED STOPPED CONTINUED",
    "SIGIO": "POLL IN OUT MSG ERR PRI HUP",
    "SIGSYS": "SYS SECCOMP USER_DISPATCH",
}


def signal_name(signal: int) -> str | int:
    """Name a signal, or give it back."""
    if 0 < signal < len(_SIGNALS):
        return "SIG" + _SIGNALS[signal]
    if not _SIGRTMIN <= signal <= _SIGRTMAX:
        return signal
    return f"SIGRTMIN+{signal - _SIGRTMIN}" if signal > _SIGRTMIN else "SIGRTMIN"


def code_name(signal: int, code: int) -> str | int:
    """
    Name what sent a signal, or give its code back.

    :param signal: 0 if it is not known
    :param code: ``si_code``
    """
    if code in _CODES:
        return _CODES[code]
    prefix, *names = _OWN_CODES.get(str(signal_name(signal)), "-").split()
    return f"{prefix}_{names[code - 1]}" if 0 < code <= len(names) else code
