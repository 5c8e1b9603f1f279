"""Meters and their samples, event logs and their events."""

from __future__ import annotations

from urllib.parse import urlsplit

from conformance import things
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.looking import resources
from conformance.outcomes import NotOffered, expect
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, until
from conformance.world import World, fact

OUTCOMES = ("Pending", "Unknown", "Status", "Success", "Warning", "Failure")
SEVERITIES = ("critical", "high", "medium", "low")
CONFIGURATION: dict[str, object] = {
    "aspect": f"{words.NAMESPACE}/aspect/cpu",
    "units": "percent",
    "timeScope": "Interval",
    "intervalDuration": "PT1H",
    "isContinuous": True,
}
PATIENCE = 30.0
"""Seconds that a first sample is waited for, at most."""


@check("meter-create")
def meter_create(world: World) -> None:
    target, config = things.metered(world)
    found = things.meter(world)
    said = (found.get("targetResource") or {}).get("href")
    expect(said == target["id"], f"targetResource is {said}")
    expect(found.get("aspect") == config.get("aspect"), f"aspect is {found.get('aspect')}, not {config.get('aspect')}")


def _refused(world: World, template: Document) -> None:
    content = {"name": world.name("meter"), "meterTemplate": template}
    answer = world.add(world.collection("meters"), "MeterCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("meter-create-without-target")
def meter_create_without_target(world: World) -> None:
    _refused(world, {"meterConfig": {"href": things.metered(world)[1]["id"]}})


@check("meter-of-the-wrong-type")
def meter_of_the_wrong_type(world: World) -> None:
    config = things.metered(world)[1]
    _refused(world, {"targetResource": {"href": config["id"]}, "meterConfig": {"href": config["id"]}})


def _of_the_target(world: World) -> tuple[str, list[str]]:
    """The URI of the target's meters, and the ids that it lists."""
    meters = things.metered(world)[0].get("meters")
    if not isinstance(meters, dict):
        raise NotOffered("the target has no meters")
    return str(meters["href"]), [str(item.get("id")) for item in world.listed(str(meters["href"]))]


@check("meter-in-the-targets-collection")
def meter_in_the_targets_collection(world: World) -> None:
    mine = things.meter_made(world).url
    expect(mine in _of_the_target(world)[1], "it does not stand there")


@check("meter-from-the-targets-collection")
def meter_from_the_targets_collection(world: World) -> None:
    url = _of_the_target(world)[0]
    content = {"name": world.name("meter"), "meterTemplate": {"meterConfig": {"href": things.metered(world)[1]["id"]}}}
    found = world.read(world.make(url, "MeterCreate", content).url)
    said = (found.get("targetResource") or {}).get("href")
    expect(said == things.metered(world)[0]["id"], f"targetResource is {said}")
    ids = [item.get("id") for item in world.everything(world.collection("meters"))]
    expect(found["id"] in ids, "it does not stand in the collection of the Cloud Entry Point")


@audit("meter-time-scope")
def meter_time_scope(_world: World, exchange: Exchange) -> str | bool | None:
    found = [document for kind, document in resources(exchange) if kind == "Meter" and "timeScope" in document]
    for document in found:
        if document["timeScope"] not in ("Point", "Interval"):
            return f"timeScope of {document.get('id')} is {document['timeScope']}"
        if document["timeScope"] == "Interval" and not document.get("intervalDuration") and not exchange.partial:
            return f"{document.get('id')} has no intervalDuration"
    return True if found else None


@audit("meter-aspect")
def meter_aspect(_world: World, exchange: Exchange) -> str | bool | None:
    found = [document for kind, document in resources(exchange) if kind.startswith("Meter") and "aspect" in document]
    wrong = [document for document in found if not urlsplit(str(document["aspect"])).scheme]
    return (f"aspect of {wrong[0].get('id')} is {wrong[0]['aspect']}" if wrong else True) if found else None


@check("meter-stop-and-start")
def meter_stop_and_start(world: World) -> None:
    found = things.meter(world)
    for verb, other in (("stop", "start"), ("start", "stop")):
        found = world.acted(str(found["id"]), verb)
        expect(world.operation(found, other), f"after {verb} it does not offer {other}")
        expect(not world.operation(found, verb), f"after {verb} it still offers {verb}")


def _samples(world: World) -> str:
    found = things.meter(world).get("samples")
    if not isinstance(found, dict):
        raise NotOffered("Meters have no samples")
    return str(found["href"])


@check("meter-samples")
def meter_samples(world: World) -> None:
    said = world.read(_samples(world)).get("resourceURI")
    expect(said == words.type_uri("SampleCollection"), f"it is a {said}")
    interval = things.meter(world).get("sampleInterval")
    patience = min(2.5 * interval, PATIENCE) if isinstance(interval, int) else 0
    until(lambda: world.listed(_samples(world), ("$last", "5")), patience)


@check("sample-cannot-be-made")
def sample_cannot_be_made(world: World) -> None:
    url = _samples(world)
    expect(world.operation(world.read(url), "add") is None, "samples offer add")
    answer = world.wire.post(url, "Sample", {"name": world.name("sample")})
    expect(400 <= answer.status < 500, f"a Sample was answered {answer.told()}")


@check("meter-delete")
def meter_delete(world: World) -> None:
    url = _of_the_target(world)[0]
    content = {"name": world.name("meter"), "meterTemplate": {"meterConfig": {"href": things.metered(world)[1]["id"]}}}
    made = world.make(url, "MeterCreate", content).url
    world.removed(made)
    expect(world.gone(made), "it can still be read")
    expect(made not in _of_the_target(world)[1], "its target still has it")


@check("meter-goes-with-its-target")
def meter_goes_with_its_target(world: World) -> None:
    configs = world.everything(world.collection("meterConfigs"))
    fitting = [config for config in configs if "Volume" in things.types_of(config)]
    if not fitting:
        raise NotOffered("no MeterConfiguration applies to Volumes")
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world)}
    volume = world.make(world.collection("volumes"), "VolumeCreate", content).url
    template = {"targetResource": {"href": volume}, "meterConfig": {"href": fitting[0]["id"]}}
    meter = world.make(
        world.collection("meters"), "MeterCreate", {"name": world.name("meter"), "meterTemplate": template}
    ).url
    world.removed(volume)
    expect(world.gone(meter), f"{meter} is still there")


@check("meter-template-life")
def meter_template_life(world: World) -> None:
    content: dict[str, object] = {"meterConfig": {"href": things.metered(world)[1]["id"]}}
    life(world, "meterTemplates", "MeterTemplate", content, "description", "new")


@check("meter-configuration-life")
def meter_configuration_life(world: World) -> None:
    life(world, "meterConfigs", "MeterConfiguration", CONFIGURATION, "sampleInterval", 60)


# Event logs


@fact
def own_log(world: World) -> tuple[str, Document]:
    """A Volume of its own, and its EventLog."""
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world)}
    volume = world.make(world.collection("volumes"), "VolumeCreate", content).url
    found = world.read(volume).get("eventLog")
    if not isinstance(found, dict):
        raise NotOffered("Volumes have no eventLog")
    return volume, world.read(str(found["href"]))


def _events(world: World) -> list[Document]:
    found = things.log(world).get("events")
    if not isinstance(found, dict):
        raise NotOffered("EventLogs have no events")
    events = world.everything(str(found["href"]))
    if not events:
        raise NotOffered("the EventLog is empty")
    return events


@check("event-log-of-a-resource")
def event_log_of_a_resource(world: World) -> None:
    volume, log = own_log(world)
    expect(things.kind_of(log) == "EventLog", f"it is a {things.kind_of(log)}")
    said = (log.get("targetResource") or {}).get("href")
    expect(said == volume, f"its targetResource is {said}")


@check("event-log-create")
def event_log_create(world: World) -> None:
    url = world.collection("eventLogs")
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world)}
    volume = world.make(world.collection("volumes"), "VolumeCreate", content).url
    log = world.read(volume).get("eventLog")
    if isinstance(log, dict):
        world.removed(str(log["href"]))
    template = {"targetResource": {"href": volume}, "persistence": "daily"}
    found = world.read(world.make(url, "EventLogCreate", {"name": world.name("log"), "eventLogTemplate": template}).url)
    said = (found.get("targetResource") or {}).get("href")
    expect(said == volume, f"targetResource is {said}")
    expect(str(found.get("persistence", "")).lower() == "daily", f"persistence is {found.get('persistence')}")


@check("event-log-edit")
def event_log_edit(world: World) -> None:
    log = own_log(world)[1]
    answer = world.wire.put(
        world.demanded(log, "edit"), "EventLog", {"persistence": "weekly"}, ("$select", "persistence")
    )
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    said = world.read(str(log["id"])).get("persistence")
    expect(said == "weekly", f"persistence is {said}")


@check("event-log-summary")
def event_log_summary(world: World) -> None:
    for _ in range(3):
        before, events = world.read(str(things.log(world)["id"])), _events(world)
        after = world.read(str(things.log(world)["id"]))
        if before.get("summary") == after.get("summary"):
            break
    summary = after.get("summary")
    if not isinstance(summary, dict):
        raise NotOffered("EventLogs have no summary")
    for severity in SEVERITIES:
        number = sum(event.get("severity") == severity for event in events)
        expect(summary.get(severity, 0) == number, f"it says {summary.get(severity)} {severity}, there are {number}")


@fact
def departed(world: World) -> tuple[str, str]:
    """The log and the events of a Volume that was deleted."""
    volume, log = own_log(world)
    events = log.get("events")
    world.removed(volume)
    return str(log["id"]), str(events["href"]) if isinstance(events, dict) else ""


@check("event-log-goes-with-its-target")
def event_log_goes_with_its_target(world: World) -> None:
    world.demand_capability("EventLog", "Linked")
    log = departed(world)[0]
    expect(world.gone(log), f"{log} is still there")


@check("event-log-deleted-with-its-events")
def event_log_deleted_with_its_events(world: World) -> None:
    content = {"name": world.name("volume"), "volumeTemplate": things.volume_template(world)}
    volume = world.make(world.collection("volumes"), "VolumeCreate", content).url
    log = world.read(volume).get("eventLog")
    if not isinstance(log, dict):
        raise NotOffered("Volumes have no eventLog")
    events = str(world.read(str(log["href"]))["events"]["href"])
    world.removed(str(log["href"]))
    expect(world.gone(events), f"{events} can still be read")


# Events


@check("event-has-time-and-type")
def event_has_time_and_type(world: World) -> None:
    for event in _events(world):
        expect(event.get("timestamp"), f"{event.get('id')} has no timestamp")
        expect(urlsplit(str(event.get("type", ""))).scheme, f"the type of {event.get('id')} is {event.get('type')}")


@check("event-of-a-state")
def event_of_a_state(world: World) -> None:
    found = [event for event in _events(world) if str(event.get("type", "")).endswith("/event/state")]
    if not found:
        raise NotOffered("the log has no state events")
    for event in found:
        content = event.get("content") or {}
        missing = [name for name in ("resource", "resType", "state") if not content.get(name)]
        expect(not missing, f"the content of {event.get('id')} has no {' and no '.join(missing)}")


@check("event-outcome")
def event_outcome(world: World) -> None:
    for event in _events(world):
        said = event.get("outcome", "Unknown")
        expect(said in OUTCOMES or "/cimi/1/event/" not in str(event.get("type")), f"{event.get('id')} says {said}")


@check("event-severity")
def event_severity(world: World) -> None:
    for event in _events(world):
        expect(event.get("severity", "low") in SEVERITIES, f"{event.get('id')} says {event.get('severity')}")


@check("event-is-told")
def event_is_told(world: World) -> None:
    machine = things.machine(world)
    log = machine.get("eventLog")
    if not isinstance(log, dict):
        raise NotOffered("Machines have no eventLog")
    events = world.everything(str(world.read(str(log["href"]))["events"]["href"]))
    told = [(event.get("content") or {}).get("state") for event in events]
    expect(machine.get("state") in told, f"the Machine is {machine.get('state')}, and its log tells of {told}")


@check("event-cannot-be-made")
def event_cannot_be_made(world: World) -> None:
    url = str(things.log(world)["events"]["href"])
    expect(world.operation(world.read(url, ("$last", "1")), "add") is None, "events offer add")
    answer = world.wire.post(url, "Event", {"name": world.name("event")})
    expect(400 <= answer.status < 500, f"an Event was answered {answer.told()}")


@check("event-log-template-life")
def event_log_template_life(world: World) -> None:
    life(world, "eventLogTemplates", "EventLogTemplate", {"persistence": "daily"}, "persistence", "weekly")
