"""Requests made to cost as much as possible: one of each kind. Where IMAGE stands in a body, an image's URI belongs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

MEBIBYTE = 1_048_576
ROOM = 1_000
"""Bytes of a document around what is repeated."""


@dataclass(frozen=True)
class Hostile:
    """``path`` is below the entry point, as it stands in the request line."""

    name: str
    path: str
    method: str = "GET"
    body: bytes = b""
    media: str = "application/json"
    headers: tuple[tuple[str, str], ...] = field(default=())


def posted(name: str, path: str, body: str, media: str = "application/json") -> Hostile:
    return Hostile(name, path, "POST", body.encode()[: MEBIBYTE - 1], media)


def full(piece: str, separator: str = ",") -> str:
    """As many of a piece as a body may have."""
    return separator.join([piece] * ((MEBIBYTE - ROOM) // len(piece + separator)))


ARRAYS = {
    "volumes": ("machines", '{"machineTemplate":{"volumes":[%s]}}'),
    "volumeTemplates": ("machines", '{"machineTemplate":{"volumeTemplates":[%s]}}'),
    "networkInterfaces": ("machines", '{"machineTemplate":{"networkInterfaces":[%s]}}'),
    "meterTemplates": ("machines", '{"machineTemplate":{"meterTemplates":[%s]}}'),
    "disks": ("machines", '{"machineTemplate":{"machineConfig":{"cpu":1,"memory":65536,"disks":[%s]}}}'),
    "disks of a configuration": ("machineConfigs", '{"cpu":1,"memory":65536,"disks":[%s]}'),
    "componentDescriptors": ("systems", '{"systemTemplate":{"componentDescriptors":[%s]}}'),
    "componentDescriptors of a template": ("systemTemplates", '{"componentDescriptors":[%s]}'),
    "volumes of a template": ("machineTemplates", '{"volumes":[%s]}'),
}
COMPONENT = '{"name":"c%d","type":"http://schemas.dmtf.org/cimi/1/%s","%s":%s}'


def json_bodies() -> Iterator[Hostile]:
    names = ",".join(f'"{number:05}":1' for number in range(100_000))
    yield posted("many names, one twice", "machines", "{" + names + ',"99999":1}')
    yield posted("many properties, one twice", "machineConfigs", '{"properties":{' + names + ',"99999":1}}')
    yield posted("many names", "machines", "{" + names + "}")
    few = ",".join(f'"{number:05}":1' for number in range(990))
    yield posted("as many unknown names as are let through", "machines", "{" + few + "}")
    for what, (path, document) in ARRAYS.items():
        yield posted(f"empty {what}", path, document % full("{}"))
        yield posted(f"a thousand empty {what}", path, document % ",".join(["{}"] * 1000))
        yield posted(f"nothing as {what}", path, document % full("null"))
        yield posted(f"a thousand {what} that are references", path, document % ",".join(['{"href":"x"}'] * 1000))
        yield posted(f"lists in {what}", path, document % full("[]"))
    yield posted("deep lists", "machines", "[" * (MEBIBYTE - 1))
    yield posted("deep objects", "machines", '{"a":' * 200_000)
    yield posted("numbers", "machines", '{"properties":[' + full("1") + "]}")
    yield posted("one long number", "machines", '{"cpu":' + "9" * (MEBIBYTE - ROOM) + "}")
    yield posted("one long name", "machineConfigs", '{"' + "n" * (MEBIBYTE - ROOM) + '":1}')
    yield posted("one long text", "machineConfigs", '{"name":"' + "n" * (MEBIBYTE - ROOM) + '","cpu":1,"memory":65536}')
    yield posted("escapes", "machineConfigs", '{"name":"' + full("\\u0041", "") + '","cpu":1,"memory":65536}')
    yield posted("a bad escape at the end", "machineConfigs", '{"name":"' + full("\\n", "") + '\\x"}')
    yield posted("blanks", "machineConfigs", " " * (MEBIBYTE - 10) + "{}")
    yield posted("blanks in a number", "machineConfigs", '{"cpu":"' + " " * (MEBIBYTE - ROOM) + 'x"}')
    yield posted("user data that is no Base64", "machines", '{"machineTemplate":{"userData":"' + full("A ", "") + '"}}')
    texts = ",".join(f'"{number}":"{"v" * 4000}"' for number in range(250))
    yield posted("the most properties", "machineConfigs", '{"cpu":1,"memory":65536,"properties":{' + texts + "}}")


def systems() -> Iterator[Hostile]:
    """What is let through, is right as far as documents go, and is looked at by the families' own checks."""
    kinds = {
        "Machine": ("machineTemplate", '{"machineConfig":{"cpu":1,"memory":65536},"machineImage":{"href":"#c0"}}'),
        "Volume": ("volumeTemplate", '{"volumeConfig":{"capacity":1024}}'),
        "Network": ("networkTemplate", '{"networkConfig":{"networkType":"PRIVATE"}}'),
        "System": ("systemTemplate", '{"componentDescriptors":[]}'),
        "Credential": ("credentialTemplate", '{"userName":"u","password":"p"}'),
    }
    for kind, (member, value) in kinds.items():
        listed = [COMPONENT % (place, kind, member, value) for place in range(900)]
        for number in (200, 900) if kind in ("Network", "System") else (900,):
            components = '{"componentDescriptors":[' + ",".join(listed[:number]) + "]}"
            yield posted(f"a System of {number} {kind}s", "systems", '{"systemTemplate":' + components + "}")
            yield posted(f"a SystemTemplate of {number} {kind}s", "systemTemplates", components)
    disks = '"disks":[' + ",".join(['{"capacity":1024}'] * 18) + "]"
    inner = '{"machineConfig":{"cpu":1,"memory":65536,' + disks + '},"machineImage":{"href":"IMAGE"}}'
    listed = [COMPONENT % (place, "Machine", "machineTemplate", inner) for place in range(200)]
    yield posted("Machines of many disks", "systemTemplates", '{"componentDescriptors":[' + ",".join(listed) + "]}")
    nested = '{"componentDescriptors":[]}'
    for level in range(8):
        nested = '{"componentDescriptors":[' + COMPONENT % (level, "System", "systemTemplate", nested) + "]}"
    yield posted("Systems in Systems", "systems", '{"systemTemplate":' + nested + "}")


def machines() -> Iterator[Hostile]:
    """One Machine of as many parts as a document may name."""
    start = '{"machineTemplate":{"machineConfig":{"cpu":1,"memory":65536%s},"machineImage":{"href":"IMAGE"}%s}}'
    for name, config, template in (
        ("disks", ',"disks":[' + ",".join(['{"capacity":1024}'] * 1000) + "]", ""),
        ("volumeTemplates", "", ',"volumeTemplates":[' + ",".join(['{"volumeConfig":{"capacity":1}}'] * 1000) + "]"),
        ("networkInterfaces", "", ',"networkInterfaces":[' + ",".join(["{}"] * 1000) + "]"),
        ("meterTemplates", "", ',"meterTemplates":[' + ",".join(['{"meterConfig":{"aspect":"cpu"}}'] * 1000) + "]"),
        ("volumes", "", ',"volumes":[' + ",".join(['{"href":"volumes/x"}'] * 1000) + "]"),
    ):
        yield posted(f"a Machine of a thousand {name}", "machines", start % (config, template))
        document = start.removeprefix('{"machineTemplate":').removesuffix("}") % (config, template)
        yield posted(f"a MachineTemplate of a thousand {name}", "machineTemplates", document)


def xml_bodies() -> Iterator[Hostile]:
    xml = "application/xml"

    def of(name: str, content: str, path: str = "machines", root: str = "MachineCreate") -> Hostile:
        return posted(name, path, f"<{root}>{content}</{root}>", xml)

    yield of("50,000 elements", "<a/>" * 50_000)
    yield of("as many elements as are let through", "<a/>" * 999 + "<b><c/></b>" * 400)
    yield of("volumes in XML", "<machineTemplate>" + full("<volume/>", "") + "</machineTemplate>")
    yield of("a thousand volumes in XML", "<machineTemplate>" + "<volume/>" * 1000 + "</machineTemplate>")
    disks = full("<disk><capacity>1</capacity></disk>", "")
    yield of("disks in XML", f"<cpu>1</cpu><memory>65536</memory>{disks}", "machineConfigs", "MachineConfiguration")
    components = "<componentDescriptor><name>a</name></componentDescriptor>"
    yield of("components in XML", f"<systemTemplate>{full(components, '')}</systemTemplate>", "systems", "SystemCreate")
    many = " ".join(f'a{number}="1"' for number in range(90_000))
    yield of("XML attributes", f"<name {many}/>")
    few = " ".join(f'a{number}="1"' for number in range(9_000))
    yield of("as many XML attributes as are let through", f"<name {few}/>")
    yield of("namespaces", "<name " + " ".join(f'xmlns:a{n}="http://x/{n}"' for n in range(35_000)) + "/>")
    yield of("nested namespaces", "".join(f'<n xmlns="{"u" * 30_000}{n}">' for n in range(30)) + "</n>" * 30)
    yield of("entities", f"<name>{full('&amp;', '')}</name>")
    yield of("numeric entities", f"<name>{full('&#65;', '')}</name>")
    yield of("an entity of one's own", f"<name>{full('&own;', '')}</name>")
    yield posted("entities in entities", "machines", _laughs(), xml)
    yield posted("one long element name", "machines", f"<{'n' * (MEBIBYTE - ROOM)}/>", xml)
    yield of("one long attribute name", f'<name {"n" * (MEBIBYTE - ROOM)}="1"/>')
    yield of("one long attribute", f'<name a="{"v" * (MEBIBYTE - ROOM)}"/>')
    yield of("one long attribute that does not end", f'<name a="{"v" * (MEBIBYTE - ROOM)}')
    yield of("one long text in XML", f"<name>{'v' * (MEBIBYTE - ROOM)}</name>")
    yield of("comments", full("<!---->", ""))
    yield of("one comment that does not end", "<!--" + "-" * (MEBIBYTE - ROOM))
    yield of("processing instructions", full("<?a?>", ""))
    yield of("sections", f"<name>{full('<![CDATA[a]]>', '')}</name>")
    yield of("brackets", f"<name>{full(']', '')}</name>")
    yield posted("deep elements", "machines", "<a>" * 300_000, xml)
    properties = "".join(f'<property key="{number}">{"v" * 3900}</property>' for number in range(250))
    yield of("the most properties in XML", f"{properties}<cpu>1</cpu>", "machineConfigs", "MachineConfiguration")


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{level} "{f"&l{level - 1};" * 10}">' for level in range(1, 10))
    return f'<!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><MachineCreate><name>&l9;</name></MachineCreate>'


def queries() -> Iterator[Hostile]:
    longest = 8_100
    for name, query in {
        "as many parts of a filter as are let through": "$filter=" + "%20and%20".join(["cpu>1"] * 60),
        "nested parts": "$filter=" + "(" * 60 + "cpu=1" + ")" * 60,
        "parts that are or and and": "$filter=" + "(cpu=1%20or%20(cpu=2%20and%20" * 30 + "cpu=3" + "))" * 30,
        "parts that are or": "$filter=" + "%20or%20".join([f"name='{number}'" for number in range(60)]),
        "properties in a filter": "$filter=" + "%20or%20".join([f"property['{n}']='b'" for n in range(60)]),
        "many filters": "&".join(["$filter=cpu=1"] * 570),
        "as many filters as are let through": "&".join(["$filter=cpu=1"] * 16),
        "a filter of quotes": "$filter=" + "'" * 4_000,
        "a filter of a text that does not end": "$filter=name='" + "\\a" * 2_000,
        "a filter of digits": "$filter=cpu=" + "9" * 4_000,
        "a filter of a date": "$filter=created=2026-01-01T00:00:00." + "0" * 4_000 + "x",
        "a filter of names": "$filter=" + "a%20" * 1_000,
        "a filter of blanks": "$filter=" + "%20" * 2_600,
        "parentheses": "$filter=" + "(" * 4_000,
        "expand everything": "$expand=*",
        "expand everything often": "&".join(["$expand=*"] * 250),
        "expand many": "$expand=" + ",".join(f"a{number}" for number in range(1_300)),
        "expand commas": "$expand=" + "," * longest,
        "select many": "$select=" + ",".join(f"a{number}" for number in range(1_300)),
        "select everything often": "&".join(["$select=*"] * 250),
        "select commas": "$select=" + "," * longest,
        "order by many": "$orderby=" + ",".join(["name:asc"] * 890),
        "order by colons": "$orderby=" + ":" * longest,
        "many parameters": "&".join(["a"] * (longest // 2)),
        "equal signs": "=" * longest,
        "percent signs": "%41" * (longest // 3),
        "a huge position": "$first=" + "9" * longest,
        "all at once": "$expand=*&$filter=name!='x'&$orderby=name,description,created&$last=1000",
    }.items():
        for collection in ("machineConfigs", "machines", "eventLogs/everything/events", "jobs"):
            yield Hostile(f"{name} of {collection}", f"{collection}?{query}")
    yield Hostile("a long path", "machines/" + "x" * longest)
    yield Hostile("slashes", "/" * longest)
    yield Hostile("a path of dots", "../" * (longest // 3))
    yield Hostile("a request line of 250 kB", "machines?" + "x" * 250_000)


def large_answers() -> Iterator[Hostile]:
    """A page of as many bytes as the documents in it may have; ``large`` makes them."""
    for media in ("json", "xml"):
        accepted = (("Accept", f"application/{media}"),)
        for name, query in {"large answer": "", "expanded": "?$expand=*", "selected": "?$select=properties"}.items():
            yield Hostile(f"{name} in {media}", f"volumeConfigs{query}", headers=accepted)


def header_lists() -> Iterator[Hostile]:
    field = 16_000
    for name, header, value in (
        ("media ranges", "Accept", "a/b," * (field // 4)),
        ("parameters of a media range", "Accept", "a/b" + ";q=1" * (field // 4)),
        ("blanks in Accept", "Accept", " " * (field - 1) + "x"),
        ("entity tags", "If-None-Match", '"a",' * (field // 4)),
        ("entity tags without quotes", "If-None-Match", "a," * (field // 2)),
        ("quotes", "If-None-Match", '"' * field),
        ("weak entity tags", "If-None-Match", "W/" * (field // 2)),
        ("preferences", "Prefer", "wait," * (field // 5)),
        ("blanks in a preference", "Prefer", "wait" + " " * (field - 10) + "x"),
        ("blanks in preferences", "Prefer", "wait   " * (field // 7)),
        ("ranges", "Range", "bytes=" + "0-1," * (field // 4)),
        ("digits of a range", "Range", "bytes=" + "9" * field),
        ("versions", "CIMI-Specification-Version", "1.0," * (field // 4)),
        ("digits of a version", "CIMI-Specification-Version", "1" * field),
        ("proxies", "Forwarded", "for=a," * (field // 6)),
        ("quotes of proxies", "Forwarded", 'for="' + '\\"' * (field // 2 - 5)),
        ("addresses", "X-Forwarded-For", "1.1.1.1," * (field // 8)),
        ("cookies", "Cookie", "a=b;" * (field // 4)),
        ("cookies with quotes", "Cookie", 'a="' + "\\" * field),
        ("an event id", "Last-Event-ID", "9" * field),
        ("a key", "Idempotency-Key", "k" * field),
        ("a request id", "X-Request-ID", "a" * field),
        ("encodings", "Content-Encoding", "identity," * (field // 9)),
        ("origins", "Origin", "http://a," * (field // 9)),
        ("a digest", "Content-Digest", "sha-256=:" * (field // 9)),
        ("a media type", "Content-Type", "application/json" + ";a=b" * (field // 4 - 10)),
    ):
        yield Hostile(name, "machineConfigs", headers=((header, value),))
        yield Hostile(f"{name}, in four lines", "machineConfigs", headers=((header, value),) * 4)
        yield Hostile(f"{name}, for a change", "machineConfigs", "POST", b'{"cpu":1}', headers=((header, value),))
    yield Hostile("120 long headers", "machineConfigs", headers=(("X-A", "b" * field),) * 120)
    for header, value in (("Accept", "a/b,"), ("If-None-Match", '"a",'), ("Prefer", "wait,")):
        yield Hostile(f"120 lines of {header}", "machineConfigs", headers=((header, value * (field // 5)),) * 120)
    yield Hostile("thousands of headers", "machineConfigs", headers=(("X-A", "b"),) * 9_000)


def harmless(number: int) -> bytes:
    """A document that is accepted."""
    return json.dumps({"name": f"c{number}", "cpu": 1, "memory": 65536}).encode()


def large(number: int) -> bytes:
    """A document that is accepted, of 0.9 MB."""
    properties = {f"p{entry}": "v" * 60_000 for entry in range(15)}
    return json.dumps({"name": f"v{number}", "capacity": 1024, "properties": properties}).encode()
