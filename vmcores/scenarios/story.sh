# SPDX-License-Identifier: GPL-2.0-or-later
# a known sequence of events, logged in /out/story.json, then sysrq c
python3 /lab/scenarios/story.py || exit
[ ! -e /var/crash/lkst/pages ] || cp /var/crash/lkst/pages /out/pages
echo c >/proc/sysrq-trigger
