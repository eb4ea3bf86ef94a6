# SPDX-License-Identifier: Apache-2.0
"""The house as its imports draw it: modules, who imports whom, and what each brings along.

Read from the source, so that all of it takes a second; ``test_house`` holds it against the rules.
"""

import ast
from functools import cache
from pathlib import Path

PACKAGE = "shared_encoder_perception"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE


@cache
def modules():
    """Return the source of every module by its name below the package, packages by theirs."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.with_suffix("").relative_to(ROOT).parts
        found[".".join(parts).removesuffix("__init__").rstrip(".")] = path.read_text("utf-8")
    return found


@cache
def tree(module):
    """Parse a module."""
    return ast.parse(modules()[module])


def imports(module, source=None, late=True):
    """Yield what a module imports: ``("ours", name)`` or ``("others", top-level name)``.

    Args:
        module: Its name below the package.
        source: Text to look at instead of the module's own.
        late: Whether to include what functions import when they are called.
    """
    top = tree(module) if source is None else ast.parse(source)
    for node in ast.walk(top) if late else _at_once(top):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield _target(alias.name, "")
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield _target(node.module, alias.name)


def _at_once(node):
    """Yield the statements that run when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from _at_once(child)


def _target(name, leaf):
    """Say whose a module is that an import names."""
    head, _, rest = name.partition(".")
    if head != PACKAGE or rest == "msg":
        return "others", f"{name}" if rest == "msg" and head == PACKAGE else head
    full = f"{rest}.{leaf}".strip(".")
    return "ours", full if full in modules() else rest


@cache
def brings(module):
    """Return all that importing a module imports: ours by their names, others by the top one."""
    found, left = set(), [module]
    while left:
        name = left.pop()
        if name in found or name not in modules():
            continue
        found.add(name)
        parents = [name.rpartition(".")[0]] if "." in name else []
        for kind, target in (*imports(name, late=False), *(("ours", one) for one in parents)):
            if kind == "ours":
                left.append(target)
            else:
                found.add(f"+{target}")
    return frozenset(found - {module})
