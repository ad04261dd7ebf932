#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# lkst's hook in a kdump service, before the dump and after it. Whatever happens,
# the dump goes on: this ends with status 0, and within some seconds.
#
# Written by "lkst hook install", which fills in the next lines.
when=@WHEN@
grab=@GRAB@
dumps=@DUMPS@
seconds=@SECONDS@

# Files, since a pipe would be held open by a process that cannot be killed.
log=/run/lkst-hook.log
made=/run/lkst-hook.made
finished=/run/lkst-hook.finished

# Find the file system that dumps go to, where the services of the distributions
# mount it in their capture images; the root itself, where they run on it.
find_target() {
	for test in -e -d; do
		for root in "${NEWROOT:-/sysroot}" /kdumproot /kdump/mnt* /sysroot /mnt ""; do
			if [ $test = -e ]; then
				[ -e "$root$dumps/lkst/pages" ] && return 0
			else
				[ -d "$root$dumps" ] && return 0
			fi
		done
	done
	echo "lkst: there is no $dumps in the capture kernel"
	return 1
}

# Save the recorder.
before() {
	find_target || return
	"$grab" -t $((seconds - 1)) -l "$root$dumps/lkst/pages" -d "$root$dumps" || return
	sed -n 's/^lkst-grab: \(.*\/grab\): .*/\1/p' "$log" >"$made"
}

# Put what was saved beside the dump, which lies in the newest folder.
after() {
	[ -s "$made" ] && read -r saved <"$made" && [ -e "$saved" ] || return
	newest=
	for file in "${saved%/lkst-*/grab}"/*/vmcore*; do
		[ -e "$file" ] || continue
		if [ -z "$newest" ] || [ "$file" -nt "$newest" ]; then
			newest=$file
		fi
	done
	[ -n "$newest" ] && [ "$newest" -nt "$saved" ] || return
	mv "$saved" "${newest%/*}/grab" && rmdir "${saved%/*}"
}

if (: >"$log") 2>/dev/null; then
	# Not even a file system that hangs may keep the dump waiting.
	rm -f "$finished"
	{
		"$when" >"$log" 2>&1
		: >"$finished"
	} &
	tenths=0
	while ! [ -e "$finished" ]; do
		if [ $((tenths += 1)) -gt $((10 * seconds)) ]; then
			kill -9 $!
			echo "lkst: the hook was not done after $seconds s" >>"$log"
			break
		fi
		sleep 0.1
	done
	cat "$log"
	[ -c /dev/kmsg ] && cat "$log" >/dev/kmsg 2>/dev/null
else
	"$when"
fi
exit 0
