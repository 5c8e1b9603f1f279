"""What the benches read of wrk, keep, and compare."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import compare, report, wrk
from bench.report import Row

SAID = """Running 2s test @ http://127.0.0.1:1
  1 threads and 8 connections
  Latency Distribution
     50%    1.50ms
     75%  900.00us
     99%    1.00s{space}
  4800 requests in 2.00s, 12.42MB read
Requests/sec:   2400.50
Transfer/sec:      6.21MB
"""


def test_the_rate_and_the_percentiles_are_read_of_what_wrk_says() -> None:
    load = wrk._read(SAID.format(space=" "))
    assert load == wrk.Load(2400.5, 4800, {50: 0.0015, 75: 0.0009, 99: 1.0})


@pytest.mark.parametrize("trouble", ["  Non-2xx or 3xx responses: 3", "  Socket errors: connect 0, read 8, write 0"])
def test_a_run_with_errors_is_no_result(trouble: str) -> None:
    with pytest.raises(SystemExit, match="errors"):
        wrk._read(SAID.format(space="") + trouble)


def test_results_are_kept_by_version_beside_those_of_other_measures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    report.keep([Row("one", 0.5, 0.4, least=True), Row("two", 3.0, 2.0)], "1.0")
    report.keep([Row("two", 1.0, 2.0)], "1.0")
    assert report.kept("1.0") == [Row("one", 0.5, 0.4, least=True), Row("two", 1.0, 2.0)]
    assert report.versions() == ["1.0"]


def test_a_comparison_says_what_became_better_or_worse() -> None:
    old = [
        Row("rate", 0.5, 0.4, least=True),
        Row("time", 1.0, 2.0, " s"),
        Row("size", 10.0, 20.0),
        Row("gone", 1.0, 1.0),
    ]
    new = [
        Row("rate", 0.7, 0.4, least=True),
        Row("time", 3.0, 2.0, " s"),
        Row("size", 10.5, 20.0),
        Row("more", 1.0, 1.0),
    ]
    lines = compare.compare(old, new)
    assert ["better" in lines[0], "WORSE  MISSED" in lines[1], "as before" in lines[2], "new" in lines[3]] == [True] * 4
    assert lines[4].endswith("not measured")
