"""The memory that a MachineTemplate gives, against what its image needs: by value, by reference, with overrides."""

from __future__ import annotations

from gateway.cimi.edge import SYMBOL
from gateway.orchestration.common.contract import Caller
from gateway.orchestration.common.references import merged, resolve
from gateway.orchestration.common.resource_service import ResourceService
from gateway.orchestration.machine_core.least_memory import demand_memory, least_memory
from gateway.orchestration.machines.create import referred_image
from gateway.store.model import Document


async def whole_configuration(service: ResourceService, caller: Caller, given: Document, where: str) -> Document:
    """Return the configuration that ``given`` means: the referenced one with what is said beside the href."""
    if "href" not in given:
        return given
    referred = await resolve(service.store, caller, given["href"], ("MachineConfiguration",), where)
    return merged(referred.document, given)


async def check_template_memory(service: ResourceService, caller: Caller, template: Document, where: str) -> None:
    """Raise Invalid, naming the attribute, when a Machine of the template would have too little memory.

    A template by reference counts with its overrides. A name of something else in a System is not followed: what the
    name stands for is not made yet.
    """
    href = template.get("href")
    if href is not None:
        if href.startswith(SYMBOL):
            return
        kept = await resolve(service.store, caller, href, ("MachineTemplate",), where.rstrip("."))
        template = merged(kept.document, template)
    given, wanted = template.get("machineConfig"), template.get("machineImage")
    if not given or _by_name(given):
        return
    memory = (await whole_configuration(service, caller, given, f"{where}machineConfig")).get("memory")
    if memory is None:
        return
    image = None
    if wanted and not _by_name(wanted):
        image = await referred_image(service.store, caller, wanted, f"{where}machineImage")
    demand_memory(memory, least_memory(service.room.policy.least_memory, image), f"{where}machineConfig.memory")


def _by_name(reference: Document) -> bool:
    return str(reference.get("href", "")).startswith(SYMBOL)
