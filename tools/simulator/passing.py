"""As if nobody stood between charger and CSMS (csms.md, Passing through and Connecting; INV-17).

Frames at the charger are held against frames at the CSMS, byte by byte. For scenes in which the
chargers keep their frames (`World.keep_books(frames=True)`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tools.simulator.conservation import TRANSACTIONS
from tools.simulator.events import Violation
from tools.world.csms_book import Asked, Book, Told, payload_text
from tools.world.reported import Frame, Reported

PASSED, DISCIPLINE = "passing", "INV-17"
CONNECT_S = 60.0  # csms.md, Connecting: one attempt a minute
RETOLD = ("BootNotification", "StatusNotification")  # once more, when the CSMS is back
ANSWERED_HERE = {  # csms.md, Passing through, and decided.md, Keys that LinkRay owns
    "SetChargingProfile", "ClearChargingProfile", "GetCompositeSchedule", "GetConfiguration",
    "ChangeConfiguration",
}  # fmt: skip


def passed(
    reported: Iterable[Reported], book: Book, *, seed: int = 0, is_live: bool = False
) -> list[Violation]:
    """Each call at the CSMS is one of its charger's, its id and its payload's bytes untouched.

    `is_live`: both links stood all the time; then the order is the same over all actions, and all
    that was answered but MeterValues (which may be thinned) is there.
    """
    return [
        Violation(seed, at, PASSED, {"what": what, "charger": one.charger, "frame": text[:300]})
        for one in reported
        for at, what, text in _of_charger(one, book, is_live=is_live)
    ]


def _of_charger(
    reported: Reported, book: Book, *, is_live: bool
) -> Iterable[tuple[float, str, str]]:
    calls = [frame for frame in reported.frames if _is(frame, "out", 2)]
    places = {json.loads(frame.text)[1]: place for place, frame in enumerate(calls)}
    said = {payload_text(frame.text) for frame in calls}
    newest = -1
    arrived: set[int] = set()
    for told in book.told.get(reported.charger, ()):
        place = places.get(told.id)
        if place is None:
            if told.action not in RETOLD:
                yield told.at, "a call has an id that its charger did not give it", told.text
            elif payload_text(told.text) not in said:
                yield told.at, "what its charger never said", told.text
            continue
        arrived.add(place)
        if _was_changed(told, calls[place].text):
            yield told.at, f"the payload was changed; said: {calls[place].text[:300]}", told.text
        if is_live and place < newest:
            yield told.at, f"it comes after {calls[newest].text[:300]}", told.text
        newest = max(newest, place)
    if is_live:
        answered = {json.loads(f.text)[1] for f in reported.frames if _is(f, "in", 3)}
        for place, frame in enumerate(calls):
            message = json.loads(frame.text)
            if message[1] in answered and message[2] != "MeterValues" and place not in arrived:
                yield frame.at, "it was answered and not passed on", frame.text


def _was_changed(told: Told, said: str) -> bool:
    """Whether bytes differ without need: where an id was translated or measurands were thinned,
    `conserve` judges.
    """
    if payload_text(told.text) == payload_text(said):
        return False
    may_differ = told.action in TRANSACTIONS[1:]
    return not may_differ or bool(json.loads(said)[3] == told.payload)


def returned(
    reported: Iterable[Reported], book: Book, *, seed: int = 0
) -> list[Violation]:
    """What the CSMS called and was answered has reached the charger and was answered by it."""
    frames = {one.charger: one.frames for one in reported}
    used: set[int] = set()
    found = []
    for asked in book.asked:
        if asked.action in ANSWERED_HERE or asked.answer is None:
            continue
        what = _answered_by(asked, frames.get(asked.charger, []), used)
        if what:
            found.append(Violation(seed, asked.at, PASSED, {
                "what": what, "charger": asked.charger, "frame": asked.text[:300],
            }))  # fmt: skip
    return found


def _answered_by(asked: Asked, frames: list[Frame], used: set[int]) -> str:
    """What is wrong with the way of a call and its answer; empty: nothing."""
    for place, frame in enumerate(frames):
        if id(frame) in used or not _is(frame, "in", 2) or not _is_same(asked.text, frame.text):
            continue
        used.add(id(frame))
        message_id = json.loads(frame.text)[1]
        answers = [f.text for f in frames[place:] if _is(f, "out", 3)]
        mine = [text for text in answers if json.loads(text)[1] == message_id]
        if not mine:
            return "a call was answered that its charger did not answer"
        if payload_text(mine[0]) != payload_text(asked.said):
            return f"the answer was changed; said: {mine[0][:300]}"
        return ""
    return "a call was answered that never reached its charger"


def _is_same(one: str, other: str) -> bool:
    """Two calls of one action and payload; the id of a transaction may be translated."""
    first, second = json.loads(one), json.loads(other)
    if first[2] == second[2] == "RemoteStopTransaction":
        return True
    return bool(first[2] == second[2]) and payload_text(one) == payload_text(other)


def disciplined(book: Book, *, seed: int = 0) -> list[Violation]:
    """INV-17: between two attempts to connect for one charger lies a minute."""
    newest: dict[str, float] = {}
    found = []
    for knock in book.knocks:
        if not knock.charger:
            continue
        before = newest.get(knock.charger)
        newest[knock.charger] = knock.at
        if before is not None and knock.at - before < CONNECT_S:
            state: dict[str, Any] = {"what": "two attempts within a minute",
                                     "charger": knock.charger, "before": before}  # fmt: skip
            found.append(Violation(seed, knock.at, DISCIPLINE, state))
    return found


def _is(frame: Frame, way: str, kind: int) -> bool:
    """A frame of OCPP-J of this kind, on this way."""
    if frame.way != way:
        return False
    try:
        message = json.loads(frame.text)
        return bool(message[0] == kind and len(message) >= (4 if kind == 2 else 3))
    except (ValueError, LookupError, TypeError, RecursionError):
        return False
