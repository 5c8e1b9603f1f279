"""A look at what the host itself has: devices, programs, and how its kernel is set."""

from __future__ import annotations

import platform
import shutil
import sqlite3
import subprocess
from importlib.metadata import version
from pathlib import Path

from drivers.images.file_systems import PACKAGES, installed
from gateway.doctor.finding import Finding

KVM = Path("/dev/kvm")
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FORWARDING = ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding")
WAIT_SECONDS = 30


def kvm(device: Path = KVM) -> Finding:
    """Return whether guests can use KVM.

    The node with mode 0600 makes libvirt probe QEMU anew at every look-up: a minute for each definition.
    """
    flags = set(Path("/proc/cpuinfo").read_text().split())
    if device.exists() and not device.stat().st_mode & 0o060:
        advice = "chgrp kvm /dev/kvm && chmod 0660 /dev/kvm, then restart libvirtd"
        return Finding("error", "kvm", "guests may not open /dev/kvm, which makes libvirt slow", advice)
    if not device.exists() or not flags & {"svm", "vmx"}:
        return Finding("warning", "kvm", "KVM does not work here: guests run slowly, by emulation (TCG)")
    return Finding("ok", "kvm", "usable")


def converter() -> Finding:
    """Return whether the programs are installed by which images are converted."""
    missing = [name for name in ("qemu-img", "prlimit") if shutil.which(name) is None]
    if missing:
        advice = "apt-get install qemu-utils util-linux"
        return Finding("warning", "qemu-img", f"{missing[0]} is missing: images cannot be converted", advice)
    return Finding("ok", "qemu-img", "installed")


def file_system_tool(tool: str) -> Finding:
    """Return whether a program that makes a file system is installed.

    Without it new Volumes of this file system are unformatted.
    """
    if not installed(tool):
        message = f"{tool} is missing: Volumes of its file system are unformatted"
        return Finding("warning", "file systems", message, f"apt-get install {PACKAGES[tool]}")
    return Finding("ok", "file systems", f"{tool} is installed")


def forwarding(switch: Path) -> Finding:
    """Return whether the host routes, which Networks of a ForwardingGroup and PUBLIC ones need."""
    if not switch.exists():
        return Finding("warning", "forwarding", f"{switch} is not there: this host has no such protocol")
    if switch.read_text().strip() == "0":
        name = ".".join(switch.parts[3:])
        advice = f"sysctl -w {name}=1, and the same in /etc/sysctl.d"
        return Finding("warning", "forwarding", f"{name} is off: Networks of a ForwardingGroup stay apart", advice)
    return Finding("ok", "forwarding", f"{'.'.join(switch.parts[3:])} is on")


def packet_filter() -> Finding:
    """Return whether the programs are installed that libvirt runs for the filters of guests' interfaces.

    Without them no guest starts.
    """
    missing = [name for name in ("ebtables", "iptables", "ip6tables") if shutil.which(name, path=SYSTEM_PATH) is None]
    if missing:
        return Finding("error", "packet filter", f"{', '.join(missing)} not found", "apt install iptables ebtables")
    return Finding("ok", "packet filter", "ebtables, iptables and ip6tables are there")


def versions() -> Finding:
    """Return the versions of the gateway and of what it runs on."""
    parts = (f"cimi-gateway {version('cimi-gateway')}", f"Python {platform.python_version()}")
    return Finding("ok", "versions", ", ".join((*parts, f"SQLite {sqlite3.sqlite_version}")))


def clock() -> Finding:
    """Return whether the host's clock is held by time servers, as far as systemd knows."""
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=WAIT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return Finding("ok", "clock", "not looked at: this host has no timedatectl that answers")
    if done.stdout.strip() == "no":
        advice = "apt-get install systemd-timesyncd, or chrony; timedatectl says more"
        return Finding(
            "warning", "clock", "no time server holds the clock, by which certificates and events go", advice
        )
    words = "held by a time server" if done.stdout.strip() == "yes" else "not looked at: timedatectl says nothing"
    return Finding("ok", "clock", words)
