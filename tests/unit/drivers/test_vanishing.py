"""Lists of things that others remove meanwhile, on libvirt's test driver."""

from __future__ import annotations

import libvirt
import pytest

from drivers.libvirt.errors import read_each
from tests import hypervisor

XML = "<domain type='test'><name>brief</name><memory>1024</memory><os><type>hvm</type></os></domain>"


def test_what_vanished_since_it_was_listed_is_left_out_and_only_that() -> None:
    hypervisor.quiet()
    with hypervisor.connection("test:///default") as host:
        host.defineXML(XML)
        listed = host.listAllDomains()
        host.lookupByName("brief").undefine()
        read = read_each(listed, lambda domain: domain.XMLDesc(0), libvirt.VIR_ERR_NO_DOMAIN)
        assert len(read) == len(listed) - 1
        with pytest.raises(libvirt.libvirtError):
            read_each(listed, lambda domain: domain.XMLDesc(0), libvirt.VIR_ERR_NO_NETWORK)
