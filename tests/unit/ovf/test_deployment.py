"""What a guest gets: by configuration, by values, by the order of controllers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gateway.cimi.bounds import LONGEST_NAME
from gateway.orchestration.systems.packages.composing import Composition
from gateway.ovf.deployment import Drive, Group, Guest, Port, deploy
from gateway.ovf.errors import PackageInvalid
from gateway.ovf.names import EXTENSION
from gateway.ovf.reading import read_envelope
from tests.unit.ovf.samples import VIRTUALBOX, VMWARE, envelope, item, system

GIB = 2**30
DISKS = """<DiskSection><Info>d</Info><Disk ovf:diskId="a" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30"/>
<Disk ovf:diskId="b" ovf:capacity="2" ovf:capacityAllocationUnits="byte * 2^30"/></DiskSection>"""


def guest(content: bytes, configuration: str | None = None, given: Mapping[str, str] | None = None) -> Guest:
    found = deploy(read_envelope(content), configuration, given)
    assert isinstance(found, Guest)
    return found


def vmware(configuration: str | None = None, **given: str) -> Guest:
    return guest(VMWARE.encode(), configuration, {name.replace("_", "."): value for name, value in given.items()})


def refused(content: bytes, configuration: str | None = None, given: Mapping[str, str] | None = None) -> str:
    with pytest.raises(PackageInvalid) as caught:
        deploy(read_envelope(content), configuration, given)
    return caught.value.message


def with_items(*items: str) -> bytes:
    networks = '<NetworkSection><Info>n</Info><Network ovf:name="lan"/></NetworkSection>'
    return envelope(system("v", hardware="".join(items)), sections=DISKS + networks)


def test_the_default_configuration_decides_processors_and_the_size_of_a_disk() -> None:
    found = vmware()
    assert (found.cpus, found.memory) == (4, 2 * GIB)
    assert found.drives == (Drive("vmdisk1", 16 * GIB), Drive("vmdisk2", 8 * GIB))


def test_another_configuration_takes_its_own_items_and_values() -> None:
    found = vmware("small")
    assert found.cpus == 1
    assert found.drives[1] == Drive("vmdisk2", 2 * GIB)


def test_a_value_that_was_chosen_wins_over_the_default() -> None:
    assert vmware(data_size="3").drives[1].capacity == 3 * GIB


def test_a_network_card_has_its_network_address_and_model() -> None:
    assert vmware().ports == (Port("VM Network", "00:50:56:ab:cd:ef", "VmxNet3"),)


def test_the_file_in_a_drive_is_found() -> None:
    assert vmware().media == ("file2",)


def test_a_virtualbox_package_is_understood() -> None:
    found = guest(VIRTUALBOX.encode())
    assert (found.cpus, found.memory, found.drives) == (1, 512 * 2**20, (Drive("vmdisk1", 8 * GIB),))
    assert found.ports == (Port("NAT", "", "E1000"),)


def test_disks_follow_their_controllers_and_places_there() -> None:
    found = guest(
        with_items(
            item(5, 6),
            item(6, 20),
            item(7, 17, HostResource="ovf:/disk/a", Parent=6, AddressOnParent=0),
            item(8, 17, HostResource="disk/b", Parent=5, AddressOnParent=1),
            item(9, 17, VirtualQuantity=3, AllocationUnits="byte * 2^30", Parent=5, AddressOnParent=0),
        )
    )
    assert found.drives == (Drive(None, 3 * GIB), Drive("b", 2 * GIB), Drive("a", GIB))


def test_a_range_does_not_win_over_the_value() -> None:
    bound = item(1, 3, VirtualQuantity=8).replace("<Item>", '<Item ovf:bound="max">')
    assert guest(with_items(bound)).cpus == 1


def test_a_guest_knows_the_values_of_the_collection_around_it() -> None:
    product = (
        '<ProductSection><Info>p</Info><Property ovf:key="site" ovf:type="string" ovf:value="here"/></ProductSection>'
    )
    collection = f'<VirtualSystemCollection ovf:id="c"><Info>c</Info>{product}{system("v")}</VirtualSystemCollection>'
    found = deploy(read_envelope(envelope(collection)))
    assert isinstance(found, Group)
    assert [one.values["site"].text for one in found.guests()] == ["here"]


def test_a_password_is_marked_as_secret() -> None:
    assert vmware().values["admin"].secret


@pytest.mark.parametrize(
    ("name", "value"),
    [("hostname", ""), ("hostname", "x" * 21), ("data.size", "70000"), ("data.size", "two"), ("data.size", "-1")],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name: str, value: str) -> None:
    assert f"the property {name}" in refused(VMWARE.encode(), None, {name: value})


def test_a_password_that_does_not_fit_is_not_repeated() -> None:
    short = VMWARE.replace('ovf:password="true"', 'ovf:password="true" ovf:qualifiers="MinLen(30)"')
    assert "hunter2" not in refused(short.encode(), None, {"admin": "hunter2"})


def test_a_value_that_nobody_may_choose_is_refused() -> None:
    assert "cannot be chosen" in refused(VMWARE.encode(), None, {"color": "blue"})


def test_a_default_outside_of_its_value_map_is_refused() -> None:
    assert "ValueMap" in refused(VMWARE.replace('ovf:value="red"', 'ovf:value="green"').encode())


@pytest.mark.parametrize(
    ("words", "fits", "fails"),
    [
        ("1, 2, 3, 5", ["1", "5"], ["4", "", "1, 2"]),
        ("&quot;red&quot;,&quot;blue&quot;", ["red", "blue"], ["re", '"red"']),
        ("&quot;a, b&quot; , c", ["a, b", "c"], ["a", "b"]),
        ("&quot;say \\&quot;x\\&quot;&quot;", ['say "x"'], ["say x"]),
    ],
)
def test_words_of_a_value_map_may_stand_in_quotes_or_bare(words: str, fits: list[str], fails: list[str]) -> None:
    text = VMWARE.replace(
        '\'ValueMap{"red","blue"}\' ovf:value="red"', f'"ValueMap{{{words}}}" ovf:userConfigurable="true"'
    )
    for word in fits:
        assert isinstance(deploy(read_envelope(text.encode()), None, {"color": word}), Guest)
    for word in fails:
        assert "ValueMap" in refused(text.encode(), None, {"color": word})


def test_a_property_that_there_is_not_is_refused_with_those_there_are() -> None:
    assert "hostname" in refused(VMWARE.encode(), None, {"hostnam": "x"})


def test_a_configuration_that_there_is_not_is_refused_with_those_there_are() -> None:
    assert "small, large" in refused(VMWARE.encode(), "huge")


def test_a_size_without_a_value_says_how_to_give_one() -> None:
    without = VMWARE.replace('ovf:value="2">', 'ovf:value="">').replace('<Value ovf:value="8"', '<Value ovf:value=""')
    assert "'ovf.data.size'" in refused(without.encode())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (item(7, 17, HostResource="ovf:/disk/lost"), "which the DiskSection does not have"),
        (item(7, 17, HostResource="nonsense"), "HostResource"),
        (item(7, 10, Connection="lost"), "which the NetworkSection does not have"),
        (item(7, 15, HostResource="ovf:/file/lost"), "References do not name"),
        (item(7, 7), "which a Machine cannot have"),
        (item(7, 1, ElementName="magic"), "'magic' of ResourceType 1"),
        (item(1, 3, VirtualQuantity=0), "processors"),
        (item(2, 4, VirtualQuantity=0), "no memory"),
    ],
)
def test_hardware_that_does_not_fit_together_is_refused(wrong: str, said: str) -> None:
    assert said in refused(with_items(wrong))


def test_a_system_without_hardware_is_refused() -> None:
    assert "no VirtualHardwareSection" in refused(envelope('<VirtualSystem ovf:id="v"><Info>v</Info></VirtualSystem>'))


def test_what_is_put_aside_is_told_in_few_words_however_long_the_names_are() -> None:
    usb = item(5, 23, ElementName="usb" * 1000)
    [note] = guest(envelope(system("v" * 10_000, hardware=usb))).notes
    assert note.startswith("device 'usbusb")
    assert len(note) < 300


def test_a_volume_has_no_longer_name_than_a_name_can_have() -> None:
    disks = DISKS.replace('ovf:diskId="a"', 'ovf:diskId="a" ovf:fileRef="f"')
    disks = disks.replace('ovf:diskId="b"', f'ovf:diskId="b" xmlns:c="{EXTENSION}" c:name="{"n" * 60_000}"')
    drives = item(5, 17, HostResource="ovf:/disk/a") + item(6, 17, HostResource="ovf:/disk/b")
    file = '<File ovf:id="f" ovf:href="a"/>'
    read = read_envelope(envelope(system("v", hardware=drives), sections=disks, references=file))
    made = Composition(read, deploy(read), {"MachineImage:f": "there"}).template()
    [volume] = [one for one in made["componentDescriptors"] if one["type"] == "Volume"]
    assert volume["name"] == "n" * LONGEST_NAME
