"""Packages that the tests of import and export share."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from demo.basic_auth import basic_auth
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.empty_image import qcow2
from tests.unit.ovf.samples import HEAD, item, manifest, ova

OPTIONS = b"""<DeploymentOptionSection><Info>o</Info>
  <Configuration ovf:id="small" ovf:default="true"><Label>s</Label><Description>s</Description></Configuration>
  <Configuration ovf:id="big"><Label>b</Label><Description>b</Description></Configuration></DeploymentOptionSection>"""
PRODUCT = """<ProductSection><Info>p</Info><Product>Shop</Product>
<Property ovf:key="color" ovf:type="string" ovf:userConfigurable="true" ovf:value="red"/>
<Property ovf:key="pin" ovf:type="string" ovf:userConfigurable="true" ovf:password="true" ovf:value="0000"/>
<Property ovf:key="user-data" ovf:type="string" ovf:userConfigurable="true" ovf:value=""/></ProductSection>"""

MIB = 1024**2


def disk(path: Path, size: int = 16 * MIB, kind: str = "vmdk", mark: bytes = b"") -> bytes:
    """A real disk with a boot sector, and a mark behind it."""
    raw = path / "raw"
    content = bytearray(size)
    content[510:512] = b"\x55\xaa"
    content[MIB : MIB + len(mark)] = mark
    raw.write_bytes(content)
    made = path / f"made.{kind}"
    options = ["-o", "subformat=streamOptimized"] if kind == "vmdk" else []
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", kind, *options, raw, made], check=True)
    return made.read_bytes()


def described(*, sections: str = "", collection: str = "", web: str = "", db: str = "", size: int = 0) -> bytes:
    """A collection of two guests on one network, the second with a second disk."""
    sized = f' ovf:size="{size}"' if size else ""

    def system(name: str, disks: str, more: str) -> str:
        return f"""<VirtualSystem ovf:id="{name}"><Info>i</Info>{more}<VirtualHardwareSection><Info>h</Info>
          {item(1, 3, VirtualQuantity=2)}
          {item(2, 4, VirtualQuantity=128, AllocationUnits="byte * 2^20")}
          {item(3, 6)}{disks}
          {item(9, 10, Connection="front", Address="52:54:00:aa:bb:0" + str(len(name)))}
          </VirtualHardwareSection></VirtualSystem>"""

    def drive(number: int, place: int, identity: str) -> str:
        return item(number, 17, HostResource=f"ovf:/disk/{identity}", Parent=3, AddressOnParent=place)

    return f"""<Envelope {HEAD}><References><File ovf:id="f1" ovf:href="boot.vmdk"{sized}/>
      <File ovf:id="f2" ovf:href="data.qcow2"/></References>
      <DiskSection><Info>d</Info>
        <Disk ovf:diskId="boot" ovf:fileRef="f1" ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^20"
          ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
        <Disk ovf:diskId="data" ovf:fileRef="f2" ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^20"/>
        <Disk ovf:diskId="empty" ovf:capacity="8" ovf:capacityAllocationUnits="byte * 2^20"/></DiskSection>
      <NetworkSection><Info>n</Info><Network ovf:name="front"><Description>the front</Description></Network>
      </NetworkSection>{sections}
      <VirtualSystemCollection ovf:id="shop"><Info>c</Info>{collection}
        {system("web", drive(4, 0, "boot"), web)}
        {system("db", drive(4, 0, "boot") + drive(5, 1, "data") + drive(6, 2, "empty"), db)}
      </VirtualSystemCollection></Envelope>""".encode()


STARTUP = (
    '<StartupSection><Info>s</Info><Item ovf:id="db" ovf:order="1"/>'
    '<Item ovf:id="web" ovf:order="2" ovf:startDelay="5" ovf:stopAction="guestShutdown"/></StartupSection>'
)


def package(path: Path, descriptor: bytes | None = None, *, summed: bool = True) -> bytes:
    """An archive of this descriptor, with its disks and a manifest."""
    files = [("shop.ovf", descriptor or described(collection=STARTUP)), *disks(path)]
    return ova(files[0], *([("shop.mf", manifest(*files))] if summed else []), *files[1:])


def disks(path: Path) -> list[tuple[str, bytes]]:
    return [("boot.vmdk", disk(path)), ("data.qcow2", disk(path, kind="qcow2", mark=b"data"))]


def small_package() -> bytes:
    """Of one guest, without a network and without anything big: an empty disk to boot from."""
    whole = 32 * MIB
    disk = '<Disk ovf:diskId="boot" ovf:fileRef="f1" ovf:capacity="32" ovf:capacityAllocationUnits="byte * 2^20"/>'
    hardware = item(1, 3, VirtualQuantity=1) + item(2, 4, VirtualQuantity=128, AllocationUnits="byte * 2^20")
    drive = item(3, 17, HostResource="ovf:/disk/boot")
    descriptor = f"""<Envelope {HEAD}><References><File ovf:id="f1" ovf:href="boot.qcow2"/></References>
      <DiskSection><Info>d</Info>{disk}</DiskSection><VirtualSystem ovf:id="small"><Info>i</Info>
      <VirtualHardwareSection><Info>h</Info>{hardware}{drive}</VirtualHardwareSection></VirtualSystem></Envelope>"""
    return ova(("small.ovf", descriptor.encode()), ("boot.qcow2", qcow2(whole)))


# The section of our own


NAMESPACE = 'xmlns="http://schemas.dmtf.org/cimi/1"'
OWN = 'xmlns:c="http://cimi-gateway.org/ns/1"'
TYPE = "http://schemas.dmtf.org/cimi/1/"


def section(content: str) -> str:
    return f'<c:TemplateSection {OWN} ovf:required="false"><Info>i</Info>{content}</c:TemplateSection>'


def template(*descriptors: str) -> str:
    inner = "".join(f"<componentDescriptor>{descriptor}</componentDescriptor>" for descriptor in descriptors)
    return section(f"<SystemTemplate {NAMESPACE}>{inner}</SystemTemplate>")


def component(kind: str, inner: str, name: str = "a") -> str:
    attribute = f"{kind[0].lower()}{kind[1:]}Template"
    return f"<name>{name}</name><type>{TYPE}{kind}</type><{attribute}>{inner}</{attribute}>"


def address(inner: str, name: str = "a") -> str:
    return component("Address", f'{inner}<network href="#front"/>', name)


def machine(inner: str) -> str:
    return section(f"<MachineTemplate {NAMESPACE}>{inner}</MachineTemplate>")


async def imported(client: ApiClient, collection: str, source: str, **properties: str) -> dict[str, Any]:
    """The Job of an import, once it has ended."""
    parameters: dict[str, Any] = {"source": source, **({"properties": properties} if properties else {})}
    answer = await client.act(collection, "import", **parameters)
    assert answer.status == 202, answer.text
    return await client.ended(answer.job)


async def made(client: ApiClient, collection: str, source: str, **properties: str) -> dict[str, Any]:
    """What an import made."""
    job = await imported(client, collection, source, **properties)
    assert job["state"] == "SUCCESS", job
    found = [entry["href"] for entry in job["affectedResources"] if entry["href"].rstrip("/").count("/") > 4]
    return await client.document(found[0])


def names_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


def staged(gateway: Gateway) -> list[str]:
    """What lies in the staging directory."""
    return names_in(Path(gateway.settings.images.staging))


async def nothing_left(admin: ApiClient, gateway: Gateway) -> None:
    for collection in ("systems", "systemTemplates", "machineImages", "volumeImages", "volumes", "machines"):
        assert (await admin.document(collection))["count"] == 0, collection
    assert staged(gateway) == []


async def exported(admin: ApiClient, url: str, **parameters: Any) -> tuple[str, dict[str, Any]]:
    """Where the package is said to be, and the Job once it has ended."""
    answer = await admin.act(url, "export", **parameters)
    assert answer.status == 202, answer.text
    return answer.headers.get("location", ""), await admin.ended(answer.job)


async def downloaded(admin: ApiClient, url: str) -> bytes:
    location, job = await exported(admin, url)
    assert job["state"] == "SUCCESS", job
    login = {"Authorization": basic_auth(admin.user, admin.password)}
    async with admin.session.get(location, headers=login) as answer:
        assert answer.status == 200
        assert answer.content_type == "application/ovf"
        content = await answer.read()
        assert answer.content_length == len(content)
    return content
