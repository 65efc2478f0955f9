#!/bin/sh
# The first process of a hypervisor's namespaces: puts the lab's directories where libvirtd looks for its own,
# then waits and reaps what is left to it. When it is killed, the kernel ends every process in its namespaces.
set -e
# The users and groups of the lab machine, where the hypervisor belongs to one: libvirtd asks who its clients are.
if [ -e "$1/machine-etc" ]; then mount --bind "$1/machine-etc" /etc; fi
for pair in run:/run/libvirt etc:/etc/libvirt lib:/var/lib/libvirt cache:/var/cache/libvirt log:/var/log/libvirt; do
  mkdir -p "${pair#*:}"
  mount --bind "$1/${pair%%:*}" "${pair#*:}"
done
# libvirtd does not start where the user is unknown that Debian builds it for, even if it never uses it; the package
# that makes that user is not needed for anything else.
for file in passwd:libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin group:libvirt-qemu:x:64055:; do
  name=${file%%:*}
  grep -q '^libvirt-qemu:' "/etc/$name" && continue
  { cat "/etc/$name" && echo "${file#*:}"; } >"$1/$name"
  mount --bind "$1/$name" "/etc/$name"
done
# /sys of the new network namespace: libvirtd would ask in vain for the host's network cards.
mount -t sysfs sysfs /sys || true
if [ -d "$1/hugetlbfs" ]; then mount -t hugetlbfs hugetlbfs "$1/hugetlbfs"; fi
ip link set lo up
touch "$1/ready"
while :; do
  sleep 86400 &
  wait
done
