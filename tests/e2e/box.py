"""Real processes for the end-to-end tests: a box, its peers, and a client that trusts it.

Everything listens on free ports of loopback; every process is ended by whoever started it; what a
process says on stderr is shown where a test fails.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "board" / "sim" / "board.toml"
SITE = ROOT / "board" / "sim" / "site.toml"
HERE = Path(__file__).parent
PASSWORDS = {
    "Assembler": "otter copper lantern nine",
    "Installer": "maple drizzle engine four",
    "EV": "violet harbour pencil two",
}
READY_S = 20.0
END_S = 20.0
GOING_S = 5.0
LOOK_S = 0.05
TAIL_LINES = 60

T = TypeVar("T")


def until(look: Callable[[], T], within_s: float, what: str) -> T:
    """The first true answer of `look`; a failure that tells the last one, when time is over."""
    ends = time.monotonic() + within_s
    seen = look()
    while not seen:
        if time.monotonic() > ends:
            raise AssertionError(f"expected within {within_s:g} s that {what}; last seen: {seen!r}")
        time.sleep(LOOK_S)
        seen = look()
    return seen


def noon_zone() -> str:
    """A time zone in which it is about noon: today does not end while a test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "UTC"


class Process:
    """A process and what it tells on stdout, lines of JSON or words; stderr goes to a file."""

    def __init__(
        self, words: list[str], noise: Path, *, hear: Callable[[Any], None] | None = None,
        python: str = sys.executable,
    ) -> None:  # fmt: skip
        self.noise = noise
        self.told: list[Any] = []
        self._hear = hear
        self._news = threading.Condition()
        with noise.open("ab") as errors:
            self.popen = subprocess.Popen(
                [python, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, cwd=ROOT,
            )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            try:
                told = json.loads(line)
            except ValueError:
                told = line.decode(errors="replace")
            with self._news:
                self.told.append(told)
                self._news.notify_all()
            if self._hear is not None:
                self._hear(told)

    def first(self, within_s: float = READY_S) -> Any:
        """Its first line; a failure where it ends without one."""
        until(lambda: self.told or self.popen.poll() is not None, within_s, "it says a line")
        if not self.told:
            self._reader.join(END_S)
        assert self.told, f"it ended with {self.popen.returncode}: {self.noise.read_text()}"
        return self.told[0]

    def newest(self) -> Any:
        return self.told[-1] if self.told else None

    def next(self, within_s: float = 5.0) -> Any:
        """The next line from now on."""
        with self._news:
            count = len(self.told)
            assert self._news.wait_for(lambda: len(self.told) > count, within_s), "it says nothing"
            return self.told[count]

    def say(self, told: Any) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(json.dumps(told).encode() + b"\n")
        self.popen.stdin.flush()

    @property
    def alive(self) -> bool:
        return self.popen.poll() is None

    def kill(self) -> None:
        """SIGKILL: it says and saves nothing any more."""
        self.popen.kill()
        self.close()

    def wait(self, within_s: float = END_S) -> int:
        """Its exit code."""
        code = self.popen.wait(within_s)
        self.close()
        return code

    def terminate(self, within_s: float = END_S) -> int:
        """SIGTERM, and the exit code."""
        if self.alive:
            self.popen.send_signal(signal.SIGTERM)
        return self.wait(within_s)

    def close(self) -> None:
        """Gone, whatever it takes, and no pipe left open."""
        with contextlib.suppress(BrokenPipeError):
            if self.popen.stdin is not None:
                self.popen.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(GOING_S)  # told to end, or ended by the end of stdin
        if self.alive:
            self.popen.kill()
        self.popen.wait()
        self._reader.join(END_S)
        if self.popen.stdout is not None:
            self.popen.stdout.close()


@dataclass
class Answer:
    """What came back from the box."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """An HTTPS client that trusts this box's own certificate and nothing else."""

    def __init__(self, port: int, pem: Path, *, key: str = "") -> None:
        self.port = port
        self.key = key
        self.cookie = ""
        self.csrf = ""
        self._context = ssl.create_default_context(cafile=str(pem))

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def dial(self, within_s: float = 10.0) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=within_s, context=self._context
        )

    def headers(self, method: str) -> dict[str, str]:
        """What a browser would send with the session, or the key."""
        if self.key:
            return {"Authorization": f"Bearer {self.key}"}
        given = {"Cookie": self.cookie} if self.cookie else {}
        if method != "GET":
            given |= {"Origin": self.origin}
            if self.csrf:
                given |= {"X-LinkRay-CSRF": self.csrf}
        return given

    def ask(
        self, method: str, path: str, body: Any = None, *, within_s: float = 40.0, **more: str
    ) -> Answer:
        """One request on a connection of its own; `more` are headers, `_` for `-`."""
        headers = self.headers(method)
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        link = self.dial(within_s)
        try:
            link.request(method, path, data, headers)
            response = link.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, told, response.read())
        finally:
            link.close()
        if "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].split(";")[0]
            self.csrf = (answer.json().get("csrf") or "") if answer.body else ""
        return answer

    def get(self, what: str) -> Any:
        """`GET /api/v1/…`, which must succeed."""
        answer = self.ask("GET", f"/api/v1/{what}")
        assert answer.status == 200, (what, answer.status, answer.body)
        return answer.json()

    def try_get(self, what: str) -> Any:
        """The same, None where the box does not answer or refuses for now."""
        try:
            answer = self.ask("GET", f"/api/v1/{what}", within_s=3.0)
        except (OSError, http.client.HTTPException):
            return None
        return answer.json() if answer.status == 200 else None

    def sign_in(self, account: str, password: str = "") -> Answer:
        body = {"account": account, "password": password or PASSWORDS[account]}
        return self.ask("POST", "/api/v1/session", body)

    @contextlib.contextmanager
    def events(self, within_s: float = 15.0) -> Iterator[Iterator[tuple[str, str, Any]]]:
        """`GET /api/v1/events` as (event, id, data); silence for `within_s` is a failure."""
        link = self.dial(within_s)
        try:
            link.request("GET", "/api/v1/events", headers=self.headers("GET"))
            with link.getresponse() as response:
                assert response.status == 200, (response.status, response.read())
                assert response.headers["content-type"] == "text/event-stream"
                yield _events(response)
        finally:
            link.close()


def _events(lines: Any) -> Iterator[tuple[str, str, Any]]:
    name, number, data = "", "", ""
    for raw in lines:
        word, _, rest = raw.decode().rstrip("\n").partition(": ")
        if word == "event":
            name = rest
        elif word == "id":
            number = rest
        elif word == "data":
            data += rest
        elif not word and data:
            yield name, number, json.loads(data)
            name, number, data = "", "", ""


@dataclass
class Box:
    """A state folder, its two processes and the peers around them."""

    state: Path
    ports: dict[str, int] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)
    control: Process = None  # type: ignore[assignment]  # set by `start_control`
    web: Process = None  # type: ignore[assignment]  # set by `start_web`
    world: Process = None  # type: ignore[assignment]  # set by `start_world`
    reader: str = ""  # an API key, where one was made
    writer: str = ""

    # -- commands --------------------------------------------------------------------------------

    def command(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """A short command of `linkray` on this state folder."""
        return subprocess.run(
            [sys.executable, "-m", "linkray", *words, "--state", str(self.state)],
            input=text, capture_output=True, text=True, check=False, timeout=90, cwd=ROOT,
        )  # fmt: skip

    def do(self, *words: str, text: str = "") -> str:
        """The same; it must succeed. Its output."""
        done = self.command(*words, text=text)
        assert done.returncode == 0, (words, done.returncode, done.stderr)
        return done.stdout

    def import_settings(self, settings: dict[str, Any]) -> None:
        self.do("settings", "import", "-", text=json.dumps(settings))

    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.do("settings", "export", "-")))

    def set_passwords(self) -> None:
        for account, password in PASSWORDS.items():
            self.do("password", account, text=password + "\n")

    def key(self, scope: str) -> str:
        return self.do("key", "--scope", scope, "--expires", "1d").strip()

    # -- processes -------------------------------------------------------------------------------

    def run(
        self, *words: str, name: str, hear: Callable[[Any], None] | None = None,
        python: str = sys.executable,
    ) -> Process:  # fmt: skip
        process = Process(list(words), self.state / f"{name}.log", hear=hear, python=python)
        self.started.append(process)
        return process

    def control_words(self) -> list[str]:
        """The command of the control process, on the ports that it had."""
        return ["-m", "linkray", "run", "--board", str(BOARD), "--state", str(self.state),
                "--bind", "127.0.0.1", "--ocpp-port", str(self.ports.get("ocpp", 0)),
                "--ocpps-port", str(self.ports.get("ocpps", 0))]  # fmt: skip

    def start_control(self) -> Process:
        self.control = self.run(*self.control_words(), name="control")
        self._keep_ports(self.control.first())
        return self.control

    def start_web(self) -> Process:
        self.web = self.run(
            "-m", "linkray", "web", "--state", str(self.state), "--bind", "127.0.0.1",
            "--https-port", str(self.ports.get("https", 0)),
            "--http-port", str(self.ports.get("http", 0)), name="web",
        )  # fmt: skip
        self._keep_ports(self.web.first())
        return self.web

    def _keep_ports(self, told: dict[str, Any]) -> None:
        self.ports |= {name: port for name, port in told.items() if name != "ready"}

    def start_world(self, *more: str) -> Process:
        """The simulated world around this box; it heeds lines on stdin."""
        self.world = self.run(
            "-m", "tools.world", "run", str(SITE),
            "--ocpp", f"ws://127.0.0.1:{self.ports['ocpp']}",
            "--serial-link", str(self.state / "serial0"), "--seed", "1",
            "--stdin", "--status", "-", *more, name="world",
        )  # fmt: skip
        return self.world

    # -- seeing ----------------------------------------------------------------------------------

    def comes_alive(self, scenes: Sequence[dict[str, Any]], building_ma: list[int]) -> None:
        """Control, world and web run; all chargers are there, and those plugged in charge."""
        self.set_passwords()
        self.writer = self.key("write")
        self.start_control()
        self.start_world("--empty")
        self.start_web()
        self.world.say({"do": "building_hold", "ma": building_ma})
        api = self.client(self.writer)
        until(lambda: api.get("site")["chargers_connected"] == 8, 30, "all chargers are there")
        for scene in scenes:
            self.world.say(scene)
            tag = {"do": "present_tag", "charger": scene["charger"], "tag": "E2E"}
            self.world.say(tag | {"connector": scene.get("connector", 1)})
        until(lambda: api.get("site")["sessions"] == len(scenes), 20, "the cars charge")
        until(lambda: api.get("meter")["healthy"], 20, "the meter is read")

    def client(self, key: str = "") -> Client:
        return Client(self.ports["https"], self.state / "tls" / "self-made.pem", key=key)

    def log(self, name: str = "control") -> str:
        path = self.state / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        for process in reversed(self.started):
            if process.alive:
                process.popen.terminate()
        for process in reversed(self.started):
            process.close()

    def show(self) -> None:
        """The end of every process's stderr, for whoever reads of a failure."""
        for path in sorted(self.state.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()[-TAIL_LINES:]
            print(f"--- {path.name}", *lines, sep="\n")  # noqa: T201


@contextlib.contextmanager
def box_in(folder: Path) -> Iterator[Box]:
    """A box that keeps what it keeps in this folder; all its processes are ended at the end."""
    state = folder / "state"
    state.mkdir()
    box = Box(state)
    try:
        yield box
    finally:
        box.close()
        box.show()  # pytest shows it where a test failed


def world_settings() -> dict[str, Any]:
    """LinkRay's settings for the simulated site."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.world", "settings", str(SITE)],
        capture_output=True, text=True, check=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    return dict(json.loads(done.stdout))
