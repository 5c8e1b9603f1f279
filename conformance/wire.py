"""Requests to the provider and their answers, kept as exchanges, which the audits look through at the end."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from lxml import etree

from conformance import xml_form
from conformance.vocabulary import type_name, type_uri

Document = dict[str, Any]
CONTENT_TYPES = {"json": "application/json", "xml": "application/xml"}
LARGEST_BODY = 16 * 1024**2
QUERY_SAFE = "$='\"!<>():,*/[]-._~"


class Unreachable(Exception):
    """The provider does not answer."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """Request to the provider; ``content`` is written as ``kind`` in the wire's format, ``body`` is sent as it is."""

    method: str
    url: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    kind: str = ""
    content: Document | None = None
    body: bytes | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    """Headers in place of the wire's own; one that is None is not sent."""
    raw: bool = False
    """Whether the request is wrong on purpose, or follows other rules than those of the audits."""


@dataclass(frozen=True)
class Exchange:
    """Request and its answer. ``document`` is the body in JSON's vocabulary, None when it is neither format."""

    method: str
    url: str
    sent: Document | None
    status: int
    headers: dict[str, str]
    body: bytes
    requested: str
    """The format that the request was made in: json or xml."""
    document: Document | None
    root: etree._Element | None = None
    """The root element of an XML body."""
    raw: bool = False
    """As the request says."""

    @property
    def media(self) -> str:
        """Media type of the answer, in small letters; empty when it says none."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def good(self) -> bool:
        """Success, by the status."""
        return 200 <= self.status < 300

    @property
    def partial(self) -> bool:
        """Selection of attributes, so that others are missing."""
        return "$select" in unquote(self.url)

    @property
    def line(self) -> str:
        """Method, URI and status, as a report shows them."""
        return f"{self.method} {self.url} -> {self.status}"

    @property
    def job(self) -> str | None:
        """URI of the Job in the header, None without one."""
        return self.headers.get("cimi-job-uri")

    @property
    def location(self) -> str | None:
        """URI in the header Location, None without one."""
        return self.headers.get("location")

    @property
    def summary(self) -> str:
        """Status, and the provider's own words where it has some."""
        message = (self.document or {}).get("statusMessage")
        return f"{self.status}" + (f" ({message})" if message else "")


@dataclass
class Wire:
    """Requests of one user to one provider in one format."""

    entry_point: str
    user: str | None
    password: str
    media: str
    timeout: float = 60.0
    verify: bool = True
    exchanges: list[Exchange] = field(default_factory=list)
    base: str = ""
    """The Cloud Entry Point's baseURI, once that was read."""

    def get(self, url: str = "", *parameters: tuple[str, str], **more: Any) -> Exchange:
        """Read, with these query parameters."""
        return self.send(Request(method="GET", url=url, parameters=parameters, **more))

    def post(self, url: str, kind: str, content: Document, **more: Any) -> Exchange:
        """Post a document of a type."""
        return self.send(Request(method="POST", url=url, kind=kind, content=content, **more))

    def put(self, url: str, kind: str, content: Document, *parameters: tuple[str, str], **more: Any) -> Exchange:
        """Update with a document of a type."""
        return self.send(Request(method="PUT", url=url, kind=kind, content=content, parameters=parameters, **more))

    def delete(self, url: str, **more: Any) -> Exchange:
        """Delete."""
        return self.send(Request(method="DELETE", url=url, **more))

    def send(self, request: Request) -> Exchange:
        """Send a request, and return it with its answer. Raises Unreachable when none comes."""
        target = self._with(self.absolute(request.url), request.parameters)
        headers: dict[str, str | None] = {"Accept": CONTENT_TYPES[self.media], **self._credentials(target)}
        body = request.body if request.content is None else self._encoded(request.kind, request.content)
        if body is not None:
            headers["Content-Type"] = CONTENT_TYPES[self.media]
        headers.update(request.headers)
        sent = {name: value for name, value in headers.items() if value is not None}
        status, answered, received = self._transfer(request.method, target, body, sent)
        document, root = _read(answered.get("content-type", ""), received)
        exchange = Exchange(
            method=request.method,
            url=target,
            sent=request.content,
            status=status,
            headers=answered,
            body=received,
            requested=self.media,
            document=document,
            root=root,
            raw=request.raw or "$" in target,
        )
        self.exchanges.append(exchange)
        return exchange

    def absolute(self, url: str) -> str:
        """Return a URI as it is requested: relative ones belong behind the baseURI, or the Cloud Entry Point's URI."""
        return urljoin(self.base or self.entry_point, url) if url else self.entry_point

    def _encoded(self, kind: str, content: Document) -> bytes:
        if self.media == "xml":
            return xml_form.encode(kind, content)
        return json.dumps({"resourceURI": type_uri(kind), **content}).encode()

    def _with(self, url: str, parameters: tuple[tuple[str, str], ...]) -> str:
        if not parameters:
            return url
        query = "&".join(
            name + (f"={quote(value, safe=QUERY_SAFE)}" if value is not None else "") for name, value in parameters
        )
        return url + ("&" if "?" in url else "?") + query

    def _credentials(self, target: str) -> dict[str, str | None]:
        """Return the header for the provider itself, and none in the clear: a link may lead to anybody."""
        own = {_origin(self.entry_point), _origin(self.base)}
        if self.user is None or _origin(target) not in own or (self.verify and not _is_protected(target)):
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def _transfer(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        target = urlsplit(url)
        connection = self._connection(target.scheme, target.hostname or "", target.port)
        try:
            path = (target.path or "/") + (f"?{target.query}" if target.query else "")
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return response.status, answered, response.read(LARGEST_BODY)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"{method} {url}: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _connection(self, scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
        if scheme == "https":
            context = ssl.create_default_context() if self.verify else ssl._create_unverified_context()  # noqa: S323
            return http.client.HTTPSConnection(host, port, timeout=self.timeout, context=context)
        if scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=self.timeout)
        raise Unreachable(f"{scheme}://{host} is neither http nor https")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _is_protected(url: str) -> bool:
    """Return whether nobody on the way can read what is sent there: by TLS, or because it is this host."""
    parts = urlsplit(url)
    try:
        local = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = parts.hostname == "localhost"
    return parts.scheme == "https" or local


def _read(content_type: str, body: bytes) -> tuple[Document | None, etree._Element | None]:
    media = content_type.partition(";")[0].strip().lower()
    try:
        if media == "application/json":
            document = json.loads(body)
            return (document if isinstance(document, dict) else None), None
        if media in ("application/xml", "text/xml"):
            root = xml_form.parse(body)
            return xml_form.document(root), root
    except (ValueError, RecursionError, etree.XMLSyntaxError):
        pass
    return None, None


def kind_of(document: Document | None) -> str:
    """Return ``Machine`` or ``MachineCollection``; nothing when the document does not say."""
    return type_name((document or {}).get("resourceURI"))


def until(condition: Any, seconds: float, pause: float = 0.05) -> Any:
    """Call the condition until it gives something true, at most for so many seconds, and return its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
