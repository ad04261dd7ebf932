# SPDX-License-Identifier: GPL-2.0-or-later
# a writer waits for a frozen file system until the hung task detector panics
sysctl -q kernel.hung_task_timeout_secs=2 kernel.hung_task_check_interval_secs=1
sysctl -q kernel.hung_task_panic=1
fsfreeze --freeze /out
echo stuck >/out/stuck
