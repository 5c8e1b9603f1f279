"""Credential and CredentialTemplate: the first administrator of a new Machine (DSP0263 5.15)."""

from __future__ import annotations

from gateway.cimi.coded import Key
from gateway.cimi.fields import String
from gateway.cimi.references import RefOrValue
from gateway.cimi.resource_type import Capability, Common, ResourceType

LATE = frozenset({"userName", "password", "key"})


class CredentialSchema(Common):
    """The attributes of a Credential: a user with a password, a key, or both."""

    userName = String(aliases=("username",))  # noqa: N815 - the standard's name
    password = String(write_only=True)
    key = Key(aliases=("publicKey",), meaning="an OpenSSH public key")


class CredentialTemplateSchema(CredentialSchema):
    """The attributes of a CredentialTemplate, which are those of the Credential."""


class CredentialCreateSchema(Common):
    """The attributes of a CredentialCreate."""

    credentialTemplate = RefOrValue("CredentialTemplate", CredentialTemplateSchema, mandatory=True)  # noqa: N815


TYPES = (
    ResourceType(
        "Credential",
        CredentialSchema,
        "credentials",
        template="credentialTemplate",
        addable=True,
        editable=True,
        deletable=True,
        late_attributes=LATE,
        capabilities=(Capability("CredentialTemplateByValue", "A CredentialCreate may hold its template by value"),),
        mandatory=frozenset({"key", "userName"}),
    ),
    ResourceType(
        "CredentialTemplate",
        CredentialTemplateSchema,
        "credentialTemplates",
        addable=True,
        editable=True,
        deletable=True,
        late_attributes=LATE,
    ),
)
CREATE_SCHEMAS = {"Credential": CredentialCreateSchema}
