// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The recorder's programs, one file for each group of categories. They make one
 * object, so that all share the maps and the constants.
 */
#include "record.h"

char _license[] SEC("license") = "GPL";

#include "catalogue.bpf.c"
#include "sched.bpf.c"
#include "wait.bpf.c"
#include "irq.bpf.c"
#include "syscall.bpf.c"
#include "ipc.bpf.c"
#include "memory.bpf.c"
#include "block.bpf.c"
#include "net.bpf.c"
#include "lock.bpf.c"
#include "console.bpf.c"
#include "delay.bpf.c"
#include "clock.bpf.c"
#include "control.bpf.c"
