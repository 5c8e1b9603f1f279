"""Systems and SystemTemplates come out of packages, and go into packages that come in again as equal ones."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from drivers.memory import MemoryDriver
from gateway.app import Gateway
from tests.api.client import ApiClient
from tests.api.packages import (
    MIB,
    OPTIONS,
    PRODUCT,
    described,
    disk,
    disks,
    imported,
    made,
    nothing_left,
    package,
    staged,
)
from tests.api.seeds import seed_of
from tests.api.systems import members
from tests.unit.ovf.certificates import certified
from tests.unit.ovf.samples import HEAD, item, manifest, ova

pytestmark = pytest.mark.slow


@pytest.fixture
def archive(images: Path, tmp_path: Path) -> str:
    (images / "shop.ova").write_bytes(package(tmp_path))
    return f"file://{images / 'shop.ova'}"


async def test_the_collections_offer_an_import(admin: ApiClient) -> None:
    for collection in ("systems", "systemTemplates"):
        listed = await admin.document(collection)
        rels = {entry["rel"]: entry["href"] for entry in listed["operations"]}
        assert rels["http://schemas.dmtf.org/cimi/1/action/import"].endswith(f"/{collection}/import")


async def test_a_package_becomes_a_system_with_its_machines_network_and_volumes(admin: ApiClient, archive: str) -> None:
    system = await made(admin, "systems", archive)
    assert (system["name"], system["state"]) == ("shop", "STOPPED")
    machines = await members(admin, system["id"], "machines")
    assert {name: (found["cpu"], found["memory"]) for name, found in machines.items()} == {
        "web": (2, 131072),
        "db": (2, 131072),
    }
    networks = await members(admin, system["id"], "networks")
    assert networks["front"]["description"] == "the front"
    volumes = await members(admin, system["id"], "volumes")
    assert {name: found["capacity"] for name, found in volumes.items()} == {"db disk 2": 16778, "db disk 3": 8389}
    attached = await admin.document(machines["db"]["volumes"]["href"])
    assert {entry["initialLocation"] for entry in attached["machineVolumes"]} == {"/dev/vdb", "/dev/vdc"}
    interfaces = await admin.document(machines["web"]["networkInterfaces"]["href"])
    [interface] = interfaces["machineNetworkInterfaces"]
    assert (interface["network"]["href"], interface["macAddress"]) == (networks["front"]["id"], "52:54:00:aa:bb:03")


async def test_the_order_of_starting_is_the_packages(admin: ApiClient, archive: str) -> None:
    system = await made(admin, "systems", archive)
    machines = await members(admin, system["id"], "machines")
    assert machines["db"]["properties"] == {"startOrder": "1"}
    assert machines["web"]["properties"] == {
        "startOrder": "2",
        "ovf.startup.startDelay": "5",
        "ovf.startup.stopAction": "guestShutdown",
    }
    answer = await admin.act(system["id"], "start")
    assert (await admin.ended(answer.job))["state"] == "SUCCESS"
    assert (await admin.document(system["id"]))["state"] == "STARTED"


async def test_the_same_package_can_be_imported_twice(admin: ApiClient, archive: str) -> None:
    first, second = [await made(admin, "systems", archive) for _ in range(2)]
    assert first["id"] != second["id"]


async def test_a_package_becomes_a_template_which_systems_are_made_by(admin: ApiClient, archive: str) -> None:
    template = await made(admin, "systemTemplates", archive)
    assert template["importImage"] == archive
    names = [entry["name"] for entry in template["componentDescriptors"]]
    assert sorted(names) == ["db", "db disk 2", "db disk 3", "front", "web"]
    answer = await admin.post("systems", {"name": "one", "systemTemplate": {"href": template["id"]}}, Prefer="wait=60")
    assert answer.status == 201, answer.text
    assert answer.json["state"] == "STARTED"


async def test_a_package_can_be_sent(admin: ApiClient, gateway: Gateway, tmp_path: Path) -> None:
    sent = await admin.post("systems/import?name=sent", package(tmp_path), Content_Type="application/ovf")
    assert sent.status == 202, sent.text
    assert (await admin.ended(sent.job))["state"] == "SUCCESS"
    [system] = (await admin.document("systems"))["systems"]
    assert (system["name"], system["properties"]["ovf.source"]) == ("sent", "upload")
    assert staged(gateway) == []


async def test_a_package_that_was_sent_is_on_disk_before_its_job_is(
    admin: ApiClient, gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    fsync = os.fsync

    def synced(descriptor: int) -> None:
        happened.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", synced)
    gateway.store.watch(lambda changes: happened.extend("job" for path in changes if path.startswith("jobs/")))
    sent = await admin.post("systems/import?name=sent", package(tmp_path), Content_Type="application/ovf")
    assert sent.status == 202, sent.text
    assert happened.index("package") < happened.index("job")
    await admin.ended(sent.job)


async def test_a_descriptor_with_files_beside_it_is_imported(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "shop.ovf").write_bytes(described())
    for name, content in disks(tmp_path):
        (images / name).write_bytes(content)
    system = await made(admin, "systems", f"file://{images / 'shop.ovf'}")
    assert sorted(await members(admin, system["id"], "machines")) == ["db", "web"]


PROCESSORS = b"<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>"


def with_options() -> bytes:
    """Two processors, or six."""
    bigger = PROCESSORS.replace(b"<Item>", b'<Item ovf:configuration="big">').replace(b"ID>1<", b"ID>21<")
    bigger += b"<rasd:VirtualQuantity>6</rasd:VirtualQuantity></Item>"
    smaller = PROCESSORS.replace(b"<Item>", b'<Item ovf:configuration="small">')
    return described().replace(PROCESSORS, bigger + smaller).replace(b"<DiskSection>", OPTIONS + b"<DiskSection>")


@pytest.mark.parametrize(("chosen", "cpus"), [({}, 2), ({"ovf.configuration": "big"}, 6)])
async def test_a_deployment_option_is_chosen_or_the_default(
    admin: ApiClient, images: Path, tmp_path: Path, chosen: dict[str, str], cpus: int
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, with_options()))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}", **chosen)
    machines = await members(admin, system["id"], "machines")
    assert [machine["cpu"] for machine in machines.values()] == [cpus, cpus]


async def test_raw_disks_are_kept_as_they_are(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path
) -> None:
    content = disk(tmp_path, kind="raw", mark=b"raw")
    text = described().replace(b"boot.vmdk", b"boot.raw").replace(FORMAT, b"http://example.com/raw")
    files = [("shop.ovf", text), ("boot.raw", content), disks(tmp_path)[1]]
    (images / "shop.ova").write_bytes(ova(files[0], ("shop.mf", manifest(*files)), *files[1:]))
    await made(admin, "systemTemplates", f"file://{images / 'shop.ova'}")
    [image] = (await admin.document("machineImages"))["machineImages"]
    assert driver.state.contents[("default", f"cimi-image-{image['id'].rpartition('/')[2]}.raw")] == content


@pytest.mark.parametrize(("signs", "said"), [(True, "it signs the manifest"), (False, "it does NOT sign the manifest")])
async def test_a_certificate_is_shown_with_what_it_is_worth(
    admin: ApiClient, images: Path, tmp_path: Path, signs: bool, said: str
) -> None:
    files = [("shop.ovf", described()), *disks(tmp_path)]
    sums = manifest(*files)
    signed = certified(ec.generate_private_key(ec.SECP256R1()), sums if signs else b"another one")
    (images / "shop.ova").write_bytes(ova(files[0], ("shop.mf", sums), ("shop.cert", signed), *files[1:]))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    shown = system["properties"]["ovf.certificate"]
    assert said in shown
    assert "CN=Example Appliances" in shown


def stacked(path: Path) -> tuple[bytes, bytes]:
    """A package whose boot disk stands on another one, and the disk that both are together."""
    base, whole = bytearray(4 * MIB), bytearray(4 * MIB)
    for content in (base, whole):
        content[510:512] = b"\x55\xaa"
        content[2 * MIB : 2 * MIB + 4] = b"base"
    upper = bytearray(4 * MIB)
    upper[MIB : MIB + 3] = whole[MIB : MIB + 3] = b"new"
    files = [("upper.vmdk", as_vmdk(path, bytes(upper)).replace(b"parentCID=ffffffff", b"parentCID=1234abcd"))]
    files.append(("base.vmdk", as_vmdk(path, bytes(base))))
    said = 'ovf:capacity="4" ovf:capacityAllocationUnits="byte * 2^20"'
    drive = item(1, 3, VirtualQuantity=1) + item(2, 4, VirtualQuantity=128, AllocationUnits="byte * 2^20")
    drive += item(3, 17, HostResource="ovf:/disk/upper")
    descriptor = f"""<Envelope {HEAD}><References><File ovf:id="upper" ovf:href="upper.vmdk"/>
      <File ovf:id="base" ovf:href="base.vmdk"/></References>
      <DiskSection><Info>d</Info><Disk ovf:diskId="upper" ovf:fileRef="upper" ovf:parentRef="base" {said}/>
      <Disk ovf:diskId="base" ovf:fileRef="base" {said}/></DiskSection>
      <VirtualSystem ovf:id="small"><Info>i</Info>
      <VirtualHardwareSection><Info>h</Info>{drive}</VirtualHardwareSection></VirtualSystem></Envelope>"""
    return ova(("small.ovf", descriptor.encode()), *files), bytes(whole)


def as_vmdk(path: Path, content: bytes) -> bytes:
    raw, made = path / "raw", path / "made.vmdk"
    raw.write_bytes(content)
    options = ["-o", "subformat=streamOptimized"]
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", *options, raw, made], check=True)
    return made.read_bytes()


def as_raw(path: Path, content: bytes) -> bytes:
    image, made = path / "image", path / "image.raw"
    image.write_bytes(content)
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, made], check=True)
    return made.read_bytes()


async def test_a_disk_that_stands_on_another_one_becomes_one_image_of_both(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path
) -> None:
    archive, whole = await asyncio.to_thread(stacked, tmp_path)
    (images / "small.ova").write_bytes(archive)
    await made(admin, "systemTemplates", f"file://{images / 'small.ova'}")
    [image] = (await admin.document("machineImages"))["machineImages"]
    content = driver.state.contents[("default", f"cimi-image-{image['id'].rpartition('/')[2]}.qcow2")]
    assert await asyncio.to_thread(as_raw, tmp_path, content) == whole


async def test_properties_are_chosen_shown_and_secrets_are_not(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, described(web=PRODUCT)))
    location = f"file://{images / 'shop.ova'}"
    system = await made(admin, "systems", location, **{"ovf.color": "blue", "ovf.pin": "1234", "name": "mine"})
    assert system["name"] == "mine"
    web = (await members(admin, system["id"], "machines"))["web"]
    assert web["properties"] == {"ovf.color": "blue", "ovf.product": "Shop"}


async def test_guests_that_await_it_find_their_environment_in_the_seed(
    admin: ApiClient, driver: MemoryDriver, images: Path, tmp_path: Path
) -> None:
    descriptor = described(web=PRODUCT).replace(
        b"<VirtualHardwareSection>", b'<VirtualHardwareSection ovf:transport="iso">', 1
    )
    (images / "shop.ova").write_bytes(package(tmp_path, descriptor))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}", **{"ovf.pin": "1234"})
    web = (await members(admin, system["id"], "machines"))["web"]
    assert 'key="pin" oe:value="1234"' in seed_of(driver, web["id"])["environment"]


async def test_a_network_that_is_there_takes_the_place_of_the_packages(admin: ApiClient, archive: str) -> None:
    answer = await admin.post("networks", {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE"}}})
    system = await made(admin, "systems", archive, **{"ovf.network.front": answer.location})
    assert await members(admin, system["id"], "networks") == {}


async def test_a_licence_and_what_is_not_obeyed_are_told(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    licence = "<EulaSection><Info>l</Info><License>Be kind.</License></EulaSection>"
    aside = '<vmw:Odd ovf:required="false"/>'
    (images / "shop.ova").write_bytes(package(tmp_path, described(collection=licence + aside)))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    assert system["properties"]["ovf.eula"] == "Be kind."
    assert "Odd" in system["properties"]["ovf.ignored"]


async def test_nested_collections_become_nested_systems(admin: ApiClient, images: Path, tmp_path: Path) -> None:
    inner = described().decode()
    start = inner.index("<VirtualSystemCollection")
    nested = inner[:start] + '<VirtualSystemCollection ovf:id="outer"><Info>o</Info>' + inner[start:]
    nested = nested.replace("</Envelope>", "</VirtualSystemCollection></Envelope>")
    (images / "shop.ova").write_bytes(package(tmp_path, nested.encode()))
    system = await made(admin, "systems", f"file://{images / 'shop.ova'}")
    assert system["name"] == "outer"
    [shop] = (await members(admin, system["id"], "systems")).values()
    assert sorted(await members(admin, shop["id"], "machines")) == ["db", "web"]


# What is refused, and leaves nothing behind


@pytest.mark.parametrize(
    ("descriptor", "said"),
    [
        (described(sections="<vmw:Magic/>"), "demands Magic"),
        (described(collection="<EncryptionSection><Info>e</Info></EncryptionSection>"), "EncryptionSection"),
        (described().replace(b'ovf:href="boot.vmdk"', b'ovf:href="../boot.vmdk"'), "leads out of the package"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + described(), "document type"),
        (described().replace(b'ovf:id="db"', b'ovf:id="web"'), "two VirtualSystem ids"),
    ],
)
async def test_a_wrong_descriptor_is_refused_at_once(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, descriptor: bytes, said: str
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, descriptor))
    answer = await admin.act("systems", "import", source=f"file://{images / 'shop.ova'}")
    assert answer.status == 400
    assert answer.message.startswith("source: ")
    assert said in answer.message
    await nothing_left(admin, gateway)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.replace(b"\x55\xaa", b"\x55\xab"), "SHA256"),
        (lambda content: content[: len(content) // 2], "cut off"),
    ],
)
async def test_bytes_that_are_not_what_the_package_says_are_refused(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    content = package(tmp_path)
    assert change(content) != content
    (images / "shop.ova").write_bytes(change(content))
    job = await imported(admin, "systems", f"file://{images / 'shop.ova'}")
    assert (job["state"], job["returnCode"]) == ("FAILED", 10400)
    assert said in job["statusMessage"]
    await nothing_left(admin, gateway)


FORMAT = b"http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"


@pytest.mark.parametrize(
    ("told", "lie", "said"),
    [
        (b'capacity="16"', b'capacity="14"', "is a disk of"),
        (FORMAT, b"http://example.com/qcow2", "the descriptor says qcow2"),
    ],
)
async def test_a_disk_that_is_not_what_the_descriptor_says_is_refused(
    admin: ApiClient, gateway: Gateway, images: Path, tmp_path: Path, told: bytes, lie: bytes, said: str
) -> None:
    (images / "shop.ova").write_bytes(package(tmp_path, described().replace(told, lie, 1)))
    job = await imported(admin, "systems", f"file://{images / 'shop.ova'}")
    assert (job["state"], job["returnCode"]) == ("FAILED", 10400)
    assert said in job["statusMessage"]
    await nothing_left(admin, gateway)


async def test_a_package_outside_of_the_directories_is_refused(admin: ApiClient, tmp_path: Path) -> None:
    (tmp_path / "shop.ova").write_bytes(b"x")
    answer = await admin.act("systems", "import", source=f"file://{tmp_path / 'shop.ova'}")
    assert (answer.status, answer.message[:6]) == (400, "source")


async def test_an_import_without_a_source_is_refused(admin: ApiClient) -> None:
    answer = await admin.act("systems", "import")
    assert (answer.status, answer.message[:7]) == (400, "source:")


@pytest.mark.parametrize("name", ["ovf.nothing", "nothing", "ovf.network.nothing", "ovf.configuration"])
async def test_wishes_that_the_package_does_not_know_are_refused(admin: ApiClient, archive: str, name: str) -> None:
    answer = await admin.act("systems", "import", source=archive, properties={name: "x"})
    assert answer.status == 400


async def test_a_viewer_may_not_import(client: Callable[..., ApiClient], archive: str) -> None:
    viewer = client("viewer")
    assert (await viewer.act("systems", "import", source=archive)).status == 403
    assert (await viewer.post("systems/import", b"x", Content_Type="application/ovf")).status == 403


async def test_stopping_an_import_takes_everything_back(admin: ApiClient, gateway: Gateway, archive: str) -> None:
    answer = await admin.act("systems", "import", source=archive)
    assert (await admin.act(answer.job, "stop")).status == 202
    assert (await admin.ended(answer.job))["state"] == "STOPPED"
    await nothing_left(admin, gateway)


async def test_the_images_of_an_admins_system_are_nobody_elses(
    client: Callable[..., ApiClient], admin: ApiClient, archive: str
) -> None:
    await made(admin, "systems", archive)
    assert [(await client("other").document(kind))["count"] for kind in ("machineImages", "volumeImages")] == [0, 0]


async def test_the_images_of_an_admins_template_are_everybodys(
    client: Callable[..., ApiClient], admin: ApiClient, archive: str
) -> None:
    template = await made(admin, "systemTemplates", archive)
    other = client("other")
    answer = await other.post("systems", {"systemTemplate": {"href": template["id"]}}, Prefer="wait=60")
    assert answer.status == 201, answer.text
