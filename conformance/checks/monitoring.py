"""Meters and their samples, event logs and their events."""

from __future__ import annotations

from urllib.parse import urlsplit

from conformance import fixtures
from conformance import vocabulary as words
from conformance.checks.credentials import life
from conformance.documents import resources
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import audit, check
from conformance.wire import Document, Exchange, until

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
def meter_create(provider: Provider) -> None:
    target, config = fixtures.metered_resource(provider)
    meter = fixtures.meter(provider)
    said = (meter.get("targetResource") or {}).get("href")
    expect(said == target["id"], f"targetResource is {said}")
    expect(meter.get("aspect") == config.get("aspect"), f"aspect is {meter.get('aspect')}, not {config.get('aspect')}")


def _refused(provider: Provider, template: Document) -> None:
    content = {"name": provider.new_name("meter"), "meterTemplate": template}
    answer = provider.add(provider.collection("meters"), "MeterCreate", content)
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("meter-create-without-target")
def meter_create_without_target(provider: Provider) -> None:
    _refused(provider, {"meterConfig": {"href": fixtures.metered_resource(provider)[1]["id"]}})


@check("meter-of-the-wrong-type")
def meter_of_the_wrong_type(provider: Provider) -> None:
    config = fixtures.metered_resource(provider)[1]
    _refused(provider, {"targetResource": {"href": config["id"]}, "meterConfig": {"href": config["id"]}})


def _target_meters(provider: Provider) -> tuple[str, list[str]]:
    """Return the URI of the target's meters, and the ids that it lists."""
    meters = fixtures.metered_resource(provider)[0].get("meters")
    if not isinstance(meters, dict):
        raise NotOffered("the target has no meters")
    return str(meters["href"]), [str(item.get("id")) for item in provider.items_at(str(meters["href"]))]


@check("meter-in-the-targets-collection")
def meter_in_the_targets_collection(provider: Provider) -> None:
    mine = fixtures.meter_made(provider).url
    expect(mine in _target_meters(provider)[1], "it does not stand there")


@check("meter-from-the-targets-collection")
def meter_from_the_targets_collection(provider: Provider) -> None:
    url = _target_meters(provider)[0]
    content = {
        "name": provider.new_name("meter"),
        "meterTemplate": {"meterConfig": {"href": fixtures.metered_resource(provider)[1]["id"]}},
    }
    meter = provider.read(provider.create(url, "MeterCreate", content).url)
    said = (meter.get("targetResource") or {}).get("href")
    expect(said == fixtures.metered_resource(provider)[0]["id"], f"targetResource is {said}")
    ids = [item.get("id") for item in provider.all_items(provider.collection("meters"))]
    expect(meter["id"] in ids, "it does not stand in the collection of the Cloud Entry Point")


@audit("meter-time-scope")
def meter_time_scope(_provider: Provider, exchange: Exchange) -> str | bool | None:
    meters = [document for kind, document in resources(exchange) if kind == "Meter" and "timeScope" in document]
    for document in meters:
        if document["timeScope"] not in ("Point", "Interval"):
            return f"timeScope of {document.get('id')} is {document['timeScope']}"
        if document["timeScope"] == "Interval" and not document.get("intervalDuration") and not exchange.partial:
            return f"{document.get('id')} has no intervalDuration"
    return True if meters else None


@audit("meter-aspect")
def meter_aspect(_provider: Provider, exchange: Exchange) -> str | bool | None:
    meters = [document for kind, document in resources(exchange) if kind.startswith("Meter") and "aspect" in document]
    wrong = [document for document in meters if not urlsplit(str(document["aspect"])).scheme]
    return (f"aspect of {wrong[0].get('id')} is {wrong[0]['aspect']}" if wrong else True) if meters else None


@check("meter-stop-and-start")
def meter_stop_and_start(provider: Provider) -> None:
    meter = fixtures.meter(provider)
    for verb, other in (("stop", "start"), ("start", "stop")):
        meter = provider.perform(str(meter["id"]), verb)
        expect(provider.operation(meter, other), f"after {verb} it does not offer {other}")
        expect(not provider.operation(meter, verb), f"after {verb} it still offers {verb}")


def _samples(provider: Provider) -> str:
    reference = fixtures.meter(provider).get("samples")
    if not isinstance(reference, dict):
        raise NotOffered("Meters have no samples")
    return str(reference["href"])


@check("meter-samples")
def meter_samples(provider: Provider) -> None:
    said = provider.read(_samples(provider)).get("resourceURI")
    expect(said == words.type_uri("SampleCollection"), f"it is a {said}")
    interval = fixtures.meter(provider).get("sampleInterval")
    patience = min(2.5 * interval, PATIENCE) if isinstance(interval, int) else 0
    until(lambda: provider.items_at(_samples(provider), ("$last", "5")), patience)


@check("sample-cannot-be-made")
def sample_cannot_be_made(provider: Provider) -> None:
    url = _samples(provider)
    expect(provider.operation(provider.read(url), "add") is None, "samples offer add")
    answer = provider.wire.post(url, "Sample", {"name": provider.new_name("sample")})
    expect(400 <= answer.status < 500, f"a Sample was answered {answer.summary}")


@check("meter-delete")
def meter_delete(provider: Provider) -> None:
    url = _target_meters(provider)[0]
    content = {
        "name": provider.new_name("meter"),
        "meterTemplate": {"meterConfig": {"href": fixtures.metered_resource(provider)[1]["id"]}},
    }
    made = provider.create(url, "MeterCreate", content).url
    provider.delete(made)
    expect(provider.is_gone(made), "it can still be read")
    expect(made not in _target_meters(provider)[1], "its target still has it")


@check("meter-goes-with-its-target")
def meter_goes_with_its_target(provider: Provider) -> None:
    configs = provider.all_items(provider.collection("meterConfigs"))
    fitting = [config for config in configs if "Volume" in fixtures.types_of(config)]
    if not fitting:
        raise NotOffered("no MeterConfiguration applies to Volumes")
    content = {"name": provider.new_name("volume"), "volumeTemplate": fixtures.volume_template(provider)}
    volume = provider.create(provider.collection("volumes"), "VolumeCreate", content).url
    template = {"targetResource": {"href": volume}, "meterConfig": {"href": fitting[0]["id"]}}
    meter = provider.create(
        provider.collection("meters"), "MeterCreate", {"name": provider.new_name("meter"), "meterTemplate": template}
    ).url
    provider.delete(volume)
    expect(provider.is_gone(meter), f"{meter} is still there")


@check("meter-template-life")
def meter_template_life(provider: Provider) -> None:
    content: dict[str, object] = {"meterConfig": {"href": fixtures.metered_resource(provider)[1]["id"]}}
    life(provider, "meterTemplates", "MeterTemplate", content, {"description": "new"})


@check("meter-configuration-life")
def meter_configuration_life(provider: Provider) -> None:
    life(provider, "meterConfigs", "MeterConfiguration", CONFIGURATION, {"sampleInterval": 60})


# Event logs


@fixture
def own_log(provider: Provider) -> tuple[str, Document]:
    """Create a Volume, and return its URI and its EventLog."""
    content = {"name": provider.new_name("volume"), "volumeTemplate": fixtures.volume_template(provider)}
    volume = provider.create(provider.collection("volumes"), "VolumeCreate", content).url
    reference = provider.read(volume).get("eventLog")
    if not isinstance(reference, dict):
        raise NotOffered("Volumes have no eventLog")
    return volume, provider.read(str(reference["href"]))


def _events(provider: Provider) -> list[Document]:
    reference = fixtures.event_log(provider).get("events")
    if not isinstance(reference, dict):
        raise NotOffered("EventLogs have no events")
    events = provider.all_items(str(reference["href"]))
    if not events:
        raise NotOffered("the EventLog is empty")
    return events


@check("event-log-of-a-resource")
def event_log_of_a_resource(provider: Provider) -> None:
    volume, log = own_log(provider)
    expect(fixtures.kind_of(log) == "EventLog", f"it is a {fixtures.kind_of(log)}")
    said = (log.get("targetResource") or {}).get("href")
    expect(said == volume, f"its targetResource is {said}")


@check("event-log-create")
def event_log_create(provider: Provider) -> None:
    url = provider.collection("eventLogs")
    content = {"name": provider.new_name("volume"), "volumeTemplate": fixtures.volume_template(provider)}
    volume = provider.create(provider.collection("volumes"), "VolumeCreate", content).url
    log = provider.read(volume).get("eventLog")
    if isinstance(log, dict):
        provider.delete(str(log["href"]))
    template = {"targetResource": {"href": volume}, "persistence": "daily"}
    new_log = provider.read(
        provider.create(url, "EventLogCreate", {"name": provider.new_name("log"), "eventLogTemplate": template}).url
    )
    said = (new_log.get("targetResource") or {}).get("href")
    expect(said == volume, f"targetResource is {said}")
    expect(str(new_log.get("persistence", "")).lower() == "daily", f"persistence is {new_log.get('persistence')}")


@check("event-log-edit")
def event_log_edit(provider: Provider) -> None:
    log = own_log(provider)[1]
    provider.edit(log, "EventLog", {"persistence": "weekly"}, "persistence")
    said = provider.read(str(log["id"])).get("persistence")
    expect(said == "weekly", f"persistence is {said}")


@check("event-log-summary")
def event_log_summary(provider: Provider) -> None:
    for _ in range(3):
        before, events = provider.read(str(fixtures.event_log(provider)["id"])), _events(provider)
        after = provider.read(str(fixtures.event_log(provider)["id"]))
        if before.get("summary") == after.get("summary"):
            break
    summary = after.get("summary")
    if not isinstance(summary, dict):
        raise NotOffered("EventLogs have no summary")
    for severity in SEVERITIES:
        number = sum(event.get("severity") == severity for event in events)
        expect(summary.get(severity, 0) == number, f"it says {summary.get(severity)} {severity}, there are {number}")


@fixture
def deleted_volume_log(provider: Provider) -> tuple[str, str]:
    """Delete the Volume, and return the URIs of its log and of that log's events."""
    volume, log = own_log(provider)
    events = log.get("events")
    provider.delete(volume)
    return str(log["id"]), str(events["href"]) if isinstance(events, dict) else ""


@check("event-log-goes-with-its-target")
def event_log_goes_with_its_target(provider: Provider) -> None:
    provider.demand_capability("EventLog", "Linked")
    log = deleted_volume_log(provider)[0]
    expect(provider.is_gone(log), f"{log} is still there")


@check("event-log-deleted-with-its-events")
def event_log_deleted_with_its_events(provider: Provider) -> None:
    content = {"name": provider.new_name("volume"), "volumeTemplate": fixtures.volume_template(provider)}
    volume = provider.create(provider.collection("volumes"), "VolumeCreate", content).url
    log = provider.read(volume).get("eventLog")
    if not isinstance(log, dict):
        raise NotOffered("Volumes have no eventLog")
    events = str(provider.read(str(log["href"]))["events"]["href"])
    provider.delete(str(log["href"]))
    expect(provider.is_gone(events), f"{events} can still be read")


# Events


@check("event-has-time-and-type")
def event_has_time_and_type(provider: Provider) -> None:
    for event in _events(provider):
        expect(event.get("timestamp"), f"{event.get('id')} has no timestamp")
        expect(urlsplit(str(event.get("type", ""))).scheme, f"the type of {event.get('id')} is {event.get('type')}")


@check("event-of-a-state")
def event_of_a_state(provider: Provider) -> None:
    events = [event for event in _events(provider) if str(event.get("type", "")).endswith("/event/state")]
    if not events:
        raise NotOffered("the log has no state events")
    for event in events:
        content = event.get("content") or {}
        missing = [name for name in ("resource", "resType", "state") if not content.get(name)]
        expect(not missing, f"the content of {event.get('id')} has no {' and no '.join(missing)}")


@check("event-outcome")
def event_outcome(provider: Provider) -> None:
    for event in _events(provider):
        said = event.get("outcome", "Unknown")
        expect(said in OUTCOMES or "/cimi/1/event/" not in str(event.get("type")), f"{event.get('id')} says {said}")


@check("event-severity")
def event_severity(provider: Provider) -> None:
    for event in _events(provider):
        expect(event.get("severity", "low") in SEVERITIES, f"{event.get('id')} says {event.get('severity')}")


@check("event-is-told")
def event_is_told(provider: Provider) -> None:
    machine = fixtures.machine(provider)
    log = machine.get("eventLog")
    if not isinstance(log, dict):
        raise NotOffered("Machines have no eventLog")
    events = provider.all_items(str(provider.read(str(log["href"]))["events"]["href"]))
    states = [(event.get("content") or {}).get("state") for event in events]
    expect(machine.get("state") in states, f"the Machine is {machine.get('state')}, and its log tells of {states}")


@check("event-cannot-be-made")
def event_cannot_be_made(provider: Provider) -> None:
    url = str(fixtures.event_log(provider)["events"]["href"])
    expect(provider.operation(provider.read(url, ("$last", "1")), "add") is None, "events offer add")
    answer = provider.wire.post(url, "Event", {"name": provider.new_name("event")})
    expect(400 <= answer.status < 500, f"an Event was answered {answer.summary}")


@check("event-log-template-life")
def event_log_template_life(provider: Provider) -> None:
    life(provider, "eventLogTemplates", "EventLogTemplate", {"persistence": "daily"}, {"persistence": "weekly"})
