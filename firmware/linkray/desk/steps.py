"""How far commissioning has come: which of the wizard's steps people have ended (web.md, Wizard).

Pure. A step is somebody's word, no more: what it is about stands in the settings and is checked
there. Kept beside the settings, so that whoever goes on, from another device or a day later, goes
on where it was left.
"""

from __future__ import annotations

import msgspec

from linkray.model.asks import Answer, NoteStep, Who
from linkray.model.views import NEEDED, CommissioningWalk, StepEnded

from .desk import no

KEPT = "commissioning"  # its name in the store


def walk_of(kept: str | None) -> CommissioningWalk:
    """What was kept; nothing where it cannot be read (a step is ended again soon enough)."""
    try:
        return msgspec.json.decode(kept or "{}", type=CommissioningWalk)
    except msgspec.MsgspecError:
        return CommissioningWalk()


def noted(walk: CommissioningWalk, ask: NoteStep, who: Who, at: str) -> CommissioningWalk | Answer:
    """The walk with that step ended, or open again; a refusal where others come first."""
    ended = {step: one for step, one in walk.ended.items() if step != ask.step}
    if not ask.done:
        return CommissioningWalk(ended)
    missing = [step for step in NEEDED if step not in ended]
    if ask.step == "check" and missing:
        return no("refused", f"Expected the steps {', '.join(NEEDED)} before the check, "
                             f"{' and '.join(missing)} not yet ended")  # fmt: skip
    return CommissioningWalk({**ended, ask.step: StepEnded(who.name, at)})
