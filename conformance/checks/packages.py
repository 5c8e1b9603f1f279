"""OVF packages: one that the provider can reach becomes a System and a SystemTemplate, and these become packages."""

from __future__ import annotations

from conformance import things
from conformance import vocabulary as words
from conformance.checks import systems
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document, Exchange
from conformance.world import World, fact

PACKAGE = "application/ovf"
NOWHERE = "urn:uuid:00000000-0000-4000-8000-000000000000"
COLLECTIONS = {"systems": "System", "systemTemplates": "SystemTemplate"}


def _source(world: World) -> str:
    if world.options.package_location is None:
        raise NotOffered("no package is known: name one with --package-location")
    return world.options.package_location


def _import(world: World, entry: str, **parameters: object) -> Exchange:
    """Asked of a collection of the Cloud Entry Point; what its Jobs make will be tidied away."""
    listed = world.read(world.collection(entry), ("$last", "1"))
    return world.wire.post(
        world.demanded(listed, "import"), "Action", {"action": f"{words.ACTION}import", **parameters}
    )


def _keep_all(world: World, job: Document) -> None:
    """What the Job made, and its nested ones before it."""
    for nested in job.get("nestedJobs", []):
        _keep_all(world, world.read(str(nested["href"])))
    target = (job.get("targetResource") or {}).get("href")
    if job.get("action") in (f"{words.ACTION}import", "add"):
        for reference in job.get("affectedResources", []):
            if reference.get("href") != target:
                world.keep(str(reference["href"]))


def _made(world: World, job: Document, kind: str) -> Document:
    """What of this type is among the resources that the Job names."""
    hrefs = [str(reference.get("href")) for reference in job.get("affectedResources", [])]
    found = [world.read(href) for href in hrefs]
    made = [document for document in found if things.kind_of(document) == kind]
    expect(len(made) == 1, f"the Job names {len(made)} resources of the type {kind}")
    return made[0]


def _imported(world: World, entry: str) -> tuple[Exchange, Document]:
    exchange = _import(world, entry, source=_source(world))
    expect(exchange.good, f"import was answered {exchange.told()}")
    job = world.ended(exchange)
    if job is None:
        raise NotOffered("import has no Job, so what it made is not named")
    _keep_all(world, job)
    expect(job.get("state") == "SUCCESS", f"its Job ended {job.get('state')}: {job.get('statusMessage')}")
    return exchange, job


@fact
def imported(world: World) -> tuple[Exchange, Document]:
    """The answer to the import of a System, and its Job once it has ended."""
    return _imported(world, "systems")


@fact
def imported_template(world: World) -> tuple[Exchange, Document]:
    return _imported(world, "systemTemplates")


def _rels(document: Document, verb: str) -> list[str]:
    """Of operations that are this one by the sound of it."""
    rels = [str(entry.get("rel")) for entry in document.get("operations") or []]
    return [rel for rel in rels if rel.rpartition("/")[2].lower() == verb]


def _demand_rels(rels: list[str], verb: str) -> None:
    if not rels:
        raise NotOffered(f"nothing offers {verb}")
    wrong = [rel for rel in rels if rel != words.ACTION + verb]
    expect(not wrong, f"it is offered as {', '.join(wrong)}")


# Import


@check("import-rel")
def import_rel(world: World) -> None:
    listed = [world.read(world.collection(entry), ("$last", "1")) for entry in COLLECTIONS if world.offers(entry)]
    _demand_rels([rel for document in listed for rel in _rels(document, "import")], "import")


@check("import-is-accepted")
def import_is_accepted(world: World) -> None:
    exchange, _job = imported(world)
    expect(exchange.status == 202, f"it was answered {exchange.told()}")


def _demand_listed(world: World, entry: str, made: Document) -> None:
    ids = [item.get("id") for item in world.everything(world.collection(entry))]
    expect(made.get("id") in ids, f"{made.get('id')} is not listed")


@check("import-makes-a-system")
def import_makes_a_system(world: World) -> None:
    _demand_listed(world, "systems", _made(world, imported(world)[1], "System"))


@check("import-job")
def import_job(world: World) -> None:
    _exchange, job = imported(world)
    target = world.wire.absolute(str((job.get("targetResource") or {}).get("href")))
    expect(target == world.wire.absolute(world.collection("systems")), f"its target is {target}")
    expect(job.get("action") == f"{words.ACTION}import", f"its action is {job.get('action')}")
    _made(world, job, "System")


@check("import-makes-machines")
def import_makes_machines(world: World) -> None:
    found = systems.members(world, _made(world, imported(world)[1], "System"), "machines")
    expect(found, "it has no Machines")


@check("import-needs-a-source")
def import_needs_a_source(world: World) -> None:
    answer = _import(world, "systems")
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("import-of-a-source-that-is-not-there")
def import_of_a_source_that_is_not_there(world: World) -> None:
    answer = _import(world, "systems", source=NOWHERE)
    job = world.ended(answer) if answer.good else None
    failed = not answer.good or (job or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"it was answered {answer.told()}")


@check("template-import-makes-a-template")
def template_import_makes_a_template(world: World) -> None:
    _demand_listed(world, "systemTemplates", _made(world, imported_template(world)[1], "SystemTemplate"))


@check("template-import-describes-machines")
def template_import_describes_machines(world: World) -> None:
    made = _made(world, imported_template(world)[1], "SystemTemplate")
    kinds = [entry.get("type") for entry in made.get("componentDescriptors", [])]
    expect(words.type_uri("Machine") in kinds, f"its descriptors are of {', '.join(map(str, kinds)) or 'nothing'}")


@check("template-import-says-its-source")
def template_import_says_its_source(world: World) -> None:
    said = _made(world, imported_template(world)[1], "SystemTemplate").get("importImage")
    expect(said == _source(world), f"importImage is {said}")


# Export


@fact
def template(world: World) -> Document:
    """A SystemTemplate of a Machine."""
    content = {"name": world.name("template"), **systems.of_a_machine(world)}
    return world.read(world.make(world.collection("systemTemplates"), "SystemTemplate", content).url)


def _exported(world: World, document: Document, **parameters: object) -> tuple[Exchange, Document | None]:
    exchange = world.act(document, "export", **parameters)
    expect(exchange.good, f"export was answered {exchange.told()}")
    return exchange, world.finish(exchange)


@fact
def exported(world: World) -> tuple[Exchange, Document | None]:
    """The answer to the export of a System, and its Job once it has ended."""
    return _exported(world, systems.heavy(world))


def _data(world: World, exchange: Exchange) -> Exchange:
    """What can be read at the Location. It comes in the format of its own, whatever is asked for."""
    expect(exchange.location, "the answer has no Location")
    answer = world.wire.get(str(exchange.location), headers={"Accept": "*/*"}, raw=True)
    expect(answer.status == 200, f"GET {exchange.location} was answered {answer.told()}")
    expect(answer.body, f"there is nothing at {exchange.location}")
    return answer


@check("export-rel")
def export_rel(world: World) -> None:
    found = [make(world) for entry, make in (("systems", systems.heavy), ("systemTemplates", template))
             if world.offers(entry)]  # fmt: skip
    _demand_rels([rel for document in found for rel in _rels(document, "export")], "export")


@check("export-location")
def export_location(world: World) -> None:
    _data(world, exported(world)[0])


@check("export-media-type")
def export_media_type(world: World) -> None:
    media = _data(world, exported(world)[0]).media
    expect(media == PACKAGE, f"it is {media}")


@check("export-job")
def export_job(world: World) -> None:
    _exchange, job = exported(world)
    if job is None:
        raise NotOffered("export has no Job")
    target = (job.get("targetResource") or {}).get("href")
    expect(target == systems.heavy(world)["id"], f"its target is {target}")
    expect(job.get("action") == f"{words.ACTION}export", f"its action is {job.get('action')}")


@check("export-takes-its-format")
def export_takes_its_format(world: World) -> None:
    _exported(world, systems.heavy(world), format=PACKAGE)


@check("export-of-an-unknown-format")
def export_of_an_unknown_format(world: World) -> None:
    answer = world.act(systems.heavy(world), "export", format="application/x-no-such-format")
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


def _states(world: World) -> list[object]:
    system = world.read(str(systems.heavy(world)["id"]))
    machines = [world.read(url) for url in systems.members(world, system, "machines")]
    return [document.get("state") for document in (system, *machines)]


@check("export-leaves-the-system")
def export_leaves_the_system(world: World) -> None:
    before = _states(world)
    _exported(world, systems.heavy(world))
    after = _states(world)
    expect(before == after, f"System and Machines were {before}, and are {after}")


@check("template-export-location")
def template_export_location(world: World) -> None:
    exchange, _job = _exported(world, template(world))
    media = _data(world, exchange).media
    expect(media == PACKAGE, f"it is {media}")
