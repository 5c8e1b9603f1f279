"""Whether guests run by KVM is what the hypervisor says of its own host, wherever the gateway runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import libvirt
import pytest

from drivers.libvirt import host

OFFERED = "<domain type='qemu'/><domain type='kvm'/>"
EMULATED = "<domain type='qemu'/>"
INTEL = "<model>Skylake</model><feature name='vmx'/>"


@dataclass
class Libvirt:
    """A virConnect of another host: what its capabilities say, and whether it lets guests be made by KVM."""

    domains: str = OFFERED
    cpu: str = INTEL
    arch: str = "x86_64"
    usable: bool = True
    expanded: str | None = None
    """The CPU with all that its model implies."""
    questions: list[str] = field(default_factory=list)

    def getInfo(self) -> list[object]:  # noqa: N802
        return [self.arch, 4096, 4, 2400, 1, 1, 4, 1]

    def getType(self) -> str:  # noqa: N802
        return "QEMU"

    def getVersion(self) -> int:  # noqa: N802
        return 7002000

    def getCapabilities(self) -> str:  # noqa: N802
        guest = f"<guest><os_type>hvm</os_type><arch name='{self.arch}'>{self.domains}</arch></guest>"
        return f"<capabilities><host><cpu><arch>{self.arch}</arch>{self.cpu}</cpu></host>{guest}</capabilities>"

    def getDomainCapabilities(self, _emulator: None, _arch: str | None, _machine: None, type: str) -> str:  # noqa: N802
        self.questions.append(type)
        if type == "kvm" and not self.usable:
            raise libvirt.libvirtError("KVM is not supported on this host")
        return "<domainCapabilities><os/></domainCapabilities>"

    def baselineCPU(self, cpus: list[str], _flags: int) -> str:  # noqa: N802
        return self.expanded or cpus[0]


def refuse(path: Path, *_: object, **__: object) -> str:
    raise AssertionError(f"{path} of the gateway's own machine was read")


def domain_type(connection: Libvirt, wanted: str = "auto") -> str:
    """What guests are made as; nothing of the machine that the gateway runs on may be looked at."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_text", refuse)
        patch.setattr(Path, "stat", refuse)
        return host.read(connection, wanted).domain_type


def test_kvm_is_used_where_libvirt_can_and_the_hosts_cpu_can() -> None:
    assert domain_type(Libvirt()) == "kvm"


def test_a_cpu_feature_that_stands_in_the_model_alone_counts() -> None:
    amd = Libvirt(cpu="<model>EPYC</model>", expanded="<cpu><model>EPYC</model><feature name='svm'/></cpu>")
    assert domain_type(amd) == "kvm"


def test_a_host_whose_cpu_has_no_virtualisation_runs_guests_by_emulation() -> None:
    assert domain_type(Libvirt(cpu="<model>qemu64</model>")) == "qemu"


def test_a_host_whose_libvirt_offers_no_kvm_runs_guests_by_emulation() -> None:
    assert domain_type(Libvirt(domains=EMULATED)) == "qemu"


def test_a_host_whose_libvirt_cannot_open_kvm_runs_guests_by_emulation() -> None:
    assert domain_type(Libvirt(usable=False)) == "qemu"


def test_on_other_architectures_libvirts_word_is_enough() -> None:
    assert domain_type(Libvirt(arch="aarch64", cpu="<model>host</model>")) == "kvm"


@pytest.mark.parametrize("wanted", ["kvm", "qemu"])
def test_what_the_configuration_says_is_used_unasked(wanted: str) -> None:
    connection = Libvirt()
    assert domain_type(connection, wanted) == wanted
    assert connection.questions == [wanted]
