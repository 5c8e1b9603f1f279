"""States of Machines: one walk through them, at which most checks look."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance import things
from conformance import vocabulary as words
from conformance.outcomes import NotOffered, Violation, expect
from conformance.registry import audit, check
from conformance.wire import Document, Exchange
from conformance.world import World, fact

CHANGING = ("start", "stop", "restart", "pause", "suspend")


# The walk: STOPPED, start, pause, start, suspend, start, restart, stop, restart, stop


@dataclass
class Step:
    """One action: what was seen before, while and after."""

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


@fact
def walk(world: World) -> dict[str, Step]:
    """Steps by verb and the state that they began in. One that is not offered is left out."""
    url = things.created(world).url
    steps: dict[str, Step] = {}
    if world.read(url).get("state") == "STARTED":
        _take(world, url, "stop")
    for verb, begin in WALK:
        before = world.read(url)
        if before.get("state") == begin and world.operation(before, verb):
            taken = _take(world, url, verb)
            steps.setdefault(f"{verb} {begin}", taken)
    return steps


def _take(world: World, url: str, verb: str) -> Step:
    step = Step(verb, world.read(url))
    forced = verb in ("stop", "restart") and world.has("Machine", "MachineStopForce")
    try:
        answer = world.act(step.before, verb, **({"force": True} if forced else {}))
        expect(answer.good, f"{verb} was answered {answer.told()}")
        step.during.append(str(world.read(url).get("state")))
        step.job = world.finish(answer)
    except Violation as violation:
        step.wrong = str(violation)
    step.after = world.read(url)
    return step


def _step(world: World, verb: str, begin: str) -> Step:
    found = walk(world).get(f"{verb} {begin}")
    if found is None:
        raise NotOffered(f"a {begin} Machine does not offer {verb}")
    return found


def _brings(world: World, verb: str, begin: str, end: str) -> None:
    step = _step(world, verb, begin)
    expect(not step.wrong, step.wrong)
    expect(step.after.get("state") == end, f"after {verb} it is {step.after.get('state')}")


def _passes(world: World, verb: str, begin: str, end: str, *transient: str) -> None:
    step = _step(world, verb, begin)
    strange = [state for state in step.during if state not in (*transient, end)]
    expect(not strange, f"while {verb} was done it was {', '.join(strange)}")


@check("machine-start")
def machine_start(world: World) -> None:
    _brings(world, "start", "STOPPED", "STARTED")


@check("machine-start-says-starting")
def machine_start_says_starting(world: World) -> None:
    _passes(world, "start", "STOPPED", "STARTED", "STARTING")


@check("machine-stop")
def machine_stop(world: World) -> None:
    _brings(world, "stop", "STARTED", "STOPPED")


@check("machine-stop-says-stopping")
def machine_stop_says_stopping(world: World) -> None:
    _passes(world, "stop", "STARTED", "STOPPED", "STOPPING")


@check("machine-stop-force")
def machine_stop_force(world: World) -> None:
    world.demand_capability("Machine", "MachineStopForce")
    _brings(world, "stop", "STARTED", "STOPPED")


@check("machine-restart")
def machine_restart(world: World) -> None:
    _brings(world, "restart", "STARTED", "STARTED")


@check("machine-restart-of-a-stopped")
def machine_restart_of_a_stopped(world: World) -> None:
    _brings(world, "restart", "STOPPED", "STARTED")


@check("machine-pause")
def machine_pause(world: World) -> None:
    _brings(world, "pause", "STARTED", "PAUSED")


@check("machine-start-of-a-paused")
def machine_start_of_a_paused(world: World) -> None:
    _brings(world, "start", "PAUSED", "STARTED")


@check("machine-suspend")
def machine_suspend(world: World) -> None:
    _brings(world, "suspend", "STARTED", "SUSPENDED")


@check("machine-start-of-a-suspended")
def machine_start_of_a_suspended(world: World) -> None:
    _brings(world, "start", "SUSPENDED", "STARTED")


@check("machine-restart-says-so")
def machine_restart_says_so(world: World) -> None:
    _passes(world, "restart", "STARTED", "STARTED", "STOPPING", "STARTING")


@check("machine-pause-says-pausing")
def machine_pause_says_pausing(world: World) -> None:
    _passes(world, "pause", "STARTED", "PAUSED", "PAUSING")


@check("machine-suspend-says-suspending")
def machine_suspend_says_suspending(world: World) -> None:
    _passes(world, "suspend", "STARTED", "SUSPENDED", "SUSPENDING")


@check("machine-action-job")
def machine_action_job(world: World) -> None:
    job = _step(world, "start", "STOPPED").job
    if job is None:
        raise NotOffered("there are no Jobs here")
    target = (job.get("targetResource") or {}).get("href")
    expect(target == things.created(world).url, f"targetResource is {target}")
    expect(job.get("action") == f"{words.ACTION}start", f"action is {job.get('action')}")


def _offered(world: World, document: Document, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    told = {str(action.get("uri")) for action in (world.metadata("Machine") or {}).get("actions", [])}
    missing = [verb for verb in wanted if words.ACTION + verb in told and not world.operation(document, verb)]
    expect(not missing, f"a {document.get('state')} Machine does not offer {', '.join(missing)}")
    wrong = [verb for verb in unwanted if world.operation(document, verb)]
    expect(not wrong, f"a {document.get('state')} Machine offers {', '.join(wrong)}")


@check("machine-operations-when-stopped")
def machine_operations_when_stopped(world: World) -> None:
    step = _step(world, "start", "STOPPED")
    _offered(world, step.before, ("start",), ("stop", "pause", "suspend"))


@check("machine-operations-when-started")
def machine_operations_when_started(world: World) -> None:
    step = _step(world, "start", "STOPPED")
    expect(step.after.get("state") == "STARTED", "it did not start")
    _offered(world, step.after, ("stop", "restart", "pause", "suspend"), ("start",))


@check("machine-operations-can-be-done")
def machine_operations_can_be_done(world: World) -> None:
    wrong = [step.wrong for step in walk(world).values() if step.wrong]
    expect(walk(world), "no operation is offered")
    expect(not wrong, "; ".join(wrong))


@check("machine-operation-not-offered")
def machine_operation_not_offered(world: World) -> None:
    walk(world)
    found = things.machine(world)
    missing = [verb for verb in CHANGING if not world.operation(found, verb)]
    offered = [world.operation(found, verb) for verb in CHANGING if world.operation(found, verb)]
    if not missing or not offered:
        raise NotOffered("every operation is offered, or none")
    url = str(offered[0])
    known = next(verb for verb in CHANGING if world.operation(found, verb))
    target = url.removesuffix(f"/{known}") + f"/{missing[0]}" if url.endswith(f"/{known}") else url
    answer = world.wire.post(target, "Action", {"action": words.ACTION + missing[0]})
    expect(400 <= answer.status < 500, f"{missing[0]} of a {found['state']} Machine was answered {answer.told()}")
    state = things.machine(world).get("state")
    expect(state == found["state"], f"and it is {state}")


@check("machine-unknown-action")
def machine_unknown_action(world: World) -> None:
    answer = world.wire.post(things.created(world).url, "Action", {"action": f"{words.ACTION}dance"})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@audit("machine-actions-in-this-run-failed-none")
def machine_actions_in_this_run_failed_none(world: World, exchange: Exchange) -> str | bool | None:
    document = exchange.document or {}
    if words.type_name(document.get("resourceURI")) != "Machine" or not str(document.get("name", "")).startswith(
        world.mark
    ):
        return None
    return document.get("state") != "ERROR" or f"{document.get('id')} is in ERROR"
