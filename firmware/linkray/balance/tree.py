"""The site as a tree of limits: site, groups, supply limits; rebuilt when settings change.

A limit is a place in one list: node times three plus phase. Node 0 is the site. Behind the real
nodes lies one more, `slow`: connectors that cannot be shed within 5 s (trust.md 1, INV-5b), and
behind it, where an imbalance limit is set, two for the pairs of phases (`imbalance.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from linkray.model.plan import Code, NodeRoom
from linkray.model.settings import Charger, Settings
from linkray.model.units import PHASES

from .imbalance import PAIRS, pairs_of

SITE = 0


class Node(msgspec.Struct, frozen=True):
    """One limit: the code that explains it, its name, and the nodes from it up to the site."""

    code: Code
    name: str
    limit_ma: int
    path: tuple[int, ...]


class Kind(msgspec.Struct, frozen=True):
    """A class of connectors: the same nodes above them on the same phases."""

    path: tuple[int, ...]  # from the nearest node to the site
    legs: tuple[int, ...]  # phases of the site in use
    slow: bool
    limits: tuple[int, ...]  # places in the list of limits


class Tree:
    """Nodes and classes; asking for a class that is new adds it."""

    def __init__(self, settings: Settings) -> None:
        self.nodes: list[Node] = [Node("site_limit", "", 0, (SITE,))]
        places: dict[str, int] = {}
        groups = {g.name: g for g in settings.groups}
        for group in settings.groups:
            chain = [group]
            while (parent := chain[-1].parent) is not None:
                chain.append(groups[parent])
            for each in reversed(chain):
                if each.name not in places:
                    above = places[each.parent] if each.parent is not None else SITE
                    places[each.name] = self._add(
                        "group_limit", each.name, each.limit_ma, self.nodes[above].path
                    )
        self._paths: dict[str, tuple[int, ...]] = {}
        for charger in settings.chargers:
            self._paths[charger.id] = self._path(charger, places)
        self.slow = len(self.nodes)
        self.count = (self.slow + 1) * 3  # places of limits that the books are held against
        has_pairs = settings.site.imbalance_ma is not None
        self.pairs = self.count if has_pairs else None  # place of the first pair of phases
        self.count_all = self.count + (len(PAIRS) if has_pairs else 0)
        self.kinds: list[Kind] = []
        self.limits: list[tuple[int, ...]] = []  # of each kind, against which books are held
        self.shared: list[tuple[int, ...]] = []  # of each kind, under which is shared: and pairs
        # of each node: what its headroom was made of, and that itself
        self.rooms: list[tuple[tuple[int, ...], NodeRoom] | None] = [None] * self.slow
        self._places: dict[tuple[tuple[int, ...], tuple[int, ...], bool], int] = {}

    def _add(self, code: Code, name: str, limit_ma: int, above: tuple[int, ...]) -> int:
        place = len(self.nodes)
        self.nodes.append(Node(code, name, limit_ma, (place, *above)))
        return place

    def _path(self, charger: Charger, places: dict[str, int]) -> tuple[int, ...]:
        above = self.nodes[places[charger.group] if charger.group is not None else SITE].path
        if charger.supply_limit_ma is None:
            return above
        place = self._add("supply_limit", charger.id, charger.supply_limit_ma, above)
        return self.nodes[place].path

    def path(self, charger: str) -> tuple[int, ...]:
        return self._paths[charger]

    def kind(self, path: tuple[int, ...], legs: tuple[int, ...], *, slow: bool) -> int:
        """The class of connectors under `path` on `legs`."""
        key = (path, legs, slow)
        place = self._places.get(key)
        if place is None:
            nodes: Iterable[int] = (*path, self.slow) if slow else path
            limits = tuple(node * 3 + leg for node in nodes for leg in legs)
            place = self._places[key] = len(self.kinds)
            self.kinds.append(Kind(path, legs, slow, limits))
            self.limits.append(limits)
            if self.pairs is not None:
                limits = (*limits, *(self.pairs + n for n in pairs_of(legs)))
            self.shared.append(limits)
        return place


def phase_of(limit: int) -> str:
    """`L1` … `L3` of a place in the list of limits."""
    return PHASES[limit % 3]
