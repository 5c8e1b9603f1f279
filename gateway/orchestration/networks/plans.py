"""The steps of a Network's jobs, in their order."""

from __future__ import annotations

from gateway.orchestration.common.step import ResourceStep
from gateway.orchestration.networks.facts import KeptNetwork
from gateway.orchestration.networks.group_steps import JoinGroup, LeaveGroup
from gateway.orchestration.networks.membership import groups_of
from gateway.orchestration.networks.steps import (
    DefineNetwork,
    DeleteFilter,
    DeleteNetwork,
    FilterNetwork,
    ReconnectInterfaces,
    StartNetwork,
    StopNetwork,
)
from gateway.store.model import Resource


def create_steps(network: Resource) -> tuple[ResourceStep, ...]:
    """Return the steps that make a Network, in the group that it is in by the store, and start it when it is to run."""
    path = network.path
    joins = [JoinGroup(path, group) for group in groups_of(network)]
    starts = [StartNetwork(path)] if KeptNetwork.of(network).initial_state == "STARTED" else []
    return (FilterNetwork(path), *joins, DefineNetwork(path), *starts)


def delete_steps(network: str) -> tuple[ResourceStep, ...]:
    """Return the steps that remove the Network at a path."""
    return (LeaveGroup(network), DeleteNetwork(network), DeleteFilter(network))


def action_steps(network: str, action: str) -> tuple[ResourceStep, ...]:
    """Return the steps of a start or stop of the Network at a path."""
    if action == "start":
        return (StartNetwork(network), ReconnectInterfaces(network))
    return (StopNetwork(network),)
