"""Every reader of what strangers write. test_hostile_costs.py measures all.

A reader is known by the modules that it goes through. A module that reads, or that has a pattern, and is named by
no reader has to stand in NO_READERS with the reason.
"""

from __future__ import annotations

from tests.unit.costs.descriptors import OVF
from tests.unit.costs.images import IMAGES
from tests.unit.costs.packages import PACKAGES
from tests.unit.costs.texts import BODIES, WORDS

READERS = (*IMAGES, *PACKAGES, *OVF, *BODIES, *WORDS)

MEASURED_BY_ITS_PATTERN = "its patterns are measured by themselves, in the same tests"
NO_READERS = {
    "drivers.base.storage": MEASURED_BY_ITS_PATTERN,
    "drivers.images.cautious": "it gives the bytes to drivers.images.looking",
    "drivers.images.convert": "it reads qemu-img's own words",
    "drivers.images.file_systems": "it starts mkfs, whose words it does not read",
    "drivers.images.qcow2_writing": "it writes",
    "drivers.images.tool": "it reads the words of the host's own programs, in pieces, and keeps the last few KiB",
    "drivers.images.sparse_raw": "it reads what mkfs wrote, piece by piece, and looks at nothing but zeros",
    "drivers.libvirt.console": MEASURED_BY_ITS_PATTERN,
    "drivers.libvirt.qemu_monitor": MEASURED_BY_ITS_PATTERN,
    "drivers.libvirt.storage": MEASURED_BY_ITS_PATTERN,
    "drivers.web.fetch": MEASURED_BY_ITS_PATTERN,
    "gateway.cimi.registry": "names of the program's own declarations",
    "gateway.cimi.coded": "values of documents; its patterns stand in full matches of single characters",
    "gateway.cimi.fields": "values of documents; its patterns stand in full matches of single characters",
    "gateway.cli.tokens": "the admin's own words",
    "gateway.config": "the admin's own file",
    "gateway.config.catalog": "the admin's own file",
    "gateway.config.networks": "the admin's own file",
    "gateway.config.wire": "the admin's own file",
    "gateway.http.hosts": MEASURED_BY_ITS_PATTERN,
    "gateway.http.server": "its pattern stands for single characters",
    "gateway.orchestration.common.names": MEASURED_BY_ITS_PATTERN,
    "gateway.orchestration.machine_core.names": MEASURED_BY_ITS_PATTERN,
    "gateway.ovf.archive": "it writes",
    "gateway.ovf.collection_section": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.environment": "it writes",
    "gateway.ovf.errors": "it has no bytes",
    "gateway.ovf.items": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.model": "it is what was read",
    "gateway.ovf.names": "words of the standard",
    "gateway.ovf.template_section": "a part of the descriptor, read with gateway.ovf.reading",
    "gateway.ovf.writing": "it writes",
    "gateway.plain_text": "its pattern stands for single characters",
    "gateway.users": "the admin's own file",
}
"""Modules that have a pattern, or stand in a room of readers, and need no measure."""
