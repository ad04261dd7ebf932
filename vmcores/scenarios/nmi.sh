# SPDX-License-Identifier: GPL-2.0-or-later
# a non-maskable interrupt hits a busy machine, with kernel.unknown_nmi_panic
sysctl -q kernel.unknown_nmi_panic=1
while :; do :; done &
lab nmi
sleep 60
