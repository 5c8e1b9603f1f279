"""A small blocking CIMI client for the tests: it knows the standard, and nothing of the gateway's insides."""

from __future__ import annotations

import base64
import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.patience import DeadlineError, wait_until

ACTION = "http://schemas.dmtf.org/cimi/1/action/"
__all__ = ["ACTION", "Answer", "CimiClient", "DeadlineError", "wait_until"]
FINAL_JOB_STATES = {"SUCCESS", "FAILED", "STOPPED"}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def job(self) -> str:
        return self.headers["cimi-job-uri"]


@dataclass
class CimiClient:
    """One user at one gateway; ``base`` is the URL of the Cloud Entry Point, ending in a slash."""

    base: str
    user: str
    password: str
    format: str = "json"
    timeout: float = 240.0
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self,
        method: str,
        url: str,
        document: dict[str, Any] | None = None,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """``url`` may be absolute or relative to the base. A new connection for every request."""
        target = urlsplit(url if "://" in url else self.base + url)
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        sent = {"Authorization": f"Basic {credentials}", "Accept": f"application/{self.format}"}
        sent.update(self.headers)
        if document is not None:
            body = json.dumps(document).encode()
            sent["Content-Type"] = "application/json"
        sent.update(headers or {})
        connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=self.timeout)
        try:
            path = target.path + (f"?{target.query}" if target.query else "")
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            answered = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, answered, response.read())
        finally:
            connection.close()

    def get(self, url: str = "") -> dict[str, Any]:
        answer = self.request("GET", url)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json

    def entry(self, collection: str) -> str:
        href: str = self.get()[collection]["href"]
        return href

    def add(self, collection: str, document: dict[str, Any], **headers: str) -> Answer:
        """POST to the collection which the Cloud Entry Point names."""
        answer = self.request("POST", self.entry(collection), document, headers=headers)
        assert answer.status in (201, 202), (answer.status, answer.body)
        return answer

    def added(self, collection: str, document: dict[str, Any], seconds: float = 120) -> dict[str, Any]:
        """Create, wait for the Job's success, and read the resource."""
        answer = self.add(collection, document)
        self.succeed(answer.job, seconds)
        return self.get(answer.headers["location"])

    def operation(self, resource: dict[str, Any], verb: str) -> str | None:
        """Href of the operation with this rel, or of this CIMI action."""
        rels = {verb, ACTION + verb}
        hrefs = [entry["href"] for entry in resource.get("operations", []) if entry["rel"] in rels]
        return hrefs[0] if hrefs else None

    def act(self, url: str, verb: str, **parameters: Any) -> Answer:
        """Do an action which the resource offers now."""
        href = self.operation(self.get(url), verb)
        assert href, f"{verb} is not offered by {url}"
        return self.request("POST", href, {"action": ACTION + verb, **parameters})

    def acted(self, url: str, verb: str, seconds: float = 120, **parameters: Any) -> dict[str, Any]:
        answer = self.act(url, verb, **parameters)
        assert answer.status == 202, (answer.status, answer.body)
        return self.succeed(answer.job, seconds)

    def finish(self, job: str, seconds: float = 120) -> dict[str, Any]:
        """The Job once it has ended, whatever its outcome."""

        def ended() -> dict[str, Any] | None:
            document = self.get(job)
            return document if document["state"] in FINAL_JOB_STATES else None

        return wait_until(ended, seconds, f"{job} ends") or {}

    def succeed(self, job: str, seconds: float = 120) -> dict[str, Any]:
        document = self.finish(job, seconds)
        assert document["state"] == "SUCCESS", document
        return document

    def remove(self, url: str, seconds: float = 120) -> None:
        answer = self.request("DELETE", url)
        assert answer.status in (200, 202), (answer.status, answer.body)
        self.succeed(answer.job, seconds)

    def wait_state(self, url: str, state: str, seconds: float = 60) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            document = self.get(url)
            return document if document.get("state") == state else None

        return wait_until(reached, seconds, f"{url} is {state}") or {}
