"""What a scenario comes to: each Job's stored plan and end, and what is there afterwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from gateway.cimi.registry import TYPES
from gateway.jobs import runner
from gateway.jobs.plan import Plan
from gateway.jobs.records import plan_to_document
from gateway.store.transaction import Transaction
from tests.golden.stage import BASE, Stage

Document = dict[str, Any]
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OUTCOME = ("state", "returnCode", "statusMessage", "affectedResources")


class Ids:
    """Which id of a golden run is which of this one: they differ when the gateway makes them in another order."""

    def __init__(self) -> None:
        self._of: dict[str, str] = {}

    def learn(self, golden: Any, fresh: Any) -> None:
        """Take ids that stand in the same places for the same."""
        if isinstance(golden, dict) and isinstance(fresh, dict):
            for name in golden.keys() & fresh.keys():
                self.learn(golden[name], fresh[name])
        elif isinstance(golden, list) and isinstance(fresh, list):
            for one, other in zip(golden, fresh, strict=False):
                self.learn(one, other)
        elif isinstance(golden, str) and isinstance(fresh, str) and ID.sub("", golden) == ID.sub("", fresh):
            for one, other in zip(ID.findall(golden), ID.findall(fresh), strict=True):
                self._of.setdefault(one, other)

    def translated(self, golden: Any) -> Any:
        return json.loads(ID.sub(lambda match: self._of.get(match[0], match[0]), json.dumps(golden)))


@dataclass
class Recording:
    """``fresh`` are the plans as this code makes them, ``run`` those that were run, in the order of their Jobs."""

    golden: list[Document] | None = None
    """Entries whose plans are run in place of the fresh ones."""
    fresh: list[Document] = field(default_factory=list)
    run: list[Document] = field(default_factory=list)
    outcomes: list[Document] = field(default_factory=list)
    expected: list[Document] = field(default_factory=list)
    """The golden entries' outcomes, in the order of the Jobs; in the end with the ids of this run."""
    after: Document = field(default_factory=dict)
    ids: Ids = field(default_factory=Ids)
    jobs: list[str] = field(default_factory=list)
    left: list[Document] = field(default_factory=list)
    """Golden entries for which no Job has come yet."""

    def __post_init__(self) -> None:
        self.left = list(self.golden or ())

    @property
    def entries(self) -> list[Document]:
        """What is stored of it."""
        pairs = zip(self.fresh, self.outcomes, strict=True)
        return [{"plan": plan, "outcome": outcome} for plan, outcome in pairs]

    def stored(self, fresh: Document) -> Document:
        """Return the plan that is to stand in the store for this fresh one."""
        self.fresh.append(fresh)
        if self.golden is None:
            return fresh
        entry = next((entry for entry in self.left if _alike(entry["plan"], fresh)), None)
        if entry is None:
            raise AssertionError(f"no golden plan stands for {_mark(fresh)}")
        self.left.remove(entry)
        self.ids.learn(entry["plan"], fresh)
        self.expected.append(entry["outcome"])
        plan: Document = self.ids.translated(entry["plan"])
        self.run.append(plan)
        return plan

    @contextmanager
    def of(self, stage: Stage) -> Iterator[None]:
        """Note, and replace, the plans of all Jobs that are submitted meanwhile."""
        submit = runner.JobRunner.submit

        def substituted(plan: Plan) -> Document:
            fresh = json.loads(stage.fixed(json.dumps(plan_to_document(plan))))
            return dict(json.loads(stage.placed(json.dumps(self.stored(fresh)))))

        async def noted(jobs: runner.JobRunner, transaction: Transaction, plan: Plan) -> str:
            path = await submit(jobs, transaction, plan)
            self.jobs.append(path)
            return path

        with patch.object(runner, "plan_to_document", substituted), patch.object(runner.JobRunner, "submit", noted):
            yield

    async def finish(self, stage: Stage) -> None:
        """Note how the Jobs have ended, and what is there."""
        for path in self.jobs:
            job = json.loads(stage.fixed((await stage.admin.get(path)).text).replace(BASE, ""))
            self.outcomes.append({name: job[name] for name in OUTCOME if name in job})
        # What a Job itself has made stands in no plan.
        self.ids.learn(self.expected, self.outcomes)
        self.expected = self.ids.translated(self.expected)
        self.after = json.loads(stage.fixed(json.dumps({**await _resources(stage), **_hypervisor(stage)})))


def _mark(plan: Document) -> tuple[str, str]:
    return plan["action"], ID.sub("ID", plan["target"])


def _alike(golden: Document, fresh: Document) -> bool:
    return _mark(golden) == _mark(fresh)


async def _resources(stage: Stage) -> Document:
    """Every resource but Jobs, and what configuration and users file bring; and the state it has, if it has one."""
    states = {}
    for kind in TYPES:
        if kind not in ("Job", "CatalogImage", "User", "Project"):
            async for resource in stage.gateway.store.every(kind):
                states[resource.path] = resource.state
    return {"resources": dict(sorted(states.items()))}


def _hypervisor(stage: Stage) -> Document:
    driver = stage.driver
    domains = {
        uuid: {
            "power": facts.power,
            "title": facts.title,
            "cpus": facts.cpus,
            "memory": facts.memory_kib,
            "disks": [f"{disk.target} {disk.source}" for disk in facts.disks],
            "interfaces": [f"{nic.mac} {nic.network}" for nic in facts.interfaces],
            "snapshots": sorted(driver.state.snapshots.get(uuid, {})),
        }
        for uuid, facts in driver.state.domains.items()
    }
    volumes = {
        name: f"{facts.format} {facts.capacity} {facts.backing}" for (_, name), facts in driver.state.volumes.items()
    }
    networks = {
        name: [facts.active, *facts.ranges, *(f"{e.ip} {e.mac} {e.hostname}" for e in facts.reservations)]
        for name, facts in driver.state.networks.items()
    }
    filters = {name: str(reach) for name, reach in driver.state.filters.items()}
    whole: Document = {"domains": domains, "volumes": volumes, "networks": networks, "filters": filters}
    return {name: dict(sorted(part.items())) for name, part in whole.items()}
