# SPDX-License-Identifier: GPL-2.0-or-later
"""
Tracepoints that must not be enabled
------------------------------------

Until Linux 6.13 a tracepoint could be called in a form for CPUs that RCU does not watch
(``trace_NAME_rcuidle()``). That form uses SRCU, which must not be used in an NMI: a call from
an NMI is a WARN (``__DO_TRACE()`` in include/linux/tracepoint.h), and with
``kernel.panic_on_warn`` the end of the machine. It is the caller that warns, before any
program runs, so the only remedy is to leave such a tracepoint disabled.
"""

from lkst.bpf import btf

__all__ = ("is_unsafe",)

#: Tracepoints that some kernels call in that form from NMIs. A printk in an NMI calls this one:
#: ``printk_sprint()`` in kernel/printk/printk.c until 6.3. All others that had the form were
#: called with a check for NMIs (kernel/trace/trace_preemptirq.c), or from code that no NMI runs.
_CALLED_IN_NMIS = frozenset({"console"})


def is_unsafe(tracepoint: str) -> bool:
    """
    Return whether enabling a tracepoint may make the running kernel warn.

    The form went before ``struct tracepoint_ext`` came, both in 6.13, so a kernel that has the
    struct does not have the form. A kernel without it may or may not call the tracepoint in that
    form: its BTF does not say so.
    """
    if tracepoint not in _CALLED_IN_NMIS:
        return False
    with btf.open_btf() as types:
        return not types.find("tracepoint_ext", btf.STRUCT)
