#!/bin/bash
# Process 1 of a hypervisor host of the tests, in namespaces of its own: file systems, network, daemons; then it reaps.
# Its end is the host's power loss. Arguments: the host's directory, its name, its address with prefix length.
set -eu
home=$1 name=$2 address=$3

mount --make-rprivate /
hostname "$name"
mount --bind "$home/hosts" /etc/hosts
for place in etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt; do
    mount --bind "$home/$place" "/$place"
done
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock
# Both show the namespaces of the process that mounts them, and libvirt looks for interfaces and processes there.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
# Guests of two hosts may have the same name: each host sees nothing but its own control groups.
mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
for controller in cpu cpuacct; do
    mkdir "/sys/fs/cgroup/$controller"
    mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" || rmdir "/sys/fs/cgroup/$controller"
done

until [ -e /sys/class/net/eth0 ]; do sleep 0.05; done
ip link set lo up
ip address add "$address" dev eth0
ip link set eth0 up

virtlogd -d
libvirtd -d --listen
until virsh -q -c qemu:///system net-info default >/dev/null 2>&1; do sleep 0.1; done
touch "$home/ready"
while :; do sleep 3600 & wait $! || true; done
