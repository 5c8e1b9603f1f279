"""Events, Samples and lines of Jobs' logs: each has one URL, and what only looks like its number is none."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.api.world import World

KINDS = ("Event", "Sample", "JobLine")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@pytest.mark.parametrize("kind", KINDS)
async def test_an_entry_is_there_by_its_number_and_not_by_digits_of_another_script(world: World, kind: str) -> None:
    owner, _, number = (await world.ensure(kind)).rpartition("/")
    assert (await world.admin.get(f"{owner}/{number}")).status == 200
    assert (await world.admin.get(f"{owner}/{quote(number.translate(ARABIC))}")).status == 404


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("number", ["9" * 19, "9" * 4000, "-1", "1.0", "%C2%B2", "x"])
async def test_what_is_no_number_of_an_entry_is_404(world: World, kind: str, number: str) -> None:
    owner = (await world.ensure(kind)).rpartition("/")[0]
    assert (await world.admin.get(f"{owner}/{number}")).status == 404
