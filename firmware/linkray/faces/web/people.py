"""The API's routes for people and programs: accounts, second factors, who is signed in, keys.

What is changed here is decided at the desk; sessions alone are ours, and end here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.faces.client import FACES
from linkray.kit.clock import WallClock, stamp
from linkray.model import asks
from linkray.model.asks import ASSEMBLER, OFF_PASSWORD, Account, Answer, AnyAsk, Key, Who
from linkray.model.views import SiteView

from .ports import Call, Door
from .problem import CODE, Problem, checked, read
from .table import (
    AccountView,
    Code,
    Confirm,
    Done,
    KeyState,
    KeyView,
    MadeKey,
    NewKey,
    OpenSession,
    SecondBegun,
    Switch,
)

CLOSABLE = ("EV", "Installer")

log = structlog.get_logger(source="WEB")


class _Api(Protocol):
    """What these routes need of the API."""

    _door: Door
    _clock: WallClock
    _now: Callable[[], float]

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer: ...
    async def _read_accounts(self) -> tuple[Account, ...]: ...
    def _seen_site(self) -> SiteView | None: ...
    async def _check(
        self, account: Account | None, name: str, password: str, source: str, *, first: bool
    ) -> tuple[str, str]: ...
    async def _enter_again(self, name: str, source: str) -> Response: ...
    async def _note(self, who: Who, what: str, used: int = 0) -> None: ...
    async def _failed(self, who: Who, what: str) -> None: ...
    def _clock_words(self) -> str: ...


class People:
    """The part of the API that answers for who may do what."""

    # -- the door --------------------------------------------------------------------------------

    async def _note(self: _Api, who: Who, what: str, used: int = 0) -> None:
        """Into the audit log; a disk that takes nothing shuts nobody out who could mend it."""
        answer = await self._ask(asks.NoteAtDoor(who, what, used), FACES)
        if not answer.ok:
            log.warning("not in the audit log", who=who.name, what=what, cause=answer.text)

    async def _failed(self: _Api, who: Who, what: str) -> None:
        words = self._door.failed(what, self._now())
        if words is not None:
            await self._note(who, words)

    async def _second_step(
        self: _Api, account: Account, code: str | None, source: str
    ) -> int:
        """The step of a right code, 0 where none is asked for; raises `Problem` otherwise.

        The password was right: wrong codes are counted by account, wherever they come from.
        """
        if not account.second:
            return 0
        if not code:
            raise Problem(401, "Expected the code of your authenticator app too", kind=CODE)
        wait_s = self._door.may_code(account.name, self._now())
        if wait_s > 0:
            raise Problem(429, f"Too many tries; wait {wait_s:.0f} s", retry_s=wait_s)
        step = self._door.second_step(
            account.name, account.second, code, self._clock.utc(), account.second_used
        )
        if step <= 0:
            words = "sign-in failed: code used before" if step else "sign-in failed: code"
            await self._failed(Who(account.name, account.level, source), words)
            raise Problem(401, "Expected the code that your authenticator app shows now"
                               f"{self._clock_words()}", kind=CODE)  # fmt: skip
        self._door.code_right(account.name)
        return step

    async def confirm(self: _Api, call: Call) -> ASGIApp:
        mine = call.asker.who.name
        accounts = {one.name: one for one in await self._read_accounts()}
        password = read(call.body, Confirm).password
        counted = await self._check(accounts.get(mine), mine, password, call.source, first=False)
        self._door.right(*counted)
        self._door.confirm(call.asker.token, self._now())
        return _done("Go on: for five minutes you are not asked again")

    # -- accounts --------------------------------------------------------------------------------

    async def accounts(self: _Api, call: Call) -> ASGIApp:
        mine = call.asker.who
        rows = [
            AccountView(one.name, one.level, bool(one.hash), one.first, bool(one.second),
                        one.changed)
            for one in await self._read_accounts()
            if mine.level >= ASSEMBLER or one.name == mine.name
        ]  # fmt: skip
        return _json(rows)

    async def close_account(self: _Api, call: Call) -> ASGIApp:
        name = call.params["name"]
        if name == "Assembler":
            raise Problem(409, "The Assembler's account stays open: somebody has to open others")
        if name not in CLOSABLE:
            raise Problem(404, f"Expected {' or '.join(CLOSABLE)}, got {name[:40]!r}")
        ask = msgspec.convert({"ask": "CloseAccount", "account": name}, asks.CloseAccount)
        return _done(checked(await self._ask(ask, call.asker.who)).text)

    async def begin_second(self: _Api, call: Call) -> ASGIApp:
        session = call.asker.session
        assert session is not None
        if call.params["name"] != session.account:
            raise Problem(403, "A second factor is set up by whoever it is for")
        site = self._seen_site() or SiteView()
        box = site.name or site.serial
        secret, address = self._door.begin_second(call.asker.token, box, self._now())
        return _json(SecondBegun(secret, address))

    async def set_second(self: _Api, call: Call) -> ASGIApp:
        session, code = call.asker.session, read(call.body, Code).code
        assert session is not None
        if call.params["name"] != session.account:
            raise Problem(403, "A second factor is set up by whoever it is for")
        if not session.second:
            raise Problem(409, "Expected a secret first: begin again")
        name, secret = session.account, session.second
        step = self._door.second_step(name, secret, code, self._clock.utc(), 0)
        if step <= 0:
            raise Problem(422, "Expected the code that your authenticator app shows now"
                               f"{self._clock_words()}", path="$.code")  # fmt: skip
        ask = msgspec.convert(
            {"ask": "SetSecondFactor", "account": name, "secret": secret, "used": step},
            asks.SetSecondFactor,
        )
        checked(await self._ask(ask, call.asker.who))
        return await self._enter_again(name, call.source)

    async def end_second(self: _Api, call: Call) -> ASGIApp:
        name, mine = call.params["name"], call.asker.who
        known = {one.name: one for one in await self._read_accounts()}
        if name not in known:
            raise Problem(404, f"Expected {', '.join(known)}, got {name[:40]!r}")
        if (name == mine.name or mine.level >= ASSEMBLER) and not known[name].second:
            return _done(f"{name} has no second factor")
        ask = msgspec.convert({"ask": "SetSecondFactor", "account": name}, asks.SetSecondFactor)
        text = checked(await self._ask(ask, mine)).text
        if name == mine.name:
            return await self._enter_again(name, call.source)
        await self._read_accounts()
        return _done(text)

    # -- who is signed in ------------------------------------------------------------------------

    async def sessions(self: _Api, call: Call) -> ASGIApp:
        here, now, utc = self._door.name_of(call.asker.token), self._now(), self._clock.utc()
        return _json([
            OpenSession(
                name, one.account, one.level, one.source,
                since=stamp(utc - timedelta(seconds=now - one.made)),
                idle_s=int(now - one.used), here=name == here,
            )
            for name, one in self._door.opened(now)
        ])  # fmt: skip

    async def end_sessions(self: _Api, call: Call) -> ASGIApp:
        here = self._door.name_of(call.asker.token)
        others = [name for name, _one in self._door.opened(self._now()) if name != here]
        await self._note(call.asker.who, f"{len(others)} other sessions ended")
        return _done(f"{self._door.end_named(others)} sessions have ended")

    async def end_session(self: _Api, call: Call) -> ASGIApp:
        known = dict(self._door.opened(self._now()))
        session = known.get(call.params["id"])
        if session is None:
            raise Problem(404, "Expected a session that is open; it may have ended by itself")
        of = f"{session.account} from {session.source}"
        await self._note(call.asker.who, f"session of {of} ended")
        self._door.end_named([call.params["id"]])
        return _done(f"The session of {of} has ended")

    # -- keys ------------------------------------------------------------------------------------

    async def keys(self: _Api, _call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadKeys(), FACES))
        utc = stamp(self._clock.utc())
        return _json([
            KeyView(key.id, key.name, key.scope, key.made, key.by, key.expires, _state(key, utc))
            for key in msgspec.json.decode(answer.data, type=tuple[Key, ...])
        ])  # fmt: skip

    async def add_key(self: _Api, call: Call) -> ASGIApp:
        wanted = read(call.body, NewKey)
        if self._clock_words():
            raise Problem(409, "Set the clock of this box first: else a key ends at another time")
        try:
            key, digest, until = self._door.new_key(wanted.expires, self._clock.utc())
        except ValueError as error:
            raise Problem(422, str(error), path="$.expires") from None
        ask = asks.AddKey(
            digest, wanted.scope, stamp(until), wanted.name, in_place=not wanted.name
        )
        answer = checked(await self._ask(ask, call.asker.who))
        return _json(MadeKey(msgspec.json.decode(answer.data, type=str), key, stamp(until)))

    async def set_key(self: _Api, call: Call) -> ASGIApp:
        ask = asks.SetKey(call.params["id"], read(call.body, Switch).on)
        return _done(checked(await self._ask(ask, call.asker.who)).text)

    async def remove_key(self: _Api, call: Call) -> ASGIApp:
        answer = await self._ask(asks.RemoveKey(call.params["id"]), call.asker.who)
        return _done(checked(answer).text)


def _state(key: Key, utc: str) -> KeyState:
    """What became of a key; times are text of one form, so that they can be compared."""
    if key.off:
        return "password" if key.off == OFF_PASSWORD else "off"
    return "expired" if key.expires <= utc else "on"


def _json(body: object) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(body), 200, headers, "application/json")


def _done(text: str) -> Response:
    return _json(Done(ok=True, text=text))
