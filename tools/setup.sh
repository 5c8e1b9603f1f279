#!/bin/sh
# Makes a bare Debian 12 machine fit: packages, a virtual environment, libvirt's daemons, pool and network.
# Run again it only looks, and takes a moment.
set -eu
cd "$(dirname "$0")/.."
PACKAGES="libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base iptables
libvirt-dev pkg-config iproute2 gcc systemd polkitd ovmf syslinux syslinux-common systemd-boot-efi mtools dosfstools
fdisk e2fsprogs xfsprogs cpio kmod binutils python3-dev curl wrk virt-v2v
mmdebstrap arch-test systemd-container man-db"

packages_missing() {
    # shellcheck disable=SC2086 - a list of words; dpkg-query fails when it does not know one of them
    states=$(dpkg-query -W -f '${db:Status-Status}\n' $PACKAGES 2>/dev/null) || return 0
    echo "$states" | grep -qvx installed
}

if [ "$(id -u)" = 0 ] && packages_missing; then
    echo "installing Debian packages" >&2
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >&2
    # shellcheck disable=SC2086 - a list of words
    apt-get -qq install -y --no-install-recommends $PACKAGES >/dev/null
fi

python=${PYTHON:-python3}
if [ ! -e .venv/ready ] || [ setup.cfg -nt .venv/ready ] ||
    [ client/setup.cfg -nt .venv/ready ] || [ pyproject.toml -nt .venv/ready ] ||
    [ requirements/dev.txt -nt .venv/ready ]; then
    echo "making the virtual environment in .venv" >&2
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        apt-get -qq install -y --no-install-recommends python3-venv >/dev/null
    fi
    "$python" -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --editable . --editable client
    touch .venv/ready
fi

# Without udev the node belongs to root alone, and libvirt then probes QEMU anew at every look-up.
if [ "$(id -u)" = 0 ] && [ -e /dev/kvm ] && [ "$(stat -c %a /dev/kvm)" = 600 ] && getent group kvm >/dev/null; then
    chgrp kvm /dev/kvm && chmod 0660 /dev/kvm
fi

answers() { timeout 20 virsh -q -c qemu:///system version >/dev/null 2>&1; }
if ! answers && [ ! -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
    echo "starting libvirt's daemons" >&2
    # One that runs already holds its PID file, and the second ends at once. Others may run in namespaces of their own.
    virtlogd -d 2>/dev/null || true
    libvirtd -d 2>/dev/null || true
    i=0
    while ! answers; do
        i=$((i + 1))
        [ $i -lt 100 ] || { echo "libvirt does not answer at qemu:///system" >&2; exit 1; }
        sleep 0.2
    done
fi

virsh="virsh -q -c qemu:///system"
if ! $virsh net-info default 2>/dev/null | grep -q 'Active: *yes'; then
    $virsh net-info default >/dev/null 2>&1 || $virsh net-define /usr/share/libvirt/networks/default.xml >/dev/null
    $virsh net-start default >/dev/null || true
fi
if ! $virsh pool-info default 2>/dev/null | grep -q 'State: *running'; then
    $virsh pool-info default >/dev/null 2>&1 ||
        $virsh pool-define-as default dir --target /var/lib/libvirt/images >/dev/null
    mkdir -p /var/lib/libvirt/images
    $virsh pool-start default >/dev/null || true
fi
