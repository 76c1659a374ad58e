"""Charge data records at work: drives the plan, keeps what becomes of it, lets files be carried."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec
import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock, stamp, zone_named
from linkray.kit.core import drive
from linkray.model.asks import (
    Answer,
    Ask,
    ReadDelivery,
    SendDelivery,
    SetDeliveryPassword,
    TryDelivery,
    Who,
)
from linkray.model.delivery import (
    SESSIONS_MAX,
    DeliveryTested,
    DeliveryView,
    Job,
    Outcome,
    Sending,
)
from linkray.model.settings import Settings
from linkray.store.db import Store, StoreError

from .plan import (
    AGAIN_S,
    Clock,
    Ended,
    Handled,
    Item,
    Keep,
    Made,
    Make,
    Mended,
    NotMade,
    Out,
    Plan,
    SendNow,
    Terms,
)
from .plan import Try as TryIt
from .times import next_due

HANDLED, PASSWORD = "delivery_handled", "delivery_password"  # what the store remembers
CLOCK_S = 300.0  # so often the plan hears what time it is, and when its time has come
SENDING_S = 900.0  # a file in all; then its process is ended
TRIAL_S = 50.0  # a test
STEP_S, TRIAL_STEP_S = 60.0, 20.0  # each step that waits for the server
MOMENT_S = 0.1  # past the time, not just before it
INBOX = 64
PASSWORD_CHARS_MAX = 128
DELIVERY_ASKS: tuple[type[Ask], ...] = (
    ReadDelivery, SendDelivery, TryDelivery, SetDeliveryPassword
)  # fmt: skip

Carry = Callable[[Job, float], Awaitable[Outcome]]

log = structlog.get_logger(source="RECORDS")


async def carried(job: Job, within_s: float) -> Outcome:
    """Carry a file by a process of its own, which is ended after so long."""
    words = [sys.executable, "-P", "-m", "linkray.courier"]
    done = None
    with trio.move_on_after(within_s):
        done = await trio.run_process(
            words, stdin=msgspec.json.encode(job), capture_stdout=True, capture_stderr=True,
            check=False,
        )  # fmt: skip
    if done is None:
        return Outcome(taken=False, text=f"it was not done within {within_s:.0f} s")
    try:
        return msgspec.json.decode(done.stdout, type=Outcome)
    except msgspec.DecodeError:
        told = done.stderr.decode(errors="replace")[-500:]
        log.error("nothing was carried", cause=told, code=done.returncode)  # noqa: TRY400
        return Outcome(taken=False, text="the file could not be made; the log says more")


class DeliveryRoom:
    """The room. `database`: the file that is read for what is sent; `failed`: hears in words what
    is not there after 24 h, None when nothing is.
    """

    def __init__(
        self, settings: Cell[Settings], store: Store, clock: WallClock, *, database: str,
        serial: str, failed: Callable[[str | None], None], carry: Carry = carried,
        loopback: bool = False,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._store = store
        self._clock = clock
        self._database = database
        self._serial = serial
        self._failed = failed
        self._carry = carry
        self._loopback = loopback
        self._plan: Plan | None = None
        self._tell, _nobody = trio.open_memory_channel[Item](INBOX)
        self._trying = trio.CapacityLimiter(1)

    @property
    def _zone(self) -> tzinfo:
        return zone_named(self._settings.value.site.time_zone) or UTC

    def _utc(self) -> datetime | None:
        return self._clock.utc() if self._clock.is_set else None

    def _next_due(self, utc: datetime | None) -> datetime | None:
        frequency = self._settings.value.delivery.frequency
        return None if utc is None else next_due(frequency, utc, self._zone)

    async def run(self) -> None:
        """Until cancelled. What was being sent is sent again by the next that runs."""
        _newest, kept = await self._store.sendings()
        seq, settings = self._settings.seq, self._settings.value.delivery
        self._plan = Plan(Terms(settings, self._zone), kept, self._store.recall(HANDLED),
                          trio.current_time())  # fmt: skip
        self._tell, told = trio.open_memory_channel[Item](INBOX)
        self._say_failed()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_clock)
            nursery.start_soon(self._follow_settings, seq)
            await drive(self._plan, told, functools.partial(self._do, nursery))

    async def _follow_clock(self) -> None:
        while True:
            utc = self._utc()
            await self._tell.send(Clock(utc))
            due = self._next_due(utc)
            wait_s = CLOCK_S if due is None or utc is None else (due - utc).total_seconds()
            await trio.sleep(min(CLOCK_S, wait_s + MOMENT_S))

    async def _follow_settings(self, seq: int) -> None:
        while True:
            seq, settings = await self._settings.wait_newer(seq)
            await self._tell.send(Terms(settings.delivery, self._zone))
            await self._tell.send(Clock(self._utc()))

    # -- what the plan wants ---------------------------------------------------------------------

    async def _do(self, nursery: trio.Nursery, out: Out) -> None:
        match out:
            case Make():
                nursery.start_soon(self._make, out)
            case TryIt():
                nursery.start_soon(self._try, out.sending)
            case Keep():
                await self._keep(out.sending)
            case Handled():
                await self._remember(out.handled)

    async def _make(self, make: Make) -> None:
        at = self._clock.stamp()
        day = self._clock.utc().astimezone(self._zone)
        name = f"linkray-{self._serial}-records-{day:%Y-%m-%d-%H%M%S}-{{n}}.csv"
        wanted = Sending(0, at, make.until, 0, name, make.by)
        try:
            made = await self._store.make_sending(wanted, HANDLED, make.handled)
        except StoreError as error:
            log.warning("no records taken for sending", cause=str(error), action="tried again")
            await self._tell.send(NotMade(await self._there()))
        else:
            await self._tell.send(Made(made))

    async def _there(self) -> tuple[Sending, ...]:
        """The sendings on the disk that are not sent, as soon as it can be read: one that broke off
        in the middle is among them.
        """
        while True:
            try:
                return (await self._store.sendings())[1]
            except StoreError as error:
                log.warning("sendings not read", cause=str(error), action="tried again")
                await trio.sleep(AGAIN_S)

    async def _try(self, sending: Sending) -> None:
        to = self._settings.value.delivery
        outcome = await self._carry(self._job(sending), SENDING_S)
        log.info("charge data records sent" if outcome.taken else "charge data records not sent",
                 peer=to.place, cause=outcome.text, file=sending.name,
                 sessions=sending.sessions)  # fmt: skip
        ended = Ended(sending.id, outcome, self._clock.stamp(), to.place)
        await self._tell.send(ended)

    async def _keep(self, sending: Sending) -> None:
        """Where the disk does not take it, it is sent once more after a restart, by its name."""
        try:
            await self._store.keep_sending(sending)
        except StoreError as error:
            log.warning("not written down that records were sent", cause=str(error),
                        file=sending.name)  # fmt: skip
        self._say_failed()

    async def _remember(self, handled: str) -> None:
        try:
            await self._store.remember(HANDLED, handled)
        except StoreError as error:
            log.warning("not remembered", what=HANDLED, cause=str(error))

    def _say_failed(self) -> None:
        failed = self._plan.failed if self._plan else []
        self._failed(failed[-1].text if failed else None)

    def _job(self, sending: Sending) -> Job:
        settings = self._settings.value
        to, site = settings.delivery, settings.site.name or self._serial
        what = f"{sending.sessions} sessions" if sending.id else "a test, without any session"
        return Job(
            database=self._database, number=sending.id, name=sending.name, made=sending.made,
            message_id=f"{sending.name.removesuffix('.csv')}.{self._serial}",
            subject=f"{site}: charge data records {sending.name}",
            text=f"Charge data records of {site}: {what}.\n\nSent by LinkRay {self._serial}.\n",
            zone=settings.site.time_zone,
            phases={one.id: one.phases for one in settings.chargers}, to=to,
            password=self._password(), loopback=self._loopback,
            within_s=STEP_S if sending.id else TRIAL_STEP_S,
        )  # fmt: skip

    def _password(self) -> str:
        """It goes to the server for which it was given, and to no other."""
        kept = self._store.recall(PASSWORD)
        place, word = msgspec.json.decode(kept, type=tuple[str, str]) if kept else ("", "")
        return word if place == self._settings.value.delivery.place else ""

    # -- what people ask -------------------------------------------------------------------------

    async def ask(self, ask: Ask, who: Who) -> Answer:
        """The answer to one of `DELIVERY_ASKS`. Raises `StoreError`."""
        match ask:
            case SendDelivery():
                return await self._send(who)
            case TryDelivery():
                return await self._test(who)
            case SetDeliveryPassword():
                return await self._set_password(ask.password, who)
            case _:
                return _yes(data=await self.view())

    async def view(self) -> DeliveryView:
        """How it stands. Raises `StoreError`."""
        newest, _open = await self._store.sendings()
        waiting, to, utc = await self._store.unsent(), self._settings.value.delivery, self._utc()
        due = self._next_due(utc)
        next_at = self._plan.next_at if self._plan else math.inf
        again = None
        if next_at < math.inf:
            wait_s = max(0.0, next_at - trio.current_time())
            again = stamp(self._clock.utc() + timedelta(seconds=wait_s))
        return DeliveryView(
            to.frequency, to.protocol, to.server, None if due is None else stamp(due),
            utc is not None, waiting, SESSIONS_MAX, bool(self._password()),
            self._plan.sending if self._plan else None, again, newest,
        )  # fmt: skip

    async def _send(self, who: Who) -> Answer:
        if not self._settings.value.delivery.server:
            return _no("refused", "Expected a server first: there is nowhere to send to")
        waiting, (_newest, unsent) = await self._store.unsent(), await self._store.sendings()
        if not waiting and not unsent:
            return _yes("There is nothing to send: every session that has ended was sent")
        await self._store.audit(who, "charge data records sent by hand")
        if not self._heard(SendNow(who.name)):
            return _no("failed", "The sending starts anew just now; try again")
        return _yes("It is being sent")

    def _heard(self, item: Item) -> bool:
        """Whether the plan hears it: it does not while the room starts anew."""
        try:
            self._tell.send_nowait(item)
        except (trio.WouldBlock, trio.BrokenResourceError):
            return False
        return self._plan is not None

    async def _test(self, who: Who) -> Answer:
        to = self._settings.value.delivery
        if not to.server:
            return _no("refused", "Expected a server first: there is nowhere to send to")
        await self._store.audit(who, "delivery of charge data records tested", new=to.place)
        name = f"linkray-{self._serial}-test.csv"
        test = Sending(0, self._clock.stamp(), "", 0, name, who.name)
        async with self._trying:
            outcome = await self._carry(self._job(test), TRIAL_S)
        return _yes(data=DeliveryTested(outcome.taken, outcome.text))

    async def _set_password(self, word: str, who: Who) -> Answer:
        to = self._settings.value.delivery
        if not to.server:
            return _no("refused", "Expected a server first: a password is for one alone")
        if len(word) > PASSWORD_CHARS_MAX or not word.isprintable():
            return _no("invalid", f"Expected at most {PASSWORD_CHARS_MAX} printable characters, "
                                  f"got {len(word)}", "$.password")  # fmt: skip
        given = "given" if word else "none"
        await self._store.audit(who, f"password of {to.place}", new=given)
        kept = msgspec.json.encode((to.place, word)).decode()
        await self._store.remember(PASSWORD, kept)
        if word:
            self._heard(Mended())
        said = f"{to.server} is sent this password" if word else f"{to.server} is sent no password"
        return _yes(said)


def _yes(text: str = "", data: object = None) -> Answer:
    return Answer(ok=True, text=text, data=msgspec.Raw(msgspec.json.encode(data)))


def _no(code: str, text: str, path: str | None = None) -> Answer:
    data = msgspec.Raw(msgspec.json.encode({"path": path})) if path else msgspec.Raw(b"null")
    return Answer(ok=False, code=code, text=text, data=data)
