"""The namespace of CIMI documents in XML, as ElementTree writes it."""

from __future__ import annotations

NAMESPACE = "{http://schemas.dmtf.org/cimi/1}"
