#!/bin/sh
# The only init of a small host: a volume group on its disk, and libvirtd for whoever connects.
/bin/busybox --install -s /bin 2>/dev/null
export PATH=/usr/sbin:/usr/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t devpts devpts /dev/pts
exec >/dev/ttyS0 2>&1 </dev/ttyS0

for module in /lib/modules/*; do
    case $module in
    *.xz) unxz -c "$module" >/tmp/module.ko; insmod /tmp/module.ko ;;
    *) insmod "$module" ;;
    esac
done
hostname lvmhost
ifconfig lo 127.0.0.1
ifconfig eth0 10.0.2.15 netmask 255.255.255.0

lvm pvcreate -q /dev/vda
lvm vgcreate -q cimi /dev/vda
while true; do
    libvirtd --listen
    sleep 1
done
