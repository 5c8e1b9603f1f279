"""Systems: one with two Credentials and a Volume, one with a Machine that uses a Credential by its symbolic name."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document
from conformance.world import World, fact


def _login(name: str, **more: object) -> Document:
    secret = {"userName": "conformance", "password": "a-password-for-checks"}
    return {"name": name, "type": words.type_uri("Credential"), "credentialTemplate": secret, **more}


def _light(world: World) -> Document:
    """A template of what costs little."""
    volume = {"type": words.type_uri("Volume"), "volumeTemplate": things.volume_template(world)}
    descriptors = [_login(f"{world.mark}-login", quantity=2), {"name": f"{world.mark}-data", **volume}]
    return {"componentDescriptors": descriptors}


def of_a_machine(world: World) -> Document:
    """A template of a Machine that uses a Credential."""
    login, machine = f"{world.mark}-ops", f"{world.mark}-web"
    template = things.template(world, credential={"href": f"#{login}"}, **things.off(world))
    return {
        "componentDescriptors": [
            _login(login),
            {"name": machine, "type": words.type_uri("Machine"), "machineTemplate": template},
        ]
    }


def _new(world: World, template: Document) -> Document:
    url = world.collection("systems")
    content = {"name": world.name("system"), "systemTemplate": template}
    return world.read(world.make(url, "SystemCreate", content).url)


def members(world: World, system: Document, name: str) -> list[str]:
    """URIs of the resources that a collection of the System refers to."""
    found = system.get(name)
    if not isinstance(found, dict):
        raise NotOffered(f"Systems have no {name}")
    document = world.read(str(found["href"]))
    kind = things.kind_of(document).removesuffix("Collection").removeprefix("System")
    member = kind[0].lower() + kind[1:]
    urls = [str((item.get(member) or {}).get("href")) for item in world.items(document)]
    for url in urls:
        world.keep(url)
    return urls


@fact
def light(world: World) -> Document:
    world.collection("systems")
    return _new(world, _light(world))


@fact
def heavy(world: World) -> Document:
    world.collection("systems")
    return _new(world, of_a_machine(world))


@check("system-create")
def system_create(world: World) -> None:
    volumes = members(world, light(world), "volumes")
    expect(len(volumes) == 1, f"of one Volume it has {len(volumes)}")
    expect(world.read(volumes[0]).get("state") == "AVAILABLE", "its Volume is not AVAILABLE")


@check("system-create-without-template")
def system_create_without_template(world: World) -> None:
    answer = world.add(world.collection("systems"), "SystemCreate", {"name": world.name("system")})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("system-create-by-reference")
def system_create_by_reference(world: World) -> None:
    url = world.collection("systemTemplates")
    content = {"name": world.name("template"), "componentDescriptors": [_login(world.name("login"))]}
    template = world.make(url, "SystemTemplate", content).url
    made = _new(world, {"href": template})
    expect(len(members(world, made, "credentials")) == 1, "it has no Credential")
    world.removed(str(made["id"]))


@check("system-collections-can-be-read")
def system_collections_can_be_read(world: World) -> None:
    for kind in words.ASSOCIATIONS.split():
        name = f"{kind[0].lower()}{kind[1:]}" + ("es" if kind.endswith("s") else "s")
        found = light(world).get(name)
        if isinstance(found, dict):
            said = world.read(str(found["href"])).get("resourceURI")
            expect(said == words.type_uri(f"System{kind}Collection"), f"{name} is a {said}")


@check("system-names-components")
def system_names_components(world: World) -> None:
    names = sorted(str(world.read(url).get("name")) for url in members(world, light(world), "credentials"))
    wanted = [f"{world.mark}-login{number}" for number in (1, 2)]
    expect(names == wanted, f"two of {world.mark}-login are named {', '.join(names)}")
    data = world.read(members(world, light(world), "volumes")[0]).get("name")
    expect(data == f"{world.mark}-data", f"the Volume is named {data}")


@check("system-quantity")
def system_quantity(world: World) -> None:
    number = len(members(world, light(world), "credentials"))
    expect(number == 2, f"of two Credentials it has {number}")


@check("system-resolves-symbolic-references")
def system_resolves_symbolic_references(world: World) -> None:
    expect(len(members(world, heavy(world), "machines")) == 1, "the Machine that refers to #name was not made")


@check("system-components-are-resources")
def system_components_are_resources(world: World) -> None:
    ids = [item.get("id") for item in world.everything(world.collection("volumes"))]
    mine = members(world, light(world), "volumes")[0]
    expect(mine in ids, f"{mine} is not listed")


@check("system-state-without-machines")
def system_state_without_machines(world: World) -> None:
    expect(light(world).get("state") == "MIXED", f"it is {light(world).get('state')}")


def _agree(world: World) -> str:
    """The state that the System and its Machine are both in."""
    system = world.read(str(heavy(world)["id"]))
    machine = world.read(members(world, system, "machines")[0])
    expect(
        system.get("state") == machine.get("state"), f"it is {system.get('state')}, its Machine {machine.get('state')}"
    )
    return str(system.get("state"))


@check("system-state-of-its-machines")
def system_state_of_its_machines(world: World) -> None:
    _agree(world)


@check("system-start")
def system_start(world: World) -> None:
    if _agree(world) == "STOPPED":
        world.acted(str(heavy(world)["id"]), "start")
    state = _agree(world)
    expect(state == "STARTED", f"it is {state}")


@check("system-stop")
def system_stop(world: World) -> None:
    url = str(heavy(world)["id"])
    if _agree(world) == "STOPPED":
        world.acted(url, "start")
    forced = {"force": True} if world.has("Machine", "MachineStopForce") else {}
    world.acted(url, "stop", **forced)
    state = _agree(world)
    expect(state == "STOPPED", f"it is {state}")


@check("system-add-and-remove")
def system_add_and_remove(world: World) -> None:
    volume = str(things.volume(world)["id"])
    url = str((light(world).get("volumes") or {}).get("href"))
    made = world.make(url, "SystemVolume", {"volume": {"href": volume}})
    expect(volume in members(world, light(world), "volumes"), "it is not listed")
    world.removed(made.url)
    expect(volume not in members(world, light(world), "volumes"), "it is still listed")
    expect(world.wire.get(volume).status == 200, "the Volume is gone")


@fact
def removed(world: World) -> tuple[list[str], str]:
    """What was made with a System, and what was put into it, after the System was deleted."""
    made = _new(world, _light(world))
    own = members(world, made, "credentials") + members(world, made, "volumes")
    guest = str(things.volume(world)["id"])
    world.make(str(made["volumes"]["href"]), "SystemVolume", {"volume": {"href": guest}})
    world.removed(str(made["id"]))
    return own, guest


@check("system-delete")
def system_delete(world: World) -> None:
    left = [url for url in removed(world)[0] if not world.gone(url)]
    expect(not left, f"{', '.join(left)} stayed")


@check("system-delete-leaves-associated")
def system_delete_leaves_associated(world: World) -> None:
    guest = removed(world)[1]
    expect(world.wire.get(guest).status == 200, f"{guest} went with it")


@check("system-edit")
def system_edit(world: World) -> None:
    found = light(world)
    answer = world.wire.put(world.demanded(found, "edit"), "System", {"description": "new"}, ("$select", "description"))
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    expect(world.read(str(found["id"])).get("description") == "new", "the edit did nothing")


@check("system-template-life")
def system_template_life(world: World) -> None:
    life(world, "systemTemplates", "SystemTemplate", _light(world), "description", "new")


@check("system-template-unknown-name")
def system_template_unknown_name(world: World) -> None:
    url = world.collection("systems")
    machine = things.template(world, credential={"href": "#nobody"}, **things.off(world))
    descriptor = {"name": world.name("web"), "type": words.type_uri("Machine"), "machineTemplate": machine}
    content = {"name": world.name("system"), "systemTemplate": {"componentDescriptors": [descriptor]}}
    answer = world.add(url, "SystemCreate", content)
    failed = not answer.good or (world.ended(answer) or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"it was answered {answer.told()}")
