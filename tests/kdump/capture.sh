# SPDX-License-Identifier: GPL-2.0-or-later
# Runs in the capture kernel, before the dump: the hooks in a capture image that has
# what those of the distributions have (a shell, few programs, no Python, the target
# mounted somewhere), and what can go wrong there.
out=/dump/out
image=/run/image
list=/var/crash/lkst/pages

mkdir -p $image/bin $image/usr/local/lib/lkst $image/proc $image/dev $image/run
for name in sh cat sed mv rm rmdir sleep; do
	program=$(readlink -f "$(command -v $name)")
	cp "$program" $image/bin/$name
	for library in $(ldd "$program" | grep -o '/[^ ]*'); do
		mkdir -p $image/"${library%/*}"
		cp "$library" $image/"$library"
	done
done
cp /lab/project/lkst/hook/lkst-grab $image/usr/local/lib/lkst/
cp /lab/files/* $image/
mount -t proc proc $image/proc
mount --bind /dev $image/dev
mount -t tmpfs tmpfs $image/run

# target NAME SIZE FOLDER: an empty file system for dumps, mounted in the image.
target() {
	place=$image$3
	mkdir -p "$place"
	mount -t tmpfs -o "size=$2" tmpfs "$place"
	mkdir -p "$place/var/crash/lkst"
	cp $list "$place/var/crash/lkst/"
}

# run NAME HOOK [VARIABLE=VALUE...]: a hook as a service calls it.
run() {
	name=$1 hook=$2
	shift 2
	start=$(date +%s)
	env -i PATH=/usr/sbin:/bin "$@" chroot $image /bin/sh /"$hook" >$out/"$name.said" 2>&1
	echo $? >$out/"$name.status"
	echo $(($(date +%s) - start)) >$out/"$name.seconds"
	(cd "$place" && find . -type f) >$out/"$name.files"
}

# keep NAME: what the hook has saved.
keep() {
	mkdir -p $out/saved
	cp "$place"/var/crash/$1 $out/saved/"$2"
}

# The root's file system is the target, at $NEWROOT; the dump's folder has an address and a date.
target fedora 60m /sysroot
run fedora-before before.sh NEWROOT=/sysroot
mkdir "$place/var/crash/127.0.0.1-2026-01-01-00:00:00"
sleep 1
echo dump >"$place/var/crash/127.0.0.1-2026-01-01-00:00:00/vmcore"
run fedora-after after.sh NEWROOT=/sysroot
keep '127*/grab' fedora
umount "$place"

target suse 60m /kdump/mnt0
run suse-before before.sh
keep 'lkst-*/grab' suse
umount "$place"

# Too small for the dump, large enough for the grab.
target dump-fails 24m /sysroot
run dump-fails before.sh
makedumpfile -c -d 31 /proc/vmcore "$place/var/crash/vmcore" >$out/makedumpfile.said 2>&1
echo $? >$out/makedumpfile.status
keep 'lkst-*/grab' dump-fails
umount "$place"

target full 64k /sysroot
run full before.sh
umount "$place"

target read-only 60m /sysroot
mount -o remount,ro "$place"
run read-only before.sh
umount "$place"

target no-list 60m /sysroot
rm "$place"$list
run no-list before.sh
keep 'lkst-*/grab' no-list
umount "$place"

target wrong-list 60m /sysroot
head -c 100000 /dev/urandom >"$place"$list
run wrong-list before.sh
keep 'lkst-*/grab' wrong-list
umount "$place"

# A read of a pipe that nobody writes to never ends.
target hang 60m /sysroot
rm "$place"$list
mkfifo "$place"$list
sed 's/^seconds=.*/seconds=3/' $image/before.sh >$image/impatient.sh
run hang impatient.sh
umount "$place"

target no-dumps 60m /sysroot
rm -r "$place/var"
run no-dumps before.sh
umount "$place"

target no-program 60m /sysroot
mv $image/usr/local/lib/lkst/lkst-grab $image/
run no-program before.sh
mv $image/lkst-grab $image/usr/local/lib/lkst/
umount "$place"

# What hangs in the hook itself, which nothing can keep from hanging.
target stuck 60m /sysroot
mv $image/usr/local/lib/lkst/lkst-grab $image/
printf '#!/bin/sh\nsleep 60\n' >$image/usr/local/lib/lkst/lkst-grab
chmod +x $image/usr/local/lib/lkst/lkst-grab
run stuck impatient.sh
mv $image/lkst-grab $image/usr/local/lib/lkst/
umount -l "$place"

target no-run 60m /sysroot
umount $image/run
mount --bind -o ro / $image/run
run no-run before.sh
umount $image/run
umount "$place"
umount $image/dev $image/proc
