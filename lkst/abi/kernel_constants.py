# SPDX-License-Identifier: GPL-2.0-or-later
"""
Constants of the kernel
-----------------------

Names of numbers that belong to the kernel's user space interface, or are the same in all
kernels on which the recorder runs. Printing and parsing both use them.
"""

import errno

__all__ = (
    "ADDRESS_FAMILIES",
    "BLK_STATUS",
    "ERRNOS",
    "ETHERTYPES",
    "IPC_KINDS",
    "LOCK_FLAGS",
    "PF_FLAGS",
    "REQ_OPS",
    "SIGNED",
    "SIG_RESULTS",
    "SOFTIRQS",
    "STATE_LETTERS",
    "TASK_DEAD",
    "TASK_FROZEN",
    "TASK_IDLE",
    "TASK_PREEMPTED",
    "TASK_RTLOCK_WAIT",
    "TASK_UNINTERRUPTIBLE",
    "TCP_STATES",
)

#: Types of fields whose numbers have a sign: ``recorder/types.h``
SIGNED = {"s8", "s16", "s32", "s64", "ret", "errno", "sig_code", "cpuhp_state"}

# include/trace/events/signal.h
SIG_RESULTS = ("delivered", "ignored", "already_pending", "overflow_fail", "lose_info")

SOFTIRQS = "HI TIMER NET_TX NET_RX BLOCK IRQ_POLL TASKLET SCHED HRTIMER RCU".split()

# Where one number has two names, the kernel's; then include/linux/errno.h.
ERRNOS = dict(errno.errorcode) | {
    11: "EAGAIN",
    35: "EDEADLK",
    95: "EOPNOTSUPP",
    512: "ERESTARTSYS",
    513: "ERESTARTNOINTR",
    514: "ERESTARTNOHAND",
    515: "ENOIOCTLCMD",
    516: "ERESTART_RESTARTBLOCK",
    517: "EPROBE_DEFER",
    518: "EOPENSTALE",
    519: "ENOPARAM",
    521: "EBADHANDLE",
    522: "ENOTSYNC",
    523: "EBADCOOKIE",
    524: "ENOTSUPP",
    525: "ETOOSMALL",
    526: "ESERVERFAULT",
    527: "EBADTYPE",
    528: "EJUKEBOX",
    529: "EIOCBQUEUED",
    530: "ERECALLCONFLICT",
}

# include/linux/sched.h: the bits that have a letter, from the right
STATE_LETTERS = "RSDTtXZP"
TASK_UNINTERRUPTIBLE = 0x2
TASK_DEAD = 0x80
TASK_IDLE = 0x402  # uninterruptible, does not count as load
TASK_RTLOCK_WAIT, TASK_FROZEN = 0x1000, 0x8000
TASK_PREEMPTED = 1 << 31  # the recorder's own: include/linux/sched.h has no such bit

# enum x86_pf_error_code; bits 0 to 4 have their own words
PF_FLAGS = (
    (1 << 3, "rsvd"),
    (1 << 5, "pk"),
    (1 << 6, "shstk"),
    (1 << 15, "sgx"),
    (1 << 31, "rmp"),
)

# enum req_op; the operations on zones have had other numbers
REQ_OPS = {
    0: "READ",
    1: "WRITE",
    2: "FLUSH",
    3: "DISCARD",
    5: "SECURE_ERASE",
    9: "WRITE_ZEROES",
    34: "DRV_IN",
    35: "DRV_OUT",
}

# include/linux/blk_types.h; 14 to 18 have had other meanings
BLK_STATUS = dict(
    enumerate(
        "OK NOTSUPP TIMEOUT NOSPC TRANSPORT TARGET RESV_CONFLICT MEDIUM PROTECTION RESOURCE"
        " IOERR DM_REQUEUE AGAIN DEV_RESOURCE".split()
    )
) | {19: "INVAL"}

# include/uapi/linux/if_ether.h
ETHERTYPES = {
    0x0800: "IPv4",
    0x0806: "ARP",
    0x8035: "RARP",
    0x8100: "802.1Q",
    0x86DD: "IPv6",
    0x8809: "SLOW",
    0x8847: "MPLS",
    0x8863: "PPPoE_DISC",
    0x8864: "PPPoE",
    0x888E: "EAPOL",
    0x88A8: "802.1ad",
    0x88CC: "LLDP",
    0x88F7: "PTP",
}

# LCB_F_* of include/trace/events/lock.h
LOCK_FLAGS = tuple(
    (1 << bit, name) for bit, name in enumerate("spin read write rt percpu mutex".split())
)

# include/net/tcp_states.h
TCP_STATES = (
    "0 ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK"
    " LISTEN CLOSING NEW_SYN_RECV BOUND_INACTIVE"
).split()

# include/linux/socket.h: families that the events record
ADDRESS_FAMILIES = {2: "INET", 10: "INET6"}

# IPC_*_IDS of ipc/util.h
IPC_KINDS = ("sem", "msg", "shm")
