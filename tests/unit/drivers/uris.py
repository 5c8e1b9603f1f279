"""URIs of libvirt."""

from __future__ import annotations

SYSTEM = (
    "qemu:///system",
    "qemu:///system?socket=/run/other/libvirt-sock",
    "qemu+unix:///system?socket=/run/other/libvirt-sock",
    "qemu://host/system",
    "qemu+tls://host/system",
    "qemu+tls://host:16000/system?pkipath=/etc/pki/gateway",
    "qemu+tls://[fd00::1]/system?no_verify=1",
    "qemu+ssh://root@host/system?keyfile=/root/key&no_verify=1",
)
