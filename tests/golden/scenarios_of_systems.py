"""Systems: made, moved, deleted; OVF packages in and out."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.api import systems
from tests.api.packages import OPTIONS, PRODUCT, small_package
from tests.golden.stage import Stage
from tests.unit.ovf.samples import item

PRIVATE = {"networkTemplate": {"networkConfig": {"networkType": "PRIVATE", "cidr": "10.113.7.0/24"}}}


async def system_life(stage: Stage) -> None:
    """One Machine after the other, so that nested Jobs come in one order."""
    image = await stage.image()
    machine = systems.machine(image, networkInterfaces=systems.on("front"), userData="IyBhLXRlc3Qtc2VjcmV0Cg==")
    after = systems.machine(image, "after") | {"properties": {"startOrder": "2"}}
    parts = [systems.network(), systems.volume(), machine | {"properties": {"startOrder": "1"}}, after]
    system = await stage.make("systems", systems.system(*parts))
    await stage.act(system, "stop", properties={"timeout": "30"})
    await stage.act(system, "start")
    await stage.act(system, "restart", force=True)
    await stage.act(system, "pause")
    await stage.act(system, "start")
    await stage.act(system, "suspend")
    await stage.act(system, "stop", force=True)
    await stage.delete(system)


async def system_templates(stage: Stage) -> None:
    """What can stand in one, by a kept template, and in a System inside the System."""
    image = await stage.image()
    address = systems.described("Address", {"network": {"href": "#front"}, "hostname": "db"}, "a")
    port = systems.described("NetworkPort", {"network": {"href": "#front"}}, "p")
    group = systems.described("ForwardingGroup", {"networks": [{"href": "#front"}]}, "g")
    key = systems.described("Credential", {"userName": "ops", "password": "a-test-secret"}, "k")
    inner = systems.described("System", {"componentDescriptors": [systems.volume("inside")]}, "inner")
    machine = systems.machine(image, networkInterfaces=[{"networkPort": {"href": "#p"}}], credential={"href": "#k"})
    parts = [systems.network(), address, port, group, key, inner, machine]
    template = await stage.make("systemTemplates", {"componentDescriptors": parts})
    system = await stage.make("systems", {"name": "whole", "systemTemplate": {"href": template}})
    await stage.delete(system)


async def packages(stage: Stage) -> None:
    """Imports of a file, of a URL and of what is sent; exports for download and into a directory."""
    small = f"file://{stage.home / 'images' / 'world.ova'}"
    await stage.act("systems", "import", source=small)
    await stage.act("systemTemplates", "import", source=small)
    content = (stage.home / "images" / "world.ova").read_bytes()
    sent = await stage.operator.post("systems/import?name=sent", content, Content_Type="application/ovf")
    assert sent.status == 202, sent.text
    await stage.succeeds(sent)
    stage.files.data = content
    await stage.act("systems", "import", source=f"{stage.files.url}/small.ova?token=a-test-secret")
    system, template = [(await stage.listed(name))[0]["id"] for name in ("systems", "systemTemplates")]
    await stage.act(system, "export")
    await stage.act(system, "export", destination=f"file://{stage.home / 'exports' / 'operator' / 'out.ova'}")
    await stage.act(system, "export", destination=f"file://{stage.home / 'exports' / 'operator' / 'out'}/")
    await stage.act(template, "export")


async def package_wishes(stage: Stage) -> None:
    """A descriptor with its files beside it, of which is chosen what can be; and exports with notes, over another."""
    place = stage.home / "images" / "wished"
    unpacked(place)
    network = await stage.make("networks", PRIVATE)
    wishes = {"name": "mine", "ovf.configuration": "big", "ovf.color": "blue", "ovf.pin": "a-test-secret"}
    source = f"file://{place / 'wished.ovf'}"
    await stage.act("systems", "import", source=source, properties={**wishes, "ovf.network.front": network})
    answer = await stage.admin.act("systemTemplates", "import", source=source, properties={"ovf.lax": "true"})
    assert answer.status == 202, answer.text
    await stage.succeeds(answer)
    [system] = await stage.listed("systems")
    for replace in ("false", "true"):
        more = {"destination": "out/", "properties": {"replace": replace}}
        await stage.act(system["id"], "export", **more)


def unpacked(place: Path) -> None:
    """Write a package as files, with options, properties and a network."""
    place.mkdir()
    with tarfile.open(fileobj=io.BytesIO(small_package())) as archive:
        archive.extractall(place, filter="data")
    described = (place / "small.ovf").read_text()
    processors = "<Item><rasd:InstanceID>1</rasd:InstanceID><rasd:ResourceType>3</rasd:ResourceType>"
    more = processors.replace("<Item>", '<Item ovf:configuration="big">').replace("ID>1<", "ID>21<")
    more += "<rasd:VirtualQuantity>2</rasd:VirtualQuantity></Item>"
    network = '<NetworkSection><Info>n</Info><Network ovf:name="front"/></NetworkSection>'
    for mark, inserted in (
        ("<VirtualSystem ", network + OPTIONS.decode()),
        ("<VirtualHardwareSection>", PRODUCT),
        (processors, more),
        ("</VirtualHardwareSection>", item(9, 10, Connection="front")),
    ):
        described = described.replace(mark, inserted + mark, 1)
    (place / "wished.ovf").write_text(described)
    (place / "small.ovf").unlink()


SYSTEMS = {play.__name__: play for play in (system_life, system_templates, packages, package_wishes)}
