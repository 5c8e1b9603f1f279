"""Quota: what a project or a user has of all that is bounded, and may have; this provider's own type."""

from __future__ import annotations

from marshmallow import Schema

from gateway.cimi.fields import Enumeration, Integer, String
from gateway.cimi.references import Array, Structure
from gateway.cimi.resource_type import ResourceType

SCOPES = ("project", "user")


class LimitSchema(Schema):
    """The attributes of a limit of a Quota. An edit looks at ``name`` and ``allowed`` alone."""

    name = String(meaning="which quota")
    used = Integer(meaning="how much there is")
    allowed = Integer(minimum=0, meaning="how much there may be; no bound without it")
    unit = String(meaning="bytes or KiB; none for what is counted one by one")


class QuotaSchema(Schema):
    """The attributes of a Quota."""

    name = String(writable=False, meaning="of the user, or the id of the project")
    scope = Enumeration(*SCOPES, writable=False, meaning="a project is bounded, or what a user made in all projects")
    limits = Array(
        Structure(LimitSchema), item="limit", meaning="an edit gives the defaults to those that it leaves out"
    )


TYPES = (ResourceType("Quota", QuotaSchema, "quotas", editable=True),)
