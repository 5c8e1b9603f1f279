"""The choice of one of the two formats, for the body that came and the one that goes (DSP0263 4.1.3)."""

from __future__ import annotations

from gateway.errors import NotAcceptable, UnsupportedMediaType

JSON, XML = "json", "xml"
MOST_RANGES = 50
"""Media ranges of an Accept header that are looked at."""
CONTENT_TYPES = {JSON: "application/json", XML: "application/xml"}
_OFFERS = (
    (JSON, frozenset({"application/json", "application/*", "*/*"})),
    (XML, frozenset({"application/xml", "text/xml", "application/*", "text/*", "*/*"})),
)


def answer_format(accept: str | None, wanted: str | None, gives: frozenset[str] = frozenset()) -> str:
    """Return the format of the documents of an answer: as ``$format`` says; else the best of Accept, JSON when equal.

    ``gives`` are the media types of bytes that the request may be answered with instead of a document. A client that
    takes them gets them, and errors in JSON; so does one that takes documents only, as clients that send the same
    Accept with every request do. Raises NotAcceptable for one that takes neither, or refuses them by ``q=0``.
    """
    if wanted is not None:
        if wanted.lower() in CONTENT_TYPES:
            return wanted.lower()
        raise NotAcceptable(f"$format: json and xml are known, not {wanted[:40]!r}")
    if accept is None or not accept.strip():
        return JSON
    ranges = [_range(entry) for entry in accept.split(",", MOST_RANGES)[:MOST_RANGES] if entry.strip()]
    ranked = [(_quality(ranges, names), media) for media, names in _OFFERS]
    quality, media = max(ranked, key=lambda entry: entry[0])
    taken = [_quality(ranges, _spellings(given))[0] > 0 for given in gives]
    if not (any(taken) or (quality[0] > 0 and not _refused(ranges, gives))):
        offered = "".join(f"{given}, " for given in sorted(gives))
        raise NotAcceptable(f"{offered}application/json and application/xml can be had, nothing else")
    return media if quality[0] > 0 else JSON


def _spellings(media: str) -> frozenset[str]:
    """Return the media type, and the ranges that it is in."""
    return frozenset({media, f"{media.partition('/')[0]}/*", "*/*"})


def _refused(ranges: list[tuple[str, float]], gives: frozenset[str]) -> bool:
    return any(name in gives and quality <= 0 for name, quality in ranges)


def _range(entry: str) -> tuple[str, float]:
    name, *parameters = [part.strip() for part in entry.split(";")]
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = min(1.0, max(0.0, float(value)))
            except ValueError:
                quality = 0.0
    return name.lower(), quality if quality == quality else 0.0


def _quality(ranges: list[tuple[str, float]], names: frozenset[str]) -> tuple[float, int]:
    """Return the quality by the most specific range that matches, and how specific that is."""
    matches = [(2 - name.count("*"), quality) for name, quality in ranges if name in names]
    if not matches:
        return 0.0, 0
    specific, quality = max(matches)
    return quality, 0 if quality <= 0 else specific


def media_type(content_type: str | None) -> str:
    """Return the media type that a Content-Type header names, without parameters; '' when there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def body_format(content_type: str | None) -> str:
    """Return the format of a document that came. Raises UnsupportedMediaType for all but JSON and XML."""
    name = media_type(content_type)
    if name == "application/json":
        return JSON
    if name in ("application/xml", "text/xml"):
        return XML
    raise UnsupportedMediaType(f"bodies are application/json or application/xml, not {name[:60] or 'without a type'}")
