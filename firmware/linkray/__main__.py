"""The command line: argv and nothing else (README.md, Use it on its own)."""

from __future__ import annotations

import argparse
import functools
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from linkray import __version__


def address(text: str) -> str:
    """An IP address to listen on."""
    try:
        return str(ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected an IP address, got {text!r}") from None


def port(text: str) -> int:
    """A port to listen on."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"expected a port from 0 to 65535, got {text!r}")
    return int(text)


def held_s(text: str) -> float:
    """Seconds on the button; argparse says the rest of the sentence."""
    value = float(text)
    if not 0 < value <= 50:
        raise argparse.ArgumentTypeError(f"expected more than 0 and at most 50 s, got {text}")
    return value


def milliamps(text: str) -> int:
    """Amps, as `80` or `62.5`."""
    from linkray.model.settings import AMPS_MA_MAX

    try:
        amount = Decimal(text) * 1000
    except InvalidOperation:
        amount = Decimal("nan")
    if not (amount.is_finite() and 0 <= amount <= AMPS_MA_MAX and amount == int(amount)):
        raise argparse.ArgumentTypeError(
            f"expected amps from 0 to {AMPS_MA_MAX // 1000}, got {text!r}"
        )
    return int(amount)


class ThreeOrNone(argparse.Action):
    """One amount for each phase, or none at all."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
        _option: str | None = None,
    ) -> None:  # fmt: skip
        if len(values) not in {0, 3}:
            parser.error(f"expected amps for L1, L2 and L3, got {len(values)} of them")
        setattr(namespace, self.dest, values)


def parser() -> argparse.ArgumentParser:
    """Every command of `linkray`, its options and their defaults."""
    top = argparse.ArgumentParser(prog="linkray", description="The firmware of the LinkRay box.")
    top.add_argument("--version", action="version", version=f"linkray {__version__}")
    commands = top.add_subparsers(dest="command", required=True)

    def command(
        name: str, text: str, state: str = "; it has to exist"
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--state", type=Path, required=True,
                          help=f"folder of everything kept{state}")  # fmt: skip
        return made

    def listens(made: argparse.ArgumentParser) -> None:
        everywhere = "0.0.0.0"  # noqa: S104
        made.add_argument("--bind", type=address, default=everywhere, help="address to listen on")

    made = "; made where there is none"
    run = command("run", "control: chargers, meter, balancer, LED", made)
    run.add_argument("--board", type=Path, required=True, help="the board's description")
    listens(run)
    run.add_argument("--ocpp-port", type=port, default=8887, help="ws:// of chargers; 0: any free")
    run.add_argument("--ocpps-port", type=port, default=8886, help="wss:// of them; 0: any free")

    web = command("web", "faces: the pages and the API", made)
    listens(web)
    web.add_argument("--https-port", type=port, default=443, help="0: any free")
    web.add_argument("--http-port", type=port, default=80, help="redirects; 0: any free")

    settings = command("settings", "read or replace all settings",
                       "; it has to exist, and import begins a new box in an empty one")
    settings.add_argument("act", choices=("export", "import", "check"))
    settings.add_argument("file", help="the settings file; - is standard input or output")

    key = command("key", "print a new API key")
    key.add_argument("--scope", choices=("read", "write"), required=True)
    key.add_argument("--expires", required=True, help="how long it holds: 30m, 12h, 1d, 8w")
    key.add_argument("--name", default="", help="what it is for")

    password = command("password", "set an account's password, read from standard input")
    password.add_argument("account", choices=("EV", "Installer", "Assembler"))

    seal = command("seal", "show the engineering ceiling, or seal it: amps of the agreed supply",
                   "; it has to exist, and seal begins a new box in an empty one")
    seal.add_argument("amps", nargs="*", type=milliamps, action=ThreeOrNone, metavar="AMPS",
                      help="for L1, L2 and L3; none: show what is sealed")  # fmt: skip

    bundle = command("bundle", "write the support bundle: logs, versions, settings, what was done")
    bundle.add_argument("file", help="the zip to write; - is standard output")

    board = command("board", "play with the simulated board")
    board.add_argument("act", choices=("press",))
    board.add_argument("--hold", type=held_s, required=True, metavar="SECONDS",
                       help="on the reset button: under 5 s opens the first sign-in again for "
                            "30 min, 5 s and more is a factory reset")  # fmt: skip
    return top


def ready(ports: dict[str, object]) -> None:
    """One line on standard output that says what answers where (decided.md, Names)."""
    print(json.dumps(ports), flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, 1 (it said why), 2 (usage), 75 (start the board anew) or
    76 (start me anew).
    """
    options = parser().parse_args(argv)
    code = 1
    try:
        code = _run(options)
    except* KeyboardInterrupt:
        code = 130
    except* OSError as errors:  # from any depth of nurseries: a port in use, a disk that is full
        for text in dict.fromkeys(_words(errors)):
            print(f"linkray: {text}{_another_port(text, options)}", file=sys.stderr)
    return code


def _hold_signals() -> None:
    """A signal that comes while the process is still reading its code waits until that can end in
    order (`kit/ending.py`). Afterwards SIGTERM does nothing by itself: who ends already, ends.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)


def _run(options: argparse.Namespace) -> int:
    if options.command in ("run", "web"):
        _hold_signals()  # what is imported takes most of the start
    import trio

    if options.command == "run":
        from linkray import app

        return trio.run(
            functools.partial(
                app.run_control, options.board, options.state, options.bind,
                options.ocpp_port, options.ocpps_port, ready,
            )
        )  # fmt: skip
    if options.command == "web":
        from linkray.access.door import Door
        from linkray.faces.web.task import run_web
        from linkray.kit.secret import fresh
        from linkray.records.books import Books

        return trio.run(
            functools.partial(
                run_web, options.state, options.bind, options.https_port,
                options.http_port, ready, door=Door(fresh), books=Books(),
            )
        )  # fmt: skip
    from linkray import commands

    return trio.run(commands.carry_out, options)


def _words(errors: BaseExceptionGroup[OSError]) -> Iterator[str]:
    """What each of them says."""
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _words(error)
        else:
            yield str(error)


def _another_port(text: str, options: argparse.Namespace) -> str:
    """The option that chooses another port, where an error is about one."""
    names = [name for name, value in vars(options).items()
             if name.endswith("_port") and f"port {value}:" in text]  # fmt: skip
    options_named = " or ".join(f"--{name.replace('_', '-')}" for name in names)
    return f"; choose another with {options_named}" if names else ""


if __name__ == "__main__":
    sys.exit(main())
