"""The short commands: asks at the desk's socket, or at the same desk straight over the store.

While control runs, its desk answers; else the state folder is held and a desk without rooms does
what the store alone can do (trust.md 4, rule 8: who can write the folder is on site).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import msgspec
import structlog

from linkray.access.keys import BadSpan, expiry, new_key
from linkray.access.passwords import weakness
from linkray.app import Meters, held, makes_of, opened_store, shipped_quirks
from linkray.desk.snapshot import Seen
from linkray.desk.task import SOCKET, Desk
from linkray.faces.client import ControlAway, ask_once
from linkray.hal.files import write_synced
from linkray.kit.clock import WallClock, stamp
from linkray.kit.log import LogRing, set_up
from linkray.kit.secret import fresh, hash_password
from linkray.model.asks import (
    LOCAL,
    AddKey,
    Answer,
    AnyAsk,
    ImportSettings,
    PressButton,
    ReadBundle,
    ReadCeiling,
    ReadSettings,
    SealCeiling,
    SetPassword,
    SupportBundle,
    Who,
)
from linkray.model.failsafe import Make
from linkray.model.plain import in_plain
from linkray.model.settings import LimitPhases
from linkray.model.views import CeilingView
from linkray.store.ceiling import Ceiling, in_words
from linkray.store.db import FILE, Store, StoreError
from linkray.store.runner import InThread

WITHIN_S = 15.0
BUTTON_EXTRA_S = 5.0
ME = Who("command line", LOCAL, "on site")


async def carry_out(options: argparse.Namespace) -> int:
    """One command; 0 when it is done, 1 when it is not and has said why."""
    set_up(WallClock(), LogRing())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    act = {
        "settings": _settings, "key": _key, "password": _password, "board": _board, "seal": _seal,
        "bundle": _bundle,
    }  # fmt: skip
    try:
        ask = _wish(options)
        if ask is None:
            return 1
        answer = await _at_desk(options.state, ask, options.command)
    except (ControlAway, StoreError, OSError) as error:
        print(f"linkray: {error}", file=sys.stderr)
        return 1
    if not answer.ok:
        where = msgspec.json.decode(answer.data)
        path = f" - at {where['path']}" if isinstance(where, dict) and "path" in where else ""
        print(f"linkray: {answer.text}{path}", file=sys.stderr)
        return 1
    return act[options.command](options, answer)


_made_key = ""


def _wish(options: argparse.Namespace) -> AnyAsk | None:
    """The ask that a command stands for; None when its input will not do (it said why)."""
    global _made_key  # printed once the desk has kept its digest
    if options.command == "settings":
        if options.act == "export":
            return ReadSettings()
        try:
            if options.file == "-":
                text = sys.stdin.buffer.read()
            else:
                text = Path(options.file).read_bytes()
        except OSError as error:
            print(f"linkray: {options.file}: expected a settings file: {error.strerror}",
                  file=sys.stderr)  # fmt: skip
            return None
        try:
            msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            deep = isinstance(error, RecursionError)
            why = "nested without end" if deep else f"expected JSON: {in_plain(error)}"
            print(f"linkray: {options.file} is not a settings file: {why}", file=sys.stderr)
            return None
        return ImportSettings(msgspec.Raw(text), check_only=options.act == "check")
    if options.command == "key":
        try:
            until = expiry(options.expires, WallClock().utc())
        except BadSpan as error:
            print(f"linkray: --expires: {error}", file=sys.stderr)
            return None
        _made_key, digest = new_key(fresh())
        return AddKey(digest, options.scope, stamp(until), options.name)
    if options.command == "password":
        word = sys.stdin.readline().rstrip("\r\n")
        weak = weakness(word, options.account, ())
        if weak is not None:
            print(f"linkray: {options.account}: {weak}", file=sys.stderr)
            return None
        return SetPassword(options.account, hash_password(word))
    if options.command == "seal":
        limit = options.amps
        return SealCeiling(LimitPhases(*limit)) if limit else ReadCeiling()
    if options.command == "bundle":
        return ReadBundle()
    return PressButton(options.hold)


def _expect_state(state: Path, ask: AnyAsk) -> None:
    """A mistyped folder is no new box: to begin one the folder has to exist, else its database."""
    if not state.is_dir():
        raise FileNotFoundError(
            f"no LinkRay state in {state}: there is no such folder; for a new box make it first"
        )
    begins = isinstance(ask, ImportSettings) and not ask.check_only
    sealed = SealCeiling | ReadCeiling  # its file outlives a lost database
    running = ReadBundle | PressButton  # of a control that runs, or refused below
    if not begins and not isinstance(ask, sealed | running) and not (state / FILE).exists():
        raise FileNotFoundError(
            f"no LinkRay state in {state}: expected {FILE} there; "
            "`linkray run` or `linkray settings import` begins a new box"
        )


async def _at_desk(state: Path, ask: AnyAsk, command: str) -> Answer:
    _expect_state(state, ask)
    within_s = WITHIN_S
    if isinstance(ask, PressButton):
        within_s = ask.hold_s + BUTTON_EXTRA_S
    if (state / SOCKET).exists():
        try:
            return await ask_once(state, ask, ME, within_s)
        except ControlAway:  # a socket that a killed control has left behind, or one that ends
            structlog.get_logger().debug("nobody at the desk")
    if command == "bundle":
        raise ControlAway("control is not running: there is nothing to bundle")
    if command == "board":
        raise ControlAway("control is not running: there is no button to press")
    wall = WallClock()
    with held(state):
        async with opened_store(state, wall) as store:
            desk = await _desk_of(store, state, wall)
            await desk.begin()
            return await desk.ask(ask, ME, within_s)


async def _desk_of(store: Store, state: Path, wall: WallClock) -> Desk:
    """A desk straight over the store: what is sealed holds for it too."""
    seen = {one.charger: one for one in await store.seen()}
    passports = {one.make: one for one in await store.passports()}
    quirks = shipped_quirks(state)

    def makes() -> dict[str, Make]:
        chargers = (c.id for c in store.settings.value.chargers)
        return makes_of(chargers, seen, {}, quirks, passports)

    return Desk(
        store, Seen, {}, meters=Meters(), clock=wall, failures=(OSError, StoreError),
        ceiling=Ceiling(store, state, InThread(), write_synced), makes=makes,
    )  # fmt: skip


def _settings(options: argparse.Namespace, answer: Answer) -> int:
    told = msgspec.json.decode(answer.data)
    if options.act == "export":
        text = json.dumps(told["settings"], indent=2, ensure_ascii=False) + "\n"
        if options.file == "-":
            sys.stdout.write(text)
        else:
            Path(options.file).write_text(text)
    elif options.act == "check":
        for change in told:
            now, new = (json.dumps(change[part], ensure_ascii=False) for part in ("now", "new"))
            print(f"{change['name']}: {now} → {new}")
        print(answer.text)
    else:
        print(f"settings are in force, revision {told['revision']}")
        if answer.text:
            print(answer.text)
    return 0


def _bundle(options: argparse.Namespace, answer: Answer) -> int:
    made = msgspec.json.decode(answer.data, type=SupportBundle)
    if options.file == "-":
        sys.stdout.buffer.write(made.content)
        return 0
    try:
        write_synced(Path(options.file), made.content)
    except OSError as error:
        print(f"linkray: {options.file}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{options.file}: {len(made.content):,} bytes")
    return 0


def _key(_options: argparse.Namespace, _answer: Answer) -> int:
    print(_made_key)
    return 0


def _password(_options: argparse.Namespace, answer: Answer) -> int:
    print(answer.text)
    return 0


def _seal(_options: argparse.Namespace, answer: Answer) -> int:
    told = msgspec.json.decode(answer.data, type=CeilingView)
    if told.limit_ma is None:
        print("the engineering ceiling is not sealed")
    else:
        print(f"the engineering ceiling is {in_words(told.limit_ma)}, sealed by {told.by or '?'} "
              f"at {told.at or '?'}; in force: {in_words(told.in_force_ma)}")  # fmt: skip
    return 0


def _board(_options: argparse.Namespace, answer: Answer) -> int:
    print(answer.text)
    return 0
