"""Log lines: fields for the journal, and never a secret."""

from __future__ import annotations

from gateway.logging import drop_secrets, journal_datagram


def test_a_jobs_line_carries_the_journal_fields() -> None:
    event = {"event": "begins", "level": "info", "job": "jobs/1", "machine": "machines/1", "user": "a", "request": "r"}
    lines = journal_datagram(event).decode().splitlines()
    assert {"CIMI_JOB=jobs/1", "CIMI_MACHINE=machines/1", "CIMI_USER=a", "CIMI_REQUEST=r", "PRIORITY=6"} <= set(lines)


def test_a_value_of_several_lines_is_sent_with_its_length() -> None:
    datagram = journal_datagram({"event": "x", "level": "error", "detail": "a\nb"})
    assert b"CIMI_DETAIL\n\x03\0\0\0\0\0\0\0a\nb\n" in datagram


def test_secrets_are_not_written() -> None:
    event = drop_secrets(None, "info", {"event": "x", "password": "hunter2", "userData": "abc"})
    assert "hunter2" not in str(event)
    assert "abc" not in str(event)
