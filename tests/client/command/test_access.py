"""Tokens and projects by the command ``cimi``."""

from __future__ import annotations

import pytest

from tests.client.command.ran import Cimi


def test_a_token_is_printed_once_lets_its_user_in_and_is_revoked(
    cimi: Cimi, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = cimi("token", "create", "--name", "scripts", "--read-only", "--project", "operator", "--expires", "30d")
    assert ran.code == 0, ran.err
    token = ran.out.strip()
    assert token.startswith("cimi_")
    listed = cimi("token", "list")
    assert token not in listed.out
    assert "read-only operator" in listed.out
    with monkeypatch.context() as patch:
        for name in ("USER", "PASSWORD"):
            patch.delenv(f"CIMI_{name}")
        patch.setenv("CIMI_TOKEN", token)
        assert cimi("list").code == 0
        assert cimi("network", "create", "lan").code == 4
    assert cimi("token", "revoke", token.split("_")[1]).code == 0
    monkeypatch.setenv("CIMI_TOKEN", token)
    assert cimi("list").code == 4


def test_a_project_is_shared_and_chosen(cimi: Cimi, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cimi("project", "create", "team").code == 0
    for role in ("viewer", "operator"):
        assert cimi("project", "grant", "team", "operator", "--role", role).code == 0
    assert "operator  operator" in cimi("project", "members", "team").out
    with monkeypatch.context() as patch:
        patch.setenv("CIMI_USER", "operator")
        assert cimi("--in", "team", "list").code == 0
        patch.setenv("CIMI_PROJECT", "team")
        assert cimi("list").code == 0
    assert cimi("project", "revoke", "team", "operator").code == 0
    assert cimi("project", "revoke", "team", "operator").code == 1
    monkeypatch.setenv("CIMI_USER", "operator")
    assert cimi("--in", "team", "list").code == 4
    monkeypatch.setenv("CIMI_USER", "admin")
    assert cimi("project", "delete", "team").code == 0


@pytest.mark.parametrize("text", ["soon", "-1d", "2027"])
def test_what_is_no_time_is_said(cimi: Cimi, text: str) -> None:
    assert cimi("token", "create", f"--expires={text}").code == 2
