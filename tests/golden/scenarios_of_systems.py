"""Systems: made, moved, deleted; OVF packages in and out."""

from __future__ import annotations

from tests.api import systems
from tests.golden.stage import Stage


async def system_life(stage: Stage) -> None:
    """One Machine, so that nested Jobs come in one order."""
    image = await stage.image()
    machine = systems.machine(image, networkInterfaces=systems.on("front"), userData="IyBhLXRlc3Qtc2VjcmV0Cg==")
    system = await stage.make("systems", systems.system(systems.network(), systems.volume(), machine))
    await stage.act(system, "stop")
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


SYSTEMS = {play.__name__: play for play in (system_life, system_templates, packages)}
