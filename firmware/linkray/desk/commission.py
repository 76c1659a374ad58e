"""Does the site fit together? The commissioning check, and what breaks it (balancing.md; B13).

Pure: settings, the engineering ceiling and what is known of the makes go in, findings come out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Literal

from linkray.model.asks import Answer
from linkray.model.failsafe import PLAIN, Make, fail_safes, maximum, on_their_own, over
from linkray.model.narrow import narrowest
from linkray.model.settings import Charger, Group, Settings
from linkray.model.units import PHASES, ZERO, Phases, amps
from linkray.model.views import CommissioningCheck, Finding

from .desk import no

STEP_S = 5.0  # G100: back under the limit within this time (trust.md 1, INV-9)
NAMED_MAX = 8  # chargers that one sentence names

Makes = Mapping[str, Make]


class BuildingSteps:
    """The largest rise of the building within five seconds, phase by phase, since the start."""

    def __init__(self) -> None:
        self.largest: Phases | None = None
        self._recent: deque[tuple[float, Phases]] = deque(maxlen=600)

    def feed(self, building_ma: Phases | None, at: float) -> None:
        """What the building draws now; None: no healthy meter, and the comparison begins anew."""
        if building_ma is None:
            self._recent.clear()
            return
        while self._recent and at - self._recent[0][0] > STEP_S:
            self._recent.popleft()
        self._recent.append((at, building_ma))
        lowest = building_ma
        for _at, seen in self._recent:
            lowest = lowest.at_most(seen)
        self.largest = (self.largest or ZERO).at_least(building_ma - lowest)


# -- refusals --------------------------------------------------------------------------------------


def over_ceiling(
    old: Settings, new: Settings, ceiling: Phases | None, *, whole: bool
) -> Answer | None:
    """Why these settings lift the site limit above the engineering ceiling (INV-7, W8).

    A limit that a later seal has left above it may stay while other things change; a file that is
    taken over `whole` may not bring one.
    """
    if ceiling is None:
        return None
    before, after = old.site.limit_ma.phases(), new.site.limit_ma.phases()
    for p in over(after, ceiling):
        if whole or after[p] != before[p]:
            return no(
                "invalid",
                f"Expected at most the engineering ceiling of {amps(ceiling[p])} on {PHASES[p]}, "
                f"got {amps(after[p])}",
                f"$.site.limit_ma[{p}]",
            )
    return None


def breaks_fail_safe(
    old: Settings, new: Settings, ceiling: Phases | None, makes: Makes
) -> Answer | None:
    """Why these settings let the fail-safe currents grow past the ceiling (INV-11, B13)."""
    if ceiling is None:
        return None
    before, after = on_their_own(old, makes), on_their_own(new, makes)
    for p in over(after, ceiling):
        if after[p] > before[p]:
            base = new.site.base_load_ma != old.site.base_load_ma
            path = f"$.site.base_load_ma[{p}]" if base else "$.chargers"
            return no("invalid", _too_much(new, makes, ceiling, p), path)
    return None


def breaks_at_sealing(
    settings: Settings, old: Phases | None, new: Phases, makes: Makes
) -> Answer | None:
    """Why this ceiling cannot be sealed; what was broken under the one before breaks nothing."""
    amount = on_their_own(settings, makes)
    for p in over(amount, new):
        if old is None or amount[p] <= old[p]:
            return no("invalid", _too_much(settings, makes, new, p), f"$.limit_ma[{p}]")
    return None


def fail_safe_trouble(settings: Settings, ceiling: Phases | None, makes: Makes) -> str | None:
    """What the fault FAIL_SAFE says; None: all is well, or nothing is sealed."""
    if ceiling is None:
        return None
    broken = over(on_their_own(settings, makes), ceiling)
    return _too_much(settings, makes, ceiling, broken[0]) if broken else None


def _too_much(settings: Settings, makes: Makes, limit: Phases, p: int) -> str:
    """By name: who draws how much on its own, on one phase."""
    each = {name: ma[p] for name, ma in fail_safes(settings, makes).items() if ma[p]}
    ranked = sorted(each, key=lambda name: (-each[name], name))
    named = ", ".join(f"{name} {amps(each[name])}" for name in ranked[:NAMED_MAX])
    rest = f" and {len(ranked) - NAMED_MAX} more" if len(ranked) > NAMED_MAX else ""
    base = settings.site.base_load_ma.phases()[p]
    return (
        f"{PHASES[p]}: {amps(sum(each.values()))} of fail-safe currents ({named or 'none'}{rest}) "
        f"and {amps(base)} base load are more than {amps(limit[p])}"
    )


# -- the check -------------------------------------------------------------------------------------


def check(
    settings: Settings, ceiling: Phases | None, makes: Makes, largest_step: Phases | None
) -> CommissioningCheck:
    """The sums of the real topology and what they mean."""
    site_limit = settings.site.limit_ma.phases()
    in_force = site_limit if ceiling is None else site_limit.at_most(ceiling)
    agreed = in_force if ceiling is None else ceiling
    most = {c.id: maximum(c, settings.site, makes.get(c.id, PLAIN)) for c in settings.chargers}
    alone = fail_safes(settings, makes)
    target = None if largest_step is None else (agreed - largest_step).at_least(ZERO)
    findings = [
        *_ceiling(site_limit, ceiling),
        *_fail_safe_sum(settings, makes, agreed, sealed=ceiling is not None),
        *_maxima(sum(most.values(), ZERO), in_force),
        *_no_dead_man(settings.chargers, makes),
        *_minimums(settings, in_force),
        *(f for group in settings.groups for f in _group(group, settings, most, alone)),
        *_reaction(in_force, target, largest_step),
    ]
    return CommissioningCheck(
        ceiling_ma=ceiling, site_limit_ma=in_force,
        base_load_ma=settings.site.base_load_ma.phases(), maxima_ma=sum(most.values(), ZERO),
        fail_safe_ma=sum(alone.values(), ZERO), largest_step_ma=largest_step, target_ma=target,
        findings=tuple(findings),
    )  # fmt: skip


def _ceiling(site_limit: Phases, ceiling: Phases | None) -> Iterator[Finding]:
    if ceiling is None:
        yield Finding("ceiling", "warning", "The engineering ceiling is not sealed: an Assembler "
                      "seals the agreed supply, on site")  # fmt: skip
        return
    for p, phase in enumerate(PHASES):
        above = site_limit[p] > ceiling[p]
        text = (
            f"The site limit of {amps(site_limit[p])} on {phase} is lowered to the engineering "
            f"ceiling of {amps(ceiling[p])}"
            if above
            else f"The site limit on {phase} is within the engineering ceiling of "
            f"{amps(ceiling[p])}"
        )
        yield Finding("ceiling", "warning" if above else "good", text, phase,
                      amount_ma=site_limit[p], limit_ma=ceiling[p])  # fmt: skip


def _fail_safe_sum(
    settings: Settings, makes: Makes, agreed: Phases, *, sealed: bool
) -> Iterator[Finding]:
    amount = on_their_own(settings, makes)
    broken = over(amount, agreed)
    for p, phase in enumerate(PHASES):
        state: Literal["good", "warning", "bad"] = "good"
        text = f"On their own chargers and base load draw {amps(amount[p])} of {amps(agreed[p])}"
        if p in broken:
            state = "bad" if sealed else "warning"
            text = _too_much(settings, makes, agreed, p)
        yield Finding("fail_safe_sum", state, text, phase,
                      amount_ma=amount[p], limit_ma=agreed[p])  # fmt: skip


def _maxima(most: Phases, in_force: Phases) -> Iterator[Finding]:
    for p, phase in enumerate(PHASES):
        shared = most[p] > in_force[p]
        text = f"All chargers together take {amps(most[p])} of {amps(in_force[p])} on {phase}"
        yield Finding("maxima_sum", "good", text + (": they share" if shared else ""), phase,
                      amount_ma=most[p], limit_ma=in_force[p])  # fmt: skip


def _no_dead_man(chargers: tuple[Charger, ...], makes: Makes) -> Iterator[Finding]:
    for charger in chargers:
        if not makes.get(charger.id, PLAIN).steps_down:
            yield Finding("no_dead_man", "warning", f"{charger.id} does not step down by itself: "
                          "on its own it counts with its maximum", charger=charger.id)  # fmt: skip


def _minimums(settings: Settings, in_force: Phases) -> Iterator[Finding]:
    """Chargers that can never charge, since their minimum is above a limit over them."""
    for charger in settings.chargers:
        if charger.highest_w() is not None:
            continue
        least = charger.lowest_ma()
        narrow, where = narrowest(settings, charger, in_force)
        if least > narrow:
            yield Finding("minimum", "warning", f"{charger.id} needs {amps(least)} to charge and "
                          f"{where} allows {amps(narrow)}", charger=charger.id,
                          amount_ma=least, limit_ma=narrow)  # fmt: skip


def _group(
    group: Group, settings: Settings, most: Mapping[str, Phases], alone: Mapping[str, Phases]
) -> Iterator[Finding]:
    within = [c.id for c in settings.chargers if _feeds(group.name, c.group, settings)]
    maxima = sum((most[name] for name in within), ZERO).highest()
    own = sum((alone[name] for name in within), ZERO)
    text = f"The chargers of group {group.name} take {amps(maxima)} of {amps(group.limit_ma)}"
    if maxima > group.limit_ma:
        text += ": they share"
    yield Finding("group_maxima", "good", text, group=group.name, amount_ma=maxima,
                  limit_ma=group.limit_ma)  # fmt: skip
    broken = over(own, Phases.each(group.limit_ma))
    if broken:
        p = broken[0]
        yield Finding("group_fail_safe", "warning", f"The chargers of group {group.name} draw "
                      f"{amps(own[p])} on their own, more than {amps(group.limit_ma)}", PHASES[p],
                      group=group.name, amount_ma=own[p], limit_ma=group.limit_ma)  # fmt: skip


def _feeds(group: str, name: str | None, settings: Settings) -> bool:
    while name is not None:
        if name == group:
            return True
        above = settings.group(name)
        name = above.parent if above is not None else None
    return False


def _reaction(
    in_force: Phases, target: Phases | None, step: Phases | None
) -> Iterator[Finding]:
    """INV-9: the site limit under which even the largest step stays below the agreed limit."""
    if target is None or step is None:
        yield Finding("reaction", "warning", "How fast the building's load steps is not known: "
                      "no healthy meter yet")  # fmt: skip
        return
    for p, phase in enumerate(PHASES):
        late = in_force[p] > target[p]
        text = (
            f"The building has stepped by {amps(step[p])} on {phase} within {STEP_S:.0f} s: to "
            f"stay under the agreed limit also then, set the site limit to {amps(target[p])} "
            "or fit a contactor"
            if late
            else f"Steps of {amps(step[p])} on {phase} stay under the agreed limit"
        )
        yield Finding("reaction", "warning" if late else "good", text, phase,
                      amount_ma=in_force[p], limit_ma=target[p])  # fmt: skip
