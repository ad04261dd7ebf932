# SPDX-License-Identifier: GPL-2.0-or-later
# the device under a file system answers no more: hung task
. /lab/scenarios/common
modprobe loop
modprobe dm-delay
truncate -s 32M /dev/shm/disk
losetup /dev/loop0 /dev/shm/disk
mkfs.ext4 -q /dev/loop0
size=$(blockdev --getsz /dev/loop0)
dmsetup create --noudevsync dead --table "0 $size linear /dev/loop0 0"
dmsetup mknodes --noudevsync
mount /dev/mapper/dead /mnt
echo works >/mnt/file
sync
dmsetup suspend --nolockfs --noudevsync dead
# Nothing comes back for a day.
dmsetup reload --noudevsync dead --table "0 $size delay /dev/loop0 0 86400000"
dmsetup resume --noudevsync dead
panic_on_hung_task
bystanders
sleep 1
truth device=dm-0,"$(cat /sys/block/dm-0/dev)"
named writer 'echo more >/mnt/other; sync /mnt/other'
