"""Meter, as far as other resources lead to it (DSP0263 5.18)."""

from __future__ import annotations

from gateway.cimi.fields import URI, Boolean, DateTime, Integer, String
from gateway.cimi.references import Ref
from gateway.cimi.resource_type import Common, ResourceType


class MeterSchema(Common):
    targetResource = Ref("Resource", writable=False)  # noqa: N815 - the standard's name
    aspect = URI(writable=False, meaning="what is measured")
    units = String(writable=False)
    sampleInterval = Integer(writable=False, meaning="seconds")  # noqa: N815
    timeScope = String(writable=False, meaning="Point or Interval")  # noqa: N815
    intervalDuration = String(writable=False)  # noqa: N815
    isContinuous = Boolean(writable=False)  # noqa: N815
    minValue = String(writable=False)  # noqa: N815
    maxValue = String(writable=False)  # noqa: N815
    stopTime = DateTime(writable=False)  # noqa: N815
    expiresTime = DateTime(writable=False)  # noqa: N815


TYPES = (ResourceType("Meter", MeterSchema, "meters", parent="Volume"),)
