"""Servers that break the standard in one way each: the checks find it, and find nothing where nothing is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.catalogue import catalogue
from conformance.outcomes import Verdict
from conformance.provider import Options
from conformance.run import Report, run
from tests.conformance.misread_requests import MISREAD_REQUESTS
from tests.conformance.provider import PASSWORD, package_beside, serving
from tests.conformance.proxy import Mutation, Proxy, proxying
from tests.conformance.wide_mutations import WIDE
from tests.conformance.wrong_answers import WRONG_ANSWERS

Served = tuple[Proxy, str]
ALL = (*WRONG_ANSWERS, *MISREAD_REQUESTS, *WIDE)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A proxy before a gateway, and the location of an image."""
    with serving(tmp_path_factory.mktemp("gateway")) as (url, image), proxying(url) as proxy:
        yield proxy, image


def judged(served: Served, *names: str, media: tuple[str, ...] = ("json", "xml"), seconds: float = 30) -> Report:
    proxy, image = served
    return run(
        Options(
            proxy.url,
            "admin",
            PASSWORD,
            media,
            image_location=image,
            package_location=package_beside(image),
            only=names,
            seconds=seconds,
            timeout=20,
        )
    )


@pytest.fixture(scope="module")
def unbroken(served: Served) -> dict[tuple[str, str], Verdict]:
    """What the same checks say of the gateway as it is."""
    served[0].mutation = None
    found: dict[tuple[str, str], Verdict] = {}
    for media in ("json", "xml"):
        asked = [mutation for mutation in ALL if mutation.media == media]
        names = {name for mutation in asked for name in (*mutation.found_by, *mutation.drive)}
        results = judged(served, *sorted(names), media=(media,)).results
        found.update({(result.entry.id, media): result.verdict for result in results})
    return found


def test_nearly_all_statements_have_a_server_that_breaks_them_and_those_on_packages_all_have() -> None:
    found = {name for mutation in ALL for name in mutation.found_by}
    assert found <= catalogue().keys()
    assert len(found) >= 400
    assert [entry.id for entry in catalogue().values() if entry.family == "packages" and entry.id not in found] == []


@pytest.mark.parametrize("mutation", ALL, ids=lambda mutation: mutation.name)
def test_a_broken_server_is_found_by_checks_that_pass_otherwise(
    served: Served, unbroken: dict[tuple[str, str], Verdict], mutation: Mutation
) -> None:
    proxy = served[0]
    proxy.mutation = mutation
    try:
        report = judged(served, *mutation.found_by, *mutation.drive, media=(mutation.media,), seconds=mutation.seconds)
    finally:
        proxy.mutation = None
    said = {result.entry.id: (result.verdict, result.message) for result in report.results}
    assert {name for name in mutation.found_by if unbroken[name, mutation.media] is not Verdict.PASS} == set()
    overlooked = {name: said[name] for name in mutation.found_by if said[name][0] not in (Verdict.FAIL, Verdict.WARN)}
    assert overlooked == {}
