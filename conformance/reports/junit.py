"""The report as JUnit XML, for CI: a suite for each family and format. A WARN is a success with words."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from lxml import etree

from conformance.outcomes import Result, Verdict
from conformance.run import Report


def render(report: Report) -> str:
    """Return the XML."""
    root = etree.Element("testsuites", name=f"CIMI conformance of {report.url}", time=f"{report.seconds:.1f}")
    for (media, family), results in groupby(report.results, lambda result: (result.media, result.entry.family)):
        _suite(root, f"{family} {media}", list(results), report)
    _total(root, report.results)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True).decode()


def _suite(root: etree._Element, name: str, results: list[Result], report: Report) -> None:
    suite = etree.SubElement(root, "testsuite", name=name, timestamp=report.began.isoformat(timespec="seconds"))
    for result in results:
        case = etree.SubElement(
            suite, "testcase", classname=f"{result.entry.family}.{result.media}", name=result.entry.id
        )
        case.set("time", f"{result.seconds:.3f}")
        _tell(case, result)
    _total(suite, results)


def _tell(case: etree._Element, result: Result) -> None:
    said = _text(f"{result.entry.clause}: {result.entry.text}\n{result.message}\n" + "\n".join(result.exchanges))
    if result.verdict is Verdict.FAIL:
        etree.SubElement(case, "failure", message=_text(result.message)).text = said
    elif result.verdict is Verdict.NOT_TESTED:
        etree.SubElement(case, "skipped", message=_text(result.message))
    elif result.verdict is Verdict.WARN:
        etree.SubElement(case, "system-out").text = f"WARN {said}"


def _total(element: etree._Element, results: Iterable[Result]) -> None:
    verdicts = [result.verdict for result in results]
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(verdicts.count(Verdict.FAIL)))
    element.set("skipped", str(verdicts.count(Verdict.NOT_TESTED)))
    element.set("errors", "0")


def _text(text: str) -> str:
    """Return the text without the characters that XML cannot hold."""
    return "".join(letter for letter in text if letter in "\t\n" or ord(letter) >= 32)
