"""Commands to a running world, one JSON object a line: `{"do": "cut_meter"}`.

Whatever a scene of a test can do by method, a person or another process can do by a line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tools.world.car import Car
from tools.world.charger import Charger
from tools.world.csms import Csms
from tools.world.meter import Meter, Port
from tools.world.schemas import Json
from tools.world.world import World

CHARGER_SCENES = (
    "answer_again", "be_hasty", "disconnect", "fault", "ignore_profiles", "ignore_raises", "mend",
    "obey_after", "obey_again", "power_cut", "present_tag", "pull_cable", "reboot",
    "reject_profiles", "say", "say_again", "shuffle_queue", "stop_answering", "storm", "unplug",
    "wrong_clock",
)  # fmt: skip
METER_SCENES = (
    "answer_the_previous", "cut", "echo", "fail", "freeze", "garble", "late", "lose_phase",
    "nan", "obey", "pour", "refuse", "scale", "say_volts", "swap", "wrong_ids", "zero",
)  # fmt: skip
CSMS_SCENES = (
    "answer_after", "answer_again", "answer_error", "answer_rubbish", "answer_with", "boot_as",
    "change_ids", "choose_subprotocol", "cut", "drop", "flap", "give_ids", "give_same_id",
    "lose_answers", "obey", "read_again", "redirect", "refuse", "restore", "say_nothing",
    "say_of_tag", "set_clock", "shut_out", "speak_other", "stop_answering", "stop_reading",
)  # fmt: skip


class BadCommand(ValueError):
    """A command that nobody here understands, and what would have been."""


class Commands:
    """Carries out commands on one world."""

    def __init__(self, world: World, port: Port | None = None) -> None:
        self.world = world
        self.port = port

    def line(self, text: str) -> str:
        """Do what a line says; the answer is a line: `{"ok": true, …}` or why not."""
        try:
            told = json.loads(text)
            answer = {"ok": True, **self.do(told)}
        except (ValueError, TypeError) as error:  # also what json cannot read
            answer = {"ok": False, "error": str(error)}
        return json.dumps(answer)

    def do(self, told: Json) -> Json:
        if not isinstance(told, dict) or "do" not in told:
            raise BadCommand('expected {"do": …}, e.g. {"do": "cut_meter"}')
        rest = {key: value for key, value in told.items() if key not in ("do", "charger")}
        verb = str(told["do"])
        if "charger" in told:
            return self._charger(self.world.charger(str(told["charger"])), verb, rest)
        own = getattr(self, f"_do_{verb}", None)
        if own is not None:
            return dict(own(**rest) or {})
        if verb.endswith("_csms"):
            return self._csms(verb.removesuffix("_csms"), rest)
        return self._meter(verb, rest)

    def _csms(self, scene: str, rest: Json) -> Json:
        """`cut_csms` and its like; `charger` cannot be named here, `of` is it."""
        if scene not in CSMS_SCENES:
            raise BadCommand(f"expected SCENE_csms with one of {', '.join(CSMS_SCENES)}, "
                             f"got {scene!r}")  # fmt: skip
        csms = self._its_csms()
        if "of" in rest:
            rest["charger"] = rest.pop("of")
        if scene == "give_ids":
            csms.give_ids(*rest["ids"])
        else:
            _call(getattr(csms, scene), rest)
        return {}

    def _its_csms(self) -> Csms:
        if self.world.csms is None:
            raise BadCommand("this world has no CSMS")
        return self.world.csms

    def _charger(self, charger: Charger, verb: str, rest: Json) -> Json:
        if verb == "plug":
            connector = int(rest.pop("connector", 1))
            charger.plug(Car(**rest), connector)
        elif verb == "lie":
            charger.lie(rest["measured"])
        elif verb in CHARGER_SCENES:
            _call(getattr(charger, verb), rest)
        else:
            known = ", ".join(("lie", "plug", *CHARGER_SCENES))
            raise BadCommand(f"expected one of {known} for a charger, got {verb!r}")
        return {}

    def _meter(self, verb: str, rest: Json) -> Json:
        """`cut_meter` and its like; `answer_again_meter` is `obey_meter`."""
        scene = verb.removesuffix("_meter")
        if scene == "answer_again":
            scene = "obey"
        if not verb.endswith("_meter") or scene not in METER_SCENES:
            raise BadCommand(f"expected SCENE_meter with one of {', '.join(METER_SCENES)}, "
                             f"or building_step, status, …, got {verb!r}")  # fmt: skip
        _call(getattr(self._its_meter(), scene), rest)
        return {}

    def _its_meter(self) -> Meter:
        if self.world.meter is None:
            raise BadCommand("this world has no meter")
        return self.world.meter

    def _do_building_step(self, phase: int, ma: int, for_s: float | None = None) -> None:
        self.world.building.step(phase, ma, for_s)

    def _do_building_hold(self, ma: list[int]) -> None:
        self.world.building.hold((ma[0], ma[1], ma[2]))

    def _do_limit(self, ma: list[int]) -> None:
        self.world.set_limit((ma[0], ma[1], ma[2]))

    def _do_blackout(self, for_s: float = 10.0) -> None:
        """Every charger loses its supply at once (C15)."""
        for charger in self.world.chargers.values():
            charger.power_cut(for_s)

    def _do_vanish_port(self) -> None:
        if self.port is None:
            raise BadCommand("this world has no RS-485 port")
        self.port.vanish()

    def _do_return_port(self) -> None:
        if self.port is None:
            raise BadCommand("this world has no RS-485 port")
        self.port.come_back()

    def _do_status(self) -> Json:
        return self.world.status()

    def _do_report(self) -> Json:
        return self.world.report()


def _call(scene: Callable[..., Any], rest: Json) -> None:
    scene(**{key: tuple(v) if isinstance(v, list) else v for key, v in rest.items()})
