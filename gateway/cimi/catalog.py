"""CatalogImage: a well-known image that becomes a MachineImage when somebody wants it (an extension)."""

from __future__ import annotations

from gateway.cimi.fields import URI, Integer, String
from gateway.cimi.references import Ref
from gateway.cimi.resource_type import Action, Common, ResourceType


class CatalogImageSchema(Common):
    """The attributes of a CatalogImage."""

    image = Ref("MachineImage", writable=False, extension=True, meaning="what was made of it, once it was wanted")
    imageLocation = URI(writable=False, extension=True, meaning="where it comes from")  # noqa: N815
    checksums = URI(writable=False, extension=True, meaning="where the sums of its bytes stand")
    userName = String(writable=False, extension=True, meaning="who may log in by a Credential")  # noqa: N815
    firmware = String(writable=False, extension=True, meaning="what it boots by: bios or uefi")
    cpuArch = String(writable=False, extension=True, meaning="for which processors it is")  # noqa: N815
    leastDisk = Integer(writable=False, extension=True, meaning="kilobytes that its Machines need")  # noqa: N815
    leastMemory = Integer(writable=False, extension=True, meaning="kibibytes that its Machines need")  # noqa: N815


TYPES = (
    ResourceType(
        "CatalogImage",
        CatalogImageSchema,
        "imageCatalog",
        actions=(Action("fetch", "make a MachineImage of it, unless there is one", located=True),),
    ),
)
