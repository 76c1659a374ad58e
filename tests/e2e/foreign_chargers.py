"""Chargers that no one here wrote: the asyncio `ChargePoint` of `ocpp` over `websockets`.

    python tests/e2e/foreign_chargers.py --url ws://127.0.0.1:8887 --id A --id B --phases 1

They boot, take the profiles they are sent, draw what these allow, tell it in MeterValues, and dial
again when the link is lost, their sessions going on. Each second a line on stdout tells of them:
{"chargers": [{"id", "connected", "limit_a", "current_a", "transaction", "status", "profiles",
"energy_wh"}]}; with --frames also every frame (`foreign_wire.py`).
Lines on stdin: {"do": "start" | "stop" | "drop" | "want", "id": …, "amps": …}; "want" is what the
car takes at most, and "start" holds a "tag" to the reader; without "id" it is for all of them. The
end of stdin ends them. What they have to say of a transaction they keep until it is answered.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import sys
import time
from collections import deque
from datetime import UTC, datetime
from typing import Any

import websockets
from foreign_wire import Ear, say
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.client import connect

LEAST_A = 6.0
NOMINAL_V = 230.0
LAG_S = 1.0
STEP_S = 0.2
REDIAL_S = 1.0


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Socket:
    """What stays of a charger while links come and go: plug, session, profiles, meter."""

    def __init__(self, identity: str, phases: int, max_a: float, password: str = "") -> None:
        self.id = identity
        pair = base64.b64encode(f"{identity}:{password}".encode()).decode()
        self.headers = {"Authorization": f"Basic {pair}"} if password else {}
        self.phases = phases
        self.max_a = max_a
        self.want_a = max_a
        self.config = {
            "NumberOfConnectors": ("1", True),
            "SupportedFeatureProfiles": ("Core,SmartCharging,RemoteTrigger", True),
            "ChargeProfileMaxStackLevel": ("5", True),
            "ChargingScheduleAllowedChargingRateUnit": ("Current", True),
            "ChargingScheduleMaxPeriods": ("6", True),
            "MaxChargingProfilesInstalled": ("6", True),
            "MeterValueSampleInterval": ("60", False),
            "MeterValuesSampledData": ("Current.Import", False),
            "AuthorizeRemoteTxRequests": ("false", False),
            "HeartbeatInterval": ("300", False),
        }
        self.profiles: dict[tuple[str, int], tuple[float, dict[str, Any]]] = {}
        self.profiles_taken = 0
        self.transaction: int | None = None
        self.unsaid: deque[Any] = deque()  # starts and stops that are not answered yet
        self.began = 0.0
        self.tag = ""
        self.current_a = 0.0
        self.energy_wh = 0.0
        self.status = "Available"
        self.link: Foreign | None = None

    def limit_a(self) -> float:
        """What its profiles allow now: a TxProfile before a TxDefaultProfile, the highest level."""
        for purpose in ("TxProfile", "TxDefaultProfile"):
            found = [entry for key, entry in self.profiles.items() if key[0] == purpose]
            for arrived, profile in sorted(found, key=lambda entry: -entry[1]["stack_level"]):
                limit = self._limit_of(profile, arrived)
                if limit is not None:
                    return min(limit, self.max_a)
        return self.max_a

    def _limit_of(self, profile: dict[str, Any], arrived: float) -> float | None:
        schedule = profile["charging_schedule"]
        if profile["charging_profile_kind"] == "Absolute" and "start_schedule" in schedule:
            began = datetime.fromisoformat(schedule["start_schedule"]).timestamp()
        else:
            began = self.began if self.transaction is not None else arrived
        elapsed = time.time() - began
        if elapsed < 0 or elapsed >= schedule.get("duration", float("inf")):
            return None
        periods = schedule["charging_schedule_period"]
        past = [period["limit"] for period in periods if period["start_period"] <= elapsed]
        return float(past[-1]) if past else None

    def flow(self, seconds: float) -> None:
        """The car follows the limit within its lag."""
        limit = self.limit_a() if self.transaction is not None else 0.0
        goal = min(limit, self.want_a) if limit >= LEAST_A else 0.0
        pace = self.max_a / LAG_S * seconds
        self.current_a += max(-pace, min(pace, goal - self.current_a))
        self.energy_wh += self.current_a * NOMINAL_V * self.phases * seconds / 3600

    def status_now(self) -> str:
        if self.transaction is None:
            return "Available"
        return "Charging" if self.limit_a() >= LEAST_A else "SuspendedEVSE"

    def told(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "connected": self.link is not None,
            "limit_a": round(self.limit_a(), 1),
            "current_a": round(self.current_a, 2),
            "transaction": self.transaction,
            "status": self.status,
            "profiles": self.profiles_taken,
            "energy_wh": round(self.energy_wh),
        }


class Foreign(ChargePoint):
    """One link of one charger, with the package's own routing and schema checks."""

    def __init__(self, socket: Socket, connection: websockets.ClientConnection) -> None:
        super().__init__(socket.id, connection)
        self.socket = socket
        self.wants: asyncio.Queue[str] = asyncio.Queue()

    @on("GetConfiguration")
    def on_get_configuration(self, key: list[str] | None = None) -> Any:
        names = key or list(self.socket.config)
        told = [
            {"key": name, "readonly": self.socket.config[name][1],
             "value": self.socket.config[name][0]}
            for name in names if name in self.socket.config
        ]  # fmt: skip
        unknown = [name for name in names if name not in self.socket.config]
        return call_result.GetConfiguration(configuration_key=told, unknown_key=unknown or None)

    @on("ChangeConfiguration")
    def on_change_configuration(self, key: str, value: str) -> Any:
        known = self.socket.config.get(key)
        if known is None:
            return call_result.ChangeConfiguration(status="NotSupported")
        if known[1]:
            return call_result.ChangeConfiguration(status="Rejected")
        self.socket.config[key] = (value, False)
        return call_result.ChangeConfiguration(status="Accepted")

    @on("SetChargingProfile")
    def on_set_charging_profile(
        self, connector_id: int, cs_charging_profiles: dict[str, Any]
    ) -> Any:
        profile = cs_charging_profiles
        purpose = profile["charging_profile_purpose"]
        wrong_session = profile.get("transaction_id", self.socket.transaction) != (
            self.socket.transaction
        )
        refused = (
            connector_id not in (0, 1)
            or profile["charging_schedule"]["charging_rate_unit"] != "A"
            or profile["stack_level"] > 5
            or (purpose == "TxProfile" and (self.socket.transaction is None or wrong_session))
        )
        if refused:
            return call_result.SetChargingProfile(status="Rejected")
        self.socket.profiles[purpose, profile["stack_level"]] = (time.time(), profile)
        self.socket.profiles_taken += 1
        return call_result.SetChargingProfile(status="Accepted")

    @on("ClearChargingProfile")
    def on_clear_charging_profile(self, **_which: Any) -> Any:
        found = bool(self.socket.profiles)
        self.socket.profiles.clear()
        return call_result.ClearChargingProfile(status="Accepted" if found else "Unknown")

    @on("TriggerMessage")
    def on_trigger_message(self, requested_message: str, connector_id: int | None = None) -> Any:
        del connector_id
        known = requested_message in ("BootNotification", "StatusNotification", "MeterValues")
        return call_result.TriggerMessage(status="Accepted" if known else "NotImplemented")

    @after("TriggerMessage")
    async def after_trigger_message(
        self, requested_message: str, connector_id: int | None = None
    ) -> None:
        del connector_id
        await self.wants.put(requested_message)

    @on("RemoteStartTransaction")
    def on_remote_start(self, id_tag: str, **_more: Any) -> Any:
        free = self.socket.transaction is None
        if free:
            self.wants.put_nowait(f"start {id_tag}")
        return call_result.RemoteStartTransaction(status="Accepted" if free else "Rejected")

    @on("RemoteStopTransaction")
    def on_remote_stop(self, transaction_id: int) -> Any:
        mine = transaction_id == self.socket.transaction
        if mine:
            self.wants.put_nowait("stop Remote")
        return call_result.RemoteStopTransaction(status="Accepted" if mine else "Rejected")

    @on("UnlockConnector")
    def on_unlock(self, connector_id: int) -> Any:
        del connector_id
        return call_result.UnlockConnector(status="NotSupported")

    async def boot(self) -> None:
        await self.call(call.BootNotification("Foreign", "ocpp-package", firmware_version="2.1"))
        await self.tell_kept()
        await self.tell_status()

    async def tell_kept(self) -> None:
        """What is to be said of transactions, in its order; kept until it is answered."""
        socket = self.socket
        while socket.unsaid:
            said = socket.unsaid[0]
            told = await self.call(said)
            socket.unsaid.popleft()
            if not isinstance(said, call.StartTransaction) or told is None:
                continue
            socket.transaction = told.transaction_id
            if told.id_tag_info["status"] != "Accepted":
                self.end("DeAuthorized")

    async def tell_status(self) -> None:
        status = self.socket.status_now()
        self.socket.status = status
        await self.call(call.StatusNotification(1, "NoError", status, timestamp=now_text()))

    async def tell_values(self) -> None:
        socket = self.socket
        values = [
            {"value": f"{socket.current_a:.2f}", "measurand": "Current.Import",
             "phase": f"L{phase + 1}", "unit": "A"}
            for phase in range(socket.phases)
        ] + [{"value": f"{socket.energy_wh:.0f}", "measurand": "Energy.Active.Import.Register",
              "unit": "Wh"}]  # fmt: skip
        await self.call(call.MeterValues(
            1, [{"timestamp": now_text(), "sampledValue": values}],
            transaction_id=socket.transaction,
        ))  # fmt: skip

    async def begin(self, tag: str, *, ask: bool) -> None:
        socket = self.socket
        if socket.transaction is not None or socket.unsaid:
            return
        if ask:
            told = await self.call(call.Authorize(tag))
            if told is None or told.id_tag_info["status"] != "Accepted":
                return
        socket.began, socket.tag = time.time(), tag
        socket.unsaid.append(call.StartTransaction(1, tag, round(socket.energy_wh), now_text()))
        await self.tell_kept()
        await self.tell_status()

    async def stop(self, reason: str) -> None:
        if self.socket.transaction is None:
            return
        self.end(reason)
        await self.tell_kept()
        await self.tell_status()

    def end(self, reason: str) -> None:
        """The current ends; what is to be said of it waits for its turn."""
        socket = self.socket
        assert socket.transaction is not None
        socket.unsaid.append(call.StopTransaction(
            round(socket.energy_wh), now_text(), socket.transaction, reason, socket.tag
        ))  # fmt: skip
        socket.transaction = None
        for key in [key for key in socket.profiles if key[0] == "TxProfile"]:
            del socket.profiles[key]

    async def live(self) -> None:
        """Boot, then do what is wanted and tell values in their interval."""
        await self.boot()
        next_values = time.monotonic()
        while True:
            pause = max(0.0, next_values - time.monotonic())
            wanted = ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(pause, 1.0)):  # of the waiting, never of the doing
                    wanted = await self.wants.get()
            await self.do(wanted)
            if self.socket.status_now() != self.socket.status:
                await self.tell_status()
            if time.monotonic() >= next_values:
                interval = float(self.socket.config["MeterValueSampleInterval"][0])
                next_values = time.monotonic() + max(1.0, interval)
                if self.socket.transaction is not None:
                    await self.tell_values()

    async def do(self, wanted: str) -> None:
        word, _, rest = wanted.partition(" ")
        if word in ("start", "present"):
            await self.begin(rest, ask=word == "present")
        elif word == "stop":
            await self.stop(rest or "Local")
        elif word == "BootNotification":
            await self.boot()
        elif word == "StatusNotification":
            await self.tell_status()
        elif word == "MeterValues":
            await self.tell_values()


async def keep_dialling(socket: Socket, url: str, ear: Ear | None) -> None:
    """A link, and another when it is lost."""
    while True:
        with contextlib.suppress(
            OSError, TimeoutError, websockets.exceptions.WebSocketException, asyncio.TimeoutError
        ):
            async with connect(
                f"{url}/{socket.id}", subprotocols=["ocpp1.6"], additional_headers=socket.headers
            ) as connection:
                socket.link = Foreign(socket, connection)
                if ear is not None:
                    ear.links[socket.id] += 1
                await one_link(socket.link)
        socket.link = None
        await asyncio.sleep(REDIAL_S)


async def one_link(link: Foreign) -> None:
    """Listen and live until either ends."""
    tasks = [asyncio.create_task(link.start()), asyncio.create_task(link.live())]
    try:
        done, _left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def flow_and_tell(sockets: list[Socket]) -> None:
    told_at = last = time.monotonic()
    while True:
        await asyncio.sleep(STEP_S)
        now = time.monotonic()
        for socket in sockets:
            socket.flow(now - last)
        last = now
        if now - told_at >= 1.0:
            told_at = now
            say({"chargers": [s.told() for s in sockets]})


async def obey_stdin(sockets: dict[str, Socket]) -> None:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        said = json.loads(line)
        for socket in [sockets[said["id"]]] if "id" in said else list(sockets.values()):
            await obey(socket, said)


async def obey(socket: Socket, said: dict[str, Any]) -> None:
    verb = said["do"]
    if verb == "want":
        socket.want_a = float(said["amps"])
    elif socket.link is not None and verb in ("start", "stop"):
        tag = said.get("tag", "FOREIGN")
        await socket.link.wants.put(f"present {tag}" if verb == "start" else "stop Local")
    elif socket.link is not None and verb == "drop":
        await socket.link._connection.close()


async def run(args: argparse.Namespace) -> None:
    names = args.id or [f"FOREIGN-{n + 1}" for n in range(args.count)]
    sockets = {name: Socket(name, args.phases, args.max_amps, args.password) for name in names}
    ear = Ear("ocpp") if args.frames else None
    tasks = [asyncio.create_task(keep_dialling(s, args.url, ear)) for s in sockets.values()]
    tasks.append(asyncio.create_task(flow_and_tell(list(sockets.values()))))
    ends = asyncio.create_task(obey_stdin(sockets))
    await asyncio.wait([*tasks, ends], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="ws://127.0.0.1:8887")
    parser.add_argument("--id", action="append", help="one charger; may be given more than once")
    parser.add_argument("--count", type=int, default=3, help="how many, where none is named")
    parser.add_argument("--phases", type=int, choices=(1, 3), default=1)
    parser.add_argument("--max-amps", type=float, default=32.0)
    parser.add_argument("--password", default="", help="of all of them, for HTTP Basic")
    parser.add_argument("--frames", action="store_true", help="tell every frame")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
