"""The OpenAPI description: found from the entry point, valid, and about all that there is and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.app import Gateway
from gateway.cimi.dialects import CIMI_1, EXTENSION_NAMESPACE
from gateway.cimi.registry import TYPES, acting_collection_at, collection_at, type_at
from gateway.http import description, event_stream
from gateway.orchestration.common.contract import Role
from gateway.orchestration.common.permissions import granted
from tests.api.client import ApiClient
from tests.api.routes import ROUTES

pytestmark = pytest.mark.slow

Clients = Callable[..., ApiClient]
COLLECTION_VERBS = {action.verb for declared in TYPES.values() for action in declared.collection_actions}
"""Where they are no actions, they may be ids."""


@pytest.fixture
async def described(admin: ApiClient) -> dict[str, Any]:
    return await admin.document((await admin.document(""))["openapi"])


# Where it is


async def test_the_entry_point_leads_to_it_in_both_formats(client: Clients) -> None:
    admin = client("admin")
    own = (await client("admin", "xml").get("")).xml.findtext(f"{{{EXTENSION_NAMESPACE}}}openapi")
    assert (await admin.document(""))["openapi"] == own == admin.base + "openapi"


async def test_it_is_announced_as_an_extension(admin: ApiClient) -> None:
    metadata = await admin.document("resourceMetadata/CloudEntryPoint")
    [attribute] = [entry for entry in metadata["attributes"] if entry["name"] == "openapi"]
    assert attribute == {"name": "openapi", "namespace": EXTENSION_NAMESPACE, "type": "string", "required": False}


@pytest.mark.parametrize("role", Role)
async def test_whoever_reads_the_entry_point_reads_it(client: Clients, role: Role) -> None:
    answer = await client(role.value).get("openapi")
    assert (answer.status, answer.headers["content-type"].partition(";")[0]) == (200, "application/json")


async def test_a_stranger_does_not(client: Clients) -> None:
    assert (await client("").get("openapi")).status == 401


async def test_it_is_json_whatever_is_accepted(client: Clients) -> None:
    assert (await client("admin", "xml").get("openapi")).json["openapi"] == "3.1.0"


async def test_it_is_read_only(admin: ApiClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = await admin.request(method, "openapi", {})
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_who_has_it_need_not_read_it_again(admin: ApiClient) -> None:
    first = await admin.get("openapi")
    again = await admin.get("openapi", If_None_Match=first.headers["etag"])
    assert (again.status, again.text) == (304, "")


async def test_its_server_is_the_one_that_was_asked(admin: ApiClient) -> None:
    host = admin.base.removesuffix("/cimi/")
    by_name = replace(admin, base=admin.base.replace("127.0.0.1", "localhost"))
    assert (await admin.document("openapi"))["servers"] == [{"url": host}]
    assert (await by_name.document("openapi"))["servers"] == [{"url": host.replace("127.0.0.1", "localhost")}]


def test_it_is_made_once() -> None:
    assert description.described(CIMI_1) is description.described(CIMI_1)


# What it says


async def test_it_is_valid(described: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(described).iter_errors()] == []


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in described["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


async def test_documents_are_described_in_both_formats(described: dict[str, Any]) -> None:
    contents = [
        answer["content"] for *_, operation in operations(described) for answer in operation["responses"].values()
        if "application/json" in answer.get("content", {}) and "tags" in operation
    ]  # fmt: skip
    changing = [operation for *_, operation in operations(described) if "requestBody" in operation]
    bodies = [operation["requestBody"]["content"] for operation in changing]
    documents = [body for body in bodies if set(body) != {"application/octet-stream"}]
    assert len(contents) > 200
    assert len(documents) > 80
    for content in contents:
        assert set(content) == {"application/json", "application/xml"}
    for content in documents:
        assert set(content) >= {"application/json", "application/xml"}


async def test_every_attribute_of_every_type_is_described(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    for kind, declared in TYPES.items():
        secret = {name for name, field in declared.attributes.items() if field.write_only}
        assert set(schemas[kind]["properties"]) == (
            set(declared.attributes) - secret | {"resourceURI", "id", "operations"}
        )


def inner_structures(schema: dict[str, Any], where: str) -> Iterator[str]:
    """Name the places in a schema where a structure or an enumeration stands that generators make a type of."""
    places = [(f"{where}.{name}", part) for name, part in schema.get("properties", {}).items()]
    places += [(f"{where}[]", schema[name]) for name in ("items", "additionalProperties") if name in schema]
    for place, part in places:
        if isinstance(part, dict):
            if part.get("type") == "object" or "enum" in part:
                yield place
            yield from inner_structures(part, place)


async def test_structures_are_shared_so_that_generated_clients_have_few_types(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert [place for name, schema in schemas.items() for place in inner_structures(schema, name)] == []
    assert len(schemas) < 300
    assert schemas["Machine"]["properties"]["disks"]["$ref"] == "#/components/schemas/Reference"
    assert schemas["Machine"]["properties"]["properties"]["$ref"] == "#/components/schemas/Properties"


async def test_secrets_are_taken_and_never_shown(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert schemas["CredentialTemplateCreate"]["properties"]["password"]["writeOnly"]
    assert "password" not in schemas["CredentialTemplate"]["properties"]


@pytest.mark.parametrize("collection", ["systems", "systemTemplates"])
async def test_an_import_takes_an_action_or_the_package_itself(described: dict[str, Any], collection: str) -> None:
    operation = described["paths"][f"/cimi/{collection}/import"]["post"]
    content = operation["requestBody"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Action"}
    assert content["application/ovf"]["schema"] == {"type": "string", "contentEncoding": "binary"}
    [properties] = [entry for entry in operation["parameters"] if entry.get("name") == "properties"]
    assert (properties["in"], properties["explode"]) == ("query", True)
    assert {"202", "400", "403", "408", "409", "413", "415", "502", "507"} <= set(operation["responses"])


@pytest.mark.parametrize("path", ["systems/{System}", "systemTemplates/{SystemTemplate}"])
async def test_an_export_answers_where_its_package_will_be(described: dict[str, Any], path: str) -> None:
    accepted = described["paths"][f"/cimi/{path}/export"]["post"]["responses"]["202"]
    assert set(accepted["headers"]) == {"CIMI-Job-URI", "Location"}


async def test_every_refusal_is_a_job(described: dict[str, Any]) -> None:
    for response in described["components"]["responses"].values():
        assert response["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Job"}


async def test_every_operation_says_to_whom_it_is_granted(described: dict[str, Any]) -> None:
    said = {f"{method.upper()} {path}": operation for path, method, operation in operations(described)}
    for route in ROUTES:
        for method in route.methods - {"HEAD"}:
            operation = said[f"{method} {route.path}"]
            if route.path == "/metrics":
                assert operation["x-roles"] == ["admin"]
            elif operation.get("security") != []:
                roles = [role.value for role in Role if granted(role, *route.needs(method))]
                assert operation["x-roles"] == roles
                assert operation["description"].startswith(("Granted to: " + ", ".join(roles), "The action that"))


async def test_names_of_operations_are_their_own(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for *_, operation in operations(described)]
    assert len(names) == len(set(names)) > 200


# All there is, and nothing else


def test_every_route_of_the_server_is_described(gateway: Gateway) -> None:
    """What is behind the entry point is one route of the server; the declarations divide it up (see below)."""
    known = {resource.canonical for resource in gateway.server.application().router.resources()}
    behind = {CIMI_1.root.rstrip("/"), CIMI_1.root + "{path}"}
    assert known - behind - {"/{path}"} == {route.path for route in ROUTES if not route.path.startswith("/cimi")}


def test_whatever_the_declarations_route_is_described_and_nothing_else() -> None:
    """Of all paths of up to five words that the program knows, and ids between them."""
    assert {path for path in paths() if leads_somewhere(path)} == {
        "/".join("ID" if part.startswith("{") else part for part in route.below.split("/"))
        for route in ROUTES
        if route.path.startswith(CIMI_1.root)
    }


def paths() -> Iterator[str]:
    words = {declared.segment for declared in TYPES.values()} | {"eventStream", "openapi", "nothing"}
    words |= {action.verb for declared in TYPES.values() for action in declared.actions}
    beginnings = [""]
    for _ in range(4):
        longer = [f"{beginning}{word}" for beginning in beginnings for word in words]
        yield from longer
        yield from (f"{path}/{last}" for path in longer for last in ("ID", *COLLECTION_VERBS))
        beginnings = [f"{path}/ID/" for path in longer if collection_at(path)]


def leads_somewhere(path: str) -> bool:
    if path.rpartition("/")[2] in COLLECTION_VERBS:
        return acting_collection_at(path) is not None
    if path in (event_stream.PATH, description.PATH) or collection_at(path) or type_at(path):
        return True
    owner, _, verb = path.rpartition("/")
    described = type_at(owner) if owner else None
    return described is not None and described.action(verb) is not None
