"""The section of our own is written and read as the same, also when others have indented it or spelled it otherwise."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from gateway.ovf.errors import PackageInvalid
from gateway.ovf.model import OWN_DISK, Disk, Envelope, Hardware, VirtualSystem, VirtualSystemCollection
from gateway.ovf.reading import read_envelope
from gateway.ovf.writing import write_envelope

CIMI = "http://schemas.dmtf.org/cimi/1"
SYSTEM = f'<SystemTemplate xmlns="{CIMI}"><description>two  words</description><name/></SystemTemplate>'
MACHINE = f'<MachineTemplate xmlns="{CIMI}"><credential href="#ops"/></MachineTemplate>'
WEB = VirtualSystem("web", "web", info="i", hardware=(Hardware(),), template=MACHINE)
ENVELOPE = Envelope(
    VirtualSystemCollection("shop", "shop", info="i", content=(WEB,), template=SYSTEM),
    disks=(Disk("d", "1", use=OWN_DISK), Disk("e", "1")),
)


def test_templates_and_uses_of_disks_are_read_as_they_were_written() -> None:
    assert read_envelope(write_envelope(ENVELOPE)) == ENVELOPE


def test_the_section_may_be_ignored_and_stands_before_what_is_inside() -> None:
    two = VirtualSystemCollection("shop", "shop", info="i", content=(WEB, WEB), template=SYSTEM)
    root = etree.fromstring(write_envelope(replace(ENVELOPE, content=two)))
    section = root.find(".//{*}TemplateSection")
    assert section is not None
    assert section.get("{http://schemas.dmtf.org/ovf/envelope/1}required") == "false"
    collection = root.find("{*}VirtualSystemCollection")
    assert collection is not None
    names = [etree.QName(child).localname for child in collection]
    assert names == ["Info", "Name", "TemplateSection", "VirtualSystem", "VirtualSystem"]
    assert section[0].tag == "{http://schemas.dmtf.org/ovf/envelope/1}Info"


def test_indenting_and_prefixes_change_nothing() -> None:
    root = etree.fromstring(write_envelope(ENVELOPE))
    etree.indent(root, "\t")
    text = etree.tostring(root).replace(b"<MachineTemplate xmlns=", b"<x:MachineTemplate xmlns:x=")
    text = text.replace(b"</MachineTemplate>", b"</x:MachineTemplate>").replace(b"<credential", b"<x:credential")
    read = read_envelope(text)
    assert isinstance(read.content, VirtualSystemCollection)
    assert read.content.template == SYSTEM
    [web] = read.content.systems()
    assert web.template == MACHINE.replace("<", "<x:").replace("<x:/", "</x:").replace("xmlns=", "xmlns:x=")


@pytest.mark.parametrize(("template", "number"), [("", 0), (MACHINE + MACHINE, 2)])
def test_a_section_of_another_number_of_templates_is_refused(template: str, number: int) -> None:
    text = write_envelope(ENVELOPE).decode()
    start = text.index("<MachineTemplate")
    end = text.index("</MachineTemplate>") + len("</MachineTemplate>")
    with pytest.raises(PackageInvalid, match=f"of VirtualSystem 'web' has {number} elements"):
        read_envelope((text[:start] + template + text[end:]).encode())


def test_packages_without_a_section_have_no_template() -> None:
    bare = replace(ENVELOPE, content=replace(WEB, template=""))
    assert b"TemplateSection" not in write_envelope(bare)
    assert read_envelope(write_envelope(bare)) == bare
