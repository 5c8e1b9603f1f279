"""One run: discover, check, look through all exchanges, tidy up."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from conformance import registry
from conformance.catalogue import Entry
from conformance.outcomes import MISUNDERSTOOD, NotOffered, Result, Verdict, Violation
from conformance.tidy import tidy
from conformance.wire import Exchange, Unreachable
from conformance.world import Options, World

Progress = Callable[[str, int, int], None]
"""What is done now, how many are done, of how many."""
SHOWN = 8
"""Exchanges that a result shows, the last ones."""


@dataclass
class Report:
    """What a run found."""

    url: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    requests: int = 0
    interrupted: bool = False
    left: list[str] = field(default_factory=list)
    """URIs of what could not be taken away again."""

    def count(self, verdict: Verdict) -> int:
        return sum(result.verdict is verdict for result in self.results)

    @property
    def passed(self) -> bool:
        return not self.interrupted and not self.count(Verdict.FAIL)


def quietly(_what: str, _done: int, _all: int) -> None:
    """No progress."""


def run(options: Options, progress: Progress = quietly) -> Report:
    """All checks in all formats that are asked for. What was made is taken away also when this is interrupted."""
    registry.load()
    report, began = Report(options.url), time.monotonic()
    entries = [entry for entry in registry.ordered() if not options.only or entry.id in options.only]
    steps = _Steps(progress, sum(len(entry.formats) for entry in entries) + len(options.formats))
    try:
        for media in options.formats:
            _format(World(options, media), entries, report, steps)
    except KeyboardInterrupt:
        report.interrupted = True
    else:
        progress("done", steps.total, steps.total)
    report.seconds = time.monotonic() - began
    return report


@dataclass
class _Steps:
    progress: Progress
    total: int
    done: int = 0

    def next(self, what: str) -> None:
        self.progress(what, self.done, self.total)
        self.done += 1


def _format(world: World, entries: Iterable[Entry], report: Report, steps: _Steps) -> None:
    wanted = [entry for entry in entries if world.media in entry.formats]
    found: dict[str, Result] = {}
    try:
        for entry in (entry for entry in wanted if entry.id in registry.CHECKS):
            steps.next(f"{world.media}: {entry.id}")
            found[entry.id] = _checked(world, entry)
        for entry in (entry for entry in wanted if entry.id in registry.AUDITS):
            steps.next(f"{world.media}: {entry.id}")
            found[entry.id] = _audited(world, entry)
    finally:
        steps.next(f"{world.media}: tidying up")
        report.results += [found[entry.id] for entry in wanted if entry.id in found]
        report.requests += len(world.wire.exchanges) + len(world.other.exchanges)
        with _undisturbed():
            report.left += tidy(world)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second interrupt does not leave half of it lying about."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _checked(world: World, entry: Entry) -> Result:
    began, first = time.monotonic(), len(world.wire.exchanges)
    try:
        registry.CHECKS[entry.id](world)
        verdict, message = Verdict.PASS, ""
    except NotOffered as reason:
        verdict, message = Verdict.NOT_TESTED, str(reason)
    except (Violation, Unreachable) as violation:
        verdict, message = _broken(entry), str(violation)
    except MISUNDERSTOOD as error:
        # The document was not as any reader would expect it.
        verdict, message = _broken(entry), f"the answer could not be understood: {type(error).__name__}: {error}"
    told = verdict in (Verdict.FAIL, Verdict.WARN)
    lines = tuple(exchange.line for exchange in world.wire.exchanges[first:][-SHOWN:]) if told else ()
    return Result(entry, world.media, verdict, message, time.monotonic() - began, lines)


def _audited(world: World, entry: Entry) -> Result:
    began, seen = time.monotonic(), 0
    for exchange in world.wire.exchanges:
        said = _look(world, entry, exchange)
        if isinstance(said, str) or said is False:
            message = f"{said or 'it does not'} ({exchange.line})"
            return Result(entry, world.media, _broken(entry), message, time.monotonic() - began, (exchange.line,))
        seen += bool(said)
    verdict = Verdict.PASS if seen else Verdict.NOT_TESTED
    message = "" if seen else "nothing came by that it is about"
    return Result(entry, world.media, verdict, message, time.monotonic() - began)


def _look(world: World, entry: Entry, exchange: Exchange) -> str | bool | None:
    try:
        return registry.AUDITS[entry.id](world, exchange)
    except (Violation, NotOffered):
        return None
    except MISUNDERSTOOD as error:
        return f"the answer could not be understood: {type(error).__name__}: {error}"


def _broken(entry: Entry) -> Verdict:
    return Verdict.FAIL if entry.level == "shall" else Verdict.WARN
