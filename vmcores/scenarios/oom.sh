# SPDX-License-Identifier: GPL-2.0-or-later
# memory runs out under a greedy process, with vm.panic_on_oom
sysctl -q vm.panic_on_oom=2
exec python3 -c '
hoard = []
while True:
    hoard.append(b"x" * (1 << 20))
'
