"""OVF packages: one that the provider can reach becomes a System and a SystemTemplate, and these become packages."""

from __future__ import annotations

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks import systems
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document, Exchange

PACKAGE = "application/ovf"
NOWHERE = "urn:uuid:00000000-0000-4000-8000-000000000000"
COLLECTIONS = {"systems": "System", "systemTemplates": "SystemTemplate"}


def _source(provider: Provider) -> str:
    if provider.options.package_location is None:
        raise NotOffered("no package is known: name one with --package-location")
    return provider.options.package_location


def _import(provider: Provider, entry: str, **parameters: object) -> Exchange:
    """Request an import into a collection of the Cloud Entry Point."""
    listed = provider.read(provider.collection(entry), ("$last", "1"))
    return provider.wire.post(
        provider.demand_operation(listed, "import"), "Action", {"action": f"{words.ACTION}import", **parameters}
    )


def _note_all_created(provider: Provider, job: Document) -> None:
    """Remember what the Job created, and before it what its nested Jobs did, so that all will be tidied away."""
    for nested in job.get("nestedJobs", []):
        _note_all_created(provider, provider.read(str(nested["href"])))
    target = (job.get("targetResource") or {}).get("href")
    if job.get("action") in (f"{words.ACTION}import", "add"):
        for reference in job.get("affectedResources", []):
            if reference.get("href") != target:
                provider.note_created(str(reference["href"]))


def _affected(provider: Provider, job: Document, kind: str) -> Document:
    """Return the one resource of this type among those that the Job names."""
    hrefs = [str(reference.get("href")) for reference in job.get("affectedResources", [])]
    resources = [provider.read(href) for href in hrefs]
    made = [document for document in resources if fixtures.kind_of(document) == kind]
    expect(len(made) == 1, f"the Job names {len(made)} resources of the type {kind}")
    return made[0]


def _imported(provider: Provider, entry: str) -> tuple[Exchange, Document]:
    exchange = _import(provider, entry, source=_source(provider))
    expect(exchange.good, f"import was answered {exchange.summary}")
    job = provider.ended_job(exchange)
    if job is None:
        raise NotOffered("import has no Job, so what it made is not named")
    _note_all_created(provider, job)
    expect(job.get("state") == "SUCCESS", f"its Job ended {job.get('state')}: {job.get('statusMessage')}")
    return exchange, job


@fixture
def imported(provider: Provider) -> tuple[Exchange, Document]:
    """Import a System, and return the answer and its Job once that has ended."""
    return _imported(provider, "systems")


@fixture
def imported_template(provider: Provider) -> tuple[Exchange, Document]:
    """Import a SystemTemplate, and return the answer and its Job once that has ended."""
    return _imported(provider, "systemTemplates")


def _rels(document: Document, verb: str) -> list[str]:
    """Return the rels of operations that end in this verb, whatever stands before it."""
    rels = [str(entry.get("rel")) for entry in document.get("operations") or []]
    return [rel for rel in rels if rel.rpartition("/")[2].lower() == verb]


def _demand_rels(rels: list[str], verb: str) -> None:
    if not rels:
        raise NotOffered(f"nothing offers {verb}")
    wrong = [rel for rel in rels if rel != words.ACTION + verb]
    expect(not wrong, f"it is offered as {', '.join(wrong)}")


# Import


@check("import-rel")
def import_rel(provider: Provider) -> None:
    listed = [
        provider.read(provider.collection(entry), ("$last", "1")) for entry in COLLECTIONS if provider.offers(entry)
    ]
    _demand_rels([rel for document in listed for rel in _rels(document, "import")], "import")


@check("import-is-accepted")
def import_is_accepted(provider: Provider) -> None:
    exchange, _job = imported(provider)
    expect(exchange.status == 202, f"it was answered {exchange.summary}")


def _demand_listed(provider: Provider, entry: str, made: Document) -> None:
    ids = [item.get("id") for item in provider.all_items(provider.collection(entry))]
    expect(made.get("id") in ids, f"{made.get('id')} is not listed")


@check("import-makes-a-system")
def import_makes_a_system(provider: Provider) -> None:
    _demand_listed(provider, "systems", _affected(provider, imported(provider)[1], "System"))


@check("import-job")
def import_job(provider: Provider) -> None:
    _exchange, job = imported(provider)
    target = provider.wire.absolute(str((job.get("targetResource") or {}).get("href")))
    expect(target == provider.wire.absolute(provider.collection("systems")), f"its target is {target}")
    expect(job.get("action") == f"{words.ACTION}import", f"its action is {job.get('action')}")
    _affected(provider, job, "System")


@check("import-makes-machines")
def import_makes_machines(provider: Provider) -> None:
    machines = systems.members(provider, _affected(provider, imported(provider)[1], "System"), "machines")
    expect(machines, "it has no Machines")


@check("import-needs-a-source")
def import_needs_a_source(provider: Provider) -> None:
    answer = _import(provider, "systems")
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("import-of-a-source-that-is-not-there")
def import_of_a_source_that_is_not_there(provider: Provider) -> None:
    answer = _import(provider, "systems", source=NOWHERE)
    job = provider.ended_job(answer) if answer.good else None
    failed = not answer.good or (job or {}).get("state") == "FAILED"
    expect(failed and answer.status < 500, f"it was answered {answer.summary}")


@check("template-import-makes-a-template")
def template_import_makes_a_template(provider: Provider) -> None:
    _demand_listed(provider, "systemTemplates", _affected(provider, imported_template(provider)[1], "SystemTemplate"))


@check("template-import-describes-machines")
def template_import_describes_machines(provider: Provider) -> None:
    made = _affected(provider, imported_template(provider)[1], "SystemTemplate")
    kinds = [entry.get("type") for entry in made.get("componentDescriptors", [])]
    expect(words.type_uri("Machine") in kinds, f"its descriptors are of {', '.join(map(str, kinds)) or 'nothing'}")


@check("template-import-says-its-source")
def template_import_says_its_source(provider: Provider) -> None:
    said = _affected(provider, imported_template(provider)[1], "SystemTemplate").get("importImage")
    expect(said == _source(provider), f"importImage is {said}")


# Export


@fixture
def template(provider: Provider) -> Document:
    """Create a SystemTemplate of a Machine."""
    content = {"name": provider.new_name("template"), **systems.machine_system_template(provider)}
    return provider.read(provider.create(provider.collection("systemTemplates"), "SystemTemplate", content).url)


def _exported(provider: Provider, document: Document, **parameters: object) -> tuple[Exchange, Document | None]:
    exchange = provider.request_action(document, "export", **parameters)
    expect(exchange.good, f"export was answered {exchange.summary}")
    return exchange, provider.finish(exchange)


@fixture
def exported(provider: Provider) -> tuple[Exchange, Document | None]:
    """Export a System, and return the answer and its Job once that has ended."""
    return _exported(provider, systems.with_machine(provider))


def _data(provider: Provider, exchange: Exchange) -> Exchange:
    """Read what is at the Location, which comes in a format of its own whatever is requested."""
    expect(exchange.location, "the answer has no Location")
    answer = provider.wire.get(str(exchange.location), headers={"Accept": "*/*"}, raw=True)
    expect(answer.status == 200, f"GET {exchange.location} was answered {answer.summary}")
    expect(answer.body, f"there is nothing at {exchange.location}")
    return answer


@check("export-rel")
def export_rel(provider: Provider) -> None:
    sources = [make(provider) for entry, make in (("systems", systems.with_machine), ("systemTemplates", template))
             if provider.offers(entry)]  # fmt: skip
    _demand_rels([rel for document in sources for rel in _rels(document, "export")], "export")


@check("export-location")
def export_location(provider: Provider) -> None:
    _data(provider, exported(provider)[0])


@check("export-media-type")
def export_media_type(provider: Provider) -> None:
    media = _data(provider, exported(provider)[0]).media
    expect(media == PACKAGE, f"it is {media}")


@check("export-job")
def export_job(provider: Provider) -> None:
    _exchange, job = exported(provider)
    if job is None:
        raise NotOffered("export has no Job")
    target = (job.get("targetResource") or {}).get("href")
    expect(target == systems.with_machine(provider)["id"], f"its target is {target}")
    expect(job.get("action") == f"{words.ACTION}export", f"its action is {job.get('action')}")


@check("export-takes-its-format")
def export_takes_its_format(provider: Provider) -> None:
    _exported(provider, systems.with_machine(provider), format=PACKAGE)


@check("export-of-an-unknown-format")
def export_of_an_unknown_format(provider: Provider) -> None:
    answer = provider.request_action(systems.with_machine(provider), "export", format="application/x-no-such-format")
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


def _states(provider: Provider) -> list[object]:
    system = provider.read(str(systems.with_machine(provider)["id"]))
    machines = [provider.read(url) for url in systems.members(provider, system, "machines")]
    return [document.get("state") for document in (system, *machines)]


@check("export-leaves-the-system")
def export_leaves_the_system(provider: Provider) -> None:
    before = _states(provider)
    _exported(provider, systems.with_machine(provider))
    after = _states(provider)
    expect(before == after, f"System and Machines were {before}, and are {after}")


@check("template-export-location")
def template_export_location(provider: Provider) -> None:
    exchange, _job = _exported(provider, template(provider))
    media = _data(provider, exchange).media
    expect(media == PACKAGE, f"it is {media}")
