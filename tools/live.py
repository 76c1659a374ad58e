"""A live simulated site: the board's two processes, kept running, and the world around them.

Called by `tools/run`. Everything listens on loopback; what is kept lies in `.state/` under the
site's name (or in `--state DIR`), or in a folder of its own that goes again with `--headless`.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import trio

from linkray.faces.client import DeskClient
from linkray.hal.board import EXIT_REBOOT
from linkray.kit.cell import Cell
from linkray.kit.clock import WallClock
from linkray.kit.log import LogRing, set_up
from linkray.model.units import ZERO
from linkray.model.views import Snapshot
from tools.world.site import BadSite, Description, load_site, settings, site_file

ROOT = Path(__file__).parents[1]
BOARD = ROOT / "board" / "sim" / "board.toml"
SITE = ROOT / "board" / "sim" / "site.toml"
ACCOUNTS = ("Assembler", "Installer", "EV")
READY_S = 30.0
END_S = 10.0
RESTART_S = 0.5
LINE_S = 5.0
METER_HOST = "127.0.0.1"
AT_FACTORY = """  The box is back at factory: the passwords above are gone, and it knows no site.
  Sign in as Assembler with the password that the LinkRay manual prints in its chapter 6 and set
  new ones; or end this with Ctrl-C and start again for a site that is set up."""


class Broken(RuntimeError):
    """The site cannot be run; the message says why."""


@dataclass(frozen=True)
class Peers:
    """The ports of what the box dials, where the site has it."""

    meter: int | None = None
    csms: int | None = None


@dataclass
class Seen:
    """What the newest snapshots say."""

    snapshot: Snapshot | None = None
    highest_ma: list[int] = field(default_factory=lambda: [0, 0, 0])
    sessions_max: int = 0
    offers_over_budget: int = 0  # plans whose offers sum to more than their budget
    restarts: int = 0

    def take(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        drawn = snapshot.site.used_ma + (snapshot.plan.building_ma or ZERO)
        self.highest_ma = [max(a, b) for a, b in zip(self.highest_ma, drawn, strict=True)]
        self.sessions_max = max(self.sessions_max, snapshot.site.sessions)
        total = ZERO
        for offer in snapshot.plan.offers:
            total += offer.offer_ma
        self.offers_over_budget += not total.fits(snapshot.plan.budget_ma)


def seconds(text: str) -> float:
    """A time to run; argparse says the rest of the sentence."""
    value = float(text)
    if not value >= 1:
        raise argparse.ArgumentTypeError(f"expected at least 1 second, got {text}")
    return value


def site(folder: Path, told: str) -> Path:
    """A simulated site by its path, from this folder, or by its name; raises `BadSite`."""
    path = folder / told
    return path if path.is_file() else site_file(told)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    top = argparse.ArgumentParser(prog="tools/run", description=__doc__)
    top.add_argument("--headless", action="store_true",
                     help="no person; one line of JSON at the end")  # fmt: skip
    top.add_argument("--for", dest="for_s", type=seconds, default=None, metavar="SECONDS",
                     help="end by itself after this time")  # fmt: skip
    top.add_argument("--state", type=Path, default=None, help="folder of what the box keeps")
    top.add_argument("--site", default=str(SITE), metavar="SITE",
                     help="a site file, or a name of tests/sim/sites/")  # fmt: skip
    top.add_argument("--csms", action="store_true",
                     help="with a CSMS behind the box; kept in a folder of its own")  # fmt: skip
    top.add_argument("--seed", type=int, default=1, help="of the world's chance")
    for name, port, more in (
        ("https", 8443, ""), ("http", 8080, ""), ("ocpp", 8887, ""), ("ocpps", 8886, ""),
        ("meter", 1502, "; of a meter on Modbus TCP, and kept with the site's settings"),
        ("csms", 9000, "; of the CSMS, and kept with the site's settings"),
    ):  # fmt: skip
        top.add_argument(
            f"--{name}-port", type=int, default=None,
            help=f"{port} unless given; any free one with --headless{more}",
        )  # fmt: skip
        top.set_defaults(**{f"{name}_default": port})
    top.add_argument("--from", dest="folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    options = top.parse_args(argv)
    if options.state is not None:
        options.state = options.folder / options.state
    try:
        options.site = site(options.folder, options.site)
    except BadSite as error:
        top.error(f"argument --site: {error}")
    return options


def port(options: argparse.Namespace, name: str) -> str:
    given = getattr(options, f"{name}_port")
    if given is None:
        given = 0 if options.headless else getattr(options, f"{name}_default")
    return str(given)


def linkray(*words: str, text: str = "") -> str:
    """Run one short command of the firmware; its output, or `Broken` with its error."""
    done = subprocess.run(
        [sys.executable, "-m", "linkray", *words], input=text, capture_output=True, text=True,
        check=False, cwd=ROOT,
    )  # fmt: skip
    if done.returncode:
        raise Broken(f"linkray {' '.join(words[:2])}: {done.stderr.strip()}")
    return done.stdout


def prepare(
    options: argparse.Namespace, state: Path, site: Description
) -> tuple[dict[str, str], Peers]:
    """Settings and passwords for a folder that has none.

    Says who may sign in with what, and the ports of what the box dials. Those are kept: the
    settings name them, and they are the box's own once they are made.
    """
    keys, kept = state / "sign-in.json", state / "peers.json"
    if keys.exists():
        if not kept.exists():
            raise Broken(f"{state} was made by an earlier version: delete it, or name another "
                         "--state")  # fmt: skip
        peers = Peers(**json.loads(kept.read_text()))
        for one, what in ((peers.meter, "site meter"), (peers.csms, "CSMS")):
            if one is not None:
                free_port(one, what)
        return dict(json.loads(keys.read_text())), peers
    is_tcp = site.meter is not None and bool((site.meter.file or {}).get("tcp"))
    meter = free_port(int(port(options, "meter")), "site meter") if is_tcp else None
    csms = free_port(int(port(options, "csms")), "CSMS") if options.csms else None
    told = settings(site, meter_tcp=None if meter is None else (METER_HOST, meter))
    if csms is not None:
        told["csms"] = {"url": f"ws://{METER_HOST}:{csms}"}
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    linkray("settings", "import", "-", "--state", str(state), text=json.dumps(told))
    peers = Peers(meter, csms)
    kept.write_text(json.dumps(asdict(peers)))
    words = {name: f"{name.lower()}-{secrets.token_hex(5)}" for name in ACCOUNTS}
    words = {name: word.replace(name.lower(), "site") for name, word in words.items()}
    for name, word in words.items():
        linkray("password", "--state", str(state), name, text=word + "\n")
    keys.touch(mode=0o600)
    keys.write_text(json.dumps(words))
    return words, peers


def described(site: Path) -> Description:
    """A site file, or `Broken` with what is wrong in it."""
    try:
        return load_site(site)
    except (BadSite, OSError) as error:
        raise Broken(f"--site {site}: {error}") from None


def free_port(wanted: int, what: str) -> int:
    """A port on which a peer of the box can answer, any for 0; raises `Broken`."""
    with socket.socket() as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            free.bind((METER_HOST, wanted))
        except OSError as error:
            raise Broken(
                f"the {what} cannot answer on port {wanted}: {error.strerror}; free it, or begin "
                f"another --state with another --{what.rsplit(maxsplit=1)[-1].lower()}-port"
            ) from None
        return int(free.getsockname()[1])


async def keep_running(
    words: list[str],
    seen: Seen,
    noise: Any,
    reboots: Cell[int],
    task_status: trio.TaskStatus[dict[str, Any]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """One of the board's processes, as systemd keeps it: started again when it ends.

    A reboot that control asks for is the whole board's, so it ends the other one too.
    """
    told = False
    fixed = list(words)
    while True:
        seq = reboots.seq
        process = await started([sys.executable, "-m", "linkray", *fixed], noise, heard=True)
        try:
            ready = await ready_line(process, fixed[0], noise)
            fixed = with_ports(fixed, ready)  # after a restart the peers find it where it was
            if not told:
                told = True
                task_status.started(ready)
            code = await ended_or_rebooted(process, reboots, seq)
        finally:
            with trio.CancelScope(shield=True):
                await ended(process)
        if code == EXIT_REBOOT:
            reboots.set(reboots.value + 1)
            print(f"\n{AT_FACTORY}\n", flush=True)
        elif code is not None:
            name = "control" if fixed[0] == "run" else "web"
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            print(f"{name} ended ({how}); started again", file=sys.stderr)
        seen.restarts += 1
        await trio.sleep(RESTART_S)


async def started(command: list[str], noise: Any, *, heard: bool = False) -> trio.Process:
    """A process in a group of its own: Ctrl-C is for us, and we end what we started."""
    out = subprocess.PIPE if heard else subprocess.DEVNULL
    return await trio.lowlevel.open_process(
        command, stdout=out, stderr=noise, cwd=ROOT, process_group=0
    )


async def ended_or_rebooted(process: trio.Process, reboots: Cell[int], seq: int) -> int | None:
    """Its exit code; None: the board is rebooted, and it has to end."""
    code: int | None = None
    async with trio.open_nursery() as nursery:

        async def until_reboot() -> None:
            await reboots.wait_newer(seq)
            nursery.cancel_scope.cancel()

        nursery.start_soon(until_reboot)
        code = await process.wait()
        nursery.cancel_scope.cancel()
    return code


def with_ports(words: list[str], ready: dict[str, Any]) -> list[str]:
    fixed = list(words)
    for name in ("ocpp", "ocpps", "https", "http"):
        if f"--{name}-port" in fixed:
            fixed[fixed.index(f"--{name}-port") + 1] = str(ready[name])
    return fixed


async def ready_line(process: trio.Process, name: str, noise: Any) -> dict[str, Any]:
    assert process.stdout is not None
    line = b""
    with trio.move_on_after(READY_S):
        while not line.endswith(b"\n"):
            more = await process.stdout.receive_some()
            if not more:
                break
            line += more
    if not line.endswith(b"\n"):
        raise Broken(f"linkray {name} did not get ready{newest_line(noise)}")
    return dict(json.loads(line))


def newest_line(noise: Any) -> str:
    """What the log file says last; nothing where it went to the terminal."""
    if noise is None:
        return ""
    lines = Path(noise.name).read_text(errors="replace").splitlines()
    return f": {lines[-1]}" if lines else ""


async def ended(process: trio.Process) -> None:
    """SIGTERM, and SIGKILL for what does not hear it."""
    if process.returncode is None:
        process.terminate()
        with trio.move_on_after(END_S):
            await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()


async def play_world(
    options: argparse.Namespace, state: Path, ocpp: int, peers: Peers, report: Path, noise: Any
) -> None:
    """The world's process; it writes its report when it is told to end."""
    line = ("--serial-link", str(state / "serial0"))
    process = await started([
        sys.executable, "-m", "tools.world", "run", str(options.site),
        "--ocpp", f"ws://127.0.0.1:{ocpp}",
        *(line if peers.meter is None else ("--meter-tcp", str(peers.meter))),
        *(() if peers.csms is None else ("--csms", str(peers.csms))),
        "--seed", str(options.seed), "--report", str(report),
        "--control", str(state / "world.sock"),
    ], noise)  # fmt: skip
    try:
        code = await process.wait()
        raise Broken(f"the simulated world ended with {code}{newest_line(noise)}")
    finally:
        with trio.CancelScope(shield=True):
            await ended(process)


async def watch(client: DeskClient, seen: Seen, show: Callable[[Seen], None]) -> None:
    seq, due = -1, 0.0
    while True:
        seq, raw = await client.snapshot.wait_newer(seq)
        if raw is None:
            continue
        seen.take(msgspec.json.decode(raw, type=Snapshot))
        if trio.current_time() >= due:
            show(seen)
            due = trio.current_time() + LINE_S


def line(seen: Seen) -> None:
    """One line on the terminal: the board's LED and how the site stands."""
    now = seen.snapshot
    if now is None:
        return
    amps = " ".join(
        f"{name} {ma / 1000:5.1f}/{limit / 1000:.0f} A"
        for name, ma, limit in zip(
            ("L1", "L2", "L3"), now.meter.current_ma or now.site.used_ma, now.site.limit_ma,
            strict=True,
        )
    )  # fmt: skip
    faults = f"  {len(now.faults)} fault(s): {now.faults[0].text}" if now.faults else ""
    print(f"[{now.led.look}]  {amps}  {now.site.chargers_connected} chargers, "
          f"{now.site.sessions} sessions{faults}", flush=True)  # fmt: skip


def result(seen: Seen, report: dict[str, Any]) -> dict[str, Any]:
    """The last line of `--headless` (decided.md, Names)."""
    now = seen.snapshot
    if now is None:
        raise Broken("no snapshot ever came from the desk")
    return {
        "chargers_connected": now.site.chargers_connected,
        "sessions": now.site.sessions,
        "sessions_max": seen.sessions_max,
        "limit_exceeded_s": report["limit_exceeded_s"],
        "highest_ma": report["highest_ma"],
        "limit_ma": report["limit_ma"],
        "reckoned_highest_ma": seen.highest_ma,
        "plan_ms_p50": now.site.plan_ms_p50,
        "plan_ms_p99": now.site.plan_ms_p99,
        "plan_gap_s_max": now.site.plan_gap_s_max,
        "led": now.led.look,
        "faults": [fault.code for fault in now.faults],
        "offers": [
            {"charger": o.charger, "connector": o.connector, "offer_ma": list(o.offer_ma),
             "drawn_ma": None if o.drawn_ma is None else list(o.drawn_ma),
             "reason": o.reason.code}
            for o in now.plan.offers
        ],
        "budget_ma": list(now.plan.budget_ma),
        "reserved_ma": list(now.plan.reserved_ma),
        "offers_over_budget": seen.offers_over_budget,
        "groups": report["groups"],
        "energy_wh": report["energy_wh"],
        "fuse_percent_max": report["fuse_percent_max"],
        "complaints": report["complaints"],
        **({"csms": report["csms"]} if report.get("csms") else {}),
        "restarts": seen.restarts,
    }  # fmt: skip


async def run(options: argparse.Namespace, state: Path) -> int:
    site = described(options.site)
    words, peers = prepare(options, state, site)
    report = state / "world-report.json"
    seen = Seen()
    log_path = state.parent / f"{state.name}.log"  # beside it: a factory reset wipes the folder
    stopped: list[str] = []
    with log_path.open("ab") as noise, log_path.open("a", buffering=1) as lines:
        set_up(WallClock(), LogRing(), lines)
        quiet = noise if not options.headless else None
        reboots = Cell(0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(until_signal, nursery.cancel_scope, stopped)
            if options.for_s is not None:
                nursery.cancel_scope.deadline = trio.current_time() + options.for_s
            control = await nursery.start(keep_running, [
                "run", "--board", str(BOARD), "--state", str(state), "--bind", "127.0.0.1",
                "--ocpp-port", port(options, "ocpp"), "--ocpps-port", port(options, "ocpps"),
            ], seen, quiet, reboots)
            nursery.start_soon(play_world, options, state, control["ocpp"], peers, report, quiet)
            web = await nursery.start(keep_running, [
                "web", "--state", str(state), "--bind", "127.0.0.1",
                "--https-port", port(options, "https"), "--http-port", port(options, "http"),
            ], seen, quiet, reboots)
            greet(options, state, control, web, words, log_path, site.places[0].id, peers)
            client = DeskClient(state / "desk.sock")
            nursery.start_soon(client.run)
            show: Callable[[Seen], None] = (lambda _seen: None) if options.headless else line
            nursery.start_soon(watch, client, seen, show)
    if not options.headless:
        return 0
    told = result(seen, json.loads(report.read_text()))
    print(json.dumps(told), flush=True)
    return 1 if told["limit_exceeded_s"] or told["offers_over_budget"] else 0


def greet(
    options: argparse.Namespace, state: Path, control: dict[str, Any], web: dict[str, Any],
    words: dict[str, str], log_path: Path, charger: str, peers: Peers,
) -> None:  # fmt: skip
    out = sys.stderr if options.headless else sys.stdout
    say = functools.partial(print, file=out, flush=True)
    say(f"\n  LinkRay is at  https://localhost:{web['https']}/   (the certificate is self-made)")
    for name, word in words.items():
        say(f"    sign in as {name:<10} {word}")
    say(f"  chargers dial  ws://127.0.0.1:{control['ocpp']}/ID  "
        f"wss://127.0.0.1:{control['ocpps']}/ID")
    if not options.headless:
        trouble = json.dumps({"do": "disconnect", "charger": charger, "for_s": 120})
        told = shlex.join(["tell", str(state / "world.sock"), trouble])
        say(f"  make trouble   .venv/bin/python -m tools.world {told}")
        say("                 (all that there is: tools/README.md, Making trouble)")
        if peers.csms is not None:
            cut = shlex.join(["tell", str(state / "world.sock"), "cut_csms"])
            say(f"  CSMS behind    ws://{METER_HOST}:{peers.csms}; "
                "to cut its line (restore_csms: it is back):\n"
                f"                 .venv/bin/python -m tools.world {cut}")
        say(f"  reset button   .venv/bin/linkray board press --hold 1 --state {state}")
        say("                 (opens the first sign-in again for 30 min; held for 5 s or longer it "
            "is a factory reset:\n                 settings, passwords and history are gone)")
        say(f"  log            {log_path}\n  Ctrl-C ends it\n")


async def until_signal(scope: trio.CancelScope, stopped: list[str]) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            stopped.append(signal.Signals(number).name)
            scope.cancel()
            return


def main(argv: list[str] | None = None) -> int:
    options = arguments(argv)
    if options.headless and options.for_s is None:
        options.for_s = 120.0
    with contextlib.ExitStack() as stack:
        state = options.state
        if state is None and options.headless:
            state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="linkray-")))
        name = f"{options.site.stem}-csms" if options.csms else options.site.stem
        state = (state or ROOT / ".state" / name).resolve()
        code = 1
        try:
            code = trio.run(functools.partial(run, options, state))
        except* Broken as broken:
            for error in broken.exceptions:
                print(f"tools/run: {error}", file=sys.stderr)
        except* KeyboardInterrupt:
            code = 130
        return code


if __name__ == "__main__":
    sys.exit(main())
