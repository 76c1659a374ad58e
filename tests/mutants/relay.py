"""A small store-and-forward relay, so that the judge is judged: it is right, or errs in one way.

It stands where LinkRay stands, shares nothing with it, and does the least that INV-13 and INV-14
ask for. `ERRORS` names what it can do wrong; the simulator must see each of them.
"""

from __future__ import annotations

import json
import random
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import trio
from trio_websocket import (
    ConnectionClosed,
    HandshakeError,
    wrap_client_stream,
    wrap_server_stream,
)

ANSWER_S = 30.0
PONG_S = 10.0
STORES_S = 5.0
REDIAL_S = 5.0
PAUSES_S = (10.0, 20.0)  # after the first and second error
NOW = "2026-06-15T12:00:00Z"
ERRORS = (
    "answers before it stores", "sends again under a new id", "names every session by the newest",
    "names by the charger's id", "sends in any order", "changes the register", "drops stops",
    "gives up at the first error", "keeps the first id", "forgets ids when killed",
    "stores a repeated start", "takes no stop that came too soon",
    "makes up a stop", "sends stops first",
)  # fmt: skip


@dataclass
class Kept:
    id: str
    action: str
    payload: dict
    session: int | None  # by the id that the charger was given
    tries: int = 0
    errors: int = 0


@dataclass
class Desk:
    """What is on disk for one charger."""

    queue: deque[Kept] = field(default_factory=deque)
    given: dict[int, object] = field(default_factory=dict)  # session → the CSMS's id
    known: dict[str, int] = field(default_factory=dict)  # start or stop as it was said → session
    tags: dict[str, int] = field(default_factory=dict)  # of which each starts one session here
    set_aside: list[Kept] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)  # message → session
    came: trio.Event = field(default_factory=trio.Event)
    waits_for: str = ""
    answer: list | None = None
    answered: trio.Event = field(default_factory=trio.Event)


class Relay:
    def __init__(self, dial, seed: int, error: str = "") -> None:
        self.dial = dial
        self.chance = random.Random(seed)
        self.error = error
        self.desks: dict[str, Desk] = {}
        self._ids = iter(range(1, 1_000_000))
        self._life = trio.CancelScope()
        self._is_up = trio.Event()

    # -- its process ---------------------------------------------------------------------------

    async def run(self) -> None:
        """Uplinks of those chargers that have ever called, in one life after another."""
        while True:
            with trio.CancelScope() as self._life:
                async with trio.open_nursery() as self._nursery:
                    for name in self.desks:
                        self._nursery.start_soon(self._uplink, name)
                    self._is_up.set()
                    await trio.sleep_forever()
            self._is_up = trio.Event()
            await trio.sleep(1)

    def kill(self) -> None:
        """At this very moment; what was answered is on disk."""
        for desk in self.desks.values():
            if self.error == "answers before it stores" and desk.queue:
                desk.queue.pop()
            if self.error == "forgets ids when killed":
                desk.given.clear()
        self._life.cancel()

    # -- the charger's side ----------------------------------------------------------------------

    async def serve(self, stream) -> None:
        with trio.CancelScope() as scope:
            if not self._is_up.is_set():
                await trio.aclose_forcefully(stream)
                return
            self._nursery.start_soon(self._with_life, scope)
            async with trio.open_nursery() as nursery:
                request = await wrap_server_stream(nursery, stream)
                link = await request.accept(subprotocol="ocpp1.6")
                name = request.path.rpartition("/")[2]
                if name not in self.desks:
                    self.desks[name] = Desk()
                    self._nursery.start_soon(self._uplink, name)
                with suppress(ConnectionClosed):
                    while True:
                        frame = json.loads(await link.get_message())
                        if frame[0] == 2:
                            answer = self._take(self.desks[name], *frame[1:4])
                            if frame[2] == "StartTransaction":  # the disk takes its time
                                await trio.sleep(self.chance.uniform(0.0, STORES_S))
                            await link.send_message(json.dumps([3, frame[1], answer]))
                nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)

    async def _with_life(self, scope) -> None:
        try:
            await trio.sleep_forever()
        finally:
            scope.cancel()

    def _take(self, desk: Desk, message_id: str, action: str, payload: dict) -> dict:
        yes = {"idTagInfo": {"status": "Accepted"}}
        if action == "BootNotification":
            return {"status": "Accepted", "currentTime": NOW, "interval": 300}
        if action == "Heartbeat":
            return {"currentTime": NOW}
        if action == "Authorize":
            return yes
        session = payload.get("transactionId")
        said = json.dumps([action, payload], sort_keys=True)
        is_new = said not in desk.known or self.error == "stores a repeated start"
        if action == "StartTransaction":
            session = desk.known.setdefault(said, next(self._ids))
            desk.tags[payload["idTag"]] = session
        if action == "StopTransaction" and session not in desk.known.values():
            session = desk.tags.get(payload.get("idTag"))  # it had not heard its id yet (C19)
            if session is None or self.error == "takes no stop that came too soon":
                return {}  # an orphan: shown, and not forwarded (C18)
        if action in ("StartTransaction", "StopTransaction", "MeterValues") and is_new:
            desk.known.setdefault(said, session or 0)
            self._keep(desk, Kept(message_id, action, payload, session))
        return {"transactionId": session, **yes} if action == "StartTransaction" else {}

    def _keep(self, desk: Desk, kept: Kept) -> None:
        if kept.action == "StopTransaction":
            if self.error == "drops stops" and self.chance.random() < 0.2:
                return
            if self.error == "changes the register":
                kept.payload = {**kept.payload, "meterStop": kept.payload["meterStop"] + 1}
            if self.error == "sends stops first":
                desk.queue.appendleft(kept)
                desk.came.set()
                return
        desk.queue.append(kept)
        if self.error == "makes up a stop" and kept.action == "StartTransaction":
            stop = {"transactionId": 0, "meterStop": kept.payload["meterStart"], "timestamp": NOW}
            desk.queue.append(Kept(kept.id + "x", "StopTransaction", stop, kept.session))
        desk.came.set()

    # -- the CSMS's side -------------------------------------------------------------------------

    async def _uplink(self, name: str) -> None:
        while True:
            try:
                await self._one_link(name)
            except* (OSError, HandshakeError, ConnectionClosed, trio.TooSlowError):
                pass
            await trio.sleep(REDIAL_S)

    async def _one_link(self, name: str) -> None:
        stream = await self.dial()
        try:
            async with trio.open_nursery() as nursery:
                with trio.fail_after(10):
                    link = await wrap_client_stream(
                        nursery, stream, "csms", f"/{name}", subprotocols=["ocpp1.6"]
                    )
                desk = self.desks[name]
                nursery.start_soon(self._listen, link, desk, nursery.cancel_scope)
                while True:
                    if not desk.queue:
                        desk.came = trio.Event()
                        await desk.came.wait()
                        continue
                    await self._deliver(link, desk)
        finally:
            await trio.aclose_forcefully(stream)

    async def _deliver(self, link, desk: Desk) -> None:
        """The first of the queue, until it is answered."""
        kept = desk.queue[0]
        if self.error == "sends in any order" and self.chance.random() < 0.3:
            kept = self.chance.choice(desk.queue)
        payload = dict(kept.payload)
        is_start = kept.action == "StartTransaction"
        if not is_start and kept.session is not None and not self._name(desk, kept, payload):
            desk.queue.remove(kept)
            desk.set_aside.append(kept)
            return
        if self.error == "sends again under a new id" and kept.tries:
            kept.id = f"{kept.id}-{kept.tries}"
        kept.tries += 1
        if is_start:
            desk.starts[kept.id] = kept.session
        desk.answer, desk.answered = None, trio.Event()
        desk.waits_for = kept.id
        await link.send_message(json.dumps([2, kept.id, kept.action, payload]))
        with trio.move_on_after(ANSWER_S):
            await desk.answered.wait()
        if desk.answer is not None:
            await self._answered(desk, kept, desk.answer)
        else:
            with trio.fail_after(PONG_S):
                await link.ping()

    async def _listen(self, link, desk: Desk, scope) -> None:
        """Answers, also late ones: of a start the newest id counts (K5, K8)."""
        with suppress(ConnectionClosed):
            while True:
                answer = json.loads(await link.get_message())
                session = desk.starts.get(answer[1])
                is_newest = self.error != "keeps the first id" or session not in desk.given
                if session is not None and answer[0] == 3 and is_newest:
                    desk.given[session] = answer[2]["transactionId"]
                if answer[1] == desk.waits_for:
                    desk.answer = answer
                    desk.answered.set()
        scope.cancel()

    def _name(self, desk: Desk, kept: Kept, payload: dict) -> bool:
        """Put the CSMS's id in; False: it never gave one."""
        given = desk.given.get(kept.session)
        if self.error == "names every session by the newest" and desk.given:
            given = list(desk.given.values())[-1]
        if self.error in ("names by the charger's id", "forgets ids when killed"):
            given = kept.session if self.error.startswith("names") or given is None else given
        if self.error == "sends stops first" and given is None:
            given = kept.session
        payload["transactionId"] = given
        return given is not None

    async def _answered(self, desk: Desk, kept: Kept, answer: list) -> None:
        if answer[0] == 4:
            most = 1 if self.error == "gives up at the first error" else 3
            kept.errors += 1
            if kept.errors < most:
                await trio.sleep(PAUSES_S[kept.errors - 1])
                return
            desk.queue.remove(kept)
            desk.set_aside.append(kept)
            return
        desk.queue.remove(kept)
