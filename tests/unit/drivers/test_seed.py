"""The NoCloud seed holds what the guest is promised, and nothing in clear."""

from __future__ import annotations

import io
import json

import pycdlib
import pytest
import yaml  # type: ignore[import-untyped]

from drivers.passwords import sha512_crypt
from drivers.seed import Seed, SeedInterface, hostname, seed_iso


def files(seed: Seed) -> dict[str, bytes]:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(seed_iso(seed)))
    found = {}
    for path in ("/meta-data", "/user-data", "/vendor-data", "/network-config", "/cimi/user-data"):
        target = io.BytesIO()
        try:
            iso.get_file_from_iso_fp(target, joliet_path=path)
        except pycdlib.pycdlibexception.PyCdlibInvalidInput:
            continue
        found[path] = target.getvalue()
    iso.close()
    return found


def test_user_data_is_passed_on_byte_for_byte_at_both_places() -> None:
    data = bytes(range(256))
    found = files(Seed("1", "m", user_data=data))
    assert found["/user-data"] == found["/cimi/user-data"] == data


def test_without_user_data_there_is_an_empty_cloud_config() -> None:
    found = files(Seed("1", "m"))
    assert found["/user-data"].startswith(b"#cloud-config\n")
    assert "/cimi/user-data" not in found


def test_a_credential_becomes_a_user_with_hash_and_keys() -> None:
    text = files(Seed("1", "m", "ops", "$6$salt$hash", ("ssh-ed25519 AAAA",)))["/vendor-data"]
    document = json.loads(text.removeprefix(b"#cloud-config\n"))
    assert document["users"][0]["name"] == "ops"
    assert document["users"][0]["passwd"] == "$6$salt$hash"
    assert document["users"][0]["ssh_authorized_keys"] == ["ssh-ed25519 AAAA"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Web 1!", "web-1"), ("ö", "machine-12345678"), ("", "machine-12345678"), ("x" * 90, "x" * 63), ("-a-", "a")],
)
def test_host_names_are_legal_whatever_the_human_name(name: str, wanted: str) -> None:
    assert hostname(name, "12345678-0000") == wanted


def test_passwords_are_hashed_as_guests_keep_them() -> None:
    hashed = sha512_crypt("Hello world!", "saltstring")
    assert hashed == (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    )


def test_interfaces_are_told_in_their_order_by_name_and_mac() -> None:
    first = SeedInterface("52:54:00:00:00:01", dhcp4=True)
    second = SeedInterface("52:54:00:00:00:02", dhcp4=False, addresses=("fd00::5/64",), gateway="fd00::1")
    document = json.loads(files(Seed("1", "m", interfaces=(first, second)))["/network-config"])
    assert document["version"] == 2
    assert document["ethernets"] == {
        "eth0": {"match": {"macaddress": "52:54:00:00:00:01"}, "set-name": "eth0", "dhcp4": True},
        "eth1": {
            "match": {"macaddress": "52:54:00:00:00:02"},
            "set-name": "eth1",
            "dhcp4": False,
            "addresses": ["fd00::5/64"],
            "gateway6": "fd00::1",
            "nameservers": {"addresses": ["fd00::1"]},
        },
    }


def test_without_interfaces_there_is_no_network_config() -> None:
    assert "/network-config" not in files(Seed("1", "m"))


ODD = '\U0001f600 \U0010fffd \x7f \x80 \x85 \x9f \u2028 \u2029 \ufeff \ufffd \ufffe \uffff " \\ \ud7ff \ue000 \u00e4'
"""Beyond the BMP, unprintable, and at the ends of what is."""


@pytest.mark.parametrize("text", [*ODD.split(" "), ODD], ids=ascii)
def test_whatever_a_text_holds_a_reader_of_yaml_reads_the_same(text: str) -> None:
    seed = Seed("1", "m", user=f"u{text}", keys=(f"ssh-ed25519 AAAA {text}",))
    [user] = yaml.safe_load(files(seed)["/vendor-data"])["users"]
    assert (user["name"], user["ssh_authorized_keys"]) == (f"u{text}", [f"ssh-ed25519 AAAA {text}"])


def test_all_files_of_a_seed_are_yaml() -> None:
    interface = SeedInterface("52:54:00:00:00:01", True, ("fd00::1/64",), "fd00::2")
    found = files(Seed("1", "m", user="u", keys=("k",), interfaces=(interface,)))
    assert yaml.safe_load(found["/meta-data"]) == {"instance-id": "1", "local-hostname": "m"}
    assert yaml.safe_load(found["/network-config"])["ethernets"]["eth0"]["match"] == {"macaddress": interface.mac}
