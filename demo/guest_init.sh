#!/bin/sh
# The guest's only init: modules, network, seed, power button, a shell on the serial console.
/bin/busybox mkdir -p /bin /sbin
/bin/busybox --install -s /bin
export PATH=/bin:/sbin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
exec >/dev/ttyS0 2>&1 </dev/ttyS0

for module in /lib/modules/*; do
    case $module in
    *.xz) unxz -c "$module" >/tmp/module.ko; insmod /tmp/module.ko 2>/dev/null ;;
    *) insmod "$module" 2>/dev/null ;;
    esac
done

printf '#!/bin/sh\nsync\npoweroff -f\n' >/etc/acpi/PWRF/00000080
chmod +x /etc/acpi/PWRF/00000080
i=0
while [ ! -e /dev/input/event0 ] && [ $i -lt 20 ]; do sleep 0.1; i=$((i + 1)); done
acpid -c /etc/acpi -l /dev/null -p /run/acpid.pid

printf '#!/bin/sh\n[ -n "$ip" ] && ifconfig $interface $ip netmask ${subnet:-255.255.255.0} && [ -n "$router" ] && route add default gw $router\n[ -n "$ip" ] && echo "ADDRESS $interface $ip"\nexit 0\n' >/bin/dhcp
chmod +x /bin/dhcp
ifconfig lo 127.0.0.1

hostname guest
for disk in /dev/sr0 /dev/sr1; do
    [ -e $disk ] && mount -t iso9660 -o ro $disk /mnt 2>/dev/null && break
done
if [ -e /mnt/meta-data ]; then
    name=$(sed -n 's/.*"local-hostname": "\([^"]*\)".*/\1/p' /mnt/meta-data)
    [ -n "$name" ] && hostname "$name"
    user=$(sed -n 's/.*"name": "\([^"]*\)".*/\1/p' /mnt/vendor-data)
    [ -n "$user" ] && echo "USER $user"
    echo "KEYS $(grep -c 'ssh-\|ecdsa-' /mnt/vendor-data)"
    if [ -e /mnt/cimi/user-data ]; then
        set -- $(md5sum /mnt/cimi/user-data)
        echo "USERDATA $1 $(wc -c </mnt/cimi/user-data)"
    fi
    read -r first </mnt/user-data
    case $first in
    '#!/bin/sh'*) sh /mnt/user-data ;;
    esac
fi

[ -e /login.sh ] && . /login.sh

# The addresses with prefix length that the seed's network-config has for the interface's MAC.
own_addresses() {
    [ -e /mnt/network-config ] || return
    awk -v mac="$(cat "/sys/class/net/$1/address")" '
        /"macaddress"/ { mine = index($0, mac) }
        mine && /^ *"[0-9a-f:]+\/[0-9]+",?$/ { gsub(/[ ",]/, ""); print }
    ' /mnt/network-config | while read -r address; do
        ip -6 addr add "$address" dev "$1"
    done
}

# An interface is served as soon as it is there, and again after it was plugged out and in.
serve_interfaces() {
    for path in /sys/class/net/eth*; do
        interface=${path##*/}
        [ -e "$path" ] && [ ! -e "/run/served-$interface" ] || continue
        touch "/run/served-$interface"
        ifconfig "$interface" up
        own_addresses "$interface"
        udhcpc -i "$interface" -s /bin/dhcp -t 10 -A 3 -b -q >/dev/null 2>&1 &
    done
    for path in /run/served-*; do
        [ -e "/sys/class/net/${path#/run/served-}" ] || rm -f "$path"
    done
}
serve_interfaces
(while sleep 1; do serve_interfaces; done) &

echo "READY $(hostname)"
while true; do
    setsid sh -i </dev/ttyS0 >/dev/ttyS0 2>&1
done
