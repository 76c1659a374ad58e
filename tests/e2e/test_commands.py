"""The command line on a state folder, while control runs and while it does not."""

from __future__ import annotations

import functools
import itertools
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trio
from tests.e2e.box import BOARD, PASSWORDS, Box, box_in, until

from linkray.__main__ import main
from linkray.access.keys import new_key
from linkray.faces.client import ask_once
from linkray.hal.board import EXIT_REBOOT
from linkray.kit.clock import stamp
from linkray.kit.secret import fresh
from linkray.model.asks import LOCAL, AddKey, Who

pytestmark = pytest.mark.realtime

SETTINGS = {
    "version": 1,
    "site": {"name": "Canal Wharf", "limit_ma": [63_000, 63_000, 63_000]},
    "groups": [{"name": "Quay", "limit_ma": 40_000}],
    "chargers": [{"id": "Q1", "name": "Quay 1", "group": "Quay", "connection": "L2"}],
}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    """A box whose processes do not run."""
    with box_in(tmp_path) as made:
        yield made


@pytest.fixture
def running(box: Box) -> Box:
    """A box that runs, with the settings above."""
    box.import_settings(SETTINGS)
    box.start_control()
    return box


@pytest.mark.parametrize("command", [
    ("key", "--scope", "read", "--expires", "1d"),
    ("run", "--board", str(BOARD), "--bind", "127.0.0.1", "--ocpp-port", "0", "--ocpps-port", "0"),
])  # fmt: skip
def test_a_database_that_cannot_be_had_is_said_in_words(tmp_path, capsys, command) -> None:
    (tmp_path / "linkray.db").mkdir()

    assert main([*command, "--state", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert f"expected a database at {tmp_path / 'linkray.db'}" in said
    assert "Traceback" not in said


# -- settings --------------------------------------------------------------------------------------


def settings_come_back_as_they_went_in(box: Box, folder: Path) -> None:
    box.import_settings(SETTINGS)
    file = folder / "settings.json"
    box.do("settings", "export", str(file))
    kept = json.loads(file.read_text())
    assert kept["site"]["name"] == "Canal Wharf"
    assert kept["groups"] == [{"name": "Quay", "limit_ma": 40_000, "parent": None}]
    assert kept["chargers"][0]["connection"] == "L2"
    assert box.settings() == kept

    kept["site"]["limit_ma"] = [50_000, 50_000, 50_000]
    file.write_text(json.dumps(kept))
    told = box.do("settings", "check", str(file)).splitlines()
    assert told[0] == "site.limit_ma: [63000, 63000, 63000] → [50000, 50000, 50000]"
    assert "nothing was changed" in told[1]
    assert box.settings()["site"]["limit_ma"] == [63_000, 63_000, 63_000]
    assert "in force" in box.do("settings", "import", str(file))
    assert box.settings() == kept


def bad_files_change_nothing(box: Box, folder: Path, bad: dict[str, str]) -> None:
    """Each text is refused in the words that it stands beside."""
    box.import_settings(SETTINGS)
    before = box.settings()
    file = folder / "bad.json"
    for act, (text, words) in zip(itertools.cycle(("import", "check")), bad.items(), strict=False):
        file.write_text(text)
        done = box.command("settings", act, str(file))
        assert done.returncode == 1, (text, done)
        assert done.stdout == ""
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert box.settings() == before


def test_settings_exported_checked_and_imported_while_control_is_stopped(box: Box, tmp_path: Path):
    settings_come_back_as_they_went_in(box, tmp_path)


def test_settings_exported_checked_and_imported_while_control_runs(running: Box, tmp_path: Path):
    settings_come_back_as_they_went_in(running, tmp_path)
    assert running.control.terminate() == 0
    assert running.settings()["site"]["limit_ma"] == [50_000, 50_000, 50_000]


BAD = {
    '{"site": {"limit_ma": [-1, 0, 0]}}': "$.site.limit_ma[0]",
    '{"site": {"limits": []}}': "$.site",
    '{"chargers": [{"id": "A", "group": "Nowhere"}]}': "$.chargers[0].group",
    '{"site": {"meter": {"enabled": true, "file": {"name": "x"}}}}': "$.site.meter.file",
    '{"version": 99}': "version 1, got 99, made by a newer LinkRay - at $.version",
}
NO_JSON = dict.fromkeys(
    ('{"version": 1', "\x00\x01", "[" * 5000, '"'), "bad.json is not a settings file: "
)


def test_a_bad_settings_file_names_the_place_and_changes_nothing(box: Box, tmp_path: Path):
    bad_files_change_nothing(box, tmp_path, BAD | NO_JSON)


def test_a_bad_settings_file_changes_nothing_while_control_runs(running: Box, tmp_path: Path):
    bad_files_change_nothing(running, tmp_path, BAD)
    assert running.control.alive


def test_a_settings_file_that_is_not_there_is_named(box: Box, tmp_path: Path):
    done = box.command("settings", "import", str(tmp_path / "missing.json"))
    assert done.returncode == 1
    assert "missing.json" in done.stderr
    assert "Traceback" not in done.stderr


# -- keys and passwords ----------------------------------------------------------------------------


def test_a_read_key_reads_a_write_key_writes_and_an_expired_one_does_neither(running: Box):
    running.start_web()
    read, write = (running.client(running.key(scope)) for scope in ("read", "write"))
    patch = {"site": {"name": "Canal Wharf 2"}}
    assert read.get("site")["name"] == "Canal Wharf"
    refused = read.ask("PATCH", "/api/v1/settings", patch)
    assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json")
    assert write.ask("PATCH", "/api/v1/settings", patch).status == 200
    assert read.get("site")["name"] == "Canal Wharf 2"
    assert running.settings()["site"]["name"] == "Canal Wharf 2"

    old, digest = new_key(fresh())
    past = stamp(datetime.now(UTC) - timedelta(seconds=1))
    add = AddKey(digest, "write", past, "old")
    who = Who("test", LOCAL, "on site")
    assert trio.run(functools.partial(ask_once, running.state, add, who)).ok
    for method, body in (("GET", None), ("PATCH", patch)):
        answer = running.client(old).ask(method, "/api/v1/settings", body)
        assert answer.status == 401, answer
        assert "expired" in answer.json()["detail"]


def test_a_key_is_kept_through_a_restart_and_never_in_clear(running: Box):
    running.start_web()
    key = running.key("read")
    assert running.client(key).get("site")["name"] == "Canal Wharf"
    assert running.control.terminate() == 0
    running.start_control()
    until(lambda: running.client(key).try_get("site"), 5, "the key still opens")
    kept = b"".join(p.read_bytes() for p in running.state.glob("linkray.db*"))
    assert key.encode() not in kept


@pytest.mark.parametrize("span", ["0d", "1y", "tomorrow", "-1d", "999999d"])
def test_a_key_without_a_sensible_end_is_refused(box: Box, span: str):
    done = box.command("key", "--scope", "read", f"--expires={span}")
    assert done.returncode == 1
    assert "--expires" in done.stderr
    assert done.stdout == ""


def test_passwords_that_are_guessed_first_are_refused_and_good_ones_open(box: Box):
    box.import_settings(SETTINGS)
    for bad in ("short", "password1234", "assembler2024!", "r&`kxa6D=/7mAZy!", "", "aaaaaaaaaaaaa"):
        done = box.command("password", "Assembler", text=bad + "\n")
        assert done.returncode == 1, bad
        assert "Assembler" in done.stderr
        assert not bad or bad not in done.stderr
    box.do("password", "Assembler", text=PASSWORDS["Assembler"] + "\n")
    box.start_control()
    box.start_web()
    assert box.client().sign_in("Assembler").json()["level"] == 3
    assert box.client().sign_in("Assembler", "wrong horse battery staple").status == 401
    assert box.client().sign_in("Installer").status == 401  # it has no password yet

    box.do("password", "Installer", text=PASSWORDS["Installer"] + "\n")  # while control runs
    assert box.client().sign_in("Installer").json()["level"] == 2


# -- the board -------------------------------------------------------------------------------------


def test_a_button_held_for_6_s_arms_the_led_resets_and_the_next_start_is_factory_fresh(
    running: Box,
):
    box = running
    box.import_settings({"version": 1, "site": SETTINGS["site"]})  # no charger, so none is missing
    box.do("password", "Assembler", text=PASSWORDS["Assembler"] + "\n")
    box.start_web()
    client = box.client(box.key("read"))
    assert client.get("site")["commissioned"] is True
    press = box.run(
        "-m", "linkray", "board", "press", "--hold", "6", "--state", str(box.state), name="press"
    )

    looks = []
    with client.events() as events:
        for name, _number, snapshot in events:
            looks += [snapshot["led"]["look"]] if name == "snapshot" else []
            if name == "away":
                break
    assert list(dict.fromkeys(looks)) == ["green blinking", "both fast"], looks
    assert box.control.wait(10) == EXIT_REBOOT
    assert press.wait(10) in (0, 1)  # the board may have gone before it could say that it was held

    assert box.web.terminate() == 0  # a reboot is of the whole board
    box.start_control()
    box.start_web()
    fresh_box = until(lambda: box.client().try_get("session"), 10, "the pages see control")
    assert fresh_box["accounts_open"] == ["Assembler"]
    assert box.settings()["site"]["name"] == ""
    assert box.settings()["chargers"] == []
    answer = box.client(client.key).ask("GET", "/api/v1/site")
    assert answer.status in (401, 403), answer
    assert box.client().sign_in("Assembler").status == 401


def test_a_short_press_opens_the_first_login_again_and_resets_nothing(running: Box):
    assert "Held" in running.do("board", "press", "--hold", "0.3")
    assert running.control.alive
    assert running.settings()["site"]["name"] == "Canal Wharf"
    until(lambda: "ReopenFirstLogin" in running.log(), 5, "the log tells of the button")


def test_there_is_no_button_to_press_while_control_does_not_run(box: Box):
    done = box.command("board", "press", "--hold", "1")
    assert done.returncode == 1
    assert "not running" in done.stderr


# -- starting --------------------------------------------------------------------------------------


def refused_start(box: Box, words: list[str], name: str) -> str:
    """The start ends with 1 and says why; nothing is ready."""
    process = box.run(*words, name=name)
    assert process.wait() == 1
    assert process.told == []
    said = box.log(name)
    assert "Traceback" not in said, said
    return said


def test_a_second_control_on_the_same_state_is_refused_and_the_first_goes_on(running: Box):
    first = running.control
    running.ports = {}
    said = refused_start(running, running.control_words(), "second")
    assert "in use by another LinkRay control process" in said
    assert first.alive
    assert running.settings()["site"]["name"] == "Canal Wharf"


@pytest.mark.parametrize("which", ["ocpp", "ocpps"])
def test_a_busy_port_is_named(box: Box, which: str):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        box.ports = {which: port}
        said = refused_start(box, box.control_words(), "busy")
    assert f"port {port}: Address already in use; choose another with --{which}-port\n" in said


def test_a_busy_port_of_the_pages_is_named(running: Box):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused_start(
            running, ["-m", "linkray", "web", "--state", str(running.state), "--bind", "127.0.0.1",
                      "--https-port", str(port), "--http-port", "0"], "busy",
        )  # fmt: skip
    assert f"port {port}: Address already in use; choose another with --https-port\n" in said


def test_a_board_that_nobody_knows_is_refused_in_words(box: Box, tmp_path: Path):
    words = box.control_words()
    at = words.index(str(BOARD))
    for text, cause in (
        ('name = "x"\nbackend = "abacus"\n', "abacus"),
        ("name = \n", "TOML"),
        ('name = "x"\nbackend = "sim"\ncolour = "red"\n', "colour"),
        (None, "board.toml"),
    ):
        file = tmp_path / "board.toml"
        file.unlink(missing_ok=True)
        if text is not None:
            file.write_text(text)
        said = refused_start(box, [*words[:at], str(file), *words[at + 1 :]], "unknown")
        assert cause.lower() in said.lower()
        assert "board.toml" in said


def test_port_0_picks_free_ports_and_the_ready_line_tells_them(box: Box):
    box.start_control()
    box.start_web()
    control, web = box.control.first(), box.web.first()
    assert sorted(control) == ["ocpp", "ocpps", "ready"]
    assert sorted(web) == ["http", "https", "ready"]
    assert (control["ready"], web["ready"]) == ("control", "web")
    ports = [control["ocpp"], control["ocpps"], web["https"], web["http"]]
    assert len(set(ports)) == 4
    for port in ports:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()


def test_a_command_that_is_none_is_a_matter_of_usage(box: Box):
    for words in (["dance"], ["settings", "burn", "x"], ["key", "--scope", "all"]):
        done = box.command(*words)
        assert done.returncode == 2
        assert "usage: linkray" in done.stderr
