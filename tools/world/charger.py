"""A simulated OCPP 1.6J charger: a person to its tests, who obeys, lags, lies, reboots, goes away.

What it says is in `json` and judged by OCPP's own schemas; the limits it was given are what flows.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import math
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from urllib.parse import quote

import trio
from h11 import LocalProtocolError
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    WebSocketConnection,
    wrap_client_stream,
)
from wsproto.utilities import ProtocolError

from tools.world.answers import answer
from tools.world.car import LEAST_MA, NOTHING, Car, Three
from tools.world.connector import Connector, Transaction
from tools.world.fetch import HttpDial, NotFetched, fetch, leave
from tools.world.links import Dial, Tap
from tools.world.make import Make, keys_of
from tools.world.profiles import VOLTS, Book, Limit, read_profile
from tools.world.reported import Said
from tools.world.samples import sampled
from tools.world.schemas import Json, Judge
from tools.world.wire import OnAnswer, Wire

HANDSHAKE_S = 10.0
FETCH_S = 60.0
SETTLED_S = 15.0
BOOT_AGAIN_S = 30.0
STRAIGHT = (0, 1, 2)  # its L1 on the site's, and so on
ATTEMPTS = 3  # of a transaction message that is answered with an error
NOMINAL_MV: Three = (230_000, 230_000, 230_000)
Says = Callable[[Connector], list[Json]]
Lie = Callable[[Three], Three]


class Charger:
    """One charger of the world. `now` is the same monotonic time for all of them."""

    def __init__(
        self,
        identity: str,
        *,
        make: Make | None = None,
        connection: str | None = None,
        group: str | None = None,
        chance: random.Random | None = None,
        judge: Judge | None = None,
        epoch: Callable[[float], float] | None = None,
        password: str | None = None,
        split_mode: str = "off",
    ) -> None:
        self.id = identity
        self.make = make or Make()
        wiring = connection or ("L1-L2-L3" if self.make.phases == 3 else "L1")
        self.legs = tuple(int(leg[1]) - 1 for leg in wiring.split("-"))
        self.connection = wiring
        self.group = group
        self.split_mode = split_mode
        self.password = password
        self.chance = chance or random.Random(0)
        self.judge = judge or Judge()
        self.wire = Wire(self.id, self.judge, self.chance, self._answer, slow_s=self.make.answer_s)
        self.reported = self.wire.reported
        self.wire.may_speak = lambda action: self.is_booted or action == "BootNotification"
        self.keys = keys_of(self.make)
        self.firmware = self.make.firmware
        self.book = Book(
            self.make.phases, self.make.max_ma, from_arrival=self.make.from_arrival,
            volts=VOLTS * self.make.efficiency, replaces_ids=self.make.replaces_ids,
        )  # fmt: skip
        self.connectors = [Connector(n + 1) for n in range(self.make.connectors)]
        self.known_tags: set[str] = set()
        self.profiles_told: deque[Json] = deque(maxlen=1_000)  # SetChargingProfile as it came
        self.sessions = 0
        self.now = 0.0
        self.is_booted = False
        self.dials = 0  # connections it has had
        self.linked_at = -math.inf  # when the newest began
        # scenes
        self.says: Says | None = None
        self.profile_answer: str | None = None
        self.obey_s = self.make.obey_s
        self.ignores_raises = False
        self._lie: Lie | None = None
        self._ignores = False
        self._away_until = 0.0
        self._off_until: float | None = None
        self._own_clock_off: float | None = None
        # the rest
        self._epoch = epoch or (lambda now: now)
        self._clock_off = 0.0
        self._volts_mv: Three = NOMINAL_MV
        self._heartbeat_at = 0.0
        self._boot_at: float | None = None
        self._later: list[tuple[float, Callable[[], None]]] = []
        self._hang_up = trio.Event()
        self._something_to_say = trio.Event()
        self._tap: Tap | None = None
        self._abandoned: Tap | None = None
        self.http: HttpDial | None = None  # its way to a server of files; None: as if it had one
        self.fetched = b""  # the firmware that it has fetched last
        self._lives: trio.Nursery | None = None  # while it has a link, or dials

    # -- looking ---------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        return self.wire.is_up

    @property
    def is_in_reach(self) -> bool:
        """On its link for long enough to have been told what holds now, and it hears (C1)."""
        hears = self.wire.is_up and not self.wire.is_mute
        return hears and self.is_booted and self.now - self.linked_at >= SETTLED_S

    @property
    def is_off(self) -> bool:
        return self._off_until is not None

    def find(self, number: int) -> Connector | None:
        return self.connectors[number - 1] if 0 < number <= len(self.connectors) else None

    def connector(self, number: int = 1) -> Connector:
        found = self.find(number)
        if found is None:
            raise ValueError(f"{self.id}: expected a connector of 1 to {len(self.connectors)}, "
                             f"got {number}")  # fmt: skip
        return found

    def clock(self) -> float:
        """Its own clock, in seconds since 1970."""
        off_s = self._clock_off if self._own_clock_off is None else self._own_clock_off
        return self._epoch(self.now) + off_s

    def stamp(self, at: float | None = None) -> str:
        moment = datetime.fromtimestamp(self.clock() if at is None else at, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def own_volts_mv(self) -> Three:
        """What is on its own phases; across two legs, the voltage between them."""
        if len(self.legs) == 2:
            one, other = (self._volts_mv[leg] for leg in self.legs)
            between = (one + other) if self.split_mode == "240" else int((one + other) * 0.866)
            return between, 0, 0
        volts = [self._volts_mv[leg] for leg in self.legs] + [0, 0, 0]
        return volts[0], volts[1], volts[2]

    def true_current_ma(self, number: int | None = None) -> Three:
        """What flows in the wires, per phase of the SITE: of a connector, or of all."""
        if number is not None:
            return self.on_site(self.connector(number).drawn_ma)
        first, second, third = 0, 0, 0
        for connector in self.connectors:
            if connector.drawn_ma == NOTHING:
                continue
            drawn = self.on_site(connector.drawn_ma)
            first, second, third = first + drawn[0], second + drawn[1], third + drawn[2]
        return first, second, third

    def on_site(self, own: Three) -> Three:
        """What flows on its own phases, laid on those of the site."""
        legs = self.legs
        if legs == STRAIGHT:
            return own
        laid = [0, 0, 0]
        if len(legs) == 2:  # across two legs (split mode) the one current is on both
            laid[legs[0]] = laid[legs[1]] = own[0]
        else:
            for place, leg in enumerate(legs):
                laid[leg] = own[place]
        return laid[0], laid[1], laid[2]

    def measured_ma(self, connector: Connector) -> Three:
        """What it says flows: the truth, or its lie."""
        return self._lie(connector.drawn_ma) if self._lie else connector.drawn_ma

    async def wait_ready(self, within_s: float = 60.0) -> None:
        """Until it stands on a link and was accepted; raises `trio.TooSlowError`."""
        with trio.fail_after(within_s):
            while not (self.is_booted and self.wire.is_up):  # noqa: ASYNC110  # two conditions
                await trio.sleep(0.1)

    # -- scenes: people ----------------------------------------------------------------------

    def plug(self, car: Car, connector: int = 1) -> None:
        """A car is plugged in; where a tag waits for it, it charges."""
        at = self.connector(connector)
        if at.car is not None:
            raise ValueError(f"{self.id}/{connector}: a car is already plugged in")
        at.car = car
        car.plugged()
        if at.tag is not None and not self.is_off:
            self._begin(at, at.tag[0])
        self.settle(at)

    def unplug(self, connector: int = 1) -> Car | None:
        """The car is taken away; a session ends with it."""
        at = self.connector(connector)
        car, at.car = at.car, None
        at.drawn_ma = NOTHING
        if at.transaction is not None:
            self.end_session(at, "EVDisconnected")
        self.settle(at)
        return car

    def present_tag(self, tag: str, connector: int = 1) -> None:
        """A tag is held to the reader: starts a session, or stops the one it started."""
        at = self.connector(connector)
        if self.is_off:
            return
        if at.transaction is not None:
            if at.transaction.tag == tag:
                self.end_session(at, "Local")
            return
        self._authorise(at, tag)

    def present_other_tag(self, tag: str, connector: int = 1) -> None:
        """While a session runs, a tag that did not begin it is held to the reader: asked for, in
        case it is one of the same group (OCPP 1.6, 4.1).
        """
        if not self.is_off:
            self._authorise(self.connector(connector), tag)

    # -- scenes: faults ----------------------------------------------------------------------

    def stop_answering(self) -> None:
        """Calls are neither done nor answered from now on; the link stands."""
        self.wire.is_mute = True

    def answer_again(self) -> None:
        self.wire.is_mute = False

    def disconnect(self, for_s: float = 0.0) -> None:
        """The link breaks; it dials again after its back-off, not before `for_s`."""
        self._away_until = self.now + for_s
        self._hang_up.set()

    def pull_cable(self, for_s: float = 0.0) -> None:
        """The link goes half-open: the other end hears nothing, not even an end."""
        self._leave_half_open()
        self.disconnect(for_s)

    def reboot(self, reason: str = "Reboot") -> None:
        """It restarts: link and current end, it boots after its time."""
        self._power_off(self.make.boots_s, reason)
        self._hang_up.set()

    def power_cut(self, for_s: float = 10.0) -> None:
        """Its supply fails for a time; the link is left half-open."""
        self._leave_half_open()
        self._power_off(for_s + self.make.boots_s, "PowerLoss")
        self._hang_up.set()

    def lie(self, measured: int | Lie | None) -> None:
        """Say it measures so many mA on each phase (or a function of the truth); None: no more."""
        if isinstance(measured, int):
            said = (measured, measured, measured)
            self._lie = lambda _true: said
        else:
            self._lie = measured

    def say_values(self, says: Says | None) -> None:
        """Its `sampledValue` list in its own words (unjudged), from now on; None: as it should."""
        self.says = says

    def ignore_profiles(self) -> None:
        """Accepts every profile and stays at what it is at (C4)."""
        self._ignores = True
        for connector in self.connectors:
            if connector.transaction is not None:
                connector.frozen = Limit(connector.pilot_ma, self.make.phases)

    def ignore_raises(self) -> None:
        """Obeys lower limits only (C6)."""
        self.ignores_raises = True

    def obey_after(self, seconds: float) -> None:
        """Obeys so much later from now on (C5)."""
        self.obey_s = seconds

    def reject_profiles(self, status: str | None = "Rejected") -> None:
        """Answers SetChargingProfile with this; None: judges them itself again (C2, C3)."""
        self.profile_answer = status

    def obey_again(self) -> None:
        """As its make does."""
        self._ignores = self.ignores_raises = False
        self.profile_answer = None
        self.obey_s = self.make.obey_s
        for connector in self.connectors:
            connector.frozen = None

    def fault(self, connector: int = 1, code: str = "GroundFailure") -> None:
        """A connector faults: its session ends, nothing flows."""
        at = self.connector(connector)
        at.error = code
        if at.transaction is not None:
            self.end_session(at, "Other")
        self.settle(at)

    def mend(self, connector: int = 1) -> None:
        at = self.connector(connector)
        at.error = "NoError"
        self.settle(at)

    def wrong_clock(self, off_s: float | None) -> None:
        """Its clock is off by so much and stays so, whatever it is told (C28); None: it goes by
        what it was told last.
        """
        self._own_clock_off = off_s

    def say_again(self, action: str, times: int = 1) -> None:
        """The next call of this action is made once more, as if its answer was lost (C17)."""
        self.wire.repeats[action] = times

    def be_hasty(self) -> None:
        """Makes its calls without waiting for the answers of those before (C19)."""
        self.wire.is_hasty = True

    def shuffle_queue(self) -> None:
        """Says what it kept for its central system in any order (C20)."""
        self.wire.shuffle()

    def say(self, text: str) -> None:
        """Send anything, unjudged."""
        self.wire.say(text)
        self._something_to_say.set()

    def storm(self, count: int, connector: int = 1) -> None:
        """So many StatusNotifications at once, without waiting for answers (C29)."""
        at = self.connector(connector)
        for number in range(count):
            said = f'{{"connectorId":{connector},"errorCode":"NoError","status":"{at.status}"}}'
            self.wire.say(f'[2,"storm-{self.now:.1f}-{number}","StatusNotification",{said}]')
        self._something_to_say.set()

    # -- time --------------------------------------------------------------------------------

    def tick(self, now: float, dt: float, volts_mv: Three = NOMINAL_MV) -> None:
        """Let `dt` seconds pass up to `now`: current flows, samples and calls fall due."""
        self.now = now
        self._volts_mv = volts_mv
        if self._off_until is not None:
            if now < self._off_until:
                return
            self._power_on()
        if self._later:
            for due in [entry for entry in self._later if entry[0] <= now]:
                self._later.remove(due)
                due[1]()
        if any(map(Connector.is_in_use, self.connectors)):
            self._flow(now, dt)
        self._tell_in_time(now)
        self.wire.tick(now)
        if self.wire.is_dead:
            self._hang_up.set()
        if self.wire.outgoing:
            self._something_to_say.set()

    def later(self, after_s: float, act: Callable[[], None]) -> None:
        self._later.append((self.now + after_s, act))

    def _flow(self, now: float, dt: float) -> None:
        clock, volts = self.clock(), self.own_volts_mv()
        if self.make.efficiency != 1.0:  # energy is counted where it comes out
            first, second, third = (int(mv * self.make.efficiency) for mv in volts)
            volts = first, second, third
        cap = self.book.cap_ma(clock) if self.book.profiles else None
        share = self.make.max_ma
        if cap is not None:
            active = sum(c.transaction is not None for c in self.connectors)
            share = cap // max(1, active)
        for at in self.connectors:
            if at.tag is not None and now >= at.tag[1]:
                at.tag = None
                self.settle(at)
            if at.transaction is None:
                at.flow(0, self.make.phases, volts, dt)
                continue
            wanted = self._told(at, at.transaction, clock)
            if share < wanted.ma:
                wanted = Limit(min(wanted.ma, share), wanted.phases)
            limit = at.obeyed(now, wanted, self.obey_s, ignores_raises=self.ignores_raises)
            step = 1_000 if self.make.whole_amps else 100
            phases = limit.phases if self.make.switches_phases else self.make.phases
            told_ma = -(-limit.ma // 1_000) * 1_000 if self.make.rounds_up else limit.ma
            if self.make.after_zero != "resumes" and not self._survives(at, told_ma):
                continue
            at.flow(0 if at.is_stuck else told_ma // step * step, phases, volts, dt)
            self.settle(at)

    def _survives(self, at: Connector, told_ma: int) -> bool:
        """What 0 A does to a session that has charged: whether it goes on."""
        if told_ma >= LEAST_MA or at.pilot_ma == 0:
            return True
        if self.make.after_zero == "stops":
            self.end_session(at, "Other")
            return False
        at.is_stuck = True
        return True

    def _told(self, at: Connector, session: Transaction, clock: float) -> Limit:
        """What its profiles come to, reckoned anew when one of them has changed or turns."""
        case = (self.book.changes, len(self.book.profiles), session.id, session.began)
        if at.told is None or at.told[0] != case or not at.told[1] <= clock < at.told[2]:
            running = session.running
            limit = self.book.limit(at.number, clock, running)
            at.told = (case, clock, self.book.next_turn(clock, running), limit)
        return at.told[3]

    def _tell_in_time(self, now: float) -> None:
        if self._boot_at is not None and now >= self._boot_at:
            self.tell_boot()
        if self.is_booted and now >= self._heartbeat_at:
            self.tell_heartbeat()
        interval = float(self.keys["MeterValueSampleInterval"].value)
        for at in self.connectors:
            if at.transaction is not None and interval > 0 and now >= at.sample_at:
                at.sample_at = max(at.sample_at + interval, now)
                self.tell_meter_values(at, "Sample.Periodic")

    # -- sessions ------------------------------------------------------------------------------

    def _authorise(self, at: Connector, tag: str) -> None:
        if not self.wire.is_up or not self.is_booted:
            self._offline_tag(at, tag)
            return

        def answered(told: Json) -> None:
            if told["idTagInfo"]["status"] == "Accepted":
                self.known_tags.add(tag)
                self._authorised(at, tag)
            else:
                self.settle(at)

        self.wire.ask(
            "Authorize", {"idTag": tag}, answered, lambda _why: self._offline_tag(at, tag)
        )

    def _offline_tag(self, at: Connector, tag: str) -> None:
        """Without its central system: by its keys, as OCPP 3.5 has it."""
        known = tag in self.known_tags and self.keys["LocalAuthorizeOffline"].value == "true"
        if known or self.keys["AllowOfflineTxForUnknownId"].value == "true":
            self._authorised(at, tag)

    def _authorised(self, at: Connector, tag: str) -> None:
        if at.transaction is not None or at.error != "NoError" or not at.is_operative:
            return
        if at.car is None:
            at.tag = (tag, self.now + float(self.keys["ConnectionTimeOut"].value))
            self.settle(at)
        else:
            self._begin(at, tag)

    def remote_started(self, at: Connector, tag: str) -> None:
        if self.keys["AuthorizeRemoteTxRequests"].value.lower() == "true":
            self._authorise(at, tag)
        else:
            self._authorised(at, tag)

    def _begin(self, at: Connector, tag: str) -> None:
        if at.error != "NoError" or not at.is_operative:
            return
        stamp = self.stamp()
        booked = self.reported.began(at.number, tag, at.energy_wh, stamp)
        began = Transaction(tag, self.clock(), at.energy_wh, booked, began_at=stamp)
        at.transaction, at.tag = began, None
        at.session_began()
        at.sample_at = self.now + self.sample_interval_s()
        self.sessions += 1
        if self._ignores:
            at.frozen = Limit(self.make.max_ma, self.make.phases)
        if at.remote_profile is not None:
            profile = read_profile(at.number, at.remote_profile, self.clock())
            self.book.install(profile)
            at.remote_profile = None
        self._ask_kept("StartTransaction", lambda: {
            "connectorId": at.number, "idTag": tag,
            "meterStart": began.meter_start_wh, "timestamp": began.began_at,
        }, booked.start, lambda told: self._started(at, began, told))  # fmt: skip
        self.settle(at)

    def sample_interval_s(self) -> float:
        """How often it tells its values while it charges; 0: never of its own accord."""
        return float(self.keys["MeterValueSampleInterval"].value)

    def _started(self, at: Connector, began: Transaction, told: Json) -> None:
        began.id = told["transactionId"]
        if told["idTagInfo"]["status"] == "Accepted":
            self.known_tags.add(began.tag)
            return
        began.booked.was_refused = True
        if at.transaction is began and self.keys["StopTransactionOnInvalidId"].value == "true":
            self.end_session(at, "DeAuthorized")

    def end_session(self, at: Connector, reason: str) -> None:
        """Stop current and transaction; the plug may stay."""
        ended, at.transaction = at.transaction, None
        if ended is None:
            return
        ended.ended_because = reason
        at.frozen = None
        self.book.transaction_ended(at.number)
        stop_wh, stamp = at.energy_wh, self.stamp()
        about = self.reported.ended(ended.booked, stop_wh, stamp, reason)
        made_up = self.says is not None
        last = [] if made_up else sampled(self, at, "Transaction.End", "StopTxnSampledData")

        def stop() -> Json:
            said: Json = {
                "transactionId": -1 if ended.id is None else ended.id,
                "meterStop": stop_wh, "timestamp": stamp, "reason": reason, "idTag": ended.tag,
            }  # fmt: skip
            if last:
                said["transactionData"] = [{"timestamp": stamp, "sampledValue": last}]
            return said

        self._ask_kept("StopTransaction", stop, about)
        at.status = "Finishing" if at.car is not None else at.status
        self.tell_status(at)
        self.settle(at)

    def _ask_kept(
        self, action: str, said: Callable[[], Json], about: Said, told: OnAnswer | None = None,
        attempt: int = 1,
    ) -> None:  # fmt: skip
        """A transaction message: kept over the link, tried again where it is answered an error."""

        def failed(_why: str) -> None:
            if attempt < ATTEMPTS:
                pause = float(self.keys["TransactionMessageRetryInterval"].value) * attempt
                self.later(pause, lambda: self._ask_kept(action, said, about, told, attempt + 1))

        self.wire.ask(action, said, told, failed, is_kept=True, about=about)

    def settle(self, at: Connector) -> None:
        """Bring the status of a connector up to what is so, and tell it where it changed."""
        if at.error != "NoError":
            status = "Faulted"
        elif at.transaction is not None:
            status = at.charging_status()
        elif not at.is_operative:
            status = "Unavailable"
        elif at.car is not None:
            status = at.status if at.status in ("Preparing", "Finishing") else "Preparing"
        else:
            status = "Preparing" if at.tag is not None else "Available"
        if status != at.status:
            at.status = status
            self.tell_status(at)

    # -- telling -------------------------------------------------------------------------------

    def tell_boot(self) -> None:
        self._boot_at = None
        if self.wire.pending("BootNotification"):
            return
        said = {
            "chargePointVendor": self.make.vendor,
            "chargePointModel": self.make.model,
            "chargePointSerialNumber": self.id[:25],
            "firmwareVersion": self.firmware,
        }

        def failed(why: str) -> None:
            if why not in ("gone", "timeout"):  # it was answered, and with nothing
                self._boot_at = self.now + BOOT_AGAIN_S

        self.wire.ask("BootNotification", said, self._boot_answered, failed, is_first=True)

    def _boot_answered(self, told: Json) -> None:
        self._take_time(told["currentTime"])
        interval = told["interval"]
        if told["status"] != "Accepted":
            self._boot_at = self.now + max(5, interval)
            return
        self.is_booted = True
        if interval > 0:
            self.keys["HeartbeatInterval"].value = str(interval)
        self._heartbeat_at = self.now + float(self.keys["HeartbeatInterval"].value)
        self._announce()

    def _announce(self) -> None:
        self.tell_status(None)
        for at in self.connectors:
            self.tell_status(at)

    def tell_heartbeat(self) -> None:
        self._heartbeat_at = self.now + max(1.0, float(self.keys["HeartbeatInterval"].value))
        self.wire.ask("Heartbeat", {}, lambda told: self._take_time(told["currentTime"]))

    def _take_time(self, text: str) -> None:
        self._clock_off = datetime.fromisoformat(text).timestamp() - self._epoch(self.now)

    def tell_status(self, at: Connector | None) -> None:
        """Of a connector, or of the charger as a whole."""
        if not self.is_booted:
            return
        said: Json = {
            "connectorId": at.number if at else 0,
            "errorCode": at.error if at else "NoError",
            "status": at.status if at else "Available",
            "timestamp": self.stamp(),
        }
        self.wire.ask("StatusNotification", said)

    def tell_meter_values(self, at: Connector, context: str) -> None:
        values = sampled(self, at, context, "MeterValuesSampledData")
        if not values:
            return
        stamp, session = self.stamp(), at.transaction

        def said() -> Json:
            told: Json = {
                "connectorId": at.number,
                "meterValue": [{"timestamp": stamp, "sampledValue": values}],
            }
            if session is not None and session.id is not None:
                told["transactionId"] = session.id
            return told

        # Values made up by a scene are what is to be tested, not judged.
        judged = self.says is None
        booked = session.booked if session is not None else None
        self.wire.ask(
            "MeterValues", said, is_kept=session is not None, is_judged=judged,
            about=self.reported.read(at.number, booked, stamp, values),
        )  # fmt: skip

    def update_firmware(self, location: str, _retrieve: float) -> None:
        """Fetch (as if, where it has no way there), install, reboot with a version named after the
        file.
        """
        if self.http is not None and location.startswith("http://"):
            self._begin_errand(functools.partial(self._fetch_firmware, location, self.http))
        else:
            self._install(location, ("Downloading", "Downloaded", "Installing"))

    def leave_diagnostics(self, location: str) -> str:
        """Put a file there; its name, empty where it cannot."""
        if self.http is None or not location.startswith("http://"):
            return ""
        name = f"{self.id}.log"
        url = f"{location.rstrip('/')}/{quote(name)}"
        self._begin_errand(functools.partial(self._leave_log, url, self.http))
        return name

    def _begin_errand(self, errand: Callable[[], Awaitable[None]]) -> None:
        if self._lives is not None:
            self._lives.start_soon(errand)

    async def _fetch_firmware(self, location: str, http: HttpDial) -> None:
        self._tell_firmware("Downloading")
        try:
            with trio.fail_after(FETCH_S):
                self.fetched = await fetch(location, http)
        except (OSError, NotFetched, trio.TooSlowError):
            self._tell_firmware("DownloadFailed")
            return
        self._install(location, ("Downloaded", "Installing"))

    async def _leave_log(self, url: str, http: HttpDial) -> None:
        tell = functools.partial(self.wire.ask, "DiagnosticsStatusNotification")
        tell({"status": "Uploading"})
        try:
            with trio.fail_after(FETCH_S):
                await leave(url, f"{self.id} has {self.sessions} sessions\n".encode(), http)
        except (OSError, NotFetched, trio.TooSlowError):
            tell({"status": "UploadFailed"})
        else:
            tell({"status": "Uploaded"})

    def _install(self, location: str, told: tuple[str, ...]) -> None:
        for place, status in enumerate(told):
            self.later(2.0 * place, functools.partial(self._tell_firmware, status))

        def install() -> None:
            self.firmware = location.rsplit("/", 1)[-1][:50]
            self._tell_firmware("Installed")
            self.reset_soon("Reboot")

        self.later(2.0 * len(told), install)

    def _tell_firmware(self, status: str) -> None:
        self.wire.ask("FirmwareStatusNotification", {"status": status})

    def reset_soon(self, reason: str) -> None:
        """Restart once the answer is out."""
        self.later(1.0, lambda: self.reboot(reason))

    def _answer(self, action: str, asked: Json) -> Json | None:
        return answer(self, action, asked)

    # -- power ---------------------------------------------------------------------------------

    def _power_off(self, for_s: float, reason: str) -> None:
        self._off_until = self.now + for_s
        self.is_booted = False
        self._boot_at = None
        self._later.clear()
        for at in self.connectors:
            at.pilot_ma, at.drawn_ma, at.tag = 0, NOTHING, None
            if at.car is not None:
                at.car.plugged()
            if at.transaction is not None and not self.make.resumes_after_reboot:
                self.end_session(at, reason)
            if at.transaction is None:
                at.status = "Preparing" if at.car is not None else "Available"
        if not self.make.keeps_profiles:
            self.book.profiles = [p for p in self.book.profiles if p.purpose == "TxProfile"]
        self.wire.down()

    def _power_on(self) -> None:
        self._off_until = None
        for at in self.connectors:
            self.settle(at)

    def _leave_half_open(self) -> None:
        if self._tap is not None:
            self._tap.freeze()

    # -- the link ------------------------------------------------------------------------------

    async def run(self, dial: Dial, step_s: float = 0.5) -> None:
        """A charger without a world: its own time and its link, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.link, dial)
            last = trio.current_time()
            while True:
                await trio.sleep(step_s)
                now = trio.current_time()
                self.tick(now, now - last)
                last = now

    async def link(self, dial: Dial) -> None:
        """Dial, talk, lose it, dial again with growing pauses, until cancelled."""
        async with trio.open_nursery() as self._lives:
            await self._stay_linked(dial)

    async def _stay_linked(self, dial: Dial) -> None:
        pause = self.make.redial_s
        try:
            while True:
                if self.is_off or self.now < self._away_until:
                    await trio.sleep(0.5)
                    continue
                before = self.dials
                await self._one_link(dial)
                talked = self.dials > before
                pause = self.make.redial_s if talked else min(pause * 2, self.make.redial_max_s)
                await trio.sleep(pause * self.chance.uniform(0.5, 1.0))
        finally:
            self.wire.down()
            if self._abandoned is not None:
                await trio.aclose_forcefully(self._abandoned)

    async def _one_link(self, dial: Dial) -> None:
        """One connection from dial to end; a refusal or a broken line is only an end."""
        self._hang_up = trio.Event()
        try:
            with trio.fail_after(HANDSHAKE_S):
                tap = Tap(await dial())
        except (OSError, trio.TooSlowError, trio.BrokenResourceError):
            return
        try:
            async with trio.open_nursery() as nursery:
                await self._talk(tap, nursery)
                nursery.cancel_scope.cancel()
        except* (ConnectionRejected, ProtocolError, LocalProtocolError, OSError):
            pass  # the last but one: what trio-websocket lets through of a subprotocol not offered
        finally:
            self._tap = None
            self.wire.down()
            await self._put_away(tap)

    async def _put_away(self, tap: Tap) -> None:
        if not tap.is_dead:
            await trio.aclose_forcefully(tap)
            return
        old, self._abandoned = self._abandoned, tap  # half-open: the other end must not hear of it
        if old is not None:
            await trio.aclose_forcefully(old)

    async def _talk(self, tap: Tap, nursery: trio.Nursery) -> None:
        headers = []
        told = self.keys.get("AuthorizationKey")
        password = told.value if told is not None and told.value else self.password
        if password is not None:
            secret = base64.b64encode(f"{self.id}:{password}".encode())
            headers.append((b"Authorization", b"Basic " + secret))
        with trio.move_on_after(HANDSHAKE_S):
            socket = await wrap_client_stream(
                nursery,
                tap,  # type: ignore[arg-type, unused-ignore]  # any stream serves
                "linkray",
                self.make.path.format(id=quote(self.id, safe="")),
                subprotocols=self.make.subprotocols or None,
                extra_headers=headers,
                max_message_size=1 << 20,
            )
            self._tap = tap
            self.dials += 1
            self.wire.up()
            self._on_connected()
            nursery.start_soon(self._read, socket)
            nursery.start_soon(self._write, socket)
        if self.wire.is_up:
            await self._hang_up.wait()

    def _on_connected(self) -> None:
        self.linked_at = self.now
        if not self.is_booted or self.make.boots_on_reconnect:
            self.tell_boot()
        else:
            self._announce()
            self._heartbeat_at = self.now + float(self.keys["HeartbeatInterval"].value)

    async def _read(self, socket: WebSocketConnection) -> None:
        hang_up = self._hang_up
        with contextlib.suppress(ConnectionClosed):
            while True:
                text = await socket.get_message()
                self.wire.receive(str(text), trio.current_time())
                if self.wire.outgoing:
                    self._something_to_say.set()
        hang_up.set()

    async def _write(self, socket: WebSocketConnection) -> None:
        hang_up = self._hang_up
        outgoing = self.wire.outgoing
        with contextlib.suppress(ConnectionClosed):
            while True:
                if not outgoing:
                    self._something_to_say = trio.Event()
                    await self._something_to_say.wait()
                    continue
                due, text = outgoing[0]
                if due > trio.current_time():
                    await trio.sleep_until(due)
                if outgoing and outgoing[0] == (due, text):  # or the link went meanwhile
                    outgoing.popleft()
                    await socket.send_message(text)
        hang_up.set()
