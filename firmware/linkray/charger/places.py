"""The licence's places: which connectors of which chargers have one (access.md; decided.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def places(
    chargers: Sequence[str],
    connectors: Mapping[str, int],
    total: int,
    before: Mapping[str, int] = {},
) -> dict[str, int]:
    """For each charger how many of its connectors have a place, the lowest numbers first.

    `chargers` in their order in the settings; one whose connectors are not known counts one. When
    there are too few places the highest connector numbers go without (decided.md, Past the
    licence), and of equal ones those that had none `before`, then the last ones configured.
    """
    wanted = sorted(
        (number, number > before.get(charger, 0), order)
        for order, charger in enumerate(chargers)
        for number in range(1, max(1, connectors.get(charger, 0)) + 1)
    )
    given = dict.fromkeys(chargers, 0)
    for _number, _had_none, order in wanted[: max(0, total)]:
        given[chargers[order]] += 1
    return given
