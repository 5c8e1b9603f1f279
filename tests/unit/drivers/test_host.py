"""What libvirt's capabilities say of the host."""

from __future__ import annotations

import pytest
from lxml import etree

from drivers.libvirt.host import confinement_of


@pytest.mark.parametrize(
    ("models", "confinement"),
    [
        (("none", "dac"), ""),
        ((), ""),
        (("apparmor", "dac"), "apparmor"),
        (("selinux", "dac"), "selinux"),
        (("dac", "apparmor"), "apparmor"),
    ],
)
def test_only_selinux_and_apparmor_confine_guests(models: tuple[str, ...], confinement: str) -> None:
    written = "".join(f"<secmodel><model>{model}</model><doi>0</doi></secmodel>" for model in models)
    assert confinement_of(etree.fromstring(f"<capabilities><host>{written}</host></capabilities>")) == confinement
