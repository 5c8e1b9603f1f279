"""Hold the rules of CONTRIBUTING.md that can be counted; ``python -m tools.check_english FIGURE`` says where it counts.

The limits and the words stand in ``[tool.house]`` of pyproject.toml. A limit only ever moves to the better side.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TREES = ("gateway", "drivers", "conformance", "client", "bench", "demo", "tools")
FAMILIES = ROOT / "gateway" / "orchestration"
HOUSE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["house"]
BARE = frozenset(HOUSE["words_without_noun"])
NO_VERB = BARE | frozenset(HOUSE["words_without_verb"])
Function = ast.FunctionDef | ast.AsyncFunctionDef


def begins_badly(node: ast.ClassDef | Function) -> bool:
    """Return whether a function's docstring begins without a verb, or that of a class or property without a noun."""
    words = (ast.get_docstring(node) or "").split()
    first = words[0].rstrip(",;:.") if words else "Return"
    decorators = {getattr(entry, "id", "") for entry in node.decorator_list}
    bad = BARE if isinstance(node, ast.ClassDef) or decorators & {"property", "cached_property"} else NO_VERB
    return first in bad or not first.isalpha()


def is_documented(node: ast.Module | ast.ClassDef | Function) -> bool:
    """Return whether the node has a docstring, or is a check of ``conformance``, which has its statement."""
    decorators = getattr(node, "decorator_list", [])
    names = {getattr(entry.func, "id", "") for entry in decorators if isinstance(entry, ast.Call)}
    return ast.get_docstring(node) is not None or bool(names & {"check", "audit"})


def public(node: ast.Module | ast.ClassDef) -> Iterator[ast.Module | ast.ClassDef | Function]:
    """Yield the node and the public classes, functions and methods in it; what stands inside a function is private."""
    yield node
    for child in node.body:
        if isinstance(child, ast.ClassDef | Function) and not child.name.startswith("_"):
            yield from public(child) if isinstance(child, ast.ClassDef) else (child,)


def is_untyped(node: ast.AST) -> bool:
    """Return whether the node is ``x.internal[...]``, ``x.internal.get``, ``with_internal`` or ``arguments[...]``."""
    if isinstance(node, ast.Subscript):
        return getattr(node.value, "attr", getattr(node.value, "id", "")) in ("internal", "arguments")
    of_facts = getattr(getattr(node, "value", None), "attr", "") == "internal"
    return isinstance(node, ast.Attribute) and (node.attr == "with_internal" or (node.attr == "get" and of_facts))


def counted(node: ast.AST) -> Iterator[str]:
    """Yield the figures that this node is counted in."""
    if isinstance(node, ast.ClassDef | Function) and begins_badly(node):
        yield "classes_without_noun" if isinstance(node, ast.ClassDef) else "functions_without_verb"
    if isinstance(node, Function):
        arguments = [entry.arg for entry in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        if len([name for name in arguments if name not in ("self", "cls")]) > 5:
            yield "functions_of_many_parameters"
    bound = node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else getattr(node, "arg", None)
    if bound in HOUSE["vague_names"] and not isinstance(node, ast.keyword):
        yield "vague_variables"
    if is_untyped(node):
        yield "untyped_accesses"


def circling(modules: dict[Path, ast.Module]) -> set[str]:
    """Return the folders of orchestration that reach themselves by imports of one another."""
    reached: dict[str, set[str]] = {}
    for path, module in modules.items():
        folder = path.relative_to(FAMILIES).parts[0] if path.is_relative_to(FAMILIES) else ""
        names = [node.module or "" for node in ast.walk(module) if folder and isinstance(node, ast.ImportFrom)]
        folders = {name.split(".")[2] for name in names if name.startswith("gateway.orchestration.")}
        reached.setdefault(folder, set()).update(folders - {folder})
    for _ in reached:
        for folders in reached.values():
            folders.update(*(reached.get(folder, ()) for folder in tuple(folders)))
    return {folder for folder, folders in reached.items() if folder in folders}


def main(wanted: list[str]) -> int:
    """Print each figure with its limit, and where the wanted one counts; return 1 when one is beyond its limit."""
    modules = {path: ast.parse(path.read_text()) for tree in TREES for path in sorted((ROOT / tree).rglob("*.py"))}
    nodes = [(path, node) for path, module in modules.items() for node in ast.walk(module)]
    places = [(figure, path, getattr(node, "lineno", 1)) for path, node in nodes for figure in counted(node)]
    # Elsewhere words like "arguments" are not those of the store.
    places = [entry for entry in places if entry[0] != "untyped_accesses" or entry[1].is_relative_to(ROOT / "gateway")]
    documented = [is_documented(node) for module in modules.values() for node in public(module)]
    values: dict[str, float] = {name: [figure for figure, *_ in places].count(name) for name in HOUSE["limits"]}
    values["public_docstrings"] = round(100 * sum(documented) / len(documented), 1)
    values["longest_file"] = max(len(path.read_text().splitlines()) for path in modules)
    tests = (path.read_text().splitlines() for path in (ROOT / "tests").rglob("*.py"))
    values["longest_test_file"] = max(map(len, tests), default=0)
    values["longest_function"] = max((n.end_lineno or 0) - n.lineno + 1 for _, n in nodes if isinstance(n, Function))
    values["folders_in_circles"] = len(circling(modules))
    signs = {"public_docstrings": -1}
    broken = [name for name, limit in HOUSE["limits"].items() if (values[name] - limit) * signs.get(name, 1) > 0]
    for name, limit in HOUSE["limits"].items():
        print(f"{'BROKEN ' if name in broken else ''}{name}: {values[name]:g} ({limit:g})")
    print(*(f"{path.relative_to(ROOT)}:{line}" for figure, path, line in places if figure in wanted), sep="\n", end="")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
