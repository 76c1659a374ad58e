"""The desk's table: who may ask what, and what a change of settings may touch."""

from __future__ import annotations

import json

import msgspec
import pytest

from linkray.desk.desk import (
    Lock,
    changes,
    conflict,
    differences,
    imported,
    in_words,
    lock_of,
    merge,
    patched,
    refusal,
    reset_refusal,
    too_high,
)
from linkray.model import asks
from linkray.model.asks import LEAST_LEVEL, LOCAL, Account, Answer, Who
from linkray.model.branding import Branding
from linkray.model.settings import Charger, Exclusion, Group, LimitPhases, Settings, Site

HASH = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"
OPEN = Lock(passwords_set=True, released=True)
FACTORY = Lock(passwords_set=False, released=False)
PEOPLE = (Account("EV", 1, HASH), Account("Installer", 2, HASH), Account("Assembler", 3, HASH))
RAW = msgspec.Raw(b"{}")
EXAMPLES: tuple[asks.Ask, ...] = (
    asks.ReadSnapshot(), asks.StartCharging("CP1", 1), asks.StopCharging("CP1", 1),
    asks.SetPriority(("CP1",), "high"), asks.DeleteCharger(("CP1",)), asks.ReadSettings(),
    asks.PatchSettings(RAW), asks.ImportSettings(RAW), asks.SetEmergencyStop(on=True),
    asks.Identify(), asks.PressButton(1.0), asks.FactoryReset("x"), asks.ReadAccounts(),
    asks.SetPassword("EV", HASH), asks.ReadKeys(), asks.AddKey("ab", "read", "2027"),
    asks.ReadHistory("CP1", 1), asks.ReadLog(), asks.Watch(), asks.ReadMeters(),
    asks.CheckMeter("{}"), asks.ReadPassports(), asks.ReadPassport("CP1"),
    asks.ImportPassports(RAW), asks.ProbeAgain("CP1"), asks.ReadCeiling(),
    asks.SealCeiling(LimitPhases(80_000, 80_000, 80_000)), asks.CheckCommissioning(),
    asks.ReadBundle(), asks.ReadSetAside(), asks.TryUplink("ws://csms.example"),
    asks.SetUplinkPassword("CP1", "word"), asks.ReadFrames(), asks.ReadFrameFile(0),
    asks.SayAgain("CP1"), asks.RemoveSetAside(),
    asks.ReadWalk(), asks.NoteStep("site"),
    asks.ReadQueues(), asks.ReadQueue("ws://csms.example"), asks.LetQueueGo("ws://former", 9),
    asks.ReadTags(), asks.ChangeTags("cleared", whole=True), asks.ReadRejected(),
    asks.ReadLearning(), asks.SetLearning(on=True), asks.ImportTags(RAW),
    asks.CloseAccount("EV"), asks.SetSecondFactor("EV"), asks.SetKey("ab", on=True),
    asks.RemoveKey("ab"), asks.NoteAtDoor(Who("EV", 1), "signed in"),
    asks.ReadAlerts(), asks.SeeAlerts((1,)), asks.Restart("control"),
    asks.ReadDelivery(), asks.SendDelivery(), asks.TryDelivery(), asks.SetDeliveryPassword("x"),
    asks.CancelRestart(), asks.ReadRestarts(), asks.SetLogLevel(extended=True),
    asks.ReadLogFile(), asks.ReadReport(),
    asks.ReadLicence(), asks.ImportLicence("{}"), asks.ReadCertificate(),
    asks.InstallCertificate("PEM"), asks.RequestCertificate("box.example"), asks.DropCertificate(),
    asks.SetBranding(Branding()), asks.ReadMeterFile("Mine"), asks.AddMeterFile("{}"),
    asks.DeleteMeterFile("Mine"),
    asks.ReadConfiguration("CP1"), asks.ChangeKey("CP1", "A", "1"),
    asks.ActAtCharger("CP1", "reset_soft"), asks.TellFirmware("CP1", "http://box/x", "2026"),
    asks.AskDiagnostics("CP1", "http://box/"), asks.ReadFirmware(), asks.DeleteFirmware("a.bin"),
    asks.KeepFirmware("incoming-0", "a.bin"), asks.UpdateFirmware("a.bin", ("CP1",), "box", 80),
    asks.GetDiagnostics("CP1", "box", 80), asks.ReadDiagnostics(), asks.OpenHanded("t", "::1"),
    asks.KeepDiagnostics("t", "::1", "incoming-0"), asks.OpenDiagnostics("CP1"),
    asks.ReadClients(), asks.MakeClient("Ann", 3, "a word for it"), asks.RevokeClient("1a"),
    asks.RemoveClients(), asks.RequireClients(3, on=True), asks.ReadChargerLinks(),
    asks.SetChargerPassword("CP1", "0123456789abcdef"), asks.RemoveChargerPassword("CP1"),
    asks.TellPassword("CP1", "0123456789abcdef"), asks.ReadNetwork(), asks.ReadNeighbours(),
)  # fmt: skip
NAMES = {0: "", 1: "EV", 2: "Installer", 3: "Assembler", 4: "command line"}


def takes_anything(_file: object) -> None:
    """A meter's judge for tests that are not about meters."""


def test_the_examples_are_all_asks_there_are():
    assert {type(ask) for ask in EXAMPLES} == set(LEAST_LEVEL)


@pytest.mark.parametrize("level", range(5))
@pytest.mark.parametrize("ask", EXAMPLES, ids=lambda ask: type(ask).__name__)
def test_a10_every_ask_is_allowed_from_its_level_on_and_not_below(ask, level):
    if isinstance(ask, asks.SetPassword) and level in {1, 2, 3}:
        ask = asks.SetPassword(NAMES[level], HASH)  # one's own; another's is a table of its own
    if isinstance(ask, asks.SetSecondFactor) and level in {1, 2, 3}:
        ask = asks.SetSecondFactor(NAMES[level])
    refused = refusal(ask, Who(NAMES[level], level, on_site=True), OPEN, PEOPLE)

    assert (refused is None) == (level >= LEAST_LEVEL[type(ask)])


@pytest.mark.parametrize("ask", EXAMPLES, ids=lambda ask: type(ask).__name__)
def test_a1_before_the_first_password_people_may_see_and_set_passwords_only(ask):
    refused = refusal(ask, Who("Assembler", 3), FACTORY, PEOPLE)
    on_site = refusal(ask, Who("command line", LOCAL), FACTORY, PEOPLE)

    allowed = isinstance(ask, asks.ReadSnapshot | asks.SetPassword)
    assert (refused is None) == allowed
    assert on_site is None


@pytest.mark.parametrize("ask", EXAMPLES, ids=lambda ask: type(ask).__name__)
def test_a9_a_read_key_changes_nothing_and_no_key_works_before_the_release(ask):
    reads = isinstance(ask, asks.ReadSnapshot | asks.ReadHistory | asks.ReadTags | asks.ReadDelivery
                       | asks.ReadRejected | asks.ReadLearning | asks.ReadAlerts)  # fmt: skip

    assert (refusal(ask, Who("key:r", 1), OPEN, PEOPLE) is None) == reads
    assert refusal(ask, Who("key:w", 2), FACTORY, PEOPLE) is not None


@pytest.mark.parametrize(("level", "on", "allowed"), [
    (1, True, True), (1, False, False), (2, False, True), (3, False, True), (0, True, False),
])  # fmt: skip
def test_anyone_may_stop_everything_and_an_installer_allows_it_again(level, on, allowed):
    refused = refusal(asks.SetEmergencyStop(on=on), Who(NAMES[level], level), OPEN, PEOPLE)

    assert (refused is None) == allowed


@pytest.mark.parametrize("who", ["EV", "Installer", "Assembler", "command line"])
@pytest.mark.parametrize("account", ["EV", "Installer", "Assembler"])
def test_a6_people_set_their_own_password_and_the_assembler_all(who, account):
    level = {name: level for level, name in NAMES.items()}[who]

    refused = refusal(asks.SetPassword(account, HASH), Who(who, level), OPEN, PEOPLE)

    assert (refused is None) == (who == account or level >= 3)


def test_a_person_who_claims_another_level_sets_no_password():
    assert refusal(asks.SetPassword("EV", HASH), Who("Assembler", 2), OPEN, PEOPLE) is not None
    assert refusal(asks.SetPassword("EV", HASH), Who("Root", 3), OPEN, PEOPLE) is not None


@pytest.mark.parametrize("bad", ["", "secret", "$2b$12$abc", "$argon2i$v=19$m=1,t=1,p=1$a$b"])
def test_only_argon2id_hashes_are_kept(bad):
    refused = refusal(asks.SetPassword("EV", bad), Who("EV", 1), OPEN, PEOPLE)

    assert refused is not None
    assert refused.code == "invalid"


def test_the_lock_opens_with_the_assemblers_password_or_with_an_import_on_site():
    first = Account("Assembler", 3, HASH, first=True)

    assert lock_of((first,), None) == Lock(passwords_set=False, released=False)
    assert lock_of((first,), "2026-11-21") == Lock(passwords_set=False, released=True)
    assert lock_of(PEOPLE, None) == Lock(passwords_set=True, released=True)
    assert lock_of((), None) == Lock(passwords_set=False, released=False)


@pytest.mark.parametrize(("who", "allowed"), [
    (Who("Assembler", 3, on_site=True), True), (Who("Assembler", 3), False),
    (Who("Installer", 2, on_site=True), False), (Who("key:w", 3, on_site=True), False),
    (Who("command line", LOCAL), True),
])  # fmt: skip
def test_inv7_the_ceiling_is_sealed_on_site_by_an_assembler_and_never_by_key(who, allowed):
    refused = refusal(asks.SealCeiling(LimitPhases(1, 1, 1)), who, OPEN, PEOPLE)

    assert (refused is None) == allowed
    if refused is not None:
        assert refused.code == "forbidden"


NIGHT = {"days": ["Mon"], "start": "22:00", "end": "06:00"}
LAID = {"phases": 3, "connection": "L1-L2-L3"}


@pytest.mark.parametrize(("body", "path", "word"), [
    ({"schedule": [NIGHT]}, "$.schedule[0].end",
     "across midnight give two: 22:00 to 23:59 and, on the next day, 00:00 to 06:00"),
    ({"schedule": [{**NIGHT, "end": "22:00"}]}, "$.schedule[0].end", "after 22:00"),
    ({"schedule": [{**NIGHT, "days": [], "end": "23:00"}]}, "$.schedule[0].days", "one day"),
    ({"schedule": [{**NIGHT, "days": ["Mon", "Mon"], "end": "23:00"}]}, "$.schedule[0].days",
     "twice"),
    ({"schedule": [{**NIGHT, "end": "24:00"}]}, "$.schedule[0].end", ""),
    ({"schedule": [{**NIGHT, "days": ["Funday"]}]}, "$.schedule[0].days[0]", ""),
    ({"site": {"time_zone": "Mars/Olympus"}}, "$.site.time_zone", "Europe/Berlin"),
    ({"site": {"limit_ma": [0, 0, 0]}}, "$.site.limit_ma", "at least one phase"),
    ({"site": {"imbalance_ma": -1}}, "$.site.imbalance_ma", ""),
    ({"site": {"base_load_ma": [0, 0, 10**12]}}, "$.site.base_load_ma[2]", ""),
    ({"site": {"shed_order": "whoever"}}, "$.site.shed_order", ""),
    ({"access": {"vip": [""]}}, "$.access.vip[0]", ""),
    ({"chargers": [{"id": "A", "fallback_ma": 5_000}]}, "$.chargers[0].fallback_ma",
     "from 6000 to 32000"),
    ({"chargers": [{"id": "A", "fallback_ma": 40_000}]}, "$.chargers[0].fallback_ma", ""),
    ({"chargers": [{"id": "A", "supply_limit_ma": 5_000}]}, "$.chargers[0].supply_limit_ma",
     "at least its minimum of 6000"),
    ({"chargers": [{"id": "A", "max_w": 1_000}]}, "$.chargers[0].max_w",
     "minimum of 6000 mA per phase, got 4300"),
    ({"chargers": [{"id": "A", **LAID, "max_w": 4_139}]}, "$.chargers[0].max_w", "got 5900 mA"),
    ({"chargers": [{"id": "A", **LAID, "max_w": 4_139, "unit": "W"}]}, "$.chargers[0].max_w",
     "minimum of 4140 W"),
    ({"chargers": [{"id": "A", **LAID, "max_w": 11_000, "min_ma": 16_000, "unit": "W"}]},
     "$.chargers[0].max_w", "minimum of 11040 W"),
    ({"chargers": [{"id": "A", "max_ma": 16_000, "min_w": 4_000}]}, "$.chargers[0].max_ma",
     "minimum of 17400 mA per phase"),
    ({"chargers": [{"id": "A", "max_ma": 16_000, "min_w": 4_000, "unit": "W"}]},
     "$.chargers[0].max_ma", "minimum of 4000 W, got 3680 W"),
    ({"site": {"split_mode": "208", "voltage_mv": 120_000},
      "chargers": [{"id": "A", "phases": 2, "connection": "L1-L2", "max_w": 1_240}]},
     "$.chargers[0].max_w", "got 5900 mA"),
])  # fmt: skip
def test_b8_what_can_be_read_and_makes_no_sense_is_refused_where_it_is_new(body, path, word):
    answer = patched(Settings(), json.dumps(body).encode(), 3, takes_anything)

    assert isinstance(answer, Answer)
    assert (answer.code, json.loads(bytes(answer.data))["path"]) == ("invalid", path)
    assert word in answer.text


@pytest.mark.parametrize("exclusion", [
    Exclusion(("Mon", "Sun"), "22:00", "23:59"), Exclusion(("Mon",), "23:59", "23:59"),
    Exclusion(("Mon",), "00:00", "00:01"),
])  # fmt: skip
def test_a_time_that_can_be_is_taken(exclusion):
    body = msgspec.json.encode({"schedule": [exclusion]})

    new = patched(Settings(), body, 3, takes_anything)

    assert isinstance(new, Settings)
    assert new.schedule == (exclusion,)


@pytest.mark.parametrize("charger", [
    {"max_w": 1_380}, {**LAID, "max_w": 4_140}, {**LAID, "max_w": 4_140, "unit": "W"},
    {**LAID, "max_w": 2_000, "min_w": 1_000, "unit": "W"},
    {**LAID, "max_w": 50_000, "min_w": 50_000, "unit": "W"}, {"max_ma": 6_000},
    {**LAID, "max_w": 22_000, "min_ma": 8_000},
])  # fmt: skip
def test_inv_6_a_charger_that_can_be_told_its_minimum_is_taken(charger):
    body = json.dumps({"chargers": [{"id": "A", **charger}]}).encode()

    assert isinstance(patched(Settings(), body, 3, takes_anything), Settings)


def test_inv_6_a_voltage_that_leaves_a_charger_less_than_its_minimum_is_refused():
    old = Settings(chargers=(Charger("A", max_w=1_380), Charger("B", max_w=1_000)))

    refused = patched(old, b'{"site": {"voltage_mv": 240000}}', 3, takes_anything)
    taken = patched(old, b'{"site": {"voltage_mv": 220000}}', 3, takes_anything)

    assert isinstance(refused, Answer)
    assert json.loads(bytes(refused.data))["path"] == "$.chargers[0].max_w"
    assert isinstance(taken, Settings)  # what stood before, B too, stays


def test_what_an_older_version_let_in_stays_while_other_things_change():
    old = Settings(
        schedule=(Exclusion(("Mon",), "22:00", "06:00"),),
        chargers=(Charger("A", fallback_ma=3_000),),
    )

    new = patched(old, b'{"site": {"name": "Yard"}}', 2, takes_anything)

    assert isinstance(new, Settings)
    assert new.schedule == old.schedule


def test_a_factory_reset_names_the_site_or_else_the_serial():
    assert reset_refusal(asks.FactoryReset("Yard"), "Yard", "LR1") is None
    assert reset_refusal(asks.FactoryReset("LR1"), "", "LR1") is None
    assert reset_refusal(asks.FactoryReset("LR1"), "Yard", "LR1") is not None
    assert reset_refusal(asks.FactoryReset(""), "Yard", "LR1") is not None


# RFC 7396, appendix A, every case.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}), ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}), ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}), ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}), (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]), ({"a": "foo"}, None, None), ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}), ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]  # fmt: skip


@pytest.mark.parametrize(("target", "patch", "result"), RFC_7396)
def test_a_merge_patch_does_what_the_rfc_prints(target, patch, result):
    assert merge(target, patch) == result


def test_differences_pair_list_items_by_their_name():
    old = {"chargers": [{"id": "A", "phases": 1}, {"id": "B", "phases": 3}]}
    new = {"chargers": [{"id": "B", "phases": 1}, {"id": "A", "phases": 1}]}

    assert list(differences(old, new)) == ["$.chargers[B].phases"]


def test_the_audit_line_names_the_charger_and_the_field_that_a_change_touches():
    renamed = msgspec.structs.replace(CURRENT, chargers=(CURRENT.chargers[0], Charger("CP2", "B")))

    assert in_words(CURRENT, renamed) == "$.chargers[CP2].name"
    turned = msgspec.structs.replace(CURRENT, chargers=CURRENT.chargers[::-1])
    assert in_words(CURRENT, turned) == "the order of a list"


CURRENT = Settings(
    site=Site(name="Yard"),
    groups=(Group("East", 40_000),),
    chargers=(Charger("CP1", group="East"), Charger("CP2")),
)


def patch_with(body: object, level: int = 2) -> Settings | Answer:
    return patched(CURRENT, json.dumps(body).encode(), level, takes_anything)


def test_a_patch_changes_what_it_names_and_leaves_the_rest():
    new = patch_with({"site": {"fifo": True}})

    assert isinstance(new, Settings)
    assert new.site.fifo
    assert new.site.name == "Yard"
    assert new.chargers == CURRENT.chargers


def test_a_null_sets_a_field_back_to_its_default():
    new = patch_with({"site": {"name": None}})

    assert isinstance(new, Settings)
    assert new.site.name == ""


@pytest.mark.parametrize("field", [{"url": "ws://x"}, {"prefix": "P"}, {"allow_without": False}])
def test_a38_a_field_of_the_assembler_is_forbidden_to_an_installer_with_its_path(field):
    (name,) = field
    refused = patch_with({"csms": field, "site": {"fifo": True}})

    assert isinstance(refused, Answer)
    assert refused.code == "forbidden"
    assert json.loads(bytes(refused.data)) == {"path": f"$.csms.{name}"}
    assert isinstance(patch_with({"csms": field}, level=3), Settings)


@pytest.mark.parametrize("whole", [{"csms": None}, {"csms": 5}, {"csms": []}])
def test_a_branch_of_the_assembler_cannot_be_replaced_whole_by_an_installer(whole):
    changed = msgspec.structs.replace(
        CURRENT, csms=msgspec.structs.replace(CURRENT.csms, url="ws://x")
    )
    refused = patched(changed, json.dumps(whole).encode(), 2, takes_anything)

    assert isinstance(refused, Answer)
    assert refused.code == "forbidden"


def test_what_is_named_but_stays_as_it_is_is_no_change():
    assert isinstance(patch_with({"csms": {"url": ""}}), Settings)


@pytest.mark.parametrize(("body", "path"), [
    ({"site": {"voltage_mv": 5}}, "$.site.voltage_mv"),
    ({"site": {"limit_ma": [1, 2]}}, "$.site.limit_ma"),
    ({"site": {"limit_ma": [-1, 2, 3]}}, "$.site.limit_ma[0]"),
    ({"site": {"colour": "red"}}, "$.site.colour"),
    ({"site": {"time_zone": "Mars/Olympus"}}, "$.site.time_zone"),
    ({"site": {"time_zone": "../UTC"}}, "$.site.time_zone"),
    ({"site": {"time_zone": "America"}}, "$.site.time_zone"),
    ({"site": {"time_zone": ""}}, "$.site.time_zone"),
    ({"colour": "red"}, "$.colour"),
    ({"groups": []}, "$.chargers[0].group"),
    ({"chargers": [{"id": "CP1", "phases": 4}]}, "$.chargers[0].phases"),
    ({"chargers": [{"id": "a/b"}]}, "$.chargers[0].id"),
    ({"site": {"voltage_mv": 1e999}}, "$"),
    ([1], "$"),
])  # fmt: skip
def test_b8_nonsense_is_refused_with_the_path_of_the_field(body, path):
    text = json.dumps(body).replace("Infinity", "1e999").encode()
    refused = patched(CURRENT, text, 3, takes_anything)

    assert isinstance(refused, Answer)
    assert refused.code == "invalid"
    assert json.loads(bytes(refused.data)) == {"path": path}


def test_an_import_is_told_as_each_thing_that_changes_with_its_value_now_and_then():
    old = {"site": {"name": "A", "limit_ma": [1, 2, 3], "meter": {"file": None}},
           "chargers": [{"id": "CP1", "min_ma": 6}, {"id": "CP2"}, {"id": "CP4"}],
           "schedule": [{"start": "1"}]}
    new = {"site": {"name": "A", "limit_ma": [1, 2, 4], "meter": {"file": {"Name": "X"}}},
           "chargers": [{"id": "CP3"}, {"id": "CP4"}, {"id": "CP1", "min_ma": 8}],
           "schedule": [{"start": "2"}]}

    told = [(one.name, one.now, one.new) for one in changes(old, new)]

    assert told == [
        ("site.limit_ma", [1, 2, 3], [1, 2, 4]), ("site.meter.file", None, {"Name": "X"}),
        ("chargers[CP1].min_ma", 6, 8), ("chargers[CP2]", {"id": "CP2"}, None),
        ("chargers[CP3]", None, {"id": "CP3"}), ("chargers[]", ["CP1", "CP4"], ["CP4", "CP1"]),
        ("schedule[0].start", "1", "2"),
    ]  # fmt: skip
    assert list(changes(old, old)) == []


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b'{"a":' * 100_000, b'{"site":NaN}',
                                  b'{"site":{"voltage_mv":' + b"9" * 5000 + b"}}"])  # fmt: skip
def test_b8_what_is_no_json_is_refused_without_an_exception(text):
    refused = patched(CURRENT, text, 3, takes_anything)

    assert isinstance(refused, Answer)
    assert refused.code == "invalid"


def test_a_meter_file_is_judged_when_it_is_new():
    def judge(_file):
        raise ValueError("Expected AL1, got none")

    body = json.dumps({"site": {"meter": {"file": {"Name": "X"}}}}).encode()
    refused = patched(CURRENT, body, 3, judge)

    assert isinstance(refused, Answer)
    assert json.loads(bytes(refused.data)) == {"path": "$.site.meter.file"}
    assert "AL1" in refused.text


def test_w8_an_import_is_all_or_nothing_and_knows_levels():
    good = imported(CURRENT, b'{"site": {"name": "New"}}', 2, takes_anything)
    newer = imported(CURRENT, b'{"version": 2}', 3, takes_anything)
    beyond = imported(CURRENT, b'{"csms": {"url": "ws://x"}}', 2, takes_anything)

    assert good == Settings(site=Site(name="New"))
    assert isinstance(newer, Answer)
    assert newer.code == "invalid"
    assert isinstance(beyond, Answer)
    assert beyond.code == "forbidden"


def test_w4_a_change_on_an_older_revision_is_a_conflict():
    assert conflict(7, 7) is None
    assert conflict(7, None) is None
    assert conflict(7, 6).code == "conflict"


def test_every_leaf_of_the_tree_has_a_level_for_every_change():
    old = msgspec.to_builtins(Settings())
    for level in (1, 2, 3):
        new = json.loads(json.dumps(old))
        new["access"]["whitelist"] = True
        assert (too_high(old, new, level) is None) == (level >= 2)
