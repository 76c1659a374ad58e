"""The world as a process.

`python -m tools.world run SITE.toml` plays a site, `settings SITE.toml` prints what LinkRay must be
set to for it, `tell SOCKET COMMAND` makes trouble in one that runs.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import os
import signal
import socket
import ssl
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import trio

from tools.world.commands import Commands
from tools.world.day import Pace, a_day
from tools.world.links import Dial, socket_dial
from tools.world.meter import Meter, Port
from tools.world.schemas import Json
from tools.world.site import BadSite, load_site, make_world, settings
from tools.world.world import World

LINE_MAX = 65_536
STATUS_EVERY_S = 1.0


def main(argv: list[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.command == "tell":
        return tell(args.control, args.line)
    try:
        if args.command == "settings":
            tcp = ("127.0.0.1", args.meter_tcp) if args.meter_tcp else None
            print(json.dumps(settings(load_site(args.site), meter_tcp=tcp), indent=2))
            return 0
        return trio.run(run, args)
    except (BadSite, OSError) as error:
        print(f"{args.site}: {error}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m tools.world", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    prints = commands.add_parser("settings", help="print the LinkRay settings of a site")
    plays = commands.add_parser("run", help="play a site over real sockets")
    tells = commands.add_parser("tell", help="tell a world that runs a command")
    tells.add_argument("control", type=Path, metavar="SOCKET",
                       help="world.sock in the state folder of tools/run")  # fmt: skip
    tells.add_argument("line", metavar="COMMAND",
                       help="cut_meter, or JSON; all are in tools/README.md")  # fmt: skip
    for one in (prints, plays):
        one.add_argument("site", type=Path, help="a site file, e.g. board/sim/site.toml")
        one.add_argument("--meter-tcp", type=int, default=None, metavar="PORT",
                         help="the meter answers Modbus TCP on this port")  # fmt: skip
    plays.add_argument("--ocpp", default="ws://127.0.0.1:8887", metavar="URL",
                       help="where the chargers dial")  # fmt: skip
    plays.add_argument("--serial-link", type=Path, metavar="PATH",
                       help="the meter's RS-485 end appears here")  # fmt: skip
    plays.add_argument("--csms", type=int, default=None, metavar="PORT",
                       help="a CSMS on this port; 0: on any, told on stdout")  # fmt: skip
    plays.add_argument("--seed", type=int, default=0)
    plays.add_argument("--for", dest="for_s", type=float, default=math.inf, metavar="SECONDS")
    plays.add_argument("--report", type=Path, metavar="FILE", help="written at the end")
    plays.add_argument("--status", metavar="FILE", help="a JSON line each second; - is stdout")
    plays.add_argument("--control", type=Path, metavar="PATH", help="a Unix socket for commands")
    plays.add_argument("--stdin", action="store_true", help="read commands from stdin")
    plays.add_argument("--empty", action="store_true", help="nobody comes by themselves")
    plays.add_argument("--unchecked", action="store_true", help="no schema checks (for load)")
    return top


def tell(control: Path, line: str) -> int:
    """One command to a running world; 0: done, 1: refused, 2: nobody is there."""
    with socket.socket(socket.AF_UNIX) as end:
        try:
            end.connect(str(control))
        except OSError as error:
            print(f"{control}: {error.strerror or error}; "
                  "expected the world.sock of a running tools/run", file=sys.stderr)  # fmt: skip
            return 2
        end.sendall(json.dumps(_read(line)).encode() + b"\n")
        end.shutdown(socket.SHUT_WR)
        answer = end.makefile(encoding="utf-8").readline().strip()
    print(answer)
    return 0 if answer.startswith('{"ok": true') else 1


def _read(line: str) -> Json:
    """A command in JSON, or its word alone: `cut_meter`."""
    try:
        told = json.loads(line)
    except ValueError:
        return {"do": line}
    return told if isinstance(told, dict) else {"do": line}


async def run(args: argparse.Namespace) -> int:
    """Play the site until its time is over or SIGTERM or SIGINT comes; then report."""
    site = load_site(args.site)
    world = make_world(site, args.seed, utc=datetime.now(UTC), checks=not args.unchecked)
    for charger in world.chargers.values():
        charger.http = trio.open_tcp_stream
    port = Port(args.serial_link) if args.serial_link else None
    ends = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(_until_signalled, ends)
        await _serve_meter(world, port, args.meter_tcp, nursery)
        if args.csms is not None:
            where = await nursery.start(world.add_csms().listen, args.csms)
            print(json.dumps({"csms": f"ws://127.0.0.1:{where}"}), flush=True)
        await _serve_people(world, Commands(world, port), args, nursery)
        nursery.start_soon(functools.partial(world.run, _dial_of(args.ocpp), spread_s=1.0))
        with trio.move_on_after(args.for_s):
            await ends.wait()
        report = json.dumps(world.report())  # while the links still stand
        nursery.cancel_scope.cancel()
    if args.report is not None:
        await trio.Path(args.report).write_text(report + "\n", encoding="utf-8")
    print(report, flush=True)
    return 0


async def _serve_meter(
    world: World, port: Port | None, tcp_port: int | None, nursery: trio.Nursery
) -> None:
    """The meter on its line, on its TCP port, or as two alike on both."""
    if world.meter is None:
        return
    tcp_meter = world.meter
    if port is not None:
        world.meter.is_tcp = False
        await nursery.start(port.serve, world.meter)
        tcp_meter = Meter(world.measured, world.meter.file, world.own_chance())
    if tcp_port is not None:
        tcp_meter.is_tcp = True
        serve = functools.partial(trio.serve_tcp, tcp_meter.serve, tcp_port, host="127.0.0.1")
        await nursery.start(serve)


async def _serve_people(
    world: World, commands: Commands, args: argparse.Namespace, nursery: trio.Nursery
) -> None:
    """Those who command, those who watch, and those who come to charge."""
    if args.control is not None:
        await nursery.start(_serve_control, args.control, commands)
    if args.stdin:
        nursery.start_soon(_read_stdin, commands)
    if args.status is not None:
        nursery.start_soon(_tell_status, args.status, world)
    if not args.empty:
        nursery.start_soon(a_day, world, Pace())


def _dial_of(url: str) -> Dial:
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or parts.hostname is None:
        raise OSError(f"expected ws://HOST:PORT or wss://HOST:PORT, got {url!r}")
    tls = None
    if parts.scheme == "wss":
        # Chargers of the lab trust whom they dial: the certificate is self-made.
        tls = ssl.create_default_context()
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    return socket_dial(parts.hostname, parts.port or (8886 if tls else 8887), tls)


async def _until_signalled(
    ends: trio.Event, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        task_status.started()
        async for _signal in signals:
            ends.set()


async def _tell_status(where: str, world: World) -> None:
    """A line of JSON each second."""
    async with await trio.open_file(1 if where == "-" else where, "w", closefd=where != "-") as out:
        while True:
            await trio.sleep(STATUS_EVERY_S)
            await out.write(json.dumps(world.status()) + "\n")
            await out.flush()


async def _read_stdin(commands: Commands) -> None:
    await _converse(trio.lowlevel.FdStream(os.dup(0)), commands, answers=False)


async def _serve_control(
    path: Path, commands: Commands, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    place = trio.Path(path)
    await place.unlink(missing_ok=True)
    socket = trio.socket.socket(trio.socket.AF_UNIX)
    await socket.bind(str(path))
    socket.listen()
    try:
        task_status.started()
        await trio.serve_listeners(
            functools.partial(_converse, commands=commands), [trio.SocketListener(socket)]
        )
    finally:
        with trio.move_on_after(1, shield=True):
            await place.unlink(missing_ok=True)


async def _converse(stream: trio.abc.Stream, commands: Commands, *, answers: bool = True) -> None:
    """Lines in, and lines out where somebody can read them, until the other end is through."""
    come = b""
    try:
        async with stream:
            while data := await stream.receive_some():
                *lines, come = (come + bytes(data)).split(b"\n")
                for line in filter(None, (line.strip() for line in lines)):
                    answer = commands.line(line.decode("utf-8", "replace"))
                    if answers:
                        await stream.send_all(answer.encode() + b"\n")
                    else:
                        print(answer, file=sys.stderr)
                if len(come) > LINE_MAX:
                    return
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return


if __name__ == "__main__":
    sys.exit(main())
