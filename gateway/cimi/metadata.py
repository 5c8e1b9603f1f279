"""ResourceMetadata: what this provider offers of each type, derived from the declarations (DSP0263 5.11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from gateway.cimi.dialects import EXTENSION_NAMESPACE
from gateway.cimi.fields import URI, Anything, Boolean, String, Term, Verb
from gateway.cimi.filter import AttributeType
from gateway.cimi.references import Array, Structure
from gateway.cimi.resource_type import ResourceType


class AttributeSchema(Schema):
    """An attribute of a type, as ResourceMetadata describes it."""

    name = String(xml_attribute=True)
    namespace = URI(xml_attribute=True)
    type = String(xml_attribute=True)
    required = Boolean(xml_attribute=True)


class CapabilitySchema(Schema):
    """A capability of a type, as ResourceMetadata describes it."""

    name = String(xml_attribute=True)
    uri = Term("capability/", xml_attribute=True)
    description = String(xml_attribute=True)
    value = Anything(xml_text=True)


class ActionSchema(Schema):
    """An action of a type, as ResourceMetadata describes it."""

    name = String(xml_attribute=True)
    uri = Verb(xml_attribute=True)
    description = String(xml_attribute=True)
    method = String(xml_attribute=True)
    inputMessage = String(xml_attribute=True)  # noqa: N815 - the standard's name
    outputMessage = String(xml_attribute=True)  # noqa: N815


class OldSpelling(Term):
    """The same as another attribute under an older name; ``$filter`` and ``$orderby`` know that one alone."""

    type = AttributeType.UNKNOWN


class ResourceMetadataSchema(Schema):
    """The attributes of a ResourceMetadata."""

    typeURI = Term(writable=False)  # noqa: N815
    # What clients of 1.0 look for in JSON; shown where the configuration says so.
    typeUri = OldSpelling(writable=False, in_xml=False, meaning="typeURI, as clients of 1.0 look for it")  # noqa: N815
    name = String(writable=False)
    attributes = Array(Structure(AttributeSchema), item="attribute", writable=False)
    capabilities = Array(Structure(CapabilitySchema), item="capability", writable=False)
    actions = Array(Structure(ActionSchema), item="action", writable=False)


TYPES = (
    ResourceType(
        "ResourceMetadata",
        ResourceMetadataSchema,
        "resourceMetadata",
        key="resourceMetadatas",
        old_key="resourceMetadata",
    ),
)


def describe(described: ResourceType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ResourceMetadata of a type, without a dialect's URIs: the edge makes them of these words.

    ``values`` are capabilities' values which the configuration gives.
    """
    capabilities = [
        {
            "name": capability.name,
            "uri": f"{described.kind}/{capability.name}",
            "description": capability.description,
            "value": values.get(capability.name, capability.value),
        }
        for capability in described.capabilities
    ]
    actions = [
        {
            "name": action.verb,
            "uri": action.verb,
            "description": action.description,
            "method": action.method,
            "inputMessage": action.takes,
            "outputMessage": action.gives,
        }
        for action in (*described.actions, *described.collection_actions)
    ]
    document: dict[str, Any] = {
        "typeURI": described.kind,
        "name": described.kind,
        "attributes": [_attribute(name, described) for name in described.attributes],
    }
    if capabilities:
        document["capabilities"] = capabilities
    if actions:
        document["actions"] = actions
    return document


def _attribute(name: str, described: ResourceType) -> dict[str, Any]:
    field = described.attributes[name]
    foreign = {"namespace": EXTENSION_NAMESPACE, "type": field.type.value} if field.extension else {}
    return {"name": name, **foreign, "required": field.mandatory}
