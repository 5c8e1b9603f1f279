"""Create documents, and full and partial updates."""

from __future__ import annotations

from conformance import fixtures
from conformance.outcomes import NotOffered, expect
from conformance.provider import Provider, fixture
from conformance.registry import check
from conformance.wire import Document, Exchange, kind_of

# Create documents: with Credentials or Addresses' templates nothing heavy is made


@fixture
def template(provider: Provider) -> Document:
    """Create the template for the create that costs least, with an attribute that can be overridden."""
    content = {"name": f"{provider.mark}-template", "description": "of the template", "userName": "stored"}
    url = provider.collection("credentialTemplates")
    return provider.read(
        provider.create(url, "CredentialTemplate", {**content, "password": "a-password-for-checks"}).url
    )


def _credential(provider: Provider, content: Document, **more: object) -> Document:
    url = provider.collection("credentials")
    document = {"name": provider.new_name("credential"), "credentialTemplate": content, **more}
    return provider.read(provider.create(url, "CredentialCreate", document).url)


@check("create-by-value")
def create_by_value(provider: Provider) -> None:
    if not provider.has_capability("Credential", "CredentialTemplateByValue"):
        raise NotOffered("the capability Credential/CredentialTemplateByValue is not true")
    made = _credential(provider, {"userName": "by-value", "password": "a-password-for-checks"})
    expect(made.get("userName") == "by-value", f"userName is {made.get('userName')}")


@check("create-by-reference")
def create_by_reference(provider: Provider) -> None:
    made = _credential(provider, {"href": template(provider)["id"]})
    expect(made.get("userName") == "stored", f"userName is {made.get('userName')}")


@check("create-overrides")
def create_overrides(provider: Provider) -> None:
    made = _credential(provider, {"href": template(provider)["id"], "userName": "instead"})
    expect(made.get("userName") == "instead", f"userName is {made.get('userName')}")


@check("create-overrides-do-not-persist")
def create_overrides_do_not_persist(provider: Provider) -> None:
    _credential(provider, {"href": template(provider)["id"], "userName": "instead"})
    stored = provider.read(str(template(provider)["id"])).get("userName")
    expect(stored == "stored", f"the template's userName is {stored} now")


@check("create-erases")
def create_erases(provider: Provider) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBw0CEJSQJqTNnXkIIfmVi9K0tNT5ql3wJKkgBkkXQhU checks"
    if provider.media == "xml":
        key = key.encode().hex()
    made = _credential(provider, {"href": template(provider)["id"], "userName": None, "key": key})
    expect("userName" not in made, f"userName is {made.get('userName')}")


@check("create-names-the-new")
def create_names_the_new(provider: Provider) -> None:
    properties = {"a key": "a value", "mark": provider.mark}
    made = _credential(provider, {"href": template(provider)["id"]}, description="of the new", properties=properties)
    expect(str(made.get("name")).startswith(provider.mark), f"name is {made.get('name')}")
    expect(made.get("description") == "of the new", f"description is {made.get('description')}")
    expect(made.get("properties") == properties, f"properties are {made.get('properties')}")


@check("create-hides-templates-by-value")
def create_hides_templates_by_value(provider: Provider) -> None:
    url = provider.collection("credentialTemplates")
    before = {item["id"] for item in provider.all_items(url)}
    _credential(provider, {"userName": "hidden", "password": "a-password-for-checks"})
    new = {item["id"] for item in provider.all_items(url)} - before
    expect(not new, f"{', '.join(map(str, new))} appeared")


# Updates


def _put(provider: Provider, resource: Document, content: Document, *parameters: tuple[str, str]) -> Exchange:
    answer = provider.wire.put(provider.demand_operation(resource, "edit"), kind_of(resource), content, *parameters)
    if answer.good:
        provider.finish(answer)
    return answer


def _written(provider: Provider, resource: Document, content: Document, *parameters: tuple[str, str]) -> Document:
    answer = _put(provider, resource, content, *parameters)
    expect(answer.good, f"the update was answered {answer.summary}")
    return provider.read(str(resource["id"]))


def _subject(provider: Provider) -> Document:
    return fixtures.cheap_resource(provider, description="before", properties={"kept": "yes"})


@check("update-replaces")
def update_replaces(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(
        provider, resource, {**resource, "name": "after", "description": "after", "properties": {"new": "1"}}
    )
    said = after.get("name"), after.get("description"), after.get("properties")
    expect(said == ("after", "after", {"new": "1"}), f"name, description and properties are {said}")


@check("update-removes-what-is-missing")
def update_removes_what_is_missing(provider: Provider) -> None:
    resource = _subject(provider)
    content = {name: value for name, value in resource.items() if name not in ("description", "properties")}
    after = _written(provider, resource, content)
    left = {"description", "properties"} & set(after)
    expect(not left, f"{', '.join(sorted(left))} stayed")
    expect(after.get("name") == resource["name"], f"name is {after.get('name')}")


@check("update-ignores-read-only")
def update_ignores_read_only(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(provider, resource, {**resource, "created": "2001-01-01T00:00:00Z", "id": f"{resource['id']}x"})
    expect(after.get("id") == resource["id"], f"id is {after.get('id')}")
    expect(after.get("created") == resource.get("created"), f"created is {after.get('created')}")


@check("update-answers-with-the-new")
def update_answers_with_the_new(provider: Provider) -> None:
    resource = _subject(provider)
    answer = _put(provider, resource, {"description": "new"}, ("$select", "description"))
    if answer.status != 200 or kind_of(answer.document) != kind_of(resource):
        raise NotOffered("updates are answered without the resource here")
    said = (answer.document or {}).get("description")
    expect(said == "new", f"the answer says {said}")


@check("update-takes-what-was-read")
def update_takes_what_was_read(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(provider, resource, resource)
    differing = [
        name for name in set(resource) | set(after) if resource.get(name) != after.get(name) and name != "updated"
    ]
    expect(not differing, f"{', '.join(sorted(differing))} changed")


@check("partial-update-sets")
def partial_update_sets(provider: Provider) -> None:
    after = _written(provider, _subject(provider), {"description": "after"}, ("$select", "description"))
    expect(after.get("description") == "after", f"description is {after.get('description')}")


@check("partial-update-leaves-the-rest")
def partial_update_leaves_the_rest(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(provider, resource, {"description": "after"}, ("$select", "description"))
    names = [name for name in resource if name not in ("description", "updated")]
    differing = [name for name in names if resource[name] != after.get(name)]
    expect(not differing, f"{', '.join(differing)} changed")


@check("partial-update-resets")
def partial_update_resets(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(provider, resource, {"name": "after"}, ("$select", "name,description"))
    expect(after.get("name") == "after", f"name is {after.get('name')}")
    expect("description" not in after, f"description is {after.get('description')}")


@check("partial-update-refuses-others")
def partial_update_refuses_others(provider: Provider) -> None:
    resource = _subject(provider)
    answer = _put(provider, resource, {"name": "after", "description": "after"}, ("$select", "name"))
    expect(400 <= answer.status < 500, f"it was answered {answer.summary}")
    after = provider.read(str(resource["id"]))
    expect(after.get("name") == resource["name"], "and it was done")


@check("partial-update-ignores-read-only")
def partial_update_ignores_read_only(provider: Provider) -> None:
    resource = _subject(provider)
    after = _written(
        provider, resource, {"created": "2001-01-01T00:00:00Z", "name": "after"}, ("$select", "created,name")
    )
    expect(after.get("created") == resource.get("created"), f"created is {after.get('created')}")
    expect(after.get("name") == "after", f"name is {after.get('name')}")
