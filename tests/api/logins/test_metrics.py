"""Logins at the metrics: they take the same way as all others, and are counted."""

from __future__ import annotations

import pytest

from tests.api.client import ApiClient
from tests.api.event_logs import everything, of_type
from tests.api.logins.guesses import Comparisons, guess


def metrics_of(admin: ApiClient) -> str:
    return admin.base.removesuffix("cimi/") + "metrics"


@pytest.mark.usefixtures("soon")
async def test_guesses_at_the_metrics_are_counted_with_all_others(admin: ApiClient, comparisons: Comparisons) -> None:
    for _ in range(5):
        assert (await guess(admin, "operator").get(metrics_of(admin))).status == 401
        await guess(admin, "operator").get("machines")
    assert comparisons.number == 10
    assert (await guess(admin, "operator").get(metrics_of(admin))).status == 429


@pytest.mark.usefixtures("comparisons")
async def test_a_wrong_password_at_the_metrics_is_told_with_the_address_that_the_proxy_says(
    admin: ApiClient,
) -> None:
    await guess(admin, "operator").get(metrics_of(admin), X_Forwarded_For="192.0.2.77")
    [told] = of_type(await everything(admin), "access")
    assert told["content"]["initiator"] == "operator"
    assert "from 192.0.2.77" in told["content"]["detail"]


@pytest.mark.usefixtures("comparisons", "soon")
async def test_guesses_at_the_metrics_are_counted_by_the_address_that_the_proxy_says(admin: ApiClient) -> None:
    for number in range(12):
        answer = await guess(admin, "operator").get(metrics_of(admin), X_Forwarded_For=f"192.0.2.{number}")
    assert answer.status == 401


# What is counted


@pytest.mark.usefixtures("soon")
async def test_the_metrics_tell_how_logins_went(admin: ApiClient, comparisons: Comparisons) -> None:
    for number in range(12):
        await guess(admin, "operator", f"guess {number}").get("machines")
    for header in ("Bearer x", "Basic !", "Basic eA=="):
        assert (await guess(admin, "").get("machines", Authorization=header)).status == 401
    text = (await admin.get(metrics_of(admin))).text
    for outcome, number in (("wrong", 10), ("throttled", 2), ("malformed", 3), ("right", 1)):
        assert f'cimi_logins_total{{outcome="{outcome}"}} {number}.0' in text
