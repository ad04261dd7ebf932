# SPDX-License-Identifier: GPL-2.0-or-later
# some activity, then sysrq c
for word in one two three; do
	echo "$word" >"/out/$word"
	/bin/true
done
sleep 0.1
echo c >/proc/sysrq-trigger
