"""A descriptor holds no more than can be gone through in short time."""

from __future__ import annotations

import pytest

from gateway.ovf import bounds, qualifiers
from gateway.ovf.certificate import read_certificate
from gateway.ovf.deployment import deploy
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.reading import read_envelope
from tests import hostile_files as hostile
from tests.unit.ovf.samples import item


def section(name: str, inner: str) -> str:
    return f"<{name}><Info>i</Info>{inner}</{name}>"


def properties(number: int) -> str:
    return section("ProductSection", "".join(f'<Property ovf:key="k{one}"/>' for one in range(number)))


def networks(number: int) -> str:
    return section("NetworkSection", "".join(f'<Network ovf:name="n{one}"/>' for one in range(number)))


def configurations(number: int) -> str:
    return section("DeploymentOptionSection", "".join(f'<Configuration ovf:id="c{one}"/>' for one in range(number)))


TOO_MUCH = {
    "attributes": hostile.described(attributes=" ".join(f'a{one}=""' for one in range(bounds.MOST_ATTRIBUTES + 1))),
    "longer than": hostile.described(attributes=f'a="{"x" * (bounds.LONGEST_ATTRIBUTE + 1)}"'),
    "element name": hostile.described(sections=f"<{'a' * 300}/>"),
    "networks": hostile.described(sections=networks(bounds.MOST_NETWORKS + 1)),
    "configurations": hostile.described(sections=configurations(bounds.MOST_CONFIGURATIONS + 1)),
    "properties": hostile.described(more=properties(bounds.MOST_PROPERTIES + 1)),
    "characters in names": hostile.described(
        more=properties(5000).replace("<ProductSection>", f'<ProductSection ovf:class="{"c" * 1000}">')
    ),
    "items": hostile.described(items=item(9, 5) * 1001),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_a_descriptor_with_too_much_is_refused_by_what_it_is_too_much_of(what: str) -> None:
    with pytest.raises(PackageInvalid, match=what):
        read_envelope(TOO_MUCH[what])


def test_properties_of_a_collection_count_for_each_of_its_guests() -> None:
    guests = "".join(
        f'<VirtualSystem ovf:id="g{one}"><Info>i</Info><VirtualHardwareSection><Info>h</Info></VirtualHardwareSection>'
        "</VirtualSystem>"
        for one in range(60)
    )
    text = (
        hostile.described()
        .decode()
        .replace(
            '<VirtualSystem ovf:id="s">',
            f'<VirtualSystemCollection ovf:id="c"><Info>c</Info>{properties(2000)}{guests}<VirtualSystem ovf:id="s">',
        )
    )
    with pytest.raises(PackageInvalid, match="122000 properties for its guests"):
        read_envelope(text.replace("</Envelope>", "</VirtualSystemCollection></Envelope>").encode())


def test_as_much_as_is_allowed_is_read() -> None:
    envelope = read_envelope(hostile.described(sections=networks(bounds.MOST_NETWORKS)))
    assert len(envelope.networks) == bounds.MOST_NETWORKS


def test_of_very_many_parts_that_are_left_out_only_the_first_are_told() -> None:
    envelope = read_envelope(hostile.described(sections='<a ovf:required="false"/>' * 3000))
    assert len(envelope.ignored) == bounds.MOST_IGNORED + 1
    assert envelope.ignored[-1] == "2000 more"


def test_qualifiers_that_are_too_long_are_refused() -> None:
    envelope = read_envelope(hostile.property_with("a" * (qualifiers.LONGEST + 1)))
    with pytest.raises(PackageInvalid, match="qualifiers are longer"):
        deploy(envelope)


def test_a_certificate_file_that_is_too_long_is_refused() -> None:
    content = hostile.certificate_of_lines(64 * 1024)
    with pytest.raises(PackageInvalid, match="more than 65536 bytes"):
        read_certificate(content, b"")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("MinLen(1) MaxLen ( 3 )", [("MinLen", "1"), ("MaxLen", " 3 ")]),
        ('ValueMap{"a, (b)", c}', [("ValueMap", '"a, (b)", c')]),
        ('ValueMap{"a\\"b"}', [("ValueMap", '"a\\"b"')]),
        ("MinLen(1", []),
        ('ValueMap{"a', []),
        ("no brackets at all", []),
        ("(1) {2}", []),
    ],
)
def test_qualifiers_are_found_with_what_stands_in_their_brackets(text: str, names: list[tuple[str, str]]) -> None:
    assert [(one.name, one.content) for one in qualifiers.qualifiers_of(text, "it")] == names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('"red","blue"', ["red", "blue"]),
        ("red, blue", ["red", "blue"]),
        ('"red, or so", blue', ["red, or so", "blue"]),
        ('"a\\"b", "c\\\\d"', ['a"b', "c\\d"]),
        ('"", x', ["", "x"]),
        ('"open', []),
        ("", []),
    ],
)
def test_words_of_a_list_are_quoted_or_bare(content: str, words: list[str]) -> None:
    assert qualifiers.words_of(content) == words
