"""Draw the states of Machines, Networks and Volumes from the tables of the program: ``python -m tools.diagrams``.

The page holds the drawings between markers; ``--check`` fails when it holds something else, and changes nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from gateway.cimi.machine import INITIAL_STATES
from gateway.orchestration.machine_core.states import MACHINE_TRANSITIONS, REACHED, TRANSIENT
from gateway.orchestration.networks.states import NETWORK_TRANSITIONS
from gateway.orchestration.networks.states import TRANSIENT as NETWORK_TRANSIENT
from gateway.orchestration.volumes.states import VOLUME_TRANSITIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "design" / "machine-states.md"
HYPERVISOR = "as_the_hypervisor_says"
"""Node of a diagram that stands for every state which the hypervisor may report after a job."""
DRAWN_ELSEWHERE = frozenset({*REACHED, "delete"})
Edges = dict[tuple[str, str], list[str]]
"""Both states of each arrow, with the actions that are its label."""


def actions_diagram(
    legal: Mapping[str, Iterable[str]], transient: Mapping[str, str], reached: Mapping[str, str], drawn: Iterable[str]
) -> str:
    """Return the mermaid diagram of the drawn actions: from each state that allows one, and on to what it reaches."""
    edges: Edges = {}
    for action in drawn:
        for state, actions in legal.items():
            if action in actions and transient[action] != state:
                edges.setdefault((state, transient[action]), []).append(action)
    for action in drawn:
        end = "[*]" if action == "delete" else reached.get(action, HYPERVISOR)
        edges.setdefault((transient[action], end), []).append(f"{action} done")
    return _mermaid(edges)


def _mermaid(edges: Edges) -> str:
    named = any(HYPERVISOR in ends for ends in edges)
    head = ["stateDiagram-v2", *([f'    state "as the hypervisor says" as {HYPERVISOR}'] if named else [])]
    arrows = [f"    {start} --> {end}: {', '.join(actions)}" for (start, end), actions in edges.items()]
    return "\n".join(["```mermaid", *head, *arrows, "```"])


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell or 'none' for cell in line)} |" for line in lines)


def _words(actions: Iterable[str]) -> str:
    return ", ".join(sorted(actions))


def machine_power() -> str:
    """Return the diagram of the actions whose end the table REACHED knows."""
    legal = {state: entry.actions for state, entry in MACHINE_TRANSITIONS.items()}
    drawing = actions_diagram(legal, TRANSIENT, REACHED, REACHED)
    created = [f"    CREATING --> {state}: initialState" for state in INITIAL_STATES]
    return drawing.replace("stateDiagram-v2", "\n".join(["stateDiagram-v2", "    [*] --> CREATING: add", *created]))


def machine_others() -> str:
    """Return the diagram of the other actions: settling asks the hypervisor for the state after each.

    ``delete`` is not drawn: nearly every state allows it, and the table of legal actions says which.
    """
    legal = {state: entry.actions for state, entry in MACHINE_TRANSITIONS.items()}
    return actions_diagram(legal, TRANSIENT, REACHED, [action for action in TRANSIENT if action not in DRAWN_ELSEWHERE])


def machine_legal() -> str:
    """Return the table of what each state of a Machine allows, and which of it interrupts the Job that holds it."""
    rows = [
        (state, _words(entry.actions - entry.interrupts), _words(entry.interrupts))
        for state, entry in MACHINE_TRANSITIONS.items()
    ]
    return table(("State", "Legal", "Legal, and stops the Job that holds the Machine first"), rows)


def networks() -> str:
    """Return the diagram of Networks and NetworkPorts."""
    return actions_diagram(NETWORK_TRANSITIONS, NETWORK_TRANSIENT, {}, NETWORK_TRANSIENT)


def network_legal() -> str:
    """Return the table of what each state of a Network or NetworkPort allows."""
    return table(("State", "Legal"), [(state, _words(verbs)) for state, verbs in NETWORK_TRANSITIONS.items()])


def volume_legal() -> str:
    """Return the table of what each state of a Volume allows."""
    return table(("State", "Legal"), [(state, _words(verbs)) for state, verbs in VOLUME_TRANSITIONS.items()])


DRAWINGS: dict[str, Callable[[], str]] = {
    "machine power": machine_power,
    "machine others": machine_others,
    "machine legal": machine_legal,
    "networks": networks,
    "network legal": network_legal,
    "volume legal": volume_legal,
}
"""Name between the markers to what draws it."""


def redrawn(page: str) -> str:
    """Return the page with every drawing as the tables say now. Raises ValueError when a marker is missing."""
    for name, draw in DRAWINGS.items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, marker, rest = page.partition(start)
        _, closing, after = rest.partition(end)
        if not marker or not closing:
            raise ValueError(f"{PAGE} lacks a marker: {start} or {end}")
        page = f"{before}{start}\n{draw()}\n{end}{after}"
    return page


def main(arguments: list[str]) -> int:
    """Write the page anew, or say with ``--check`` whether it is right."""
    page = PAGE.read_text()
    wanted = redrawn(page)
    if "--check" in arguments:
        if page != wanted:
            print(f"{PAGE} is not what the tables say: make diagrams", file=sys.stderr)
        return int(page != wanted)
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
