"""Requests to the provider, and what came back: kept as exchanges, which the audits look through at the end."""

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


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. ``document`` is the body in JSON's vocabulary, None when it is neither format."""

    method: str
    url: str
    sent: Document | None
    status: int
    headers: dict[str, str]
    body: bytes
    asked: str
    """The format that was asked for."""
    document: Document | None
    root: etree._Element | None = None
    """Of an XML body."""
    raw: bool = False
    """Asked in a way that is wrong on purpose, or by other rules than those of the audits."""

    @property
    def media(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def partial(self) -> bool:
        """Whether attributes were selected, so that others are missing."""
        return "$select" in unquote(self.url)

    @property
    def line(self) -> str:
        return f"{self.method} {self.url} -> {self.status}"

    @property
    def job(self) -> str | None:
        return self.headers.get("cimi-job-uri")

    @property
    def location(self) -> str | None:
        return self.headers.get("location")

    def told(self) -> str:
        """Status, and the provider's own words where there are some."""
        message = (self.document or {}).get("statusMessage")
        return f"{self.status}" + (f" ({message})" if message else "")


@dataclass
class Wire:
    """One user at one provider, in one format."""

    entry_point: str
    user: str | None
    password: str
    media: str
    timeout: float = 60.0
    verify: bool = True
    exchanges: list[Exchange] = field(default_factory=list)
    base: str = ""
    """The Cloud Entry Point's baseURI, once it is known."""

    def get(self, url: str = "", *parameters: tuple[str, str], **more: Any) -> Exchange:
        return self.request("GET", url, parameters=parameters, **more)

    def post(self, url: str, kind: str, content: Document, **more: Any) -> Exchange:
        return self.request("POST", url, kind=kind, content=content, **more)

    def put(self, url: str, kind: str, content: Document, *parameters: tuple[str, str], **more: Any) -> Exchange:
        return self.request("PUT", url, kind=kind, content=content, parameters=parameters, **more)

    def delete(self, url: str, **more: Any) -> Exchange:
        return self.request("DELETE", url, **more)

    def request(
        self,
        method: str,
        url: str,
        *,
        kind: str = "",
        content: Document | None = None,
        body: bytes | None = None,
        parameters: tuple[tuple[str, str], ...] = (),
        headers: dict[str, str | None] | None = None,
        raw: bool = False,
    ) -> Exchange:
        """``content`` is written as ``kind`` in this wire's format; a header of None is not sent."""
        target = self._with(self.absolute(url), parameters)
        sent: dict[str, str | None] = {"Accept": CONTENT_TYPES[self.media], **self._credentials(target)}
        if content is not None:
            body = self._encoded(kind, content)
        if body is not None:
            sent["Content-Type"] = CONTENT_TYPES[self.media]
        sent.update(headers or {})
        status, answered, received = self._send(method, target, body, {k: v for k, v in sent.items() if v is not None})
        document, root = _read(answered.get("content-type", ""), received)
        exchange = Exchange(
            method, target, content, status, answered, received, self.media, document, root, raw or "$" in target
        )
        self.exchanges.append(exchange)
        return exchange

    def absolute(self, url: str) -> str:
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
        """Only for the provider itself, and not in the clear: a link may lead to anybody."""
        own = {_origin(self.entry_point), _origin(self.base)}
        if self.user is None or _origin(target) not in own or (self.verify and not _is_protected(target)):
            return {}
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {token}"}

    def _send(
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
    """Whether nobody on the way can read what is sent there: by TLS, or because it is this host."""
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
    """``Machine`` or ``MachineCollection``; empty when the document does not say."""
    return type_name((document or {}).get("resourceURI"))


def until(condition: Any, seconds: float, pause: float = 0.05) -> Any:
    """Ask again until the condition gives something true, at most for so long; its last value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)
