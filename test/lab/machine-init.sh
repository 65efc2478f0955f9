#!/bin/sh
# The first process of a lab machine's namespaces: builds a file system of the machine's own from the programs of this
# one, makes it the root and becomes systemd. What is in /etc, and what else is to be seen, comes from the lab's directory.
set -e
lab=$1
if [ "$2" != in-group ]; then
  # The roots that the machine sees are the groups that this process is in when it gets a namespace for them.
  while read -r group _; do echo 0 >"$group/cgroup.procs"; done <"$lab/control-groups"
  exec unshare --cgroup sh "$0" "$lab" in-group
fi

root=$lab/root
mount -t tmpfs -o mode=755 tmpfs "$root"
cd "$root"
mkdir -p dev etc old proc root run sys tmp usr var/lib var/log var/tmp .usr/upper .usr/work
chmod 700 root
chmod 1777 tmp var/tmp
ln -s ../run var/run
ln -s ../run/lock var/lock
for link in bin sbin lib lib32 lib64 libx32; do
  if [ -L "/$link" ]; then cp -P "/$link" .; fi
done
mount -t overlay -o "lowerdir=/usr,upperdir=$root/.usr/upper,workdir=$root/.usr/work" overlay usr
mount -t tmpfs -o mode=755 tmpfs usr/local
mount --bind "$lab/etc" etc
mount -t tmpfs -o mode=755 tmpfs run
mkdir -m 1777 run/lock

# Nothing in here may turn the knobs of the kernel, which is the real machine's.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
for node in null zero full random urandom tty; do
  touch "dev/$node"
  mount --bind "/dev/$node" "dev/$node"
done
ln -s /proc/self/fd dev/fd

while read -r _ point type options; do
  if [ "$point" != /sys/fs/cgroup ] && ! mountpoint -q sys/fs/cgroup; then
    mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
  fi
  mkdir -p ".$point"
  mount -t "$type" -o "$options" "$type" ".$point"
done <"$lab/control-groups"

while read -r source target; do
  if [ -d "$source" ]; then mkdir -p ".$target"; else mkdir -p ".${target%/*}" && touch ".$target"; fi
  mount --bind "$source" ".$target"
  mount -o remount,bind,ro ".$target"
done <"$lab/binds"

while read -r source target; do
  mkdir -p ".$target"
  mount --bind "$source" ".$target"
done <"$lab/writable-binds"
chroot . sh -eu <"$lab/at-boot"

pivot_root . old
umount -l /old
rmdir /old
# As on a machine that systemd itself has started: what the admin mounts later is seen by services too.
mount --make-rshared /
hostname lab-machine
exec env -i container=dimmer-lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  SYSTEMD_UNIT_PATH=/etc/systemd/system:/etc/systemd/lab SYSTEMD_GENERATOR_PATH= \
  /lib/systemd/systemd --system --unit=multi-user.target --log-target=journal --show-status=no
