#!/bin/sh
# Makes a bare Debian 12 machine fit: packages, a virtual environment, libvirt's daemons, pool and network.
# `setup.sh run` brings what running needs; without a word it also brings what tests, measures and checks need.
# Run again it only looks, and takes a moment. What apt and pip say is in var/setup.log.
set -eu
cd "$(dirname "$0")/.."
RUN_PACKAGES="libvirt-daemon-system libvirt-daemon-driver-qemu libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base
iptables iproute2 polkitd ovmf e2fsprogs xfsprogs dosfstools gcc libc6-dev pkg-config libvirt-dev python3-dev"
TEST_PACKAGES="systemd syslinux syslinux-common systemd-boot-efi mtools fdisk cpio kmod binutils curl wrk virt-v2v
mmdebstrap arch-test systemd-container man-db openssh-client"
LOG=var/setup.log

case ${1:-test} in
run) packages=$RUN_PACKAGES lock=requirements/run.txt ready=.venv/ready-to-run ;;
test) packages="$RUN_PACKAGES $TEST_PACKAGES" lock=requirements/dev.txt ready=.venv/ready ;;
*) echo "setup.sh: run or test, not $1" >&2 && exit 2 ;;
esac

# Runs what says much, and shows the end of it only when it fails.
quietly() {
    mkdir -p var
    "$@" >>"$LOG" 2>&1 || {
        echo "setup: this failed: $*" >&2
        tail -n 20 "$LOG" >&2
        exit 1
    }
}

missing() {
    # shellcheck disable=SC2086 - a list of words
    dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ installed$//p' | sort >"$1"
    echo "$packages" | tr -s ' \n' '\n' | sort | comm -23 - "$1"
}

install_packages() {
    have=$(mktemp)
    words=$(missing "$have")
    rm -f "$have"
    [ -n "$words" ] || return 0
    echo "setup: installing $(echo "$words" | wc -l) Debian packages and what they need" >&2
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get -q update
    # shellcheck disable=SC2086 - a list of words
    quietly apt-get -q install -y --no-install-recommends $words
}

if [ "$(id -u)" = 0 ]; then install_packages; fi

# Whoever has the tools of the tests has what running needs.
is_ready() {
    for file in setup.cfg client/setup.cfg pyproject.toml "$lock"; do
        [ -e "$1" ] && [ ! "$file" -nt "$1" ] || return 1
    done
}

make_environment() {
    echo "setup: making the virtual environment .venv of $(grep -c == "$lock") libraries, as $lock has them" >&2
    python=${PYTHON:-python3}
    "$python" -c 'import ensurepip' 2>/dev/null || quietly apt-get -q install -y --no-install-recommends python3-venv
    [ -x .venv/bin/pip ] || quietly "$python" -m venv .venv
    export PIP_ROOT_USER_ACTION=ignore PIP_DISABLE_PIP_VERSION_CHECK=1
    quietly .venv/bin/pip install -qq --require-hashes -r "$lock"
    quietly .venv/bin/pip install -qq --no-deps --editable . --editable client
    touch "$ready"
}

is_ready .venv/ready || is_ready "$ready" || make_environment

# Without udev the node belongs to root alone, and libvirt then probes QEMU anew at every look-up.
if [ "$(id -u)" = 0 ] && [ -e /dev/kvm ] && [ "$(stat -c %a /dev/kvm)" = 600 ] && getent group kvm >/dev/null; then
    chgrp kvm /dev/kvm && chmod 0660 /dev/kvm
fi

answers() { timeout 20 virsh -q -c qemu:///system version >/dev/null 2>&1; }
if ! answers && [ ! -d /run/systemd/system ] && [ "$(id -u)" = 0 ]; then
    echo "setup: starting libvirt's daemons" >&2
    # One that runs already holds its PID file, and the second ends at once. Others may run in namespaces of their own.
    virtlogd -d 2>/dev/null || true
    libvirtd -d 2>/dev/null || true
    i=0
    while ! answers; do
        i=$((i + 1))
        [ $i -lt 100 ] || { echo "setup: libvirt does not answer at qemu:///system" >&2; exit 1; }
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
