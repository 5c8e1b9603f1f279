"""Credentials and their templates."""

from __future__ import annotations

import re

from conformance import fixtures
from conformance.outcomes import expect
from conformance.provider import Provider
from conformance.registry import check
from conformance.wire import Document

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBw0CEJSQJqTNnXkIIfmVi9K0tNT5ql3wJKkgBkkXQhU checks"


def life(provider: Provider, entry: str, kind: str, content: Document, change: Document) -> None:
    """Create a resource by its own representation, read it, change one attribute, and delete it."""
    [(name, value)] = change.items()
    made = provider.create(provider.collection(entry), kind, {"name": provider.new_name(kind.lower()), **content})
    resource = provider.read(made.url)
    expect(str(resource.get("name")).startswith(provider.mark), f"name is {resource.get('name')}")
    provider.edit(resource, kind, change, name)
    said = provider.read(made.url).get(name)
    expect(said == value, f"after the edit {name} is {said}")
    provider.demand_operation(resource, "delete")
    provider.delete(made.url)
    expect(provider.is_gone(made.url), "it can still be read after its delete")
    ids = [item.get("id") for item in provider.all_items(provider.collection(entry))]
    expect(resource["id"] not in ids, "it is still listed after its delete")


@check("credential-create")
def credential_create(provider: Provider) -> None:
    credential = provider.read(fixtures.credential_made(provider).url)
    expect(credential.get("userName") == "conformance", f"userName is {credential.get('userName')}")
    expect(credential.get("name") == f"{provider.mark}-credential", f"name is {credential.get('name')}")


@check("credential-create-without-template")
def credential_create_without_template(provider: Provider) -> None:
    answer = provider.add(
        provider.collection("credentials"), "CredentialCreate", {"name": provider.new_name("credential")}
    )
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")


@check("credential-edit")
def credential_edit(provider: Provider) -> None:
    credential = provider.read(fixtures.credential_made(provider).url)
    provider.edit(credential, "Credential", {"userName": "edited"}, "userName")
    said = provider.read(str(credential["id"])).get("userName")
    expect(said == "edited", f"userName is {said}")


@check("credential-delete")
def credential_delete(provider: Provider) -> None:
    content = {
        "name": provider.new_name("credential"),
        "credentialTemplate": {"userName": "x", "password": "a-password-for-checks"},
    }
    made = provider.create(provider.collection("credentials"), "CredentialCreate", content)
    provider.delete(made.url)
    expect(provider.is_gone(made.url), "it can still be read")


@check("credential-key-is-hexadecimal")
def credential_key_is_hexadecimal(provider: Provider) -> None:
    content = {
        "name": provider.new_name("credential"),
        "credentialTemplate": {"userName": "x", "key": KEY.encode().hex()},
    }
    made = provider.create(provider.collection("credentials"), "CredentialCreate", content)
    key = str(provider.read(made.url).get("key"))
    expect(re.fullmatch("([0-9a-fA-F]{2})+", key), f"it came as {key}")
    expect(bytes.fromhex(key).decode() == KEY, "it came back as another")


@check("credential-template-life")
def credential_template_life(provider: Provider) -> None:
    content: Document = {"userName": "x", "password": "a-password-for-checks"}
    life(provider, "credentialTemplates", "CredentialTemplate", content, {"userName": "y"})
