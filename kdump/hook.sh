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

# A file, since a pipe would be held open by a process that cannot be killed.
log=/run/lkst-hook.log
made=/run/lkst-hook.made
(: >"$log") 2>/dev/null || log=/dev/null

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
	"$grab" -t "$seconds" -l "$root$dumps/lkst/pages" -d "$root$dumps" || return
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

"$when" >"$log" 2>&1
cat "$log" 2>/dev/null
[ -c /dev/kmsg ] && cat "$log" >/dev/kmsg 2>/dev/null
exit 0
