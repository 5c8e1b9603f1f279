"""``cimi image catalog`` and ``cimi launch`` of an image of the catalogue, and of providers that have none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cimi_client import Client, NotFound, Resource, Server, SyncClient
from cimi_command.catalog import image_called
from cimi_command.options import Options
from cimi_command.session import Session

from tests.client.command.ran import Cimi
from tests.client.other_provider import OtherProvider


@pytest.fixture
def key(tmp_path: Path) -> str:
    path = tmp_path / "id.pub"
    path.write_text("ssh-ed25519 AAAA me@here\n")
    return str(path)


def removed(plain: SyncClient, *names: str) -> None:
    for name in names:
        plain.delete(plain.find("machines", name))


def test_the_catalogue_is_listed_with_whom_each_image_lets_in(cimi: Cimi, image: Resource) -> None:
    [entry] = cimi("image", "catalog", "-o", "json").json
    assert (entry["name"], entry["userName"]) == ("small:1", "ops")
    assert "a small guest" in cimi("image", "catalog").out


def test_an_image_of_the_catalogue_is_fetched_by_the_first_launch_and_used_by_all(
    cimi: Cimi, plain: SyncClient, image: Resource, key: str
) -> None:
    first = cimi("launch", "small:1", "first", "--key", key, "--stopped")
    second = cimi("launch", "small:1", "second", "--key", key, "--stopped")
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "fetch small:1" in first.err
    images = [one for one in plain.items("machineImages") if one.name == "small:1"]
    assert len(images) == 1
    assert plain.get(first.out.strip()).properties == {"sshUser": "ops"}
    [entry] = cimi("image", "catalog", "-o", "json").json
    assert entry["image"]["href"] == images[0].id
    removed(plain, "first", "second")


def test_who_gives_a_login_is_let_in_as_that(cimi: Cimi, plain: SyncClient, image: Resource, key: str) -> None:
    ran = cimi("launch", "small:1", "mine", "--key", key, "--login", "me", "--stopped")
    assert plain.get(ran.out.strip()).properties == {"sshUser": "me"}
    removed(plain, "mine")


def test_a_key_for_an_image_that_does_not_say_whom_it_lets_in_needs_a_login(
    cimi: Cimi, image: Resource, key: str
) -> None:
    ran = cimi("launch", "guest", "web1", "--key", key)
    assert ran.code == 2
    assert "--key needs --login here" in ran.err


def test_a_name_that_no_image_has_says_where_to_look(cimi: Cimi, image: Resource) -> None:
    ran = cimi("launch", "nothing:1", "web1")
    assert ran.code == 3
    assert "cimi image list and cimi image catalog" in ran.err


@pytest.fixture
async def stranger(other: OtherProvider) -> AsyncIterator[Session]:
    async with Client(Server(other.url)) as client:
        yield Session(client, Options())


async def test_a_provider_without_a_catalogue_has_its_images_alone(stranger: Session) -> None:
    with pytest.raises(NotFound, match="there is no image called"):
        await image_called(stranger, "debian:13")
