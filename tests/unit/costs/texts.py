"""Readers of bodies, headers and other texts of requests, each with the input that costs it most."""

from __future__ import annotations

import json

from drivers.seed import hostname
from gateway.cimi import filter as filters
from gateway.cimi import json_codec, xml_codec
from gateway.cimi.dialects import bare_term
from gateway.cimi.xml_text import element_text
from gateway.http import authentication, request, ways_in
from gateway.orchestration.images.sums import LARGEST, sum_of
from gateway.orchestration.monitoring.occurrences import clean
from gateway.orchestration.systems.packages.parts import file_name
from tests.unit.costs.reader import Reader

TYPES = {"name": filters.AttributeType.STRING}
"""What the filter of these tests is about."""


def _filter(text: str) -> object:
    return filters.parse(text, TYPES)


def _doubled(number: int) -> bytes:
    """The last two of so many names are the same."""
    named = ",".join(f'"n{one}":1' for one in (*range(number), number - 1))
    return f"{{{named}}}".encode()


BODIES = (
    Reader(
        "JSON of names",
        ("gateway.cimi.json_codec",),
        lambda n: json.dumps({f"n{i}": 1 for i in range(n)}).encode(),
        json_codec.decode,
        100_000,
    ),
    Reader("JSON with a name twice", ("gateway.cimi.json_codec",), _doubled, json_codec.decode, 100_000),
    Reader(
        "JSON of lists",
        ("gateway.cimi.json_codec",),
        lambda n: b'{"a":[' + b"{}," * n + b"{}]}",
        json_codec.decode,
        340_000,
    ),
    Reader(
        "JSON of digits", ("gateway.cimi.json_codec",), lambda n: b'{"a":' + b"1" * n + b"}", json_codec.decode, 10**6
    ),
    Reader(
        "JSON of depth",
        ("gateway.cimi.json_codec",),
        lambda n: b'{"a":' + b"[" * n + b"]" * n + b"}",
        json_codec.decode,
        400_000,
    ),
    Reader(
        "XML of elements",
        ("gateway.cimi.xml_codec", "gateway.xml_guard"),
        lambda n: b"<a>" + b"<b/>" * n + b"</a>",
        xml_codec.decode,
        250_000,
    ),
    Reader(
        "XML of names",
        ("gateway.xml_guard",),
        lambda n: b"<a>" + b"".join(b"<b%d/>" % i for i in range(n)) + b"</a>",
        xml_codec.decode,
        100_000,
    ),
    Reader(
        "XML of attributes",
        ("gateway.xml_guard",),
        lambda n: b"<a " + b" ".join(b'b%d=""' % i for i in range(n)) + b"/>",
        xml_codec.decode,
        100_000,
    ),
    Reader(
        "XML of text", ("gateway.cimi.xml_codec",), lambda n: b"<a>" + b"&lt;" * n + b"</a>", xml_codec.decode, 250_000
    ),
    Reader("XML of depth", ("gateway.xml_guard",), lambda n: b"<a>" * n + b"</a>" * n, xml_codec.decode, 140_000),
    Reader("texts in XML", ("gateway.cimi.xml_text",), lambda n: "<" * n, element_text, 10**6),
)
WORDS = (
    Reader("$filter of parts", ("gateway.cimi.filter",), lambda n: " and ".join(["name='x'"] * n), _filter, 4000),
    Reader("$filter of brackets", ("gateway.cimi.filter",), lambda n: "(" * n + "name='x'" + ")" * n, _filter, 20_000),
    Reader("$filter of a word", ("gateway.cimi.filter",), lambda n: "name='" + "\\'" * n, _filter, 30_000),
    Reader("$filter of blanks", ("gateway.cimi.filter",), lambda n: "name" + " " * n + "x", _filter, 60_000),
    Reader(
        "Accept",
        ("gateway.http.request",),
        lambda n: "a/b;q=0.1;" * n + ",",
        lambda t: request.answer_format(t, None),
        2000,
    ),
    Reader(
        "Accept of entries",
        ("gateway.http.request",),
        lambda n: "a/b," * n,
        lambda t: request.answer_format(t, None),
        4000,
    ),
    Reader(
        "Content-Type",
        ("gateway.http.request",),
        lambda n: "application/json" + ";a=b" * n,
        request.body_format,
        4000,
    ),
    Reader(
        "If-Match",
        ("gateway.http.request",),
        lambda n: ",".join(f'"{one}"' for one in range(n)),
        lambda t: request.names_tag(t, ["x"]),
        4000,
    ),
    Reader(
        "Prefer",
        ("gateway.http.request",),
        lambda n: " wait" + " " * n + "wait=x",
        lambda t: request.seconds_to_wait(t, 1.0),
        16_000,
    ),
    Reader(
        "Prefer of waits",
        ("gateway.http.request",),
        lambda n: ',wait= "' * n,
        lambda t: request.seconds_to_wait(t, 1.0),
        2000,
    ),
    Reader(
        "Range",
        ("gateway.http.request",),
        lambda n: "bytes=" + "0" * n + "-",
        request.RANGE.fullmatch,
        16_000,
    ),
    Reader(
        "Content-Range",
        ("gateway.http.request",),
        lambda n: "bytes 0-" + "0" * n,
        request.CONTENT_RANGE.fullmatch,
        16_000,
    ),
    Reader("digest", ("gateway.http.request",), lambda n: "sha-256=:" * n, request.DIGEST.search, 2000),
    Reader(
        "Authorization",
        ("gateway.http.authentication",),
        lambda n: "Basic " + "eDp4" * (n // 4),
        authentication.basic_credentials,
        16_000,
    ),
    Reader(
        "token",
        ("gateway.http.ways_in",),
        lambda n: "Bearer cimi_" + "_" * n,
        ways_in.token_login,
        16_000,
    ),
    Reader(
        "action's URI",
        ("gateway.cimi.dialects",),
        lambda n: "http://schemas.dmtf.org/cimi/1/" + "aa/" * n + "!",
        bare_term,
        100_000,
    ),
    Reader("host name", ("drivers.seed",), lambda n: "-_" * n, lambda t: hostname(t, "i"), 10**6),
    Reader(
        "checksums",
        ("gateway.orchestration.images.sums",),
        lambda n: f"{'a' * 64}  disk.img = (disk.img) = \n" * (n // 90 + 1),
        lambda t: sum_of(t, "disk.img"),
        LARGEST,
    ),
    Reader("file name", ("gateway.orchestration.systems.packages.parts",), lambda n: "- /" * n, file_name, 10**6),
    Reader(
        "words of an event", ("gateway.orchestration.monitoring.occurrences",), lambda n: "\0\x1b" * n, clean, 10**6
    ),
)
