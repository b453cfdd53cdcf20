"""Circular dependencies: found in the whole, and undone at what an import would add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Edges = Mapping[str, Sequence[str]]


def closing(old: Edges, new: Edges) -> Iterator[tuple[str, str, list[str]]]:
    """Edges of `new` that would close a circle: from, to, and the way back.

    Args:
        old: by node, the edges that are there; they are never named, even when they are a circle by themselves.
        new: by node, the edges that are to be added, in the order in which they have precedence.
    """
    together = {node: [*old.get(node, ()), *new.get(node, ())] for node in {**old, **new}}
    group = _groups(together)
    kept: dict[str, list[str]] = {
        node: [to for to in targets if group.get(to) == group[node]] for node, targets in old.items()
    }
    for node, targets in new.items():
        for to in targets:
            if to == node:
                yield node, to, [node]
            elif group.get(to) == group[node] and (way := _way(kept, to, node)) is not None:
                yield node, to, way
            else:
                kept.setdefault(node, []).append(to)


def _way(edges: Edges, start: str, goal: str) -> list[str] | None:
    """The nodes from `start` to `goal`; None when there is no way."""
    came: dict[str, str] = {start: ""}
    stack = [start]
    while stack:
        node = stack.pop()
        if node == goal:
            way = [node]
            while came[way[-1]]:
                way.append(came[way[-1]])
            return way[::-1]
        for to in edges.get(node, ()):
            if to not in came:
                came[to] = node
                stack.append(to)
    return None


def _groups(edges: Edges) -> dict[str, int]:
    """The number of the strongly connected component of each node (Tarjan 1972, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    group: dict[str, int] = {}
    open_: list[str] = []
    for root in edges:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        open_.append(root)
        while work:
            node, targets = work[-1]
            for to in targets:
                if to not in edges:
                    continue
                if to not in index:
                    index[to] = low[to] = len(index)
                    open_.append(to)
                    work.append((to, iter(edges[to])))
                    break
                if to not in group:
                    low[node] = min(low[node], index[to])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    while True:
                        member = open_.pop()
                        group[member] = index[node]
                        if member == node:
                            break
    return group
