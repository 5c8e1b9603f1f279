"""Of several entries of the configuration that lead to the same libvirt one is served: always the first."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from drivers.libvirt.host_claims import HostClaims, HostIdentity, identity

HOST = HostIdentity("11111111-2222-4333-8444-555555555555", "hv1")


@pytest.fixture
def claims() -> HostClaims:
    return HostClaims(["first", "second", "third"])


def take(claims: HostClaims, name: str, host: HostIdentity = HOST, told: list[str] | None = None) -> str:
    return claims.take(name, host, (told if told is not None else []).append)


def test_the_only_entry_of_a_host_is_served(claims: HostClaims) -> None:
    assert take(claims, "second") == ""


def test_a_later_entry_is_refused_with_the_name_of_the_earlier(claims: HostClaims) -> None:
    take(claims, "first")
    assert take(claims, "second") == "first"


def test_a_later_entry_that_came_first_gives_the_host_up(claims: HostClaims) -> None:
    told: list[str] = []
    take(claims, "second", told=told)
    assert take(claims, "first") == ""
    assert told == ["first"]


def test_an_entry_that_connects_again_keeps_its_host(claims: HostClaims) -> None:
    told: list[str] = []
    take(claims, "first", told=told)
    assert take(claims, "first", told=told) == ""
    assert told == []


def test_an_entry_that_leads_to_another_host_by_now_leaves_the_old_one_to_others(claims: HostClaims) -> None:
    take(claims, "first")
    take(claims, "first", HostIdentity("other", "hv2"))
    assert take(claims, "second") == ""


def test_hosts_whose_boards_have_the_same_uuid_are_two_by_their_names(claims: HostClaims) -> None:
    take(claims, "first")
    assert take(claims, "second", HostIdentity(HOST.uuid, "hv2")) == ""


@dataclass
class Handle:
    def getCapabilities(self) -> str:  # noqa: N802
        return f"<capabilities><host><uuid>{HOST.uuid}</uuid></host></capabilities>"

    def getHostname(self) -> str:  # noqa: N802
        return HOST.hostname


@pytest.mark.parametrize("uri", ["qemu:///system", "qemu+tls://hv1/system?pkipath=/x", "qemu+ssh://root@hv1/system"])
def test_a_system_libvirt_is_the_same_by_whatever_uri(uri: str) -> None:
    assert identity(Handle(), uri) == HOST


def test_sessions_of_several_users_on_one_host_are_not_taken_for_one(claims: HostClaims) -> None:
    assert identity(Handle(), "qemu+unix:///session?socket=/run/user/1000/libvirt/libvirt-sock") is None
