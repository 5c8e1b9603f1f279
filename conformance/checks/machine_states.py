"""States of Machines: one walk through them, at which most checks look."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance import fixtures
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, Violation, expect
from conformance.provider import Provider, fixture
from conformance.registry import audit, check
from conformance.wire import Document, Exchange

CHANGING = ("start", "stop", "restart", "pause", "suspend")


# The walk: STOPPED, start, pause, start, suspend, start, restart, stop, restart, stop


@dataclass
class Step:
    """Action of a Machine, which was read before, meanwhile and afterwards."""

    verb: str
    before: Document
    during: list[str] = field(default_factory=list)
    after: Document = field(default_factory=dict)
    job: Document | None = None
    wrong: str = ""


WALK = (
    ("start", "STOPPED"),
    ("pause", "STARTED"),
    ("start", "PAUSED"),
    ("suspend", "STARTED"),
    ("start", "SUSPENDED"),
    ("restart", "STARTED"),
    ("stop", "STARTED"),
    ("restart", "STOPPED"),
    ("stop", "STARTED"),
)
"""Each action, and the state that it begins in."""


@fixture
def walk(provider: Provider) -> dict[str, Step]:
    """Do the walk, and return its steps by verb and first state, without those that are not offered."""
    url = fixtures.machine_made(provider).url
    steps: dict[str, Step] = {}
    if provider.read(url).get("state") == "STARTED":
        _take(provider, url, "stop")
    for verb, begin in WALK:
        before = provider.read(url)
        if before.get("state") == begin and provider.operation(before, verb):
            taken = _take(provider, url, verb)
            steps.setdefault(f"{verb} {begin}", taken)
    return steps


def _take(provider: Provider, url: str, verb: str) -> Step:
    step = Step(verb, provider.read(url))
    forced = verb in ("stop", "restart") and provider.has_capability("Machine", "MachineStopForce")
    try:
        answer = provider.request_action(step.before, verb, **({"force": True} if forced else {}))
        expect(answer.good, f"{verb} was answered {answer.summary}")
        step.during.append(str(provider.read(url).get("state")))
        step.job = provider.finish(answer)
    except Violation as violation:
        step.wrong = str(violation)
    step.after = provider.read(url)
    return step


def _step(provider: Provider, verb: str, begin: str) -> Step:
    step = walk(provider).get(f"{verb} {begin}")
    if step is None:
        raise NotOffered(f"a {begin} Machine does not offer {verb}")
    return step


def _brings(provider: Provider, verb: str, begin: str, end: str) -> None:
    step = _step(provider, verb, begin)
    expect(not step.wrong, step.wrong)
    expect(step.after.get("state") == end, f"after {verb} it is {step.after.get('state')}")


def _passes(provider: Provider, verb: str, begin: str, end: str, *transient: str) -> None:
    step = _step(provider, verb, begin)
    strange = [state for state in step.during if state not in (*transient, end)]
    expect(not strange, f"while {verb} was done it was {', '.join(strange)}")


@check("machine-start")
def machine_start(provider: Provider) -> None:
    _brings(provider, "start", "STOPPED", "STARTED")


@check("machine-start-says-starting")
def machine_start_says_starting(provider: Provider) -> None:
    _passes(provider, "start", "STOPPED", "STARTED", "STARTING")


@check("machine-stop")
def machine_stop(provider: Provider) -> None:
    _brings(provider, "stop", "STARTED", "STOPPED")


@check("machine-stop-says-stopping")
def machine_stop_says_stopping(provider: Provider) -> None:
    _passes(provider, "stop", "STARTED", "STOPPED", "STOPPING")


@check("machine-stop-force")
def machine_stop_force(provider: Provider) -> None:
    provider.demand_capability("Machine", "MachineStopForce")
    _brings(provider, "stop", "STARTED", "STOPPED")


@check("machine-restart")
def machine_restart(provider: Provider) -> None:
    _brings(provider, "restart", "STARTED", "STARTED")


@check("machine-restart-of-a-stopped")
def machine_restart_of_a_stopped(provider: Provider) -> None:
    _brings(provider, "restart", "STOPPED", "STARTED")


@check("machine-pause")
def machine_pause(provider: Provider) -> None:
    _brings(provider, "pause", "STARTED", "PAUSED")


@check("machine-start-of-a-paused")
def machine_start_of_a_paused(provider: Provider) -> None:
    _brings(provider, "start", "PAUSED", "STARTED")


@check("machine-suspend")
def machine_suspend(provider: Provider) -> None:
    _brings(provider, "suspend", "STARTED", "SUSPENDED")


@check("machine-start-of-a-suspended")
def machine_start_of_a_suspended(provider: Provider) -> None:
    _brings(provider, "start", "SUSPENDED", "STARTED")


@check("machine-restart-says-so")
def machine_restart_says_so(provider: Provider) -> None:
    _passes(provider, "restart", "STARTED", "STARTED", "STOPPING", "STARTING")


@check("machine-pause-says-pausing")
def machine_pause_says_pausing(provider: Provider) -> None:
    _passes(provider, "pause", "STARTED", "PAUSED", "PAUSING")


@check("machine-suspend-says-suspending")
def machine_suspend_says_suspending(provider: Provider) -> None:
    _passes(provider, "suspend", "STARTED", "SUSPENDED", "SUSPENDING")


@check("machine-action-job")
def machine_action_job(provider: Provider) -> None:
    job = _step(provider, "start", "STOPPED").job
    if job is None:
        raise NotOffered("there are no Jobs here")
    target = (job.get("targetResource") or {}).get("href")
    expect(target == fixtures.machine_made(provider).url, f"targetResource is {target}")
    expect(job.get("action") == f"{words.ACTION}start", f"action is {job.get('action')}")


def _offered(provider: Provider, document: Document, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    published = {str(action.get("uri")) for action in (provider.metadata("Machine") or {}).get("actions", [])}
    missing = [verb for verb in wanted if words.ACTION + verb in published and not provider.operation(document, verb)]
    expect(not missing, f"a {document.get('state')} Machine does not offer {', '.join(missing)}")
    wrong = [verb for verb in unwanted if provider.operation(document, verb)]
    expect(not wrong, f"a {document.get('state')} Machine offers {', '.join(wrong)}")


@check("machine-operations-when-stopped")
def machine_operations_when_stopped(provider: Provider) -> None:
    step = _step(provider, "start", "STOPPED")
    _offered(provider, step.before, ("start",), ("stop", "pause", "suspend"))


@check("machine-operations-when-started")
def machine_operations_when_started(provider: Provider) -> None:
    step = _step(provider, "start", "STOPPED")
    expect(step.after.get("state") == "STARTED", "it did not start")
    _offered(provider, step.after, ("stop", "restart", "pause", "suspend"), ("start",))


@check("machine-operations-can-be-done")
def machine_operations_can_be_done(provider: Provider) -> None:
    wrong = [step.wrong for step in walk(provider).values() if step.wrong]
    expect(walk(provider), "no operation is offered")
    expect(not wrong, "; ".join(wrong))


@check("machine-operation-not-offered")
def machine_operation_not_offered(provider: Provider) -> None:
    walk(provider)
    machine = fixtures.machine(provider)
    missing = [verb for verb in CHANGING if not provider.operation(machine, verb)]
    offered = [provider.operation(machine, verb) for verb in CHANGING if provider.operation(machine, verb)]
    if not missing or not offered:
        raise NotOffered("every operation is offered, or none")
    url = str(offered[0])
    offered_verb = next(verb for verb in CHANGING if provider.operation(machine, verb))
    target = url.removesuffix(f"/{offered_verb}") + f"/{missing[0]}" if url.endswith(f"/{offered_verb}") else url
    answer = provider.wire.post(target, "Action", {"action": words.ACTION + missing[0]})
    expect(400 <= answer.status < 500, f"{missing[0]} of a {machine['state']} Machine was answered {answer.summary}")
    state = fixtures.machine(provider).get("state")
    expect(state == machine["state"], f"and it is {state}")


@check("machine-unknown-action")
def machine_unknown_action(provider: Provider) -> None:
    answer = provider.wire.post(fixtures.machine_made(provider).url, "Action", {"action": f"{words.ACTION}dance"})
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@audit("machine-actions-in-this-run-failed-none")
def machine_actions_in_this_run_failed_none(provider: Provider, exchange: Exchange) -> str | bool | None:
    document = exchange.document or {}
    if words.type_name(document.get("resourceURI")) != "Machine" or not str(document.get("name", "")).startswith(
        provider.mark
    ):
        return None
    return document.get("state") != "ERROR" or f"{document.get('id')} is in ERROR"
