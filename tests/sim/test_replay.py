"""A recorded hour with faults is done again to the identical plans; and under another fuse."""

from __future__ import annotations

import functools
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
import trio
from tools.replaying import main
from tools.simulator.scene import Scene, amps, hungry, scene, single, site, three
from tools.what_if import Sum, WhatIf
from trio.testing import MockClock

from linkray import __version__
from linkray.balance import recording
from linkray.balance.recording import from_file, replay, to_file
from linkray.model.asks import SetEmergencyStop
from linkray.model.facts import EmergencyStopped, SessionBegan, SettingsChanged
from linkray.model.settings import Access, Csms, Group, LimitPhases, MeterSettings

KEPT, SEGMENT = 3_000, 500  # small, so that an hour of six chargers wraps
ROOT = Path(__file__).parents[2]
CHARGERS = (
    single("C1"), single("C2", group="west"), three("C3", group="west"),
    three("C4", connection="L2-L3-L1", priority="high"), single("C5", connection="L2"),
    single("C6", connection="L3", supply_limit_ma=20_000),
)  # fmt: skip
SITE = msgspec.structs.replace(
    site((63, 50, 50), *CHARGERS, groups=(Group("west", 40_000),),
         meter=MeterSettings(enabled=True, degraded_ma=amps(10))),
    access=Access(vip=("TAG1",)), csms=Csms(url="wss://box:geheim@csms.example/ocpp"),
)  # fmt: skip


async def an_hour(s: Scene) -> None:
    """Sessions come and go; links, chargers, the meter and people do what they do."""
    s.world.building.hold((8_000, 5_000, 12_000))
    s.charge("C1", "C2")
    await trio.sleep(600)
    await s.ask(SetEmergencyStop(on=True))
    await trio.sleep(60)
    await s.ask(SetEmergencyStop(on=False))
    for name in ("C1", "C2"):
        s.world.charger(name).unplug()
    await trio.sleep(540)
    for name in ("C1", "C2", "C3", "C4"):
        s.charge(name)
        await trio.sleep(45)
    s.charge("C5", car=lambda: hungry(max_a=9))
    await trio.sleep(300)
    s.world.charger("C2").disconnect(for_s=90)
    s.world.building.step(1, 30_000, for_s=120)
    await trio.sleep(240)
    s.charge("C6")
    s.world.charger("C3").reboot()
    await trio.sleep(240)
    s.unplug_meter()
    s.world.charger("C1").reject_profiles()
    await trio.sleep(200)
    s.world.charger("C1").obey_again()
    s.world.charger("C5").stop_answering()
    await trio.sleep(120)
    s.world.charger("C5").answer_again()
    await s.change(limit_ma=amps(40))
    await trio.sleep(300)
    await s.ask(SetEmergencyStop(on=True))
    await trio.sleep(5)
    await s.ask(SetEmergencyStop(on=False))
    s.world.charger("C4").unplug()
    await s.change(limit_ma=amps(63, 50, 50))
    await trio.sleep(60)
    for name in ("C1", "C2", "C4", "C5"):
        s.world.charger(name).unplug()
        await trio.sleep(20)
        s.charge(name)
    await trio.sleep(400)
    s.world.charger("C3").power_cut(60)
    await trio.sleep(500)
    assert trio.current_time() >= 3_600


def file_of(story: Callable[[Scene], Awaitable[None]], seed: int) -> bytes:
    """What the box has recorded of it, as a file."""

    async def run() -> bytes:
        async with scene(SITE, seed=seed, meter="SDM3xx") as s:
            await story(s)
            return to_file(s.house.fact_ring.segments(), __version__, s.wall.stamp())

    return trio.run(run, clock=MockClock(autojump_threshold=0))


@functools.cache
def recorded() -> bytes:
    """The hour, from a ring that has long lost its beginning."""
    with pytest.MonkeyPatch.context() as small:
        small.setattr(recording, "FACTS_KEPT", KEPT)
        small.setattr(recording, "SEGMENT_FACTS", SEGMENT)
        return file_of(an_hour, seed=11)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "hour.msgpack.gz"
    path.write_bytes(recorded())
    return path


def test_a_recorded_hour_with_faults_replays_to_the_identical_plans() -> None:
    segments = from_file(recorded()).segments

    done = replay(segments)

    assert done.first is None
    assert max(done.facts, done.steps) >= KEPT
    assert done.facts >= 2_000
    assert done.plans >= 1_200
    assert not segments[0].is_start, "the ring has lost its beginning"


def test_the_hour_held_what_can_go_wrong_and_sessions_of_nobody() -> None:
    facts = [fact for segment in from_file(recorded()).segments
             for step in segment.steps for fact in step.facts]  # fmt: skip
    kinds = {type(fact).__name__ for fact in facts}

    assert {"LinkLost", "LinkUp", "MeterRead", "Drawn", "OfferAnswered", "SessionEnded",
            "SettingsChanged", "EmergencyStopped"} <= kinds  # fmt: skip
    assert all(f.tag.startswith("tag ") for f in facts if isinstance(f, SessionBegan))
    assert all(f.settings.csms == Csms() for f in facts if isinstance(f, SettingsChanged))


def test_a_segment_ends_in_the_very_state_with_which_the_next_begins() -> None:
    segments = from_file(recorded()).segments

    pairs = list(itertools.pairwise(segments))

    assert pairs
    for before, after in pairs:
        assert recording.ended(before) == recording.ended(after, steps=0)


def test_another_process_with_other_hashes_gives_the_same(file: Path) -> None:
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-m", "tools.replaying", str(file), "--json"], cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        told = json.loads(run.stdout)
        assert told["identical"]
        assert told["plans"] >= 900


def test_a_recording_that_was_touched_names_the_first_plan_that_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = list(from_file(recorded()).segments)
    steps = segments[1].steps
    stopped = next(place for place, step in enumerate(steps) for fact in step.facts
                   if isinstance(fact, EmergencyStopped) and fact.on)  # fmt: skip
    step = steps[stopped + 5]
    facts = (*step.facts, EmergencyStopped(on=False, by="who", at=step.now))
    steps[stopped + 5] = msgspec.structs.replace(step, facts=facts)
    path = tmp_path / "touched.gz"
    path.write_bytes(to_file(segments, __version__, "now"))

    assert main([str(path)]) == 1
    told = capsys.readouterr().out
    assert "is another one" in told
    assert "C2 connector 1: then 0 A (emergency_stop" in told
    assert "again 0 A (not_authorised" in told


def test_the_tool_says_span_steps_and_that_all_plans_are_identical(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file)]) == 0

    told = capsys.readouterr().out
    assert "plans, all identical" in told
    assert "segment(s)" in told


def what_if(limit_a: float) -> tuple[Sum, Sum]:
    each = round(limit_a * 1000)
    return WhatIf(from_file(recorded()).segments, LimitPhases(each, each, each)).run()


@pytest.mark.parametrize("limit_a", [20, 35, 80])
def test_under_another_fuse_no_plan_passes_it(limit_a: float) -> None:
    then, now = what_if(limit_a)

    assert now.plans >= 900
    assert now.violations == 0
    assert then.violations == 0
    assert now.left_ma >= 0


def test_a_smaller_fuse_offers_less_and_a_larger_one_more() -> None:
    offered = []
    for limit_a in (20, 35, 80):
        _, now = what_if(limit_a)
        offered.append(sum(row.offered_wh for row in now.rows.values()))

    assert offered == sorted(offered)
    assert offered[0] < offered[2] / 2


def test_the_same_fuse_is_about_the_same_hour() -> None:
    """What the replay makes itself (answers, cars) is near what they did."""
    segments = from_file(recorded()).segments
    limits = {step_limit for segment in segments for step_limit in _limits(segment)}
    then, now = WhatIf(segments, recording.settings_of(segments[-1]).site.limit_ma).run()
    was = sum(row.offered_wh for row in then.rows.values())
    would_be = sum(row.offered_wh for row in now.rows.values())

    assert limits
    assert was * 0.8 <= would_be <= was * 1.4


def _limits(segment: recording.Segment) -> set[LimitPhases]:
    return {recording.settings_of(segment).site.limit_ma}


def test_a_stop_is_no_shortage_and_is_told_by_itself() -> None:
    for run in what_if(80):
        assert 4 <= run.stopped_s <= 6
        assert run.starting_s == 0, "the ring has lost its beginning"
        assert run.tightest
        assert run.short_s < 10


async def a_start(s: Scene) -> None:
    """The box comes up before its meter and its chargers; later somebody lowers the limit."""
    s.charge("C1", "C3")
    await trio.sleep(300)
    await s.change(limit_ma=amps(25, 40, 40))
    await trio.sleep(120)


@functools.cache
def begun() -> bytes:
    return file_of(a_start, seed=5)


def test_a_start_is_no_shortage_and_is_told_by_itself() -> None:
    for run in WhatIf(from_file(begun()).segments, LimitPhases(80_000, 80_000, 80_000)).run():
        assert 0 < run.starting_s < 60
        assert run.at_s >= run.starting_s
        assert (run.short_s, run.stopped_s) == (0, 0)


def test_a_fuse_that_never_leaves_room_is_no_long_start() -> None:
    _, now = WhatIf(from_file(begun()).segments, LimitPhases(0, 0, 0)).run()

    assert now.starting_s == 0
    assert now.short_s > 400


def test_the_limits_of_the_recording_itself_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "begun.gz"
    path.write_bytes(begun())

    assert main([str(path), "--limit", "80"]) == 0
    words = capsys.readouterr().out
    said = words[words.index("with a site limit") :].splitlines()[0]
    assert said.startswith("with a site limit of 80, 80, 80 A (recorded: 63, 50, 50 A; from 0:05:")
    assert said.endswith(": 25, 40, 40 A), where")
    assert "not counted: start-up 0:00:" in words


@pytest.mark.parametrize(("content", "said"), [
    (b"SETTINGS = {}\n", "Expected a support bundle or a recording, got neither"),
    (b"", "Expected a support bundle or a recording, got neither"),
    (b"PK\x03\x04 cut short", "Expected a whole bundle"),
    (b"\x1f\x8b\x08\x00", "Expected a whole recording, got one that is cut short"),
])  # fmt: skip
def test_a_file_that_is_no_bundle_is_said_to_be_none(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert main([str(path)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith(f"replay: {path}: {said}")
    assert "Error -" not in told.err


def test_a_recording_that_is_cut_short_is_said_to_be(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "half.gz"
    path.write_bytes(file.read_bytes()[:-1000])

    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert said.endswith("Expected a whole recording, got one that is cut short\n")


@pytest.mark.parametrize(("told", "said"), [
    ("1e9", "expected amps from 0 to 6300, got '1e9'"),
    ("80,63,-1", "expected amps from 0 to 6300, got '80,63,-1'"),
    ("inf", "expected amps from 0 to 6300, got 'inf'"),
    ("nan", "expected amps from 0 to 6300, got 'nan'"),
    ("80,63", "expected one amount or one for each of L1, L2 and L3, got 2 of them"),
    ("much", "expected amps, as 80 or 80,63,63, got 'much'"),
])  # fmt: skip
def test_a_limit_that_is_none_is_refused_with_its_bounds(
    told: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["file", "--limit", told])

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_the_tool_says_with_which_replay_another_limit_is_compared(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file), "--limit", "30"]) == 0
    words = capsys.readouterr().out
    said = "the assumptions alone move figures: compare with the same at the recorded limit"
    assert f"{said}, --limit 63,50,50" in words

    assert main([str(file), "--limit", "63,50,50"]) == 0
    words = capsys.readouterr().out
    assert said not in words
    assert "what differs here is what the assumptions do, not the limit" in words


def test_the_tool_prints_both_runs_side_by_side(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file), "--limit", "30,25,25"]) == 0
    words = capsys.readouterr().out
    assert "with a site limit of 30, 25, 25 A" in words
    assert "would be" in words
    assert "tightest" in words

    assert main([str(file), "--limit", "30", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["what_if"]
    assert told["would_be"]["violations"] == 0
    assert {row["charger"] for row in told["would_be"]["rows"]} >= {"C1", "C2", "C6"}
