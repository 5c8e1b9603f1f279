"""What every answer has to be like, whichever check asked for it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from conformance import vocabulary as words
from conformance import xml_form
from conformance.documents import hrefs, is_collection, items_of, named, resources
from conformance.provider import Provider
from conformance.registry import audit
from conformance.wire import Document, Exchange, kind_of

Said = str | bool | None


def _document(exchange: Exchange) -> bool:
    return bool(exchange.body) and exchange.method != "HEAD"


def _of_the_standard(exchange: Exchange) -> bool:
    """Return whether an answer has a document by the standard, no bytes of an image, a console's text and the like."""
    return _document(exchange) and not exchange.raw


@audit("every-representation-has-an-id")
def every_representation_has_an_id(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None or exchange.partial or not exchange.good:
        return None
    documents = (
        [exchange.document, *items_of(exchange.document)] if is_collection(exchange.document) else [exchange.document]
    )
    wrong = [entry for entry in documents if not entry.get("id")]
    return f"a {kind_of(wrong[0]) or 'resource'} without id" if wrong else True


@audit("uris-can-be-resolved")
def uris_can_be_resolved(provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None or not exchange.good:
        return None
    base = provider.wire.base
    for uri in hrefs(exchange.document):
        if uri.startswith("#") or not uri:
            continue
        if not urlsplit(uri).scheme and (uri.startswith("/") or not base.endswith("/")):
            return f"{uri} is relative, and cannot be put behind the baseURI {base!r}"
    return True


@audit("provider-parameters-have-no-dollar")
def provider_parameters_have_no_dollar(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None:
        return None
    for uri in hrefs(exchange.document):
        if any(name.startswith("$") for name, _value in parse_qsl(urlsplit(uri).query, keep_blank_values=True)):
            return f"{uri} has a parameter with a dollar sign" if exchange.good else None
    return True


@audit("json-media-type")
def json_media_type(_provider: Provider, exchange: Exchange) -> Said:
    if not exchange.body.lstrip().startswith(b"{"):
        return None
    return exchange.media == "application/json" or f"JSON came as {exchange.media or 'nothing'}"


@audit("xml-media-type")
def xml_media_type(_provider: Provider, exchange: Exchange) -> Said:
    if not exchange.body.lstrip().startswith(b"<"):
        return None
    return exchange.media == "application/xml" or f"XML came as {exchange.media or 'nothing'}"


@audit("body-is-wellformed")
def body_is_wellformed(_provider: Provider, exchange: Exchange) -> Said:
    if not _document(exchange) or exchange.media not in ("application/json", "application/xml"):
        return None
    return exchange.document is not None or f"the body is no {exchange.media}"


@audit("resource-uri-at-the-root")
def resource_uri_at_the_root(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None or exchange.root is not None:
        return None
    return bool(exchange.document.get("resourceURI")) or "the root has no resourceURI"


@audit("resource-uri-of-xml-collections")
def resource_uri_of_xml_collections(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.root is None or xml_form.local(exchange.root) != "Collection":
        return None
    return bool(exchange.root.get("resourceURI")) or "the Collection has no resourceURI"


@audit("resource-uri-is-the-types")
def resource_uri_is_the_types(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None:
        return None
    said = exchange.document.get("resourceURI")
    kind = kind_of(exchange.document).removesuffix("Collection")
    is_of_the_standard = kind in words.SHAPES or kind in ("ResourceMetadata", "Job")
    if not is_of_the_standard or said != words.type_uri(kind_of(exchange.document)):
        return f"{said} is no type of {words.NAMESPACE}"
    return True


@audit("resource-uri-fits-the-metadata")
def resource_uri_fits_the_metadata(provider: Provider, exchange: Exchange) -> Said:
    if exchange.document is None or not exchange.good or is_collection(exchange.document):
        return None
    if not provider.offers("resourceMetadata"):
        return None
    kind = kind_of(exchange.document)
    metadata = provider.metadata(kind)
    if metadata is None or kind == "ResourceMetadata":
        return None
    said = exchange.document.get("resourceURI")
    return metadata.get("typeURI") == said or f"{said}, where the metadata says {metadata.get('typeURI')}"


@audit("xml-namespace")
def xml_namespace(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.root is None:
        return None
    for element in exchange.root.iter(xml_form.CIMI + "*", "{*}*"):
        is_of_the_standard = xml_form.local(element) in (
            "Collection",
            *words.SHAPES,
            "id",
            "name",
            "count",
            "operation",
            "property",
        )
        if is_of_the_standard and not element.tag.startswith(xml_form.CIMI):
            return f"<{xml_form.local(element)}> is in {element.tag.rpartition('}')[0].strip('{') or 'no namespace'}"
    return True


# Headers


def _changing(exchange: Exchange, *methods: str) -> bool:
    """Return whether a change of the standard's own was done or begun."""
    return exchange.method in methods and exchange.good and not exchange.raw


def _is_action(exchange: Exchange) -> bool:
    return exchange.method == "POST" and "action" in (exchange.sent or {})


def _has_job(provider: Provider, exchange: Exchange) -> Said:
    if not provider.offers("jobs"):
        return None
    return bool(exchange.job) or f"{exchange.line} has no CIMI-Job-URI"


@audit("job-header-after-create")
def job_header_after_create(provider: Provider, exchange: Exchange) -> Said:
    return _has_job(provider, exchange) if _changing(exchange, "POST") and not _is_action(exchange) else None


@audit("job-header-after-update")
def job_header_after_update(provider: Provider, exchange: Exchange) -> Said:
    changing = exchange.method == "PUT" and exchange.good
    return _has_job(provider, exchange) if changing else None


@audit("job-header-after-delete")
def job_header_after_delete(provider: Provider, exchange: Exchange) -> Said:
    return _has_job(provider, exchange) if _changing(exchange, "DELETE") else None


@audit("job-header-after-action")
def job_header_after_action(provider: Provider, exchange: Exchange) -> Said:
    return _has_job(provider, exchange) if _changing(exchange, "POST") and _is_action(exchange) else None


@audit("job-header-is-absolute")
def job_header_is_absolute(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.job is None:
        return None
    return bool(urlsplit(exchange.job).netloc) or f"CIMI-Job-URI: {exchange.job}"


@audit("content-length")
def content_length(_provider: Provider, exchange: Exchange) -> Said:
    if not _of_the_standard(exchange) or not exchange.good:
        return None
    length = exchange.headers.get("content-length")
    if not exchange.media:
        return f"{exchange.line} has no Content-Type"
    return length == str(len(exchange.body)) or f"Content-Length is {length}, and {len(exchange.body)} bytes came"


@audit("specification-version")
def specification_version(_provider: Provider, exchange: Exchange) -> Said:
    said = exchange.headers.get("cimi-specification-version", "")
    return said.startswith("1") or f"{exchange.line} says {said or 'nothing'}"


# Operations


@audit("operation-has-rel-and-href")
def operation_has_rel_and_href(_provider: Provider, exchange: Exchange) -> Said:
    operations = [entry for _kind, document in _documents(exchange) for entry in document.get("operations") or []]
    wrong = [entry for entry in operations if not entry.get("rel") or not entry.get("href")]
    return (f"{wrong[0]}" if wrong else True) if operations else None


@audit("operation-rel-is-unique")
def operation_rel_is_unique(_provider: Provider, exchange: Exchange) -> Said:
    seen = False
    for _kind, document in _documents(exchange):
        rels = [entry.get("rel") for entry in document.get("operations") or []]
        seen = seen or bool(rels)
        if len(set(rels)) < len(rels):
            return f"{named(document)} has {', '.join(map(str, rels))}"
    return True if seen else None


@audit("operation-of-a-provider-is-absolute")
def operation_of_a_provider_is_absolute(_provider: Provider, exchange: Exchange) -> Said:
    others = [
        str(entry.get("rel"))
        for _kind, document in _documents(exchange)
        for entry in document.get("operations") or []
        if entry.get("rel") not in ("add", "edit", "delete")
    ]
    wrong = [rel for rel in others if not urlsplit(rel).scheme]
    return (f"the rel {wrong[0]}" if wrong else True) if others else None


def _documents(exchange: Exchange) -> list[tuple[str, Document]]:
    """Return the collection and the resources of an answer, with their types."""
    if exchange.document is None or not exchange.good:
        return []
    own = [(kind_of(exchange.document), exchange.document)] if is_collection(exchange.document) else []
    documents: list[tuple[str, Document]] = [*own, *resources(exchange)]
    for _kind, document in documents:
        if not isinstance(document.get("operations", []), list):
            document["operations"] = []
    return documents


# Create


@audit("create-is-201-or-202")
def create_is_201_or_202(provider: Provider, exchange: Exchange) -> Said:
    # 200 says that nothing was made, since the resource was made before.
    if not _changing(exchange, "POST") or _is_action(exchange):
        return None
    return (
        exchange.status in (201, 202) or (exchange.status == 200 and _made_before(provider, exchange)) or exchange.line
    )


def _made_before(provider: Provider, exchange: Exchange) -> bool:
    made = (other.location for other in provider.wire.exchanges if other.status in (201, 202))
    return exchange.location is not None and exchange.location in made


@audit("created-has-a-location")
def created_has_a_location(_provider: Provider, exchange: Exchange) -> Said:
    if exchange.status != 201:
        return None
    return bool(exchange.location) or f"{exchange.line} has no Location"


@audit("created-body-is-the-new")
def created_body_is_the_new(provider: Provider, exchange: Exchange) -> Said:
    if exchange.status != 201 or exchange.document is None or not exchange.location:
        return None
    said = str(exchange.document.get("id", ""))
    same = provider.wire.absolute(said) == provider.wire.absolute(exchange.location)
    return same or f"the body's id is {said}, the Location {exchange.location}"


@audit("delete-is-200-or-202")
def delete_is_200_or_202(_provider: Provider, exchange: Exchange) -> Said:
    if not _changing(exchange, "DELETE"):
        return None
    return exchange.status in (200, 202) or exchange.line


# Errors


def _is_error(exchange: Exchange) -> bool:
    return exchange.status >= 400 and exchange.method != "HEAD"


@audit("error-is-a-job")
def error_is_a_job(_provider: Provider, exchange: Exchange) -> Said:
    if not _is_error(exchange):
        return None
    return (
        kind_of(exchange.document) == "Job"
        or f"{exchange.line} came with {kind_of(exchange.document) or 'no document'}"
    )


@audit("error-says-that-it-failed")
def error_says_that_it_failed(_provider: Provider, exchange: Exchange) -> Said:
    if not _is_error(exchange) or exchange.document is None:
        return None
    return exchange.document.get("state") == "FAILED" or f"{exchange.line}: the Job is {exchange.document.get('state')}"


@audit("error-says-why")
def error_says_why(_provider: Provider, exchange: Exchange) -> Said:
    if not _is_error(exchange) or exchange.document is None:
        return None
    return bool(exchange.document.get("statusMessage")) or f"{exchange.line}: the Job has no statusMessage"


@audit("error-in-the-format-asked-for")
def error_in_the_format_asked_for(_provider: Provider, exchange: Exchange) -> Said:
    if not _is_error(exchange) or exchange.raw or not exchange.body:
        return None
    return exchange.media == f"application/{exchange.requested}" or f"{exchange.line} came as {exchange.media}"


@audit("no-server-errors")
def no_server_errors(_provider: Provider, exchange: Exchange) -> Said:
    return exchange.status < 500 or exchange.status in (501, 503) or f"{exchange.line}: {exchange.summary}"


@audit("secrets-are-kept")
def secrets_are_kept(_provider: Provider, exchange: Exchange) -> Said:
    leaking = [kind for kind, document in resources(exchange) if document.get("password")]
    credentials = [kind for kind, _document in resources(exchange) if kind.startswith("Credential")]
    if not credentials or not exchange.good:
        return None
    return f"{exchange.line} shows a password" if leaking else True
