"""Create documents, and full and partial updates."""

from __future__ import annotations

from conformance import things
from conformance.outcomes import NotOffered, expect
from conformance.registry import check
from conformance.wire import Document, Exchange, kind_of
from conformance.world import World, fact

# Create documents: with Credentials or Addresses' templates nothing heavy is made


@fact
def template(world: World) -> Document:
    """A stored template for the create that costs least, and says something that can be overridden."""
    content = {"name": f"{world.mark}-template", "description": "of the template", "userName": "stored"}
    url = world.collection("credentialTemplates")
    return world.read(world.make(url, "CredentialTemplate", {**content, "password": "a-password-for-checks"}).url)


def _credential(world: World, content: Document, **more: object) -> Document:
    url = world.collection("credentials")
    document = {"name": world.name("credential"), "credentialTemplate": content, **more}
    return world.read(world.make(url, "CredentialCreate", document).url)


@check("create-by-value")
def create_by_value(world: World) -> None:
    if not world.has("Credential", "CredentialTemplateByValue"):
        raise NotOffered("the capability Credential/CredentialTemplateByValue is not true")
    made = _credential(world, {"userName": "by-value", "password": "a-password-for-checks"})
    expect(made.get("userName") == "by-value", f"userName is {made.get('userName')}")


@check("create-by-reference")
def create_by_reference(world: World) -> None:
    made = _credential(world, {"href": template(world)["id"]})
    expect(made.get("userName") == "stored", f"userName is {made.get('userName')}")


@check("create-overrides")
def create_overrides(world: World) -> None:
    made = _credential(world, {"href": template(world)["id"], "userName": "instead"})
    expect(made.get("userName") == "instead", f"userName is {made.get('userName')}")


@check("create-overrides-do-not-persist")
def create_overrides_do_not_persist(world: World) -> None:
    _credential(world, {"href": template(world)["id"], "userName": "instead"})
    stored = world.read(str(template(world)["id"])).get("userName")
    expect(stored == "stored", f"the template's userName is {stored} now")


@check("create-erases")
def create_erases(world: World) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBw0CEJSQJqTNnXkIIfmVi9K0tNT5ql3wJKkgBkkXQhU checks"
    if world.media == "xml":
        key = key.encode().hex()
    made = _credential(world, {"href": template(world)["id"], "userName": None, "key": key})
    expect("userName" not in made, f"userName is {made.get('userName')}")


@check("create-names-the-new")
def create_names_the_new(world: World) -> None:
    properties = {"a key": "a value", "mark": world.mark}
    made = _credential(world, {"href": template(world)["id"]}, description="of the new", properties=properties)
    expect(str(made.get("name")).startswith(world.mark), f"name is {made.get('name')}")
    expect(made.get("description") == "of the new", f"description is {made.get('description')}")
    expect(made.get("properties") == properties, f"properties are {made.get('properties')}")


@check("create-hides-templates-by-value")
def create_hides_templates_by_value(world: World) -> None:
    url = world.collection("credentialTemplates")
    before = {item["id"] for item in world.everything(url)}
    _credential(world, {"userName": "hidden", "password": "a-password-for-checks"})
    new = {item["id"] for item in world.everything(url)} - before
    expect(not new, f"{', '.join(map(str, new))} appeared")


# Updates


def _put(world: World, found: Document, content: Document, *parameters: tuple[str, str]) -> Exchange:
    answer = world.wire.put(world.demanded(found, "edit"), kind_of(found), content, *parameters)
    if answer.good:
        world.finish(answer)
    return answer


def _written(world: World, found: Document, content: Document, *parameters: tuple[str, str]) -> Document:
    answer = _put(world, found, content, *parameters)
    expect(answer.good, f"the update was answered {answer.told()}")
    return world.read(str(found["id"]))


def _subject(world: World) -> Document:
    return things.record(world, description="before", properties={"kept": "yes"})


@check("update-replaces")
def update_replaces(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, {**found, "name": "after", "description": "after", "properties": {"new": "1"}})
    said = after.get("name"), after.get("description"), after.get("properties")
    expect(said == ("after", "after", {"new": "1"}), f"name, description and properties are {said}")


@check("update-removes-what-is-missing")
def update_removes_what_is_missing(world: World) -> None:
    found = _subject(world)
    content = {name: value for name, value in found.items() if name not in ("description", "properties")}
    after = _written(world, found, content)
    left = {"description", "properties"} & set(after)
    expect(not left, f"{', '.join(sorted(left))} stayed")
    expect(after.get("name") == found["name"], f"name is {after.get('name')}")


@check("update-ignores-read-only")
def update_ignores_read_only(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, {**found, "created": "2001-01-01T00:00:00Z", "id": f"{found['id']}x"})
    expect(after.get("id") == found["id"], f"id is {after.get('id')}")
    expect(after.get("created") == found.get("created"), f"created is {after.get('created')}")


@check("update-answers-with-the-new")
def update_answers_with_the_new(world: World) -> None:
    found = _subject(world)
    answer = _put(world, found, {"description": "new"}, ("$select", "description"))
    if answer.status != 200 or kind_of(answer.document) != kind_of(found):
        raise NotOffered("updates are answered without the resource here")
    said = (answer.document or {}).get("description")
    expect(said == "new", f"the answer says {said}")


@check("update-takes-what-was-read")
def update_takes_what_was_read(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, found)
    differing = [name for name in set(found) | set(after) if found.get(name) != after.get(name) and name != "updated"]
    expect(not differing, f"{', '.join(sorted(differing))} changed")


@check("partial-update-sets")
def partial_update_sets(world: World) -> None:
    after = _written(world, _subject(world), {"description": "after"}, ("$select", "description"))
    expect(after.get("description") == "after", f"description is {after.get('description')}")


@check("partial-update-leaves-the-rest")
def partial_update_leaves_the_rest(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, {"description": "after"}, ("$select", "description"))
    names = [name for name in found if name not in ("description", "updated")]
    differing = [name for name in names if found[name] != after.get(name)]
    expect(not differing, f"{', '.join(differing)} changed")


@check("partial-update-resets")
def partial_update_resets(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, {"name": "after"}, ("$select", "name,description"))
    expect(after.get("name") == "after", f"name is {after.get('name')}")
    expect("description" not in after, f"description is {after.get('description')}")


@check("partial-update-refuses-others")
def partial_update_refuses_others(world: World) -> None:
    found = _subject(world)
    answer = _put(world, found, {"name": "after", "description": "after"}, ("$select", "name"))
    expect(400 <= answer.status < 500, f"it was answered {answer.told()}")
    after = world.read(str(found["id"]))
    expect(after.get("name") == found["name"], "and it was done")


@check("partial-update-ignores-read-only")
def partial_update_ignores_read_only(world: World) -> None:
    found = _subject(world)
    after = _written(world, found, {"created": "2001-01-01T00:00:00Z", "name": "after"}, ("$select", "created,name"))
    expect(after.get("created") == found.get("created"), f"created is {after.get('created')}")
    expect(after.get("name") == "after", f"name is {after.get('name')}")
