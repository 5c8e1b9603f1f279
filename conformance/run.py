"""Run of all checks: discover, check, look through all exchanges, tidy up."""

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
from conformance.provider import Options, Provider
from conformance.tidy import tidy
from conformance.wire import Exchange, Unreachable

Progress = Callable[[str, int, int], None]
"""Callback with the step that begins, how many are done, of how many."""
SHOWN = 8
"""Exchanges that a result shows, the last ones."""


@dataclass
class Report:
    """Results of a run."""

    url: str
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    results: list[Result] = field(default_factory=list)
    seconds: float = 0.0
    requests: int = 0
    interrupted: bool = False
    left: list[str] = field(default_factory=list)
    """URIs of what could not be taken away again."""

    def count(self, verdict: Verdict) -> int:
        """Return how many results have this verdict."""
        return sum(result.verdict is verdict for result in self.results)

    @property
    def passed(self) -> bool:
        """Whether the run came to its end and nothing fails."""
        return not self.interrupted and not self.count(Verdict.FAIL)


def quietly(_what: str, _done: int, _all: int) -> None:
    """Show no progress."""


def run(options: Options, progress: Progress = quietly) -> Report:
    """Run the checks of the options in their formats; what they create is deleted also when they are interrupted."""
    registry.load()
    report, began = Report(options.url), time.monotonic()
    entries = [entry for entry in registry.ordered() if not options.only or entry.id in options.only]
    steps = _Steps(progress, sum(len(entry.formats) for entry in entries) + len(options.formats))
    try:
        for media in options.formats:
            _format(Provider(options, media), entries, report, steps)
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


def _format(provider: Provider, entries: Iterable[Entry], report: Report, steps: _Steps) -> None:
    wanted = [entry for entry in entries if provider.media in entry.formats]
    results: dict[str, Result] = {}
    try:
        for entry in (entry for entry in wanted if entry.id in registry.CHECKS):
            steps.next(f"{provider.media}: {entry.id}")
            results[entry.id] = _checked(provider, entry)
        for entry in (entry for entry in wanted if entry.id in registry.AUDITS):
            steps.next(f"{provider.media}: {entry.id}")
            results[entry.id] = _audited(provider, entry)
    finally:
        steps.next(f"{provider.media}: tidying up")
        report.results += [results[entry.id] for entry in wanted if entry.id in results]
        report.requests += len(provider.wire.exchanges) + len(provider.other_wire.exchanges)
        with _undisturbed():
            report.left += tidy(provider)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore interrupts, so that a second one does not leave half of it lying about."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _checked(provider: Provider, entry: Entry) -> Result:
    began, first = time.monotonic(), len(provider.wire.exchanges)
    try:
        registry.CHECKS[entry.id](provider)
        verdict, message = Verdict.PASS, ""
    except NotOffered as reason:
        verdict, message = Verdict.NOT_TESTED, str(reason)
    except (Violation, Unreachable) as violation:
        verdict, message = _broken(entry), str(violation)
    except MISUNDERSTOOD as error:
        # The document was not as any reader would expect it.
        verdict, message = _broken(entry), f"the answer could not be understood: {type(error).__name__}: {error}"
    is_broken = verdict in (Verdict.FAIL, Verdict.WARN)
    lines = tuple(exchange.line for exchange in provider.wire.exchanges[first:][-SHOWN:]) if is_broken else ()
    return Result(entry, provider.media, verdict, message, time.monotonic() - began, lines)


def _audited(provider: Provider, entry: Entry) -> Result:
    began, seen = time.monotonic(), 0
    for exchange in provider.wire.exchanges:
        said = _look(provider, entry, exchange)
        if isinstance(said, str) or said is False:
            message = f"{said or 'it does not'} ({exchange.line})"
            return Result(entry, provider.media, _broken(entry), message, time.monotonic() - began, (exchange.line,))
        seen += bool(said)
    verdict = Verdict.PASS if seen else Verdict.NOT_TESTED
    message = "" if seen else "nothing came by that it is about"
    return Result(entry, provider.media, verdict, message, time.monotonic() - began)


def _look(provider: Provider, entry: Entry, exchange: Exchange) -> str | bool | None:
    try:
        return registry.AUDITS[entry.id](provider, exchange)
    except (Violation, NotOffered):
        return None
    except MISUNDERSTOOD as error:
        return f"the answer could not be understood: {type(error).__name__}: {error}"


def _broken(entry: Entry) -> Verdict:
    return Verdict.FAIL if entry.level == "shall" else Verdict.WARN
