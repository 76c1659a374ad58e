"""`tools/run`: the whole site in one command, as a newcomer starts it."""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.box import ROOT, SITE, Client, until
from tools.live import Broken, Peers, arguments, described, greet, linkray, prepare
from tools.world.commands import CHARGER_SCENES, CSMS_SCENES, METER_SCENES, Commands

pytestmark = pytest.mark.realtime

FOR_S = 30
PHASES = 3


def live(*words: str) -> list[str]:
    return [sys.executable, "-m", "tools.live", *words]


def children(pid: int) -> list[int]:
    """The processes that this one has started and that still live."""
    every = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [other for other in every if state_and_parent(other)[1] == str(pid)]


def state_and_parent(pid: int) -> tuple[str, str]:
    """From the kernel; nothing for a process that has gone."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", ""
    return words[0], words[1]


def is_over(pid: int) -> bool:
    return state_and_parent(pid)[0] in ("", "Z")


def test_a_site_that_nobody_knows_is_refused_with_the_names_of_those_that_are_known():
    done = subprocess.run(
        live("--site", "nonsuch"), capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "expected a site file or one of carpark32, dc50," in said
    assert said.endswith("got nonsuch")


def test_a_site_may_be_told_by_its_name():
    assert arguments(["--site", "home"]).site == ROOT / "tests" / "sim" / "sites" / "home.toml"


def test_a_path_counts_from_the_folder_it_was_called_in(tmp_path: Path):
    (tmp_path / "home").write_text("")  # no site that is known by this name: a file is nearer
    (tmp_path / "mine.toml").write_text("")
    called = ["--from", str(tmp_path)]
    options = arguments([*called, "--site", "mine.toml", "--state", "kept"])
    assert (options.site, options.state) == (tmp_path / "mine.toml", tmp_path / "kept")
    assert arguments([*called, "--site", "home"]).site == tmp_path / "home"
    assert arguments([*called, "--site", str(SITE)]).site == SITE
    assert arguments([*called, "--state", "/elsewhere"]).state == Path("/elsewhere")
    assert arguments(called).site == SITE


def test_the_command_tells_the_folder_it_was_called_in(tmp_path: Path):
    root, folder = tmp_path / "linkray", tmp_path / "somewhere else"
    for path, text in (
        ("tools/run", (ROOT / "tools" / "run").read_text()), ("tools/setup", "#!/bin/sh\n"),
        (".venv/bin/python", '#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n'),
    ):  # fmt: skip
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
        (root / path).chmod(0o755)
    folder.mkdir()
    done = subprocess.run(
        [root / "tools" / "run", "--site", "mine.toml"], capture_output=True, text=True, check=True,
        cwd=folder,
    )  # fmt: skip
    told = [str(root), "-m", "tools.live", "--from", str(folder), "--site", "mine.toml"]
    assert done.stdout.splitlines() == told


def test_a_busy_port_is_said_with_the_option_that_chooses_another(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            live("--state", str(tmp_path / "site"), "--ocpp-port", port, "--ocpps-port", "0"),
            capture_output=True, text=True, check=False, timeout=60, cwd=ROOT,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {port}: Address already in use; choose another with --ocpp-port" in done.stderr


def kept_meter(state: Path) -> dict[str, object]:
    told = json.loads(linkray("settings", "export", "-", "--state", str(state)))
    return dict(told["site"]["meter"]["file"])


def test_a_site_meter_on_tcp_has_a_port_of_its_own_that_the_settings_keep(tmp_path: Path):
    state = tmp_path / "home"
    asked = arguments(["--site", "home", "--headless"])
    site = described(asked.site)
    port = prepare(asked, state, site)[1].meter
    assert port is not None
    assert port > 1024
    meter = kept_meter(state)
    assert (meter["tcp"], meter["IP"], meter["port"]) == (True, "127.0.0.1", port)
    assert prepare(arguments(["--site", "home"]), state, site)[1].meter == port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with pytest.raises(Broken, match=f"port {port}: Address already in use.*--meter-port"):
            prepare(asked, state, site)


def test_a_site_meter_on_rs_485_has_no_port(tmp_path: Path):
    asked = arguments([])
    assert prepare(asked, tmp_path / "site", described(asked.site))[1] == Peers()
    assert kept_meter(tmp_path / "site")["tcp"] is False


def test_the_meter_of_a_site_that_has_it_on_tcp_is_read():
    done = subprocess.run(
        live("--site", "home", "--headless", "--for", "15"), capture_output=True, text=True,
        check=False, timeout=75, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["led"] == "green blinking"
    assert told["faults"] == []
    assert max(told["budget_ma"]) > 6_000  # more than the degraded limits


def test_a_csms_stands_behind_the_site_and_hears_of_every_session():
    done = subprocess.run(
        live("--csms", "--headless", "--for", str(FOR_S)), capture_output=True, text=True,
        check=False, timeout=FOR_S + 60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["faults"] == []
    assert told["sessions"] >= 1
    csms = told["csms"]
    assert (csms["links"], csms["attempts"], csms["complaints"]) == (8, 8, [])
    assert csms["transactions"] >= told["sessions"]
    assert "Traceback" not in done.stderr


def tell(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.world", "tell", *words], capture_output=True, text=True,
        check=False, cwd=ROOT,
    )  # fmt: skip


def test_trouble_is_made_by_a_command_to_the_world_that_runs(tmp_path: Path):
    control = tmp_path / "world.sock"
    nobody = tell(str(control), "cut_meter")
    assert nobody.returncode == 2
    assert "expected the world.sock of a running tools/run" in nobody.stderr

    world = subprocess.Popen(
        [sys.executable, "-m", "tools.world", "run", str(SITE), "--ocpp", "ws://127.0.0.1:9",
         "--serial-link", str(tmp_path / "serial0"), "--control", str(control), "--empty"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
    )  # fmt: skip
    try:
        until(control.exists, 20, "the world can be told")
        done = tell(str(control), "cut_meter")
        assert (done.returncode, done.stdout) == (0, '{"ok": true}\n')
        assert tell(str(control), '{"do": "building_step", "phase": 1, "ma": 9000}').returncode == 0
        wrong = tell(str(control), '{"do": "explode", "charger": "BAY-1"}')
        assert wrong.returncode == 1
        assert '"ok": false' in wrong.stdout
    finally:
        world.terminate()
        world.wait(20)


def test_what_is_printed_says_what_the_long_press_does_and_how_trouble_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    ports = {"https": 8443, "ocpp": 8887, "ocpps": 8886}
    state = tmp_path / "my site"
    greet(arguments([]), state, ports, ports, {"EV": "word"}, tmp_path / "log", "BAY-1",
          Peers(csms=9000))  # fmt: skip
    said = capsys.readouterr().out
    assert "board press --hold 1 " in said
    assert "held for 5 s or longer it is a factory reset" in said
    command = next(line for line in said.splitlines() if "make trouble" in line)
    words = shlex.split(command)
    assert words[-3:-1] == ["tell", str(state / "world.sock")]
    assert json.loads(words[-1])["charger"] == "BAY-1"
    assert "CSMS behind    ws://127.0.0.1:9000" in said
    assert "cut_csms" in said


def test_the_readme_explains_every_trouble_that_can_be_made():
    told = (ROOT / "tools" / "README.md").read_text()
    own = {name.removeprefix("_do_") for name in vars(Commands) if name.startswith("_do_")}
    meter = {f"{scene}_meter" for scene in METER_SCENES}
    csms = {f"{scene}_csms" for scene in CSMS_SCENES}
    every = {"plug", "lie", *CHARGER_SCENES, *meter, *csms, *own}
    assert {name for name in every if f"`{name}`" not in told} == set()


def test_headless_it_ends_by_itself_with_one_line_of_json_and_no_limit_passed():
    done = subprocess.run(
        live("--headless", "--for", str(FOR_S)), capture_output=True, text=True, check=False,
        timeout=FOR_S + 60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n") == 1
    told = json.loads(done.stdout)
    explained = (ROOT / "tools" / "README.md").read_text()
    assert {name for name in told if f"`{name}`" not in explained} == set()
    assert told["chargers_connected"] == 8
    assert told["sessions"] >= 1
    assert told["limit_exceeded_s"] == 0
    assert told["led"] == "green blinking"
    assert told["faults"] == []
    assert told["complaints"] == []
    assert told["restarts"] == 0
    assert 0 < told["plan_ms_p50"] <= told["plan_ms_p99"]
    assert told["limit_ma"] == [100_000] * PHASES
    pairs = zip(told["highest_ma"], told["limit_ma"], strict=True)
    assert all(0 < highest <= limit for highest, limit in pairs)
    offered = [sum(offer["offer_ma"][p] for offer in told["offers"]) for p in range(PHASES)]
    assert all(o <= budget for o, budget in zip(offered, told["budget_ma"], strict=True))
    assert any(offered)
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_it_at_once_and_leaves_nobody_behind(tmp_path: Path):
    state = tmp_path / "site"
    words = live("--state", str(state), "--for", "180", *(  # should nobody live to end it
        word for name in ("https", "http", "ocpp", "ocpps") for word in (f"--{name}-port", "0")
    ))  # fmt: skip
    said = tmp_path / "said"
    with said.open("wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT)
    try:
        until(lambda: "8 chargers" in said.read_text() or process.poll() is not None, 60,
              "the terminal shows eight chargers")  # fmt: skip
        text = said.read_text()
        assert process.poll() is None, text
        found = re.search(r"https://localhost:(\d+)/", text)
        word = re.search(r"Assembler +(\S+)", text)
        assert found, text
        assert word, text
        client = Client(int(found[1]), state / "tls" / "self-made.pem")
        assert client.sign_in("Assembler", word[1]).json()["level"] == 3
        ours = children(process.pid)
        assert len(ours) == 3  # control, faces, world

        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        until(lambda: all(is_over(pid) for pid in ours), 5, "what it started has ended")
        assert "Traceback" not in said.read_text()
        assert "Traceback" not in (state.with_name(f"{state.name}.log")).read_text()
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
