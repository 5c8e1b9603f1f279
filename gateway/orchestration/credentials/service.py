"""Credentials and their templates: passwords are kept as crypt hashes, and never shown (DSP0263 5.15)."""

from __future__ import annotations

from drivers.passwords import sha512_crypt
from drivers.threads import GUEST_PASSWORDS
from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.resolving import OWN, merged, resolve
from gateway.orchestration.common.resource_service import ResourceService, erases, new_resource
from gateway.orchestration.common.secrets import overridden
from gateway.store.model import Document, Resource

LONGEST_PASSWORD = 256


async def without_password(document: Document) -> tuple[Document, Document]:
    """The document as it may be kept and shown, and the hash apart. What erases a referenced password is kept."""
    password = document.get("password")
    erased = "password" in document and password is None and "href" in document
    shown = {name: value for name, value in document.items() if name != "password" or erased}
    if not password:
        return shown, {}
    return shown, {"password_hash": await GUEST_PASSWORDS.run(sha512_crypt, password[:LONGEST_PASSWORD])}


class CredentialTemplateService(ResourceService):
    kind = "CredentialTemplate"

    async def make(self, caller: Caller, document: Document) -> Resource:
        shown, secret = await without_password(document)
        return new_resource(self.kind, caller.user, shown, **secret)

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        shown, secret = await without_password(document)
        if erases(document, selected, "password"):
            secret = {"password_hash": None}
        changed = await super().change(caller, resource, shown, selected)
        return changed.with_internal(**secret)


class CredentialService(CredentialTemplateService):
    kind = "Credential"

    async def make(self, caller: Caller, document: Document) -> Resource:
        given = document["credentialTemplate"]
        where = "credentialTemplate"
        known: Document = {}
        if "href" in given:
            found = await resolve(self.store, caller, given["href"], ("CredentialTemplate",), where)
            known = overridden(found, given)
        shown, secret = await without_password(merged(known, given))
        kept = shown.pop("password_hash", None)
        hashed = secret.get("password_hash") or kept
        check_credential({**shown, "password": hashed}, where)
        own: Document = {name: document[name] for name in OWN if name in document}
        return new_resource(self.kind, caller.user, {**own, **shown}, **({"password_hash": hashed} if hashed else {}))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        changed = await super().change(caller, resource, document, selected)
        hashed = changed.internal.get("password_hash")
        check_credential({**changed.document, "password": hashed}, self.kind)
        return changed


def check_credential(credential: Document, where: str) -> None:
    if not credential.get("key") and not (credential.get("userName") and credential.get("password")):
        raise Invalid("needs a key, or a userName with a password", where)
    if "PRIVATE KEY" in credential.get("key", ""):
        raise Invalid("is a private key; give the public one", f"{where}.key")
