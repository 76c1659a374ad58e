"""Sessions end when they must (trust.md A7, A8)."""

from __future__ import annotations

import secrets

from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from hypothesis.strategies import booleans, floats, lists, sampled_from

from linkray.access.door import Door
from linkray.access.sessions import (
    CONFIRMED_S,
    IDLE_S,
    LONGEST_S,
    MUST_CHANGE_S,
    SESSIONS_MAX,
    Sessions,
)
from linkray.model.asks import Account


def fresh() -> bytes:
    return secrets.token_bytes(32)


def test_a7_a_session_ends_after_15_idle_minutes_though_the_stream_runs():
    sessions = Sessions()
    token, _session = sessions.open("EV", 1, 0.0, fresh())

    for second in range(0, int(IDLE_S), 10):
        assert sessions.find(token, float(second), used=False)
    assert sessions.find(token, IDLE_S, used=False) is None
    assert sessions.find(token, IDLE_S, used=True) is None


def test_a7_use_keeps_it_alive_for_12_hours_and_no_longer():
    sessions = Sessions()
    token, _session = sessions.open("EV", 1, 0.0, fresh())

    now = 0.0
    while now + 600 < LONGEST_S:
        now += 600
        assert sessions.find(token, now, used=True)
    assert sessions.find(token, LONGEST_S, used=True) is None


def test_a_first_password_opens_15_minutes_whatever_is_done():
    sessions = Sessions()
    token, session = sessions.open("Assembler", 3, 0.0, fresh(), must_change=True)

    assert session.must_change
    assert sessions.find(token, MUST_CHANGE_S - 1, used=True)
    assert sessions.find(token, MUST_CHANGE_S, used=True) is None


def test_a8_what_is_kept_is_no_token():
    sessions = Sessions()
    token, session = sessions.open("EV", 1, 0.0, fresh())

    assert token not in str(sessions._open) + str(session)
    assert len(token) == 43
    assert session.csrf != token


def test_a_cut_off_or_longer_token_is_none():
    sessions = Sessions()
    token, _session = sessions.open("EV", 1, 0.0, fresh())

    for wrong in (token[:-1], token + "A", "", token.swapcase(), token + "="):
        assert sessions.find(wrong, 1.0, used=True) is None


def test_inv17_the_table_has_a_greatest_size_and_drops_the_idlest():
    sessions = Sessions()
    tokens = [
        sessions.open("EV", 1, float(n) / 1000, fresh())[0] for n in range(SESSIONS_MAX + 1)
    ]

    assert len(sessions) == SESSIONS_MAX
    assert sessions.find(tokens[0], 1.0, used=True) is None
    assert sessions.find(tokens[1], 1.0, used=True)


class SessionsModel(RuleBasedStateMachine):
    """The table against the simplest model there is: who was let in when, and what ended it."""

    tokens = Bundle("tokens")

    def __init__(self) -> None:
        super().__init__()
        self.door = Door(fresh)
        self.now = 0.0
        self.changed = {"EV": "", "Installer": "", "Assembler": ""}
        self.model: dict[str, dict] = {}

    @rule(target=tokens, name=sampled_from(["EV", "Installer", "Assembler"]), first=booleans())
    def enter(self, name, first):
        account = Account(name, 1, "x", first=first, changed=self.changed[name])
        token, _session = self.door.enter(account, "192.0.2.7", self.now)
        self.model[token] = {"name": name, "made": self.now, "used": self.now, "first": first}
        return token

    @rule(seconds=floats(0, 2000))
    def wait(self, seconds):
        self.now += seconds
        for token, held in list(self.model.items()):
            longest = MUST_CHANGE_S if held["first"] else LONGEST_S
            if self.now - held["used"] >= IDLE_S or self.now - held["made"] >= longest:
                del self.model[token]

    @rule(token=tokens, used=booleans())
    def use(self, token, used):
        session = self.door.session(token, self.now, used=used)
        assert (session is not None) == (token in self.model)
        if session is not None and used:
            self.model[token]["used"] = self.now

    @rule(token=tokens)
    def leave(self, token):
        self.door.leave(token)
        self.model.pop(token, None)

    @rule(tokens=lists(tokens, max_size=3))
    def end(self, tokens):
        self.door.end_named([self.door.name_of(token) for token in tokens])
        self.model = {t: held for t, held in self.model.items() if t not in tokens}

    @rule(token=tokens)
    def confirm(self, token):
        self.door.confirm(token, self.now)
        if token in self.model:
            self.model[token] |= {"used": self.now, "confirmed": self.now}

    @rule(name=sampled_from(["EV", "Installer", "Assembler"]))
    def change_account(self, name):
        """Another password, another second factor, or none at all: closed."""
        self.changed[name] += "x"
        accounts = tuple(Account(n, 1, "x", changed=c) for n, c in self.changed.items())
        self.door.passwords_changed(accounts)
        self.model = {t: held for t, held in self.model.items() if held["name"] != name}

    @invariant()
    def nobody_else_is_in(self):
        names = {self.door.name_of(token) for token in self.model}
        assert {name for name, _session in self.door.opened(self.now)} == names
        for token, held in self.model.items():
            assert self.door.session(token, self.now, used=False) is not None
            lately = "confirmed" in held and self.now - held["confirmed"] < CONFIRMED_S
            assert self.door.is_confirmed(token, self.now) == lately


TestSessionsModel = SessionsModel.TestCase
TestSessionsModel.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
