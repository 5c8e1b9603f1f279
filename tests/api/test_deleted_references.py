"""What referred to a resource that is deleted refers to nothing afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.orchestration.common.references import REFERRING
from tests.api import networks
from tests.api.client import ApiClient

CONFIG = {"type": "http://schemas.dmtf.org/cimi/1/mapped", "capacity": 1000}


async def made(client: ApiClient, collection: str, document: dict[str, Any]) -> str:
    return await networks.made(client, collection, {"name": "x", **document})


@pytest.fixture
async def configuration(admin: ApiClient) -> str:
    return await made(admin, "volumeConfigs", CONFIG)


async def test_a_template_loses_its_reference_to_a_configuration_that_is_deleted(
    admin: ApiClient, configuration: str
) -> None:
    template = await made(admin, "volumeTemplates", {"volumeConfig": {"href": configuration}, "description": "stays"})
    await networks.removed(admin, configuration)
    left = await admin.document(template)
    assert "volumeConfig" not in left
    assert left["description"] == "stays"


async def test_what_stands_beside_the_reference_goes_with_it(admin: ApiClient, configuration: str) -> None:
    overriding = {"volumeConfig": {"href": configuration, "capacity": 2000}}
    template = await made(admin, "volumeTemplates", overriding)
    await networks.removed(admin, configuration)
    assert "volumeConfig" not in await admin.document(template)


async def test_a_list_of_references_keeps_the_others(admin: ApiClient) -> None:
    kept, gone = [await networks.made(admin, "networks", networks.network()) for _ in range(2)]
    template = await made(admin, "forwardingGroupTemplates", {"networks": [{"href": gone}, {"href": kept}]})
    await networks.removed(admin, gone)
    assert (await admin.document(template))["networks"] == [{"href": kept}]
    await networks.removed(admin, kept)
    assert "networks" not in await admin.document(template)


async def test_a_reference_deep_in_a_machine_template_is_emptied(
    admin: ApiClient, configuration: str, image: str
) -> None:
    disk = {"volumeConfig": {"href": configuration}, "initialLocation": "/dev/vdb"}
    document = {
        "machineConfig": {"cpu": 1, "memory": 131072},
        "machineImage": {"href": image},
        "volumeTemplates": [disk],
    }
    template = await made(admin, "machineTemplates", document)
    await networks.removed(admin, configuration)
    left = await admin.document(template)
    assert left["volumeTemplates"] == [{"initialLocation": "/dev/vdb"}]
    assert left["machineImage"] == {"href": image}


async def test_an_emptied_reference_is_no_update_by_anybody(admin: ApiClient, configuration: str) -> None:
    template = await made(admin, "volumeTemplates", {"volumeConfig": {"href": configuration}})
    before = await admin.get(template)
    await networks.removed(admin, configuration)
    after = await admin.get(template)
    assert after.json["updated"] == before.json["updated"]
    assert after.headers["etag"] != before.headers["etag"]


async def test_a_template_of_somebody_else_loses_it_too(admin: ApiClient, client: Any, configuration: str) -> None:
    operator = client("operator")
    template = await made(operator, "volumeTemplates", {"volumeConfig": {"href": configuration}})
    await networks.removed(admin, configuration)
    assert "volumeConfig" not in await operator.document(template)


def test_every_template_is_among_those_that_are_looked_at() -> None:
    looked_at = {place.kind for places in REFERRING.values() for place in places}
    assert {"MachineTemplate", "VolumeTemplate", "NetworkTemplate", "MeterTemplate", "AddressTemplate"} <= looked_at
