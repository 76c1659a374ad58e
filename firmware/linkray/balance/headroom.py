"""What every limit of the tree carries: the headroom of the site, of groups, of supply limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from linkray.model.plan import NodeRoom
from linkray.model.units import ZERO, Phases

from .tree import SITE, Tree


def drawn_by_node(tree: Tree, by_class: Mapping[int, list[int]]) -> list[int]:
    """What chargers draw by fresh values, by the places of limits; given by their classes."""
    drawn = [0] * tree.count
    for k, total in by_class.items():
        for node in tree.kinds[k].path:
            for p, amount in enumerate(total):
                drawn[node * 3 + p] += amount
    return drawn


def headroom(
    tree: Tree, site_limit: Phases, building: Phases, reserved: Sequence[int],
    promised: Sequence[int], drawn: Sequence[int],
) -> tuple[NodeRoom, ...]:  # fmt: skip
    """One entry for each limit, the site first; those of the plan before where nothing changed."""
    rooms = []
    for place, node in enumerate(tree.nodes):
        r = place * 3
        key = (*reserved[r : r + 3], *promised[r : r + 3], *drawn[r : r + 3])
        known = tree.rooms[place]
        if known is not None and known[0] == key and place != SITE:
            rooms.append(known[1])
            continue
        room = NodeRoom(
            code=node.code, name=node.name,
            limit_ma=site_limit if place == SITE else Phases.each(node.limit_ma),
            building_ma=building if place == SITE else ZERO,
            reserved_ma=Phases(*key[:3]), promised_ma=Phases(*key[3:6]), drawn_ma=Phases(*key[6:]),
        )  # fmt: skip
        tree.rooms[place] = key, room
        rooms.append(room)
    return tuple(rooms)
