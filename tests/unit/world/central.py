"""A central system for the world's own tests: says yes to all, and what it is told to say."""

from __future__ import annotations

import itertools
import json

import trio
from trio_websocket import ConnectionClosed, wrap_server_stream

NOON = "2026-06-15T12:00:00Z"
YES = {"idTagInfo": {"status": "Accepted"}}


class Central:
    def __init__(self):
        self.calls = []  # (charger, action, payload), in order of arrival
        self.answers = {}  # action → payload, instead of its own
        self.links = {}
        self._ids = itertools.count(1)
        self._transactions = itertools.count(100)
        self._open = {}

    def of(self, action, charger=None):
        return [p for c, a, p in self.calls if a == action and charger in (None, c)]

    async def serve(self, stream):
        async with trio.open_nursery() as nursery:
            request = await wrap_server_stream(nursery, stream)
            await self.talk(request)
            nursery.cancel_scope.cancel()

    async def talk(self, request):
        offered = request.proposed_subprotocols
        link = await request.accept(subprotocol="ocpp1.6" if "ocpp1.6" in offered else None)
        charger = request.path.rsplit("/", 1)[-1]
        self.links[charger] = link
        try:
            while True:
                frame = json.loads(await link.get_message())
                if frame[0] == 2:
                    self.calls.append((charger, frame[2], frame[3]))
                    answer = self.answers.get(frame[2]) or self.answer(frame[2])
                    await link.send_message(json.dumps([3, frame[1], answer]))
                elif frame[1] in self._open:
                    self._open[frame[1]].send_nowait(frame)
        except ConnectionClosed:
            return

    def answer(self, action):
        if action == "StartTransaction":
            return {"transactionId": next(self._transactions), **YES}
        return {
            "BootNotification": {"status": "Accepted", "currentTime": NOON, "interval": 60},
            "Heartbeat": {"currentTime": NOON},
            "Authorize": YES,
        }.get(action, {})

    async def call(self, charger, action, payload, within_s=5.0):
        message_id = f"c{next(self._ids)}"
        send, receive = trio.open_memory_channel(1)
        self._open[message_id] = send
        text = json.dumps([2, message_id, action, payload])
        await self.links[charger].send_message(text)
        with trio.fail_after(within_s):
            return (await receive.receive())[2]

    async def offer(self, charger, amps, *, then=None, after_s=180, unit="A", **more):
        """A profile as a load balancer sends it; returns the status."""
        periods = [{"startPeriod": 0, "limit": amps}]
        if then is not None:
            periods.append({"startPeriod": after_s, "limit": then})
        profile = {
            "chargingProfileId": 1,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {"chargingRateUnit": unit, "chargingSchedulePeriod": periods},
            **more,
        }
        told = {"connectorId": 1, "csChargingProfiles": profile}
        return (await self.call(charger, "SetChargingProfile", told))["status"]
