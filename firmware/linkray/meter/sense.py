"""Does the meter follow the chargers? Transformers reversed, swapped, or not seeing them at all.

Compares two calm moments between which the chargers' current has changed, again and again, with
what the meter says of the same change (trust.md M4, M9, M15, C8). One comparison says little, as a
building changes too: a verdict needs several that agree. Knows no line and no plan.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import median
from typing import Final, Literal

import msgspec

from linkray.model.units import PHASES, ZERO, Phases
from linkray.model.views import MeterDoubt, MeterFinding

CALM_MA: Final = 700  # by so much a calm charger's values may differ
SETTLE_S: Final = 3.0  # after a change, until the meter is sure to show all of it
STEP_MA: Final = 6_000  # a smaller change proves nothing against a building
APART_S: Final = 180.0  # moments further apart are not compared: the building has moved on
STEPS_MIN: Final = 5  # comparisons before a verdict …
STEPS_KEPT: Final = 15
AGREE: Final = 0.75  # … of which so many must say the same
FOLLOWS: Final = (0.55, 1.6)  # meter's change over chargers'; 1 is right
NOTHING: Final = 0.25  # below it the meter has not seen the change
METER_MEAN: Final = 3  # readings that make a calm moment's mean

class Moment(msgspec.Struct, frozen=True):
    """A calm one: every charger as it was a sample interval before."""

    at: float
    meter: Phases
    drawn: dict[str, Phases]


class Sense:
    """Fed once a second with the meter and what each charger draws, by phase of the site."""

    def __init__(self, sample_s: int) -> None:
        self.sample_s = sample_s
        self._readings: deque[Phases] = deque(maxlen=METER_MEAN)
        self._drawn: dict[str, Phases] = {}
        self._since = 0.0
        self._calm: deque[Moment] = deque(maxlen=2 * sample_s + 10)
        self._last: Moment | None = None  # the one before the change that is being waited out
        self._ratios: tuple[deque[float], ...] = tuple(deque(maxlen=STEPS_KEPT) for _ in PHASES)
        # on which phase the meter showed what one charger changed on one phase
        self._shown: dict[tuple[str, int], deque[int]] = {}

    def feed(self, meter: Phases, drawn: Mapping[str, Phases] | None, now: float) -> bool:
        """One second's values; returns whether something was compared.

        `drawn` is None while it is not known of every charger: what was before is not compared.
        """
        self._readings.append(meter)
        if drawn is None:
            self._calm.clear()
            self._last, self._drawn, self._since = None, {}, now
            return False
        if not self._is_calm(drawn):
            self._changed(drawn, now)
            return False
        full = len(self._readings) == METER_MEAN
        if not full or now - self._since < SETTLE_S:
            return False
        moment = Moment(now, _mean(self._readings), self._drawn)
        self._calm.append(moment)
        last, self._last = self._last, None
        if last is None or now - last.at > APART_S:
            return False
        return self._compare(last, moment)

    def _changed(self, drawn: Mapping[str, Phases], now: float) -> None:
        """Some charger has told of a change, which is up to a sample interval old."""
        earlier = [m for m in self._calm if m.at <= now - self.sample_s - SETTLE_S]
        if earlier:
            self._last = earlier[-1]
        self._calm.clear()
        self._drawn, self._since = dict(drawn), now

    def _is_calm(self, drawn: Mapping[str, Phases]) -> bool:
        if drawn.keys() != self._drawn.keys():
            return False
        return all(
            abs(now - then) <= CALM_MA
            for charger, was in self._drawn.items()
            for now, then in zip(drawn[charger], was, strict=True)
        )

    def _compare(self, before: Moment, after: Moment) -> bool:
        names = before.drawn.keys() | after.drawn.keys()
        changes = {
            name: after.drawn.get(name, ZERO) - before.drawn.get(name, ZERO) for name in names
        }
        total = sum(changes.values(), ZERO)
        shown = after.meter - before.meter
        compared = False
        for p in range(len(PHASES)):
            if abs(total[p]) >= STEP_MA:
                self._ratios[p].append(shown[p] / total[p])
                compared = True
        moved = [name for name, change in changes.items() if _most(change) > CALM_MA]
        if len(moved) == 1:
            self._note_where(moved[0], changes[moved[0]], shown)
        return compared

    def _note_where(self, charger: str, change: Phases, shown: Phases) -> None:
        """A change of one charger on one phase: on which phase did the meter show it?"""
        on = [p for p in range(len(PHASES)) if abs(change[p]) >= STEP_MA]
        if len(on) != 1 or any(abs(change[p]) > CALM_MA for p in range(len(PHASES)) if p != on[0]):
            return
        ratios = [shown[p] / change[on[0]] for p in range(len(PHASES))]
        like = [p for p, ratio in enumerate(ratios) if FOLLOWS[0] <= ratio <= FOLLOWS[1]]
        elsewhere = [ratio for p, ratio in enumerate(ratios) if p not in like]
        if len(like) == 1 and all(abs(ratio) < FOLLOWS[0] for ratio in elsewhere):
            kept = self._shown.setdefault((charger, on[0]), deque(maxlen=STEPS_KEPT))
            kept.append(like[0])

    # verdicts

    def findings(self) -> tuple[MeterFinding, ...]:
        """What is wrong, as far as it is proved; empty: nothing known against the meter."""
        misplaced = self._misplaced()
        if misplaced:
            return misplaced
        classes = [self._class(p) for p in range(len(PHASES))]
        judged = [found for found in classes if found is not None]
        if judged and all(found == "excluded" for found in judged):
            steps = sum(len(ratios) for ratios in self._ratios)
            text = "The meter does not see the chargers: they are taken as not measured by it"
            return (MeterFinding("excluded", text, steps),)
        return tuple(
            self._finding(p, found) for p, found in enumerate(classes)
            if found is not None and found != "follows"
        )  # fmt: skip

    def follows(self) -> bool:
        """Whether it is proved that the meter sees the chargers, on some phase at least."""
        return any(self._class(p) == "follows" for p in range(len(PHASES)))

    def _class(self, p: int) -> MeterDoubt | Literal["follows"] | None:
        """What the comparisons on a phase agree on; None: too few, or they do not agree."""
        ratios = self._ratios[p]
        if len(ratios) < STEPS_MIN:
            return None
        votes = [_class(ratio) for ratio in ratios]
        winner = max(set(votes), key=votes.count)
        return winner if votes.count(winner) >= AGREE * len(votes) else None

    def _finding(self, p: int, what: MeterDoubt) -> MeterFinding:
        name, ratio = PHASES[p], median(self._ratios[p])
        text = {
            "reversed": f"The current transformer on {name} is reversed: turn it round",
            "scale": f"{name} shows {ratio:.2g} times what the chargers change: check the "
            "transformer's ratio and the multiply value",
        }.get(what, f"{name} does not show what the chargers draw: check its transformer")
        return MeterFinding(what, text, len(self._ratios[p]), phase=name)

    def _misplaced(self) -> tuple[MeterFinding, ...]:
        """Changes that the meter shows on another phase: one charger's wiring, or the meter's."""
        where: dict[tuple[str, int], int] = {}
        for key, seen in self._shown.items():
            winner = max(set(seen), key=seen.count)
            if len(seen) >= STEPS_MIN and seen.count(winner) >= AGREE * len(seen):
                where[key] = winner
        wrong = {key: seen for key, seen in where.items() if seen != key[1]}
        found: dict[tuple[str, str, str | None], MeterFinding] = {}
        for (charger, p), on in sorted(wrong.items()):
            fellows = [s for (name, own), s in where.items() if own == p and name != charger]
            steps = len(self._shown[charger, p])
            if fellows and all(other == on for other in fellows):
                found.setdefault(("swapped", PHASES[p], None), MeterFinding(
                    "swapped", f"What flows on {PHASES[p]} is shown on {PHASES[on]}: the "
                    "meter's transformers are swapped", steps, PHASES[p], PHASES[on],
                ))  # fmt: skip
            else:
                found["charger_phase", PHASES[p], charger] = MeterFinding(
                    "charger_phase", f"{charger} is set to {PHASES[p]} and draws on "
                    f"{PHASES[on]}: check its phase connection", steps, PHASES[p],
                    PHASES[on], charger,
                )  # fmt: skip
        return tuple(found.values())


def _class(ratio: float) -> MeterDoubt | Literal["follows"]:
    if FOLLOWS[0] <= ratio <= FOLLOWS[1]:
        return "follows"
    if abs(ratio) < NOTHING:
        return "excluded"
    return "reversed" if -FOLLOWS[1] <= ratio <= -FOLLOWS[0] else "scale"


def _mean(readings: deque[Phases]) -> Phases:
    total = sum(readings, ZERO)
    return Phases(*(amount // len(readings) for amount in total))


def _most(change: Phases) -> int:
    return max(abs(amount) for amount in change)
