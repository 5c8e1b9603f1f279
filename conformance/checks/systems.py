"""Systems: one with two Credentials and a Volume, one with a Machine that uses a Credential by its symbolic name."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document


def _login(name: str, **more: object) -> Document:
    secret = {"userName": "conformance", "password": "a-password-for-checks"}
    return {"name": name, "type": words.type_uri("Credential"), "credentialTemplate": secret, **more}


def _volume_system_template(provider: Provider) -> Document:
    """Return a template of two Credentials and a Volume."""
    volume = {"type": words.type_uri("Volume"), "volumeTemplate": fixtures.volume_template(provider)}
    descriptors = [_login(f"{provider.mark}-login", quantity=2), {"name": f"{provider.mark}-data", **volume}]
    return {"componentDescriptors": descriptors}


def machine_system_template(provider: Provider) -> Document:
    """Return a template of a Machine that uses a Credential."""
    login, machine = f"{provider.mark}-ops", f"{provider.mark}-web"
    template = fixtures.template(provider, credential={"href": f"#{login}"}, **fixtures.initially_stopped(provider))
    return {
        "componentDescriptors": [
            _login(login),
            {"name": machine, "type": words.type_uri("Machine"), "machineTemplate": template},
        ]
    }


def _new(provider: Provider, template: Document) -> Document:
    url = provider.collection("systems")
    content = {"name": provider.new_name("system"), "systemTemplate": template}
    return provider.read(provider.create(url, "SystemCreate", content).url)


def members(provider: Provider, system: Document, name: str) -> list[str]:
    """Return the URIs of the resources that a collection of the System refers to."""
    reference = system.get(name)
    if not isinstance(reference, dict):
        raise NotOffered(f"Systems have no {name}")
    document = provider.read(str(reference["href"]))
    kind = fixtures.kind_of(document).removesuffix("Collection").removeprefix("System")
    member = kind[0].lower() + kind[1:]
    urls = [str((item.get(member) or {}).get("href")) for item in provider.items(document)]
    for url in urls:
        provider.note_created(url)
    return urls


@fixture
def with_volume(provider: Provider) -> Document:
    """Create a System of two Credentials and a Volume."""
    provider.collection("systems")
    return _new(provider, _volume_system_template(provider))


@fixture
def with_machine(provider: Provider) -> Document:
    """Create a System of a Machine and the Credential that it uses."""
    provider.collection("systems")
    return _new(provider, machine_system_template(provider))


@check("system-create")
def system_create(provider: Provider) -> None:
    volumes = members(provider, with_volume(provider), "volumes")
    expect(len(volumes) == 1, f"of one Volume it has {len(volumes)}")
    expect(provider.read(volumes[0]).get("state") == "AVAILABLE", "its Volume is not AVAILABLE")


@check("system-create-without-template")
def system_create_without_template(provider: Provider) -> None:
    answer = provider.add(provider.collection("systems"), "SystemCreate", {"name": provider.new_name("system")})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("system-create-by-reference")
def system_create_by_reference(provider: Provider) -> None:
    url = provider.collection("systemTemplates")
    content = {"name": provider.new_name("template"), "componentDescriptors": [_login(provider.new_name("login"))]}
    template = provider.create(url, "SystemTemplate", content).url
    made = _new(provider, {"href": template})
    expect(len(members(provider, made, "credentials")) == 1, "it has no Credential")
    provider.delete(str(made["id"]))


@check("system-collections-can-be-read")
def system_collections_can_be_read(provider: Provider) -> None:
    for kind in words.ASSOCIATIONS.split():
        name = f"{kind[0].lower()}{kind[1:]}" + ("es" if kind.endswith("s") else "s")
        reference = with_volume(provider).get(name)
        if isinstance(reference, dict):
            said = provider.read(str(reference["href"])).get("resourceURI")
            expect(said == words.type_uri(f"System{kind}Collection"), f"{name} is a {said}")


@check("system-names-components")
def system_names_components(provider: Provider) -> None:
    names = sorted(
        str(provider.read(url).get("name")) for url in members(provider, with_volume(provider), "credentials")
    )
    wanted = [f"{provider.mark}-login{number}" for number in (1, 2)]
    expect(names == wanted, f"two of {provider.mark}-login are named {', '.join(names)}")
    data = provider.read(members(provider, with_volume(provider), "volumes")[0]).get("name")
    expect(data == f"{provider.mark}-data", f"the Volume is named {data}")


@check("system-quantity")
def system_quantity(provider: Provider) -> None:
    number = len(members(provider, with_volume(provider), "credentials"))
    expect(number == 2, f"of two Credentials it has {number}")


@check("system-resolves-symbolic-references")
def system_resolves_symbolic_references(provider: Provider) -> None:
    expect(
        len(members(provider, with_machine(provider), "machines")) == 1, "the Machine that refers to #name was not made"
    )


@check("system-components-are-resources")
def system_components_are_resources(provider: Provider) -> None:
    ids = [item.get("id") for item in provider.all_items(provider.collection("volumes"))]
    mine = members(provider, with_volume(provider), "volumes")[0]
    expect(mine in ids, f"{mine} is not listed")


@check("system-state-without-machines")
def system_state_without_machines(provider: Provider) -> None:
    expect(with_volume(provider).get("state") == "MIXED", f"it is {with_volume(provider).get('state')}")


def _common_state(provider: Provider) -> str:
    """Return the state that the System and its Machine are both in. Raises Violation when theirs differ."""
    system = provider.read(str(with_machine(provider)["id"]))
    machine = provider.read(members(provider, system, "machines")[0])
    expect(
        system.get("state") == machine.get("state"), f"it is {system.get('state')}, its Machine {machine.get('state')}"
    )
    return str(system.get("state"))


@check("system-state-of-its-machines")
def system_state_of_its_machines(provider: Provider) -> None:
    _common_state(provider)


@check("system-start")
def system_start(provider: Provider) -> None:
    if _common_state(provider) == "STOPPED":
        provider.perform(str(with_machine(provider)["id"]), "start")
    state = _common_state(provider)
    expect(state == "STARTED", f"it is {state}")


@check("system-stop")
def system_stop(provider: Provider) -> None:
    url = str(with_machine(provider)["id"])
    if _common_state(provider) == "STOPPED":
        provider.perform(url, "start")
    forced = {"force": True} if provider.has_capability("Machine", "MachineStopForce") else {}
    provider.perform(url, "stop", **forced)
    state = _common_state(provider)
    expect(state == "STOPPED", f"it is {state}")


@check("system-add-and-remove")
def system_add_and_remove(provider: Provider) -> None:
    volume = str(fixtures.volume(provider)["id"])
    url = str((with_volume(provider).get("volumes") or {}).get("href"))
    made = provider.create(url, "SystemVolume", {"volume": {"href": volume}})
    expect(volume in members(provider, with_volume(provider), "volumes"), "it is not listed")
    provider.delete(made.url)
    expect(volume not in members(provider, with_volume(provider), "volumes"), "it is still listed")
    expect(provider.wire.get(volume).status == 200, "the Volume is gone")


@fixture
def removed(provider: Provider) -> tuple[list[str], str]:
    """Delete a System; return the URIs of what was created with it, and of what was put into it."""
    made = _new(provider, _volume_system_template(provider))
    own = members(provider, made, "credentials") + members(provider, made, "volumes")
    guest = str(fixtures.volume(provider)["id"])
    provider.create(str(made["volumes"]["href"]), "SystemVolume", {"volume": {"href": guest}})
    provider.delete(str(made["id"]))
    return own, guest


@check("system-delete")
def system_delete(provider: Provider) -> None:
    left = [url for url in removed(provider)[0] if not provider.is_gone(url)]
    expect(not left, f"{', '.join(left)} stayed")


@check("system-delete-leaves-associated")
def system_delete_leaves_associated(provider: Provider) -> None:
    guest = removed(provider)[1]
    expect(provider.wire.get(guest).status == 200, f"{guest} went with it")


@check("system-edit")
def system_edit(provider: Provider) -> None:
    system = with_volume(provider)
    provider.edit(system, "System", {"description": "new"}, "description")
    expect(provider.read(str(system["id"])).get("description") == "new", "the edit did nothing")


@check("system-template-life")
def system_template_life(provider: Provider) -> None:
    life(provider, "systemTemplates", "SystemTemplate", _volume_system_template(provider), {"description": "new"})


@check("system-template-unknown-name")
def system_template_unknown_name(provider: Provider) -> None:
    url = provider.collection("systems")
    machine = fixtures.template(provider, credential={"href": "#nobody"}, **fixtures.initially_stopped(provider))
    descriptor = {"name": provider.new_name("web"), "type": words.type_uri("Machine"), "machineTemplate": machine}
    content = {"name": provider.new_name("system"), "systemTemplate": {"componentDescriptors": [descriptor]}}
    answer = provider.add(url, "SystemCreate", content)
    failed = not answer.good or (provider.ended_job(answer) or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"it was answered {answer.summary}")
