"""Servers that break the standard in one way each: the checks find it, and find nothing where nothing is broken."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.outcomes import Verdict
from conformance.run import Report, run
from conformance.world import Options
from tests.conformance.mutations import MUTATIONS
from tests.conformance.provider import PASSWORD, package_beside, serving
from tests.conformance.proxy import Mutation, Proxy, proxying

Served = tuple[Proxy, str]


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
    names = {name for mutation in MUTATIONS for name in (*mutation.found_by, *mutation.drive)}
    served[0].mutation = None
    return {(result.entry.id, result.media): result.verdict for result in judged(served, *sorted(names)).results}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
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
    for name in mutation.found_by:
        assert unbroken[name, mutation.media] is Verdict.PASS, name
        assert said[name][0] in (Verdict.FAIL, Verdict.WARN), (name, said[name])
