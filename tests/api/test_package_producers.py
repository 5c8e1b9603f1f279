"""Packages in the manner of the products that make them come in by HTTP as what their makers meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.api.client import ApiClient
from tests.api.packages import disk, imported, made
from tests.api.systems import members
from tests.unit.ovf.samples import manifest, ova

pytestmark = pytest.mark.slow

PRODUCERS = Path(__file__).resolve().parent.parent / "ovf_producers"
LICENCE = "All rights reserved. " * 5000
"""A licence is often far longer than the limits of other texts."""


@dataclass(frozen=True)
class Meant:
    """Machines by name, each with processors, memory in MiB, and the kilobytes of its disk."""

    machines: dict[str, tuple[int, int, int]]
    network: str
    lax: bool = False


SMALL = 16778
"""Kilobytes of 16 MiB."""
MEANT = {
    "vmware-ovftool": Meant({"mail": (2, 512, SMALL)}, "bridged"),
    "vmware-appliance": Meant({"Appliance": (2, 2048, 1073742)}, "VM Network"),
    "vmware-demanding": Meant({"Center": (2, 1024, SMALL)}, "Management", lax=True),
    "vmware-vapp": Meant({"db": (1, 256, SMALL), "web": (1, 256, SMALL)}, "Service"),
    "vmware-converter": Meant({"old-server": (1, 1024, 20972)}, "LAN"),
    "virtualbox-1.0": Meant({"desk": (1, 1024, SMALL)}, "NAT"),
    "virtualbox-2.0": Meant({"desk": (1, 1024, SMALL)}, "NAT"),
    "virtualbox-several": Meant({"first": (1, 1024, SMALL), "second": (1, 1024, SMALL)}, "NAT"),
    "xenserver": Meant({"appserver": (2, 256, 16843)}, "Network 0"),
    "proxmox": Meant({"pve-guest": (2, 384, SMALL)}, "vmbr0"),
    "fedora-coreos": Meant({"fedora-coreos": (2, 1024, SMALL)}, "VM Network"),
    "fedora-imagefactory": Meant({"factory": (1, 512, SMALL)}, "VM Network"),
    "debian-vagrant-box": Meant({"packer-debian": (1, 1024, SMALL)}, "NAT"),
    "debian-cot-2.0": Meant({"debian": (1, 256, SMALL)}, "eth0"),
}


def descriptor(producer: str) -> bytes:
    return (PRODUCERS / f"{producer}.ovf").read_text().replace("LICENCE", LICENCE).encode()


def files_of(content: bytes) -> Iterator[str]:
    for file in etree.fromstring(content).iterfind(".//{*}File"):
        yield next(str(value) for name, value in file.attrib.items() if str(name).endswith("href"))


def package(tmp_path: Path, producer: str) -> bytes:
    """An archive with real disks of the formats that the descriptor's files have."""
    content = descriptor(producer)
    kinds = {".vmdk": "vmdk", ".vhd": "vpc", ".qcow2": "qcow2"}
    disks = [(name, disk(tmp_path, kind=kinds[Path(name).suffix])) for name in files_of(content)]
    first = (f"{producer}.ovf", content)
    return ova(first, (f"{producer}.mf", manifest(first, *disks)), *disks)


def test_every_descriptor_of_the_folder_has_what_it_means() -> None:
    assert sorted(path.stem for path in PRODUCERS.iterdir()) == sorted(MEANT)


@pytest.mark.parametrize("producer", MEANT)
async def test_a_package_of_the_producer_comes_in_as_it_was_meant(
    admin: ApiClient, images: Path, tmp_path: Path, producer: str
) -> None:
    meant = MEANT[producer]
    (images / "package.ova").write_bytes(package(tmp_path, producer))
    wishes = {"ovf.lax": "true"} if meant.lax else {}
    system = await made(admin, "systems", f"file://{images / 'package.ova'}", **wishes)
    found = await members(admin, system["id"], "machines")
    assert {name: await shape(admin, machine) for name, machine in found.items()} == meant.machines
    assert meant.network in await members(admin, system["id"], "networks")


async def shape(admin: ApiClient, machine: dict[str, Any]) -> tuple[int, int, int]:
    interfaces = await admin.document(machine["networkInterfaces"]["href"])
    assert len(interfaces["machineNetworkInterfaces"]) == 1
    [own] = (await admin.document(machine["disks"]["href"]))["disks"]
    return machine["cpu"], machine["memory"] // 1024, own["capacity"]


async def test_a_package_that_demands_what_is_not_known_is_refused_and_told_how_it_comes_in(
    admin: ApiClient, images: Path, tmp_path: Path
) -> None:
    (images / "package.ova").write_bytes(package(tmp_path, "vmware-demanding"))
    answer = await admin.act("systems", "import", source=f"file://{images / 'package.ova'}")
    assert answer.status == 400
    assert "ovf.lax" in answer.text


async def test_what_a_lax_import_left_out_is_told(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "package.ova").write_bytes(package(tmp_path, "vmware-demanding"))
    system = await made(admin, "systems", f"file://{images / 'package.ova'}", **{"ovf.lax": "true"})
    aside = system["properties"]["ovf.ignored"]
    for part in ("BootOrderSection", "IpAssignmentSection", "ExtraConfig", "VMCI device"):
        assert part in aside


async def test_a_lax_import_says_true_or_false(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "package.ova").write_bytes(package(tmp_path, "proxmox"))
    source = f"file://{images / 'package.ova'}"
    answer = await admin.act("systems", "import", source=source, properties={"ovf.lax": "perhaps"})
    assert answer.status == 400
    assert "ovf.lax" in answer.text


async def test_a_long_licence_is_kept_whole(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "package.ova").write_bytes(package(tmp_path, "vmware-appliance"))
    system = await made(admin, "systems", f"file://{images / 'package.ova'}")
    [machine] = (await members(admin, system["id"], "machines")).values()
    assert machine["properties"]["ovf.eula"] == LICENCE.strip()


async def test_a_value_outside_of_bare_words_is_refused(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "package.ova").write_bytes(package(tmp_path, "vmware-appliance"))
    source = f"file://{images / 'package.ova'}"
    answer = await admin.act("systems", "import", source=source, properties={"ovf.nodes": "4"})
    assert answer.status == 400
    assert "ValueMap" in answer.text
    job = await imported(admin, "systems", source, **{"ovf.nodes": "5"})
    assert job["state"] == "SUCCESS", job
