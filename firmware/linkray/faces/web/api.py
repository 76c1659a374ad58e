"""The answers of the API: each method answers one route of the table.

Nothing is decided here that the desk decides: an ask goes there with its sender's level.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import trio
from starlette.responses import Response
from starlette.types import ASGIApp

from linkray.faces.client import FACES, ControlAway
from linkray.kit.clock import WallClock
from linkray.model import asks
from linkray.model.asks import Account, Answer, AnyAsk, Key, Who
from linkray.model.branding import BrandView
from linkray.model.causes import sentence
from linkray.model.clients import Clients
from linkray.model.faults import Fault
from linkray.model.plan import Reason
from linkray.model.settings import MeterFileValue, schema
from linkray.model.views import STEPS, HeldView, SiteView

from . import openapi, table
from .brand import Kept
from .certified import Certified
from .chargers import Chargers
from .commissioning import Commissioning
from .deliveries import Deliveries
from .fitting import Fitting
from .graphs import Graphs
from .guard import with_cookie
from .handed import Folder
from .history import History
from .live import Feed
from .near import Network, is_near, source_of
from .passports import Passports
from .people import People
from .ports import Books, Call, Control, Door, Hashing
from .problem import Problem, checked, read
from .tags import Tags
from .trail import Trail
from .transactions import Transactions
from .upkeep import Upkeep
from .uplinks import Uplinks

ASK_S = 10.0
ACT_S = 35.0  # a charger has 30 s to answer (chargers.md, Frames)
NAMES_MAX = 64  # of an account, as it is counted
CONNECTOR_DIGITS_MAX = 4


class _Parts(msgspec.Struct):
    """A snapshot with its parts as they came."""

    site: msgspec.Raw
    plan: msgspec.Raw
    chargers: msgspec.Raw
    meter: msgspec.Raw
    faults: msgspec.Raw


class _Known(msgspec.Struct):
    """A charger, as far as a sentence speaks of it."""

    id: str
    name: str = ""
    connected: bool = False


class _InForce(msgspec.Struct):
    revision: int
    settings: msgspec.Raw
    text: str = ""  # what who has changed them should know

    @property
    def headers(self) -> dict[str, str]:
        note = self.text.encode("ascii", "backslashreplace").decode()
        return {"etag": _etag(self), **({"linkray-note": note} if note else {})}


def as_json(body: bytes, headers: dict[str, str] | None = None) -> Response:
    return Response(body, 200, {"cache-control": "no-store", **(headers or {})}, "application/json")


def done(answer: Answer) -> Response:
    return as_json(msgspec.json.encode(table.Done(ok=True, text=checked(answer).text)))


def _with_sentences(parts: _Parts) -> bytes:
    """The plan with each cause in a sentence beside its code (balancing.md, Reasons)."""
    plan = msgspec.json.decode(parts.plan, type=dict[str, msgspec.Raw])
    offers = msgspec.json.decode(plan["offers"], type=list[dict[str, msgspec.Raw]])
    chargers = msgspec.json.decode(parts.chargers, type=list[_Known])
    held = msgspec.json.decode(plan["held"], type=HeldView | None)
    names = {one.id: one.name for one in chargers}
    linked = {one.id for one in chargers if one.connected}

    def told(raw: msgspec.Raw, *, lost: bool = False) -> msgspec.Raw:
        why = msgspec.json.decode(raw, type=Reason | None)
        if why is None:
            return raw
        text = sentence(why, names=names, lost=lost, until=None if held is None else held.until)
        return msgspec.Raw(msgspec.json.encode(msgspec.structs.replace(why, text=text)))

    for offer in offers:
        lost = msgspec.json.decode(offer["charger"], type=str) not in linked
        offer["reason"] = told(offer["reason"], lost=lost)
    plan["stopped"] = told(plan["stopped"])
    return msgspec.json.encode({**plan, "offers": offers})


class Api(
    Graphs, Passports, People, Trail, Uplinks, Upkeep, Transactions, Tags, Fitting, Chargers,
    Commissioning,
    Deliveries,
    Certified,
):
    """Answers; holds nothing that control does not hold, but for who is signed in (the door)."""

    def __init__(
        self,
        control: Control,
        door: Door,
        hashing: Hashing,
        *,
        history: History,
        books: Books,
        clock: WallClock,
        version: str,
        attached: Callable[[], Iterable[Network]] = tuple,
        now: Callable[[], float] = trio.current_time,
        restart: Callable[[], None] = lambda: None,
        brand: Kept | None = None,
        folder: Folder | None = None,
    ) -> None:
        """`restart` ends this process once it has answered, for its runner to start it anew."""
        self._restart = restart
        self._brand = brand
        self.folder = folder
        self.feed = Feed(control.snapshot)
        self._control = control
        self._door = door
        self._hashing = hashing
        self._history = history
        self._books = books
        self._clock = clock
        self._version = version
        self._attached = attached
        self._now = now
        self._accounts: tuple[Account, ...] = ()
        self._clients = Clients()
        self._accounts_of: str | None = None  # the snapshot's `passwords_changed` they belong to
        self._site: tuple[int, SiteView] = (-1, SiteView())
        self._plan: tuple[int, bytes] = (-1, b"")
        self._schema = schema()
        self._openapi = b""

    # -- asking ----------------------------------------------------------------------------------

    async def _ask(self, ask: AnyAsk, who: Who, within_s: float = ASK_S) -> Answer:
        try:
            return await self._control.ask(ask, who, within_s)
        except ControlAway as error:
            raise Problem(503, str(error), retry_s=2) from None

    def _snapshot(self) -> bytes:
        raw = self._control.snapshot.value
        if raw is None:
            raise Problem(503, "LinkRay's control does not answer", retry_s=2)
        return raw

    def _parts(self) -> _Parts:
        return msgspec.json.decode(self._snapshot(), type=_Parts)

    def _seen_site(self) -> SiteView | None:
        """The site of the newest snapshot; None while control is away."""
        cell = self._control.snapshot
        if cell.value is None:
            return None
        if self._site[0] != cell.seq:
            self._site = (cell.seq, msgspec.json.decode(self._parts().site, type=SiteView))
        return self._site[1]

    async def _read_accounts(self) -> tuple[Account, ...]:
        """Fresh from the desk; sessions from before a change end."""
        site = self._seen_site()
        answer = checked(await self._ask(asks.ReadAccounts(), FACES))
        self._accounts = msgspec.json.decode(answer.data, type=tuple[Account, ...])
        kept = checked(await self._ask(asks.ReadClients(), FACES))
        self._clients = msgspec.json.decode(kept.data, type=Clients)
        self._accounts_of = None if site is None else site.passwords_changed
        self._door.passwords_changed(self._accounts)
        return self._accounts

    async def refresh(self) -> None:
        """Before a session counts: has any password been changed since?"""
        site = self._seen_site()
        if site is not None and site.passwords_changed != self._accounts_of:
            await self._read_accounts()

    def refuses(self, level: int, certificate: str) -> str:
        """Why accounts of this level stay shut to whoever has shown this; empty: they do not."""
        return self._clients.refusal(level, certificate, self._clock.stamp())

    async def find_key(self, presented: str) -> tuple[str, int]:
        """Name and level of an API key; 401 for one that is none, 403 before commissioning."""
        keys = msgspec.json.decode(
            checked(await self._ask(asks.ReadKeys(), FACES)).data, type=tuple[Key, ...]
        )
        parts = self._parts()
        faults = msgspec.json.decode(parts.faults, type=tuple[Fault, ...])
        if any(fault.code == "clock" for fault in faults):  # trust.md A9
            raise Problem(401, "Keys are refused while the clock is not set")
        found = self._door.key(keys, presented, self._clock.utc())
        if found is None:
            raise Problem(401, "Expected a key that LinkRay gave and that has not expired")
        site = self._seen_site()
        if site is None or not site.commissioned:
            raise Problem(403, "Keys are off until the printed password is replaced")
        key, level = found
        return key.name or key.digest[:8], level

    # -- people ----------------------------------------------------------------------------------

    async def session(self, call: Call) -> ASGIApp:
        return await self._session_view(call.asker.token)

    async def _session_view(self, token: str, *, cookie: bool = False) -> Response:
        session = self._door.session(token, self._now(), used=False) if token else None
        site = self._seen_site()
        if site is not None and (not self._accounts or site.passwords_changed != self._accounts_of):
            await self._read_accounts()
        body = table.SessionView(
            account=None if session is None else session.account,
            level=0 if session is None else session.level,
            must_change=session is not None and session.must_change,
            accounts_open=tuple(a.name for a in self._accounts if a.hash),
            simulated=site is not None and site.simulated,
            site="" if site is None else site.name,
            version=self._version,
            csrf=None if session is None else session.csrf,
            serial="" if site is None else site.serial,
            commissioning_open=site is None or site.commissioning_open,
            brand=BrandView() if self._brand is None else self._brand.view,
        )
        response = as_json(msgspec.json.encode(body))
        return with_cookie(response, token) if cookie else response

    async def sign_in(self, call: Call) -> ASGIApp:
        body = read(call.body, table.SignIn)
        accounts = await self._read_accounts()
        account = next((a for a in accounts if a.name == body.account), None)
        if account is not None:
            await self._check_certificate(account, call)
        first = account is not None and account.first
        if first:
            self._check_first(call.source)
        counted = await self._check(
            account, body.account, body.password, call.source, first=first
        )
        assert account is not None
        step = await self._second_step(account, body.code, call.source)
        self._door.right(*counted)
        marks = {(one.name, one.hash, one.changed) for one in await self._read_accounts()}
        if (account.name, account.hash, account.changed) not in marks:
            raise Problem(401, "The password was changed meanwhile")
        how = ("with the printed password" if first else "with a code" if step else "").strip()
        await self._note(Who(account.name, account.level, call.source),
                         f"signed in {how}".strip(), step)  # fmt: skip
        self._door.leave(call.asker.token)
        token, _session = self._door.enter(account, call.source, self._now())
        return await self._session_view(token, cookie=True)

    async def _check_certificate(self, account: Account, call: Call) -> None:
        """Before the password: who may not come in has nothing to guess."""
        why = self.refuses(account.level, call.asker.who.certificate)
        if why:
            await self._failed(Who(account.name, account.level, call.source),
                               "sign-in failed: client certificate")  # fmt: skip
            raise Problem(403, why)

    def _check_first(self, source: str) -> None:
        """The printed password: from next door only, and not for ever (trust.md 4, 2 and 5)."""
        if not is_near(source, self._attached()):
            raise Problem(403, "The printed password is taken on this box's own network only")
        site = self._seen_site()
        if site is None or not site.commissioning_open:
            raise Problem(403, "Press the button on the box: the time for the printed password is "
                               "over")  # fmt: skip

    async def _check(
        self, account: Account | None, name: str, password: str, source: str, *, first: bool
    ) -> tuple[str, str]:
        """Whether this is the account's password; 429 when too fast, 401 when it is not.

        The try counts as failed until `Door.right` is told of it with what this gives.
        """
        counted, group = (name if account else "?")[:NAMES_MAX], source_of(source)
        wait_s = self._door.may_try(counted, group, self._now(), first=first)
        if wait_s > 0:
            raise Problem(429, f"Too many tries; wait {wait_s:.0f} s", retry_s=wait_s)
        kept = "" if account is None else account.hash
        if not await self._hashing.is_password(kept, password):
            level = 0 if account is None else account.level
            await self._failed(Who(counted, level, source), "sign-in failed: password")
            raise Problem(401, "Expected an account and its password")
        return counted, group

    def _clock_words(self) -> str:
        """What else may be wrong with a code."""
        if self._control.snapshot.value is None:
            return ""
        faults = msgspec.json.decode(self._parts().faults, type=tuple[Fault, ...])
        if not any(fault.code == "clock" for fault in faults):
            return ""
        return "; the clock of this box is not set, which may be why it is none"

    async def sign_out(self, call: Call) -> ASGIApp:
        await self._note(call.asker.who, "signed out")
        self._door.leave(call.asker.token)
        body = msgspec.json.encode(table.Done(ok=True, text="Signed out"))
        return with_cookie(as_json(body), "")

    async def first_passwords(self, call: Call) -> ASGIApp:
        wanted = read(call.body, table.SetFirstPasswords).passwords
        fresh = {"EV": wanted.EV, "Installer": wanted.Installer, "Assembler": wanted.Assembler}
        for name, password in fresh.items():
            if password is not None:
                self._check_strength(password, name, f"$.passwords.{name}")
        hashes = {
            name: await self._hashing.hash(password)
            for name, password in fresh.items()
            if password is not None
        }
        for name, made in hashes.items():  # the Assembler's last: a cut before it changes no door
            checked(await self._ask(_set_password(name, made), call.asker.who))
        return await self._enter_again("Assembler", call.source)

    async def change_password(self, call: Call) -> ASGIApp:
        body, name = read(call.body, table.ChangePassword), call.params["name"]
        mine = call.asker.who.name
        if mine not in {name, "Assembler"}:
            raise Problem(403, f"{mine} sets only the own password, not {name}'s")
        accounts = {a.name: a for a in await self._read_accounts()}
        if name not in accounts:
            raise Problem(404, f"Expected {', '.join(accounts)}, got {name!r}")
        self._door.right(
            *await self._check(accounts.get(mine), mine, body.old, call.source, first=False)
        )
        self._check_strength(body.new, name, "$.new")
        made = await self._hashing.hash(body.new)
        checked(await self._ask(_set_password(name, made), call.asker.who))
        if name == mine:
            return await self._enter_again(mine, call.source)
        await self._read_accounts()
        return await self._session_view(call.asker.token)

    async def _enter_again(self, name: str, source: str) -> Response:
        """All sessions of the account have ended; whoever set the password gets a new one."""
        account = next(a for a in await self._read_accounts() if a.name == name)
        token, _session = self._door.enter(account, source, self._now())
        self._door.confirm(token, self._now())  # the password was told just now
        return await self._session_view(token, cookie=True)

    def _check_strength(self, password: str, account: str, path: str) -> None:
        site = self._seen_site() or SiteView()
        weak = self._door.weakness(password, account, (site.serial, site.name))
        if weak is not None:
            raise Problem(422, weak, path=path)

    # -- seeing ----------------------------------------------------------------------------------

    async def snapshot(self, _call: Call) -> ASGIApp:
        return as_json(self._snapshot())

    async def events(self, call: Call) -> ASGIApp:
        token = call.asker.token

        async def alive() -> bool:
            try:
                if call.asker.is_key:
                    await self.find_key(call.asker.token)
                    return True
                await self.refresh()
            except Problem as problem:  # control is away: nothing is shown, and it ends nobody
                return problem.status not in {401, 403}
            session = self._door.session(token, self._now(), used=False)
            shown = call.asker.who.certificate
            return session is not None and not self.refuses(session.level, shown)

        return self.feed.stream(alive)

    async def site(self, _call: Call) -> ASGIApp:
        return as_json(bytes(self._parts().site))

    async def plan(self, _call: Call) -> ASGIApp:
        seq = self._control.snapshot.seq
        if self._plan[0] != seq:
            self._plan = (seq, _with_sentences(self._parts()))
        return as_json(self._plan[1])

    async def chargers(self, _call: Call) -> ASGIApp:
        return as_json(bytes(self._parts().chargers))

    async def meter(self, _call: Call) -> ASGIApp:
        return as_json(bytes(self._parts().meter))

    async def faults(self, _call: Call) -> ASGIApp:
        return as_json(bytes(self._parts().faults))

    async def log_lines(self, call: Call) -> ASGIApp:
        count = call.query.get("lines", "200")
        if not (count.isascii() and count.isdecimal() and len(count) <= 5):
            raise Problem(422, f"Expected a number of lines, got {count[:20]!r}", path="$.lines")
        answer = checked(await self._ask(asks.ReadLog(int(count)), call.asker.who))
        lines = msgspec.json.decode(answer.data, type=tuple[str, ...])
        return as_json(msgspec.json.encode(table.Lines(lines)))

    async def support_bundle(self, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.ReadBundle(), call.asker.who, ACT_S))
        bundle = msgspec.json.decode(answer.data, type=asks.SupportBundle)
        headers = {"cache-control": "no-store",
                   "content-disposition": f'attachment; filename="{bundle.name}"'}  # fmt: skip
        return Response(bundle.content, 200, headers, "application/zip")

    async def openapi(self, _call: Call) -> ASGIApp:
        if not self._openapi:
            self._openapi = msgspec.json.encode(openapi.document(table.TABLE, self._version))
        return as_json(self._openapi)

    # -- settings --------------------------------------------------------------------------------

    async def settings(self, call: Call) -> ASGIApp:
        force = await self._in_force(asks.ReadSettings(), call)
        if call.headers.get("if-none-match") == _etag(force):
            return Response(b"", 304, {"etag": _etag(force), "cache-control": "no-store"})
        return as_json(bytes(force.settings), {"etag": _etag(force)})

    async def patch_settings(self, call: Call) -> ASGIApp:
        read(call.body, dict[str, object])
        ask = asks.PatchSettings(msgspec.Raw(call.body), _revision(call.headers.get("if-match")))
        force = await self._in_force(ask, call)
        return as_json(bytes(force.settings), force.headers)

    async def settings_schema(self, _call: Call) -> ASGIApp:
        return as_json(self._schema)

    async def export_settings(self, call: Call) -> ASGIApp:
        force = await self._in_force(asks.ReadSettings(), call)
        name = 'attachment; filename="linkray-settings.json"'
        return as_json(
            msgspec.json.format(bytes(force.settings), indent=2), {"content-disposition": name}
        )

    async def import_settings(self, call: Call) -> ASGIApp:
        read(call.body, dict[str, object])
        check_only = call.query.get("check") not in {None, "", "0"}
        ask = asks.ImportSettings(msgspec.Raw(call.body), check_only)
        if check_only:
            answer = checked(await self._ask(ask, call.asker.who))
            found = msgspec.json.decode(answer.data, type=tuple[asks.SettingChange, ...])
            return as_json(msgspec.json.encode(table.Checked(True, answer.text, found)))
        force = await self._in_force(ask, call)
        return as_json(bytes(force.settings), force.headers)

    async def _in_force(self, ask: AnyAsk, call: Call) -> _InForce:
        answer = checked(await self._ask(ask, call.asker.who))
        force = msgspec.json.decode(answer.data, type=_InForce)
        force.text = answer.text
        return force

    async def ceiling(self, call: Call) -> ASGIApp:
        return as_json(bytes(checked(await self._ask(asks.ReadCeiling(), call.asker.who)).data))

    async def seal_ceiling(self, call: Call) -> ASGIApp:
        limit = read(call.body, table.Seal).limit_ma
        who = msgspec.structs.replace(
            call.asker.who, on_site=is_near(call.source, self._attached())
        )
        return as_json(bytes(checked(await self._ask(asks.SealCeiling(limit), who)).data))

    async def commissioning_check(self, call: Call) -> ASGIApp:
        answer = checked(await self._ask(asks.CheckCommissioning(), call.asker.who))
        return as_json(bytes(answer.data))

    async def walk(self, call: Call) -> ASGIApp:
        return as_json(bytes(checked(await self._ask(asks.ReadWalk(), call.asker.who)).data))

    async def note_step(self, call: Call) -> ASGIApp:
        done, step = read(call.body, table.StepDone).done, call.params["step"]
        try:
            ask = msgspec.convert({"step": step, "done": done}, asks.NoteStep)
        except msgspec.ValidationError:
            known = ", ".join(STEPS)
            raise Problem(404, f"Expected a step ({known}), got {step[:20]!r}") from None
        return as_json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def meters(self, call: Call) -> ASGIApp:
        return as_json(bytes(checked(await self._ask(asks.ReadMeters(), call.asker.who)).data))

    async def check_meter(self, call: Call) -> ASGIApp:
        try:
            text = call.body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise Problem(422, f"Expected UTF-8 text: {error}") from None
        answer = checked(await self._ask(asks.CheckMeter(text), call.asker.who))
        file = msgspec.json.decode(answer.data, type=_File).file
        return as_json(msgspec.json.encode(table.MeterFile(file)))

    # -- acts ------------------------------------------------------------------------------------

    async def _act(self, ask: AnyAsk, call: Call) -> ASGIApp:
        return done(await self._ask(ask, call.asker.who, ACT_S))

    async def start(self, call: Call) -> ASGIApp:
        body = read(call.body, table.Start) if call.body else table.Start()
        charger, connector = call.params["id"], _connector(call)
        if body.tag is None:
            return await self._act(asks.StartCharging(charger, connector), call)
        return await self._act(asks.StartCharging(charger, connector, body.tag), call)

    async def stop(self, call: Call) -> ASGIApp:
        charger, connector = call.params["id"], _connector(call)
        return await self._act(asks.StopCharging(charger, connector), call)

    async def history(self, call: Call) -> ASGIApp:
        ask = asks.ReadHistory(call.params["id"], _connector(call))
        return as_json(bytes(checked(await self._ask(ask, call.asker.who)).data))

    async def priority(self, call: Call) -> ASGIApp:
        body = read(call.body, table.Priority)
        return await self._act(asks.SetPriority(body.chargers, body.priority), call)

    async def delete(self, call: Call) -> ASGIApp:
        return await self._act(
            asks.DeleteCharger(read(call.body, table.Chargers).chargers), call
        )

    async def emergency_stop(self, call: Call) -> ASGIApp:
        return await self._act(asks.SetEmergencyStop(read(call.body, table.Switch).on), call)

    async def identify(self, call: Call) -> ASGIApp:
        return await self._act(asks.Identify(), call)


class _File(msgspec.Struct):
    file: dict[str, MeterFileValue]


def _connector(call: Call) -> int:
    """The connector in the path; 404 for what is no small number."""
    given = call.params["connector"]
    if not (given.isascii() and given.isdecimal() and len(given) <= CONNECTOR_DIGITS_MAX):
        raise Problem(404, f"Expected the number of a connector, got {given[:20]!r}")
    return int(given)


def _set_password(name: str, made: str) -> asks.SetPassword:
    return msgspec.convert({"ask": "SetPassword", "account": name, "hash": made}, asks.SetPassword)


def _etag(force: _InForce) -> str:
    return f'"{force.revision}"'


def _revision(if_match: str | None) -> int | None:
    """The revision of an If-Match header; none or `*` is whatever is in force."""
    if if_match is None or if_match.strip() == "*":
        return None
    bare = if_match.strip().removeprefix("W/").strip('"')
    if not (bare.isascii() and bare.isdecimal()):
        raise Problem(412, f"Expected the ETag of the settings, got {if_match[:40]!r}")
    return int(bare[:18])
