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
from linkray.app import Meters, held, opened_store
from linkray.desk.snapshot import Seen
from linkray.desk.task import SOCKET, Desk
from linkray.faces.client import ControlAway, ask_once
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
    ReadSettings,
    SetPassword,
    Who,
)
from linkray.store.db import StoreError

WITHIN_S = 15.0
BUTTON_EXTRA_S = 5.0
ME = Who("command line", LOCAL, "on site")


async def carry_out(options: argparse.Namespace) -> int:
    """One command; 0 when it is done, 1 when it is not and has said why."""
    set_up(WallClock(), LogRing())
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    act = {"settings": _settings, "key": _key, "password": _password, "board": _board}
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
            print(f"linkray: {options.file}: expected JSON: {error}", file=sys.stderr)
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
    return PressButton(options.hold)


async def _at_desk(state: Path, ask: AnyAsk, command: str) -> Answer:
    within_s = WITHIN_S
    if isinstance(ask, PressButton):
        within_s = ask.hold_s + BUTTON_EXTRA_S
    if (state / SOCKET).exists():
        try:
            return await ask_once(state, ask, ME, within_s)
        except ControlAway:  # a socket that a killed control has left behind, or one that ends
            structlog.get_logger().debug("nobody at the desk")
    if command == "board":
        raise ControlAway("control is not running: there is no button to press")
    wall = WallClock()
    with held(state):
        async with opened_store(state, wall) as store:
            desk = Desk(
                store, Seen, {}, meters=Meters(), clock=wall, failures=(OSError, StoreError)
            )
            await desk.begin()
            return await desk.ask(ask, ME, within_s)


def _settings(options: argparse.Namespace, answer: Answer) -> int:
    told = msgspec.json.decode(answer.data)
    if options.act == "export":
        text = json.dumps(told["settings"], indent=2, ensure_ascii=False) + "\n"
        if options.file == "-":
            sys.stdout.write(text)
        else:
            Path(options.file).write_text(text)
    elif options.act == "check":
        print(answer.text)
    else:
        print(f"settings are in force, revision {told['revision']}")
    return 0


def _key(_options: argparse.Namespace, _answer: Answer) -> int:
    print(_made_key)
    return 0


def _password(_options: argparse.Namespace, answer: Answer) -> int:
    print(answer.text)
    return 0


def _board(_options: argparse.Namespace, answer: Answer) -> int:
    print(answer.text)
    return 0
