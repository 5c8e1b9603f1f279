"""An HTTP client for the API tests: one user, one format."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import aiohttp
import bcrypt
from yarl import URL

from demo.basic_auth import basic_auth
from tests.patience import eventually

ROLES = {"admin": "admin", "operator": "operator", "other": "operator", "viewer": "viewer"}
HASH = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()

Body = bytes | io.BytesIO | dict[str, Any]
ACTION = "http://schemas.dmtf.org/cimi/1/action/"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.text)
        return document

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.text)

    @property
    def location(self) -> str:
        return self.headers["location"]

    @property
    def job(self) -> str:
        return self.headers["cimi-job-uri"]

    @property
    def message(self) -> str:
        return str(self.json["statusMessage"])


@dataclass(frozen=True)
class ApiClient:
    session: aiohttp.ClientSession
    base: str
    user: str = "admin"
    media: str = "json"
    password: str = "secret"
    token: str = ""
    """Sent as Bearer, in place of the password."""
    project: str = ""
    """Sent as CIMI-Project."""

    @property
    def credentials(self) -> dict[str, str]:
        """What each request says of who makes it."""
        said = {"CIMI-Project": self.project} if self.project else {}
        if self.token:
            return {**said, "Authorization": f"Bearer {self.token}"}
        return {**said, "Authorization": basic_auth(self.user, self.password)} if self.user else said

    async def request(self, method: str, url: str = "", data: Body | None = None, **headers: str) -> Answer:
        """Header names are written with underlines: ``If_Match``."""
        sent = {"Accept": f"application/{self.media}", "Content-Type": f"application/{self.media}"}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        body = json.dumps(data).encode() if isinstance(data, dict) else data
        if isinstance(data, dict):
            sent["Content-Type"] = "application/json"
        target = URL(url if url.startswith(("http://", "https://")) else self.base + url, encoded=True)
        sent.update(self.credentials)
        async with self.session.request(method, target, data=body, headers=sent, allow_redirects=False) as answer:
            known = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, known, await answer.text(errors="replace"))

    async def get(self, url: str = "", **headers: str) -> Answer:
        return await self.request("GET", url, None, **headers)

    async def post(self, url: str, data: Body, **headers: str) -> Answer:
        return await self.request("POST", url, data, **headers)

    async def put(self, url: str, data: Body, **headers: str) -> Answer:
        return await self.request("PUT", url, data, **headers)

    async def delete(self, url: str, **headers: str) -> Answer:
        return await self.request("DELETE", url, None, **headers)

    async def act(self, url: str, verb: str, **parameters: Any) -> Answer:
        return await self.post(f"{url}/{verb}", {"action": ACTION + verb, **parameters})

    async def document(self, url: str) -> dict[str, Any]:
        answer = await self.get(url)
        assert answer.status == 200, answer.text
        return answer.json

    async def ended(self, job: str) -> dict[str, Any]:
        """The Job once it has ended."""

        async def final() -> dict[str, Any] | None:
            document = await self.document(job)
            return document if document["state"] in ("SUCCESS", "FAILED", "STOPPED") else None

        return await eventually(final, f"{job} ends") or {}

    async def state(self, url: str, wanted: str) -> None:
        async def reached() -> bool:
            return bool((await self.document(url))["state"] == wanted)

        await eventually(reached, f"{url} is {wanted}")

    async def acted(self, url: str, verb: str, **parameters: Any) -> dict[str, Any]:
        answer = await self.act(url, verb, **parameters)
        assert answer.status == 202, answer.text
        return await self.ended(answer.job)

    def machine(self, image: str, **template: Any) -> dict[str, Any]:
        config = {"cpu": 1, "memory": 131072}
        return {"name": "m", "machineTemplate": {"machineConfig": config, "machineImage": {"href": image}, **template}}
