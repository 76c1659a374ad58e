"""What the store keeps and gives back (records.md; house.md, Who owns what)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import msgspec
import pytest
import trio

from linkray.kit.clock import WallClock
from linkray.model.asks import ASSEMBLER, Account, Key, Who
from linkray.model.faults import Alert
from linkray.model.passport import Finding, Passport
from linkray.model.records import (
    AlertGone,
    AlertKept,
    Called,
    ChargerSeen,
    Delivered,
    IdLearned,
    PassportForgotten,
    PassportFound,
    SessionWent,
    StopUnknown,
    TagAccepted,
    TagRejected,
    TransactionBegan,
    TransactionEnded,
    TransactionSampled,
)
from linkray.model.sessions import Course, Pause
from linkray.model.settings import Charger, Group, Settings, Site
from linkray.store import db
from linkray.store.db import Store, StoreError
from linkray.store.disk import TAGS_REJECTED_KEPT, digest_of
from linkray.store.first import PRINTED_HASH
from linkray.store.reader import Reader
from linkray.store.runner import Inline

AT = "2026-11-21T10:00:00.000Z"
WHO = Who("Assembler", ASSEMBLER, "192.0.2.7")
NAMED = Settings(site=Site(name="Car park"))


def clock() -> WallClock:
    return WallClock(lambda: datetime.fromisoformat(AT))


class Slow:
    """A disk that takes a second for everything."""

    async def run(self, work):
        done = work()
        await trio.sleep(1)
        return done


async def in_memory() -> Store:
    return await Store.open(":memory:", Inline(), clock())


def began(number: int, charger: str = "DBT1", start_wh: int = 1_000) -> TransactionBegan:
    return TransactionBegan(number, charger, 1, "TAG", start_wh, AT, AT, "Bay 1", "whitelist")


async def test_a_transaction_is_kept_from_start_to_stop():
    store = await in_memory()
    number = store.take_transaction_id()
    await store.commit([began(number)])
    (running,) = await store.running()
    assert (running.id, running.energy_wh, running.finished, running.ended) == (1, 0, False, None)
    assert (running.friendly_name, running.authorised_by) == ("Bay 1", "whitelist")
    await store.commit([TransactionSampled(number, 4_000, AT)])
    (running,) = await store.running()
    assert (running.meter_last_wh, running.energy_wh, running.sampled) == (4_000, 3_000, AT)
    await store.commit([TransactionEnded(number, 9_000, AT, "Local", "given")])
    assert await store.running() == []
    (ended,) = await store.recent("DBT1")
    assert (ended.energy_wh, ended.finished, ended.reason, ended.stop_given) == (
        8_000, True, "Local", "given",
    )  # fmt: skip


async def test_the_history_of_faults_outlives_a_restart(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline(), clock())
    one = Alert(1, "meter", 1, "Meter", AT)
    away = Alert(2, "charger_offline", 2, "CP1", AT, AT, 3, "CP1", "Installer", AT)
    store.later([AlertKept(one), AlertKept(away), AlertKept(Alert(3, "clock", 9, "Clock", AT))])
    store.later([AlertKept(msgspec.structs.replace(one, cleared=AT)), AlertGone(3)])
    await store.close()

    again = await Store.open(tmp_path / "linkray.db", Inline(), clock())
    assert await again.alerts() == [msgspec.structs.replace(one, cleared=AT), away]
    await again.close()


async def test_an_end_without_a_register_takes_the_last_sample():
    store = await in_memory()
    await store.commit([began(1), TransactionSampled(1, 1_700, AT)])
    await store.commit([TransactionEnded(1, None, AT, "PowerLoss")])
    (ended,) = await store.recent("DBT1")
    assert (ended.meter_last_wh, ended.energy_wh) == (1_700, 700)


async def test_a_sample_that_waits_counts_for_an_end_without_a_register():
    store = await in_memory()
    await store.commit([began(1)])
    store.later([TransactionSampled(1, 1_700, AT)])
    await store.commit([TransactionEnded(1, None, AT, "PowerLoss")])
    (ended,) = await store.recent("DBT1")
    assert (ended.meter_last_wh, ended.energy_wh) == (1_700, 700)


async def test_c12_energy_is_never_negative_and_the_raw_register_stays():
    store = await in_memory()
    await store.commit([began(1, start_wh=5_000), TransactionSampled(1, 10, AT, flagged=True)])
    (running,) = await store.running()
    assert (running.meter_last_wh, running.energy_wh, running.flagged) == (10, 0, True)
    await store.commit([TransactionSampled(1, 6_000, AT)])
    (running,) = await store.running()
    assert (running.energy_wh, running.flagged) == (1_000, True)
    assert await store.energy_since("2020-01-01T00:00:00Z") == 1_000


async def test_c17_the_same_record_twice_is_one_record():
    store = await in_memory()
    await store.commit([began(1)])
    await store.commit([began(1)])
    assert len(await store.recent("DBT1")) == 1
    with pytest.raises(StoreError, match="transaction 1 of DBT2 connector 1 is on disk already"):
        await store.commit([began(1, "DBT2")])


async def test_the_first_end_counts_but_the_chargers_own_replaces_linkrays_guess():
    store = await in_memory()
    await store.commit([began(1), TransactionEnded(1, None, AT, "Other")])
    await store.commit([TransactionEnded(1, 3_000, AT, "Local", "charger's time")])
    await store.commit([TransactionEnded(1, 9_999, AT, "Reboot", "later")])
    await store.commit([TransactionSampled(1, 9_999, AT)])
    (ended,) = await store.recent("DBT1")
    assert (ended.reason, ended.energy_wh) == ("Local", 2_000)


async def test_c18_an_unknown_stop_is_kept_once_as_incomplete():
    store = await in_memory()
    stop = StopUnknown("DBT1", -1, "TAG", 400, "given", "Local", AT)
    await store.commit([stop])
    await store.commit([stop])
    (kept,) = await store.recent("DBT1")
    assert (kept.incomplete, kept.finished, kept.energy_wh) == (True, True, 0)
    assert await store.running() == []
    number = store.take_transaction_id()
    await store.commit([began(number)])
    assert len(await store.recent("DBT1")) == 2


async def test_an_end_of_what_never_began_is_refused_and_nobody_else_suffers():
    store = await in_memory()
    refused: list[str] = []

    async def wrong() -> None:
        try:
            await store.commit([began(1), TransactionEnded(99, 0, AT, "Local")])
        except StoreError as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wrong)
        nursery.start_soon(store.commit, [began(2)])
    assert refused == ["refused: no transaction 99 on disk that could end"]
    assert [t.id for t in await store.running()] == [2], "half a commit must not be on disk"
    assert store.trouble.value is None


@pytest.mark.parametrize("word", ["\ud800", 2**63])
async def test_p14_a_word_that_does_not_fit_is_refused_and_the_store_goes_on(word):
    store = await in_memory()
    bad = began(1, start_wh=word) if isinstance(word, int) else began(1, charger=word)
    with pytest.raises(StoreError, match="refused"):
        await store.commit([bad])
    await store.commit([began(2)])
    assert [t.id for t in await store.running()] == [2]


async def test_ids_go_on_where_they_were_after_closing(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    ids = [store.take_transaction_id() for _count in range(3)]
    await store.commit([began(number) for number in ids])
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert again.take_transaction_id() == ids[-1] + 1
    await again.close()


async def test_recent_gives_a_chargers_newest_first():
    store = await in_memory()
    await store.commit([began(n, "DBT1" if n % 2 else "DBT2") for n in range(1, 21)])
    assert [t.id for t in await store.recent("DBT1", limit=3)] == [19, 17, 15]


async def test_the_days_energy_leaves_out_what_was_charged_before_midnight():
    store = await in_memory()
    midnight = "2026-11-21T00:00:00.000Z"
    await store.commit(
        [
            TransactionBegan(1, "A", 1, "T", 0, "2026-11-20T22:00:00.000Z", ""),
            TransactionSampled(1, 5_000, "2026-11-20T23:59:30.000Z"),
            TransactionSampled(1, 6_500, "2026-11-21T00:20:00.000Z"),
            TransactionBegan(2, "B", 1, "T", 100, "2026-11-20T20:00:00.000Z", ""),
            TransactionEnded(2, 9_100, "2026-11-20T23:00:00.000Z", "Local", "x"),
            TransactionBegan(3, "C", 1, "T", 100, "2026-11-21T08:00:00.000Z", ""),
            TransactionEnded(3, 350, "2026-11-21T09:00:00.000Z", "Local", "x"),
        ]
    )
    assert await store.energy_since(midnight) == 1_500 + 250


async def test_samples_that_wait_go_down_with_the_next_commit_or_the_minute():
    store = await in_memory()
    await store.commit([began(1), began(2, "B")])
    store.later([TransactionSampled(1, 2_000, AT), TransactionSampled(2, 3_000, AT)])
    store.later([TransactionSampled(1, 2_500, AT)])
    assert [t.energy_wh for t in await store.running()] == [0, 0]
    commits = store.commits
    await store.remember("x", "y")
    assert store.commits == commits + 1
    assert [t.energy_wh for t in await store.running()] == [1_500, 2_000]
    store.later([TransactionSampled(1, 2_600, AT)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        await trio.sleep(60.5)
        nursery.cancel_scope.cancel()
    assert [t.energy_wh for t in await store.running()] == [1_600, 2_000]


async def test_samples_that_wait_are_on_disk_after_closing(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.commit([began(1)])
    store.later([TransactionSampled(1, 2_000, AT)])
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert [t.energy_wh for t in await again.running()] == [1_000]
    await again.close()


async def test_one_who_gives_up_waiting_has_written_nothing_or_all():
    store = await in_memory()
    with trio.CancelScope() as scope:
        scope.cancel()
        await store.commit([began(1)])
    assert await store.running() == []
    assert store._queue == []
    await store.commit([began(2)])
    assert [t.id for t in await store.running()] == [2]


async def test_settings_are_a_whole_new_tree_with_its_revision_and_audit_line(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline(), clock())
    assert (store.revision, store.settings.value) == (0, Settings())
    seq = store.settings.seq
    wanted = Settings(site=Site(name="Car park"), chargers=(Charger("DBT1", max_ma=16_000),))
    assert await store.change_settings(wanted, WHO, "settings changed") == 1
    assert (store.settings.value, store.settings.seq) == (wanted, seq + 1)
    (line,) = await store.audit_lines()
    assert (line.who, line.level, line.source, line.what) == (
        "Assembler", 3, "192.0.2.7", "settings changed",
    )  # fmt: skip
    assert 'site.name=""' in line.old
    assert 'site.name="Car park"' in line.new
    assert "chargers[DBT1].max_ma=16000" in line.new
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert (again.revision, again.settings.value) == (1, wanted)
    await again.close()


async def test_two_changes_at_once_leave_the_later_one_in_force():
    store = await in_memory()
    got: dict[str, int] = {}

    async def change(name: str) -> None:
        got[name] = await store.change_settings(Settings(site=Site(name=name)), WHO, "name")

    for _round in range(20):
        async with trio.open_nursery() as nursery:
            for name in ("a", "b", "c"):
                nursery.start_soon(change, name)
        last = max(got, key=lambda name: got[name])
        assert (store.settings.value.site.name, store.revision) == (last, got[last])
    assert store.revision == 60
    assert await store.audit_broken_at() is None


async def test_what_is_durable_is_in_force_also_for_one_who_gave_up_waiting():
    store = await Store.open(":memory:", Slow(), clock())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.seen)  # has the turn, so that the next two share a commit
        await trio.sleep(0.1)
        nursery.start_soon(store.audit, WHO, "somebody else's words")
        await trio.sleep(0.1)
        with trio.move_on_after(1.5) as limit:
            async with trio.open_nursery() as asking:
                asking.start_soon(store.change_settings, NAMED, WHO, "name")
                asking.start_soon(store.remember, "emergency_stop", "")

    assert limit.cancel_called
    assert store.settings.value == NAMED
    assert store.revision == 1
    assert store.recall("emergency_stop") == ""


async def test_who_waited_no_longer_hears_that_its_words_were_written_all_the_same():
    store = await Store.open(":memory:", Slow(), clock())
    heard: list[str] = []

    async def commit(number: int) -> None:
        try:
            with trio.fail_after(1.5):
                await store.commit([began(number)])
            heard.append(f"{number} written")
        except trio.TooSlowError:
            heard.append(f"{number} too slow")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.seen)  # has the turn, so that the next share a commit
        await trio.sleep(0.1)
        for number in (1, 2, 3):
            nursery.start_soon(commit, number)

    assert sorted(heard) == ["1 written", "2 written", "3 written"]
    assert len(await store.running()) == 3


def broken(_disk: object) -> None:
    raise ZeroDivisionError("a defect")


async def test_a_defect_in_one_s_words_is_its_own_and_the_others_are_written():
    store = await Store.open(":memory:", Slow(), clock())
    heard: dict[str, object] = {}

    async def write(name: str, do: Callable[[], Awaitable[object]]) -> None:
        try:
            await do()
            heard[name] = "written"
        except (StoreError, ZeroDivisionError) as error:
            heard[name] = type(error)

    store.later([TransactionSampled(9, 5, AT)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.seen)
        await trio.sleep(0.1)
        nursery.start_soon(write, "a start", lambda: store.commit([began(1)]))
        nursery.start_soon(write, "the defect", lambda: store._write(broken))
        nursery.start_soon(write, "a line", lambda: store.audit(WHO, "line"))

    assert heard == {"a start": "written", "the defect": ZeroDivisionError, "a line": "written"}
    assert [run.id for run in await store.running()] == [1]
    assert [line.what for line in await store.audit_lines()] == ["line"]


async def test_a_writer_that_breaks_tells_all_who_waited_that_nothing_was_written(monkeypatch):
    store = await Store.open(":memory:", Slow(), clock())
    told: list[StoreError | None] = []
    failed: list[type] = []

    async def commit(number: int) -> None:
        try:
            await store.commit([began(number)])
        except (StoreError, ZeroDivisionError) as error:
            failed.append(type(error))

    await store.commit([began(3)])
    monkeypatch.setattr(store._disk, "write", broken)
    store.later([TransactionSampled(3, 1_700, AT)])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.seen)
        await trio.sleep(0.1)
        store.gather([began(5)], told.append)
        for number in (1, 2):
            nursery.start_soon(commit, number)
    monkeypatch.undo()

    assert sorted(kind.__name__ for kind in failed) == ["StoreError", "ZeroDivisionError"]
    assert [type(one) for one in told] == [StoreError]
    await store.flush()
    assert [run.energy_wh for run in await store.running()] == [700], "what is held is held on"


async def test_p11_what_waits_for_a_disk_that_hangs_has_a_bound(monkeypatch):
    monkeypatch.setattr(db, "GATHERED_MAX", 3)
    monkeypatch.setattr(db, "HELD_MAX", 4)
    store = await in_memory()
    told: list[StoreError | None] = []
    await store.commit([began(1), began(2)])
    for number in range(11, 16):
        store.gather([began(number)], told.append)
    assert [str(one) for one in told] == ["too much waits for the disk"] * 2
    for number in (1, 2):
        store.later([IdLearned(number, 70 + number), Called(number, 80 + number)])
        store.later([TagAccepted(f"TAG{number}", AT), Delivered(number), Delivered(number + 10)])
    await store.commit([began(9)])

    assert told[2:] == [None] * 3, "in the end they are there"
    found = {run.id: (run.csms_id, run.at_charger) for run in await store.running()}
    assert found[1] == (71, 81)
    assert found[2] == (72, 82), "by what a stop is named goes last"


async def test_while_the_disk_takes_nothing_statistics_push_out_nothing_that_was_delivered(
    monkeypatch,
):
    monkeypatch.setattr(db, "HELD_MAX", 6)
    store = await in_memory()
    await store.commit([began(1), began(2)])
    store.later([Delivered(1), Delivered(2)])
    turns = [Pause(f"2026-01-02T03:{minute:02}:00.000Z", None, "turn") for minute in range(9)]
    over = msgspec.structs.replace(turns[0], ended="2026-01-02T03:00:30.000Z")
    for minute, turn in enumerate(turns):
        store.later([SessionWent(1, Course(paused_ms=minute), (turn,)), SessionWent(2, Course())])
    store.later([SessionWent(1, Course(paused_ms=99), (over,))])
    store.later([AlertGone(number) for number in range(9)])
    assert store._held_others.count(Delivered(1)) == store._held_others.count(Delivered(2)) == 1
    del store._held_others[2:]
    store.later([SessionWent(1, Course(), tuple(turns))])
    store.later([SessionWent(1, Course(paused_ms=99), (over,))])
    await store.commit([began(9)])
    assert [course.paused_ms for _number, course, _pause in await store.courses()] == [99, 0, 0]
    assert (await store.courses())[0][2] == turns[8]


async def test_p6_settings_half_written_give_way_to_the_revision_before(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.change_settings(Settings(site=Site(name="one")), WHO, "x")
    await store.change_settings(Settings(site=Site(name="two")), WHO, "x")
    store._disk._db.execute("UPDATE settings SET tree = substr(tree, 1, 40) WHERE revision = 2")
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert (again.settings.value.site.name, again.revision) == ("one", 2)
    assert again.trouble.value == (
        "settings of revision 2 are damaged; the last whole ones are in force"
    )
    assert await again.change_settings(Settings(site=Site(name="three")), WHO, "x") == 3
    await again.close()


async def test_settings_of_before_whose_names_are_no_lines_today_lose_nothing_else(tmp_path):
    group, depot = Group("Deck A", 40_000), Charger("CP1", name="Bay 1", group="Deck A")
    told = Settings(site=Site(name="Depot"), groups=(group,), chargers=(depot,))
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.change_settings(told, WHO, "x")
    tree = msgspec.json.encode(told).decode()
    names = {"Depot": "Depot\\n", "Deck A": "Deck\u0085 A", "Bay 1": "Bay\u2028 1"}
    for name, before in names.items():
        tree = tree.replace(name, before)
    store._disk._db.execute("UPDATE settings SET tree = ?, digest = ?", (tree, digest_of(tree)))
    await store.close()

    again = await Store.open(tmp_path / "linkray.db", Inline())

    assert again.settings.value == told
    assert again.trouble.value is None
    await again.close()


async def test_what_a_charger_says_replaces_what_it_said_and_can_be_forgotten():
    store = await in_memory()
    await store.commit([ChargerSeen("B", firmware="1"), ChargerSeen("A"), began(1, "B")])
    await store.commit([ChargerSeen("B", firmware="2", leased=True)])
    assert await store.seen() == [ChargerSeen("A"), ChargerSeen("B", firmware="2", leased=True)]
    await store.forget_charger("B")
    assert [seen.charger for seen in await store.seen()] == ["A"]
    assert [t.id for t in await store.recent("B")] == [1], "its transactions stay"


async def test_findings_replace_those_of_the_same_thing_and_can_be_forgotten() -> None:
    store = await in_memory()
    make = ("Acme", "One", "1")
    await store.commit([PassportFound(*make, (
        Finding("zero", "stays", at=AT), Finding("lease", "honoured", "A"),
        Finding("lease", "honoured", "B"), Finding("interval", "10"),
    ))])  # fmt: skip
    await store.commit([PassportFound(*make, (Finding("zero", "pauses", at=AT),))])
    (passport,) = await store.passports()
    assert passport.get("zero") == "pauses"

    await store.commit([PassportForgotten(*make, "A")])

    (passport,) = await store.passports()
    assert {f.key for f in passport.findings} == {("lease", "B"), ("interval", "")}
    await store.close()


async def test_imported_passports_and_their_audit_line_are_one_commit() -> None:
    store = await in_memory()
    await store.commit([PassportFound("Acme", "One", "1", (Finding("zero", "stays"),))])
    commits = store.commits

    await store.import_passports(
        (Passport("Acme", "One", "1", (Finding("interval", "30"),)), Passport("B", "C")), WHO
    )

    assert store.commits == commits + 1
    (passport,) = await store.passports()
    assert {f.what for f in passport.findings} == {"zero", "interval"}, "laid over what is there"
    (line,) = await store.audit_lines()
    assert (line.what, line.new) == ("2 passports imported", "Acme One 1; B C ")
    await store.close()


async def test_rejected_tags_are_kept_as_history_up_to_their_number():
    store = await in_memory()
    await store.commit([TagRejected(f"T{n}", "A", AT) for n in range(TAGS_REJECTED_KEPT + 5)])
    kept = list(store._disk._db.execute("SELECT min(id), count(*) FROM tags_rejected"))
    assert kept == [(6, TAGS_REJECTED_KEPT)]


async def test_small_facts_survive(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    assert store.recall("emergency_stop") is None
    await store.remember("emergency_stop", "on")
    await store.remember("emergency_stop", "off")
    assert store.recall("emergency_stop") == "off"
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert again.recall("emergency_stop") == "off"
    await again.close()


async def test_at_factory_only_the_assembler_is_open_with_the_printed_password():
    store = await in_memory()
    accounts = await store.accounts()
    assert [(a.name, a.level, a.first, bool(a.hash)) for a in accounts] == [
        ("EV", 1, False, False),
        ("Installer", 2, False, False),
        ("Assembler", 3, True, True),
    ]
    assert accounts[2].hash == PRINTED_HASH


def test_the_first_hash_is_argon2id_of_the_manuals_password():
    from argon2 import PasswordHasher, extract_parameters

    assert PasswordHasher().verify(PRINTED_HASH, "2WW%[4%9nU`HWhGe")
    found = extract_parameters(PRINTED_HASH)
    assert (found.type.name, found.memory_cost, found.time_cost) == ("ID", 19_456, 2)


async def test_a2_a_changed_password_is_never_undone_by_a_start(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline(), clock())
    await store.set_account(Account("Assembler", 3, "$argon2id$new"), WHO)
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert (await again.accounts())[2] == Account("Assembler", 3, "$argon2id$new", False, AT)
    assert PRINTED_HASH.encode() not in b"".join(f.read_bytes() for f in tmp_path.glob("linkray*"))
    (line,) = await again.audit_lines()
    assert line.what == "password of Assembler"
    assert "argon2" not in line.old + line.new
    await again.close()


async def test_keys_are_kept_by_their_digest_and_only_once():
    store = await in_memory()
    key = Key("ab" * 32, "read", "2027-01-01T00:00:00.000Z", "graphs")
    await store.add_key(key, WHO)
    (kept,) = await store.keys()
    assert (kept.digest, kept.made) == (key.digest, AT)
    with pytest.raises(StoreError, match="refused"):
        await store.add_key(key, WHO)
    assert len(await store.audit_lines()) == 1


async def test_the_reader_sees_what_is_written_and_cannot_write(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    reader = Reader(tmp_path / "linkray.db")
    await store.commit([began(n) for n in range(1, 6)])
    await store.audit(WHO, "signed in")
    assert [t.id for t in reader.transactions(limit=2)] == [5, 4]
    assert [t.id for t in reader.transactions(limit=2, before=4)] == [3, 2]
    assert [line.what for line in reader.audit_lines()] == ["signed in"]
    with pytest.raises(Exception, match="readonly"):
        reader._db.execute("DELETE FROM transactions")
    reader.close()
    await store.close()
    with pytest.raises(StoreError, match="expected a database"):
        Reader(tmp_path / "nothing.db")


async def test_after_closing_nothing_is_written_and_nothing_opened_again(tmp_path):
    store = await Store.open(tmp_path / "linkray.db", Inline())
    await store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        await store.commit([began(1)])
    with pytest.raises(StoreError, match="cannot be read"):
        await store.running()
    await store.close()
    again = await Store.open(tmp_path / "linkray.db", Inline())
    assert await again.running() == []
    await again.close()


async def test_a_disk_nearly_full_is_told_and_taken_back(tmp_path, monkeypatch):
    store = await Store.open(tmp_path / "linkray.db", Inline(), clock())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.tend)
        monkeypatch.setattr(db, "FREE_SHARE_MIN", 1.01)
        await trio.sleep(61)
        assert store.trouble.value.endswith("of the disk is free, expected at least 5 %")
        monkeypatch.setattr(db, "FREE_SHARE_MIN", 0.0)
        await trio.sleep(60)
        assert store.trouble.value is None
        nursery.cancel_scope.cancel()
    await store.close()
