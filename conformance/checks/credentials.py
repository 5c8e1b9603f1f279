"""Credentials and their templates."""

from __future__ import annotations

import re

from conformance import things
from conformance.outcomes import expect
from conformance.registry import check
from conformance.world import World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBw0CEJSQJqTNnXkIIfmVi9K0tNT5ql3wJKkgBkkXQhU checks"


def life(world: World, entry: str, kind: str, content: dict[str, object], name: str, value: object) -> None:
    """Create by its own representation, read, edit one attribute, delete."""
    made = world.make(world.collection(entry), kind, {"name": world.name(kind.lower()), **content})
    found = world.read(made.url)
    expect(str(found.get("name")).startswith(world.mark), f"name is {found.get('name')}")
    answer = world.wire.put(world.demanded(found, "edit"), kind, {name: value}, ("$select", name))
    expect(answer.good, f"edit was answered {answer.told()}")
    world.finish(answer)
    said = world.read(made.url).get(name)
    expect(said == value, f"after the edit {name} is {said}")
    world.demanded(found, "delete")
    world.removed(made.url)
    expect(world.gone(made.url), "it can still be read after its delete")
    ids = [item.get("id") for item in world.everything(world.collection(entry))]
    expect(found["id"] not in ids, "it is still listed after its delete")


@check("credential-create")
def credential_create(world: World) -> None:
    found = world.read(things.credential_made(world).url)
    expect(found.get("userName") == "conformance", f"userName is {found.get('userName')}")
    expect(found.get("name") == f"{world.mark}-credential", f"name is {found.get('name')}")


@check("credential-create-without-template")
def credential_create_without_template(world: World) -> None:
    answer = world.add(world.collection("credentials"), "CredentialCreate", {"name": world.name("credential")})
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")


@check("credential-edit")
def credential_edit(world: World) -> None:
    found = world.read(things.credential_made(world).url)
    answer = world.wire.put(
        world.demanded(found, "edit"), "Credential", {"userName": "edited"}, ("$select", "userName")
    )
    expect(answer.good, f"it was answered {answer.told()}")
    world.finish(answer)
    said = world.read(str(found["id"])).get("userName")
    expect(said == "edited", f"userName is {said}")


@check("credential-delete")
def credential_delete(world: World) -> None:
    content = {
        "name": world.name("credential"),
        "credentialTemplate": {"userName": "x", "password": "a-password-for-checks"},
    }
    made = world.make(world.collection("credentials"), "CredentialCreate", content)
    world.removed(made.url)
    expect(world.gone(made.url), "it can still be read")


@check("credential-key-is-hexadecimal")
def credential_key_is_hexadecimal(world: World) -> None:
    content = {"name": world.name("credential"), "credentialTemplate": {"userName": "x", "key": KEY.encode().hex()}}
    made = world.make(world.collection("credentials"), "CredentialCreate", content)
    key = str(world.read(made.url).get("key"))
    expect(re.fullmatch("([0-9a-fA-F]{2})+", key), f"it came as {key}")
    expect(bytes.fromhex(key).decode() == KEY, "it came back as another")


@check("credential-template-life")
def credential_template_life(world: World) -> None:
    content: dict[str, object] = {"userName": "x", "password": "a-password-for-checks"}
    life(world, "credentialTemplates", "CredentialTemplate", content, "userName", "y")
