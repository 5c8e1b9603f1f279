"""Credentials and their templates: passwords are kept as crypt hashes, and never shown (DSP0263 5.15)."""

from __future__ import annotations

from drivers.passwords import sha512_crypt
from drivers.threads import GUEST_PASSWORDS
from gateway.errors import Invalid
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import OWN, merged, resolve
from gateway.orchestration.common.resource_service import ResourceService, erases, new_resource
from gateway.orchestration.credentials.facts import KeptCredential
from gateway.store.durable import readable
from gateway.store.model import Document, Resource

LONGEST_PASSWORD = 256


async def without_password(document: Document) -> tuple[Document, str | None]:
    """Return the document as it may be kept and shown, and the hash of its password; None when it has none.

    A null stays, with which a reference erases the password of what it refers to.
    """
    password = document.get("password")
    erased = "password" in document and password is None and "href" in document
    public = {name: value for name, value in document.items() if name != "password" or erased}
    if not password:
        return public, None
    return public, await GUEST_PASSWORDS.run(sha512_crypt, password[:LONGEST_PASSWORD])


def overridden(credential: Resource, given: Document) -> Document:
    """Return what a stored Credential holds, with its password as a hash unless that is overridden or erased.

    Raises Conflict for a password that the store could not open.
    """
    kept = KeptCredential.of(credential)
    if kept.password_hash is None or "password" in given:
        return credential.document
    return {**credential.document, "password_hash": readable(kept.password_hash, credential.path)}


class CredentialTemplateService(ResourceService):
    """The service of CredentialTemplates."""

    kind = "CredentialTemplate"

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new template, with the hash of its password beside its document."""
        public, hashed = await without_password(document)
        return KeptCredential(hashed).on(new_resource(self.kind, caller.project, public))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the template after the edit; a password that is left out by a full update stays."""
        public, hashed = await without_password(document)
        changed = await super().change(caller, resource, public, selected)
        if hashed is None and not erases(document, selected, "password"):
            return changed
        return KeptCredential.changed(changed, password_hash=hashed)


class CredentialService(CredentialTemplateService):
    """The service of Credentials."""

    kind = "Credential"

    async def make(self, caller: Caller, document: Document) -> Resource:
        """Return the new Credential, made of its template and the values beside the reference.

        Raises Invalid for a credential by which nobody could log in, and for a private key.
        """
        given = document["credentialTemplate"]
        where = "credentialTemplate"
        template: Document = {}
        if "href" in given:
            referred = await resolve(self.store, caller, given["href"], ("CredentialTemplate",), where)
            template = overridden(referred, given)
        public, hashed = await without_password(merged(template, given))
        former = public.pop("password_hash", None)
        hashed = hashed or former
        check_credential({**public, "password": hashed}, where)
        own: Document = {name: document[name] for name in OWN if name in document}
        return KeptCredential(hashed).on(new_resource(self.kind, caller.project, {**own, **public}))

    async def change(
        self, caller: Caller, resource: Resource, document: Document, selected: frozenset[str] | None
    ) -> Resource:
        """Return the Credential after the edit. Raises Invalid as ``make`` does."""
        changed = await super().change(caller, resource, document, selected)
        check_credential({**changed.document, "password": KeptCredential.of(changed).password_hash}, self.kind)
        return changed


def check_credential(credential: Document, where: str) -> None:
    """Raise Invalid for a credential by which nobody could log in, and for a private key."""
    if not credential.get("key") and not (credential.get("userName") and credential.get("password")):
        raise Invalid("needs a key, or a userName with a password", where)
    if "PRIVATE KEY" in credential.get("key", ""):
        raise Invalid("is a private key; give the public one", f"{where}.key")
