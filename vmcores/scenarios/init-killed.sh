# SPDX-License-Identifier: GPL-2.0-or-later
# process 1 dies of an illegal instruction
#
# Signals from user space cannot kill it, so the code that it returns to from
# its wait for this script is overwritten. Newer kernels let only a tracer do
# that; the end of this program ends the tracing.
. /lab/scenarios/common
bystanders
sleep 1
truth task=meddler
exec python3 - <<'PROGRAM'
import ctypes
import os

PTRACE_ATTACH = 16
with open("/proc/self/comm", "w") as comm:
    comm.write("meddler")
libc = ctypes.CDLL(None, use_errno=True)

with open("/proc/1/syscall") as file:
    program_counter = int(file.read().split()[-1], 16)
if libc.ptrace(PTRACE_ATTACH, 1, None, None) != 0:
    raise OSError(ctypes.get_errno(), "ptrace")
os.waitpid(1, 0)
with open("/proc/1/mem", "r+b", buffering=0) as memory:
    memory.seek(program_counter)
    memory.write(b"\x0f\x0b")  # ud2
PROGRAM
