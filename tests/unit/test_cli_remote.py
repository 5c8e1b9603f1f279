"""The command line and a gateway elsewhere: where its password goes, and what a hostile answer may print."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from conformance.provider import Options
from conformance.run import Report
from gateway.cli import main
from gateway.cli.remote import RemoteGateway

HOSTILE = "a\nb\x1b[2J\x9b31m\u202e\u2028c"
DISTANT = "http://gateway.example.org/cimi/"


@dataclass
class Site:
    """A server that answers each path with what was put there, and keeps what it was asked."""

    server: HTTPServer
    answers: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization header of each request."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/cimi/"

    @property
    def passwords(self) -> list[str]:
        return [given for _path, given in self.asked if given is not None]


def serving(stack: ExitStack) -> Site:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, document = site.answers.get(self.path.partition("?")[0], (404, {}, {}))
            body = json.dumps(document).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    site = Site(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    stack.callback(server.server_close)
    stack.callback(thread.join)
    stack.callback(server.shutdown)
    return site


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    """The gateway that is named, and another server."""
    with ExitStack() as stack:
        yield serving(stack), serving(stack)


def tail(family: str, url: str, *more: str) -> Result:
    return CliRunner().invoke(main, [family, "tail", "--url", url, "--user", "ann", *more], env={"CIMI_PASSWORD": "x"})


FAMILIES = ["events", "jobs"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("host", ["gateway.example.org", "192.0.2.1", "[2001:db8::1]", "localhost.example.org"])
def test_a_password_does_not_cross_a_network_in_the_clear(family: str, host: str) -> None:
    result = tail(family, f"http://{host}/cimi/")
    assert result.exit_code == 1
    assert "in the clear" in result.output
    assert "--insecure" in result.output


@pytest.mark.parametrize("family", FAMILIES)
def test_who_insists_may_send_it_in_the_clear(family: str) -> None:
    result = tail(family, "http://gateway.invalid/cimi/", "--insecure")
    assert result.exit_code == 1
    assert "in the clear" not in result.output


@pytest.mark.parametrize("family", FAMILIES)
def test_a_gateway_on_this_host_needs_no_tls(family: str, sites: tuple[Site, Site]) -> None:
    gateway, _other = sites
    tail(family, gateway.url)
    assert gateway.passwords != []


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_server_gets_no_password(family: str, status: int, sites: tuple[Site, Site]) -> None:
    gateway, other = sites
    gateway.answers["/cimi/"] = (status, {"Location": other.url}, {})
    result = tail(family, gateway.url)
    assert result.exit_code == 1
    assert other.url in result.output
    assert other.asked == []


@pytest.mark.parametrize("family", FAMILIES)
def test_a_redirect_to_another_scheme_gets_no_password(family: str, sites: tuple[Site, Site]) -> None:
    gateway, _other = sites
    target = gateway.url.replace("http:", "https:")
    gateway.answers["/cimi/"] = (302, {"Location": target}, {})
    result = tail(family, gateway.url)
    assert result.exit_code == 1
    assert target in result.output


def test_a_redirect_within_the_server_is_followed(sites: tuple[Site, Site]) -> None:
    gateway, _other = sites
    logs = {"eventLogs": {"href": gateway.url + "eventLogs"}}
    gateway.answers["/cimi/"] = (302, {"Location": gateway.url + "moved"}, {})
    gateway.answers["/cimi/moved"] = (200, {}, logs)
    gateway.answers["/cimi/eventLogs/everything/events"] = (200, {}, {"events": []})
    assert tail("events", gateway.url).exit_code == 0
    assert len(gateway.passwords) == len(gateway.asked)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_link_to_another_server_gets_no_password(family: str, sites: tuple[Site, Site]) -> None:
    gateway, other = sites
    links = {name: {"href": other.url + name} for name in ("eventLogs", "jobs")}
    gateway.answers["/cimi/"] = (200, {}, links)
    result = tail(family, gateway.url)
    assert result.exit_code == 1
    assert other.asked == []


def test_plain_http_goes_by_no_proxy(sites: tuple[Site, Site], monkeypatch: pytest.MonkeyPatch) -> None:
    gateway, proxy = sites
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    tail("events", gateway.url)
    assert gateway.asked != []
    assert proxy.asked == []


def test_conformance_does_not_send_a_password_in_the_clear() -> None:
    result = CliRunner().invoke(main, ["conformance", DISTANT, "--user", "ann"], env={"CIMI_PASSWORD": "x"})
    assert result.exit_code == 1
    assert "in the clear" in result.output


# What a hostile answer may print


def only_one_line_of_plain_text(output: str) -> bool:
    return all(character.isprintable() for character in output.removesuffix("\n"))


def test_the_reason_of_a_refusal_is_printed_without_control_characters(sites: tuple[Site, Site]) -> None:
    gateway, _other = sites
    gateway.answers["/cimi/"] = (403, {}, {"statusMessage": HOSTILE})
    assert only_one_line_of_plain_text(tail("events", gateway.url).output)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_events_of_a_gateway_are_printed_without_control_characters(sites: tuple[Site, Site], more: tuple[str]) -> None:
    gateway, _other = sites
    content = {"operation": HOSTILE, "initiator": HOSTILE, "detail": HOSTILE, "resource": {"href": HOSTILE}}
    said = dict.fromkeys(("timestamp", "outcome", "severity", "description"), HOSTILE)
    event = {**said, "id": "events/1", "type": "x/access", "content": content}
    gateway.answers["/cimi/"] = (200, {}, {"eventLogs": {"href": gateway.url + "eventLogs"}})
    gateway.answers["/cimi/eventLogs/everything/events"] = (200, {}, {"events": [event]})
    result = tail("events", gateway.url, *more)
    assert result.exit_code == 0, result.output
    assert only_one_line_of_plain_text(result.output)
    if more:
        assert json.loads(result.output)["content"]["detail"] == HOSTILE


def test_jobs_of_a_gateway_are_printed_without_control_characters(sites: tuple[Site, Site]) -> None:
    gateway, _other = sites
    job = {"id": HOSTILE, "state": HOSTILE, "action": HOSTILE, "statusMessage": HOSTILE, "timeOfStatusChange": HOSTILE}
    gateway.answers["/cimi/"] = (200, {}, {"jobs": {"href": gateway.url + "jobs"}})
    gateway.answers["/cimi/jobs"] = (200, {}, {"jobs": [{**job, "targetResource": {"href": HOSTILE}}]})
    result = tail("jobs", gateway.url)
    assert result.exit_code == 0, result.output
    assert only_one_line_of_plain_text(result.output)


@pytest.mark.parametrize(("given", "read"), [("x", "x"), ("", ""), (None, "typed")])
def test_one_password_is_read_in_one_way_by_all_commands(
    monkeypatch: pytest.MonkeyPatch, given: str | None, read: str
) -> None:
    """An empty one in the environment is one: a script that sets it is never asked."""
    monkeypatch.delenv("CIMI_PASSWORD", raising=False)
    if given is not None:
        monkeypatch.setenv("CIMI_PASSWORD", given)
    monkeypatch.setattr("click.prompt", lambda *_words, **_how: "typed")
    assert RemoteGateway.of("http://127.0.0.1/cimi/", "ann").password == read
    options: list[Options] = []

    def run(chosen: Options, _show: object) -> Report:
        options.append(chosen)
        raise click.Abort

    monkeypatch.setattr("gateway.cli.conformance.run", run)
    CliRunner().invoke(main, ["conformance", "http://127.0.0.1/cimi/", "--user", "ann"])
    assert [chosen.password for chosen in options] == [read]
