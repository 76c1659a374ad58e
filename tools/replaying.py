"""`tools/replay`: a recording's plans made again, and what had been under another limit."""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from linkray import __version__
from linkray.balance.recording import (
    PLAIN_BYTES_MAX,
    BadRecording,
    Difference,
    Recording,
    Told,
    from_file,
    replay,
)
from linkray.model.settings import AMPS_MA_MAX, LimitPhases
from linkray.upkeep.bundle import RECORDING

from .what_if import ASSUMED, Row, Sum, WhatIf

GZIP, ZIP = b"\x1f\x8b", b"PK"  # with which a recording and a bundle begin
BUNDLE_BYTES_MAX = 64 * 1024 * 1024


def limit(text: str) -> LimitPhases:
    """`80`, or one for each phase: `80,63,63`."""
    try:
        told = [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected amps, as 80 or 80,63,63, got {text!r}"
        ) from None
    if len(told) not in {1, 3}:
        raise argparse.ArgumentTypeError(
            f"expected one amount or one for each of L1, L2 and L3, got {len(told)} of them"
        )
    most = AMPS_MA_MAX // 1000
    if not all(0 <= amps <= most for amps in told):
        raise argparse.ArgumentTypeError(f"expected amps from 0 to {most}, got {text!r}")
    amounts = [round(amps * 1000) for amps in told]
    return LimitPhases(*(amounts if len(amounts) == 3 else amounts * 3))


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="tools/replay", description=__doc__)
    top.add_argument("file", type=Path, help="a recording, or a support bundle that holds one")
    top.add_argument("--limit", type=limit, help="what if the fuse were so many amps: 80, 80,63,63")
    top.add_argument("--json", action="store_true", help="one JSON object instead of words")
    top.add_argument("--from", dest="folder", type=Path, default=Path(), help=argparse.SUPPRESS)
    return top


def recording_in(content: bytes) -> Recording:
    """The recording in a file's content; raises `BadRecording`."""
    if content[:2] == GZIP:
        if is_cut_short(content):
            raise BadRecording("Expected a whole recording, got one that is cut short")
        return from_file(content)
    if content[:2] != ZIP:
        raise BadRecording("Expected a support bundle or a recording, got neither")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as bundle:
            if bundle.getinfo(RECORDING).file_size > BUNDLE_BYTES_MAX:
                raise BadRecording(f"Expected at most {BUNDLE_BYTES_MAX} bytes in {RECORDING}")
            return from_file(bundle.read(RECORDING))
    except KeyError:
        raise BadRecording(f"Expected {RECORDING} in the bundle, got none") from None
    except zipfile.BadZipFile as error:
        raise BadRecording(f"Expected a whole bundle: {error}") from None


def is_cut_short(packed: bytes) -> bool:
    """Whether it ends before its packing does; what is damaged or too long is not."""
    unpacking = zlib.decompressobj(wbits=31)
    try:
        unpacking.decompress(packed, PLAIN_BYTES_MAX)
    except zlib.error:
        return False
    return not unpacking.eof and not unpacking.unconsumed_tail


class Report(msgspec.Struct):
    """What `--json` prints."""

    firmware: str
    made: str
    span_s: float
    segments: int
    steps: int
    facts: int
    plans: int
    identical: bool
    failures: int
    differs_at_s: float | None = None
    what_if: dict[str, object] | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """0: all plans identical; 1: not, or nothing to replay; 2: usage."""
    options = parser().parse_args(argv)
    path = options.folder / options.file
    try:
        recording = recording_in(path.read_bytes())
        return _replay(recording, options)
    except (OSError, BadRecording) as error:
        print(f"replay: {path}: {error}", file=sys.stderr)
        return 1


def _replay(recording: Recording, options: argparse.Namespace) -> int:
    segments = [segment for segment in recording.segments if segment.steps]
    if not segments:
        raise BadRecording("Expected steps, got a recording without any")
    if recording.firmware != __version__:
        print(f"replay: made by firmware {recording.firmware}, done again with {__version__}",
              file=sys.stderr)  # fmt: skip
    done = replay(segments)
    began, ended = segments[0].steps[0].now, segments[-1].steps[-1].now
    report = Report(
        recording.firmware, recording.made, round(ended - began, 3), len(segments), done.steps,
        done.facts, done.plans, done.first is None, done.failures,
        None if done.first is None else round(done.first.now - began, 3),
    )  # fmt: skip
    sums = None
    if options.limit is not None and done.first is None:
        sums = WhatIf(segments, options.limit).run()
        report.what_if = _as_json(options.limit, *sums)
    if options.json:
        print(msgspec.json.encode(report).decode())
        return 0 if done.first is None else 1
    print(f"{clock(ended - began)} from {segments[0].utc}, {len(segments)} segment(s)")
    print(f"{done.steps:,} steps, {done.facts:,} facts")
    if done.failures:
        print(f"the balancer failed {done.failures} time(s); those steps are not done again")
    if done.first is not None:
        print(different(done.first, began))
        return 1
    print(f"{done.plans:,} plans, all identical")
    if sums is not None:
        print(side_by_side(options.limit, *sums))
    return 0


def clock(seconds: float) -> str:
    """`1:02:03` hours, minutes and seconds."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def different(first: Difference, began: float) -> str:
    """The first difference, with the offers of then and of now where they differ."""
    place = f"segment {first.segment}, step {first.step}"
    lines = [f"the plan {clock(first.now - began)} from the beginning is another one ({place}):"]
    keys = [key for key in {**first.then, **first.again}
            if first.then.get(key) != first.again.get(key)]  # fmt: skip
    lines += [
        f"  {key[0]} connector {key[1]}: then {told(first.then.get(key))}, "
        f"again {told(first.again.get(key))}"
        for key in keys
    ]
    if not keys:
        lines.append("  the offers are the same; what is said beside them is not")
    return "\n".join(lines)


def told(row: Told | None) -> str:
    return "nothing" if row is None else f"{row[3] / 1000:g} A ({row[4]}, offer {row[2]})"


def side_by_side(limit: LimitPhases, then: Sum, now: Sum) -> str:
    """Per connector what it was offered, drew and waited, as it was and as it would have been."""
    began, *later = then.limits
    recorded = [in_amps(began[1]), *(f"from {clock(at)}: {in_amps(to)}" for at, to in later)]
    lines = [
        "", f"with a site limit of {in_amps(limit)} (recorded: {'; '.join(recorded)}), where",
        *(f"  - {each}" for each in ASSUMED), compare_with(limit, began[1]), "",
        f"{'':24}{'offered kWh':>20}{'drawn kWh':>20}{'paused min':>20}",
        f"{'connector':24}" + f"{'was':>10}{'would be':>10}" * 3,
    ]  # fmt: skip
    for key in sorted({**then.rows, **now.rows}):
        was, new = then.rows.get(key, Row()), now.rows.get(key, Row())
        lines.append(_line(f"{key[0]} {key[1]}", was, new))
    lines.append(_line("all", total(then), total(now)))
    for name, run in (("was", then), ("would be", now)):
        lines.append(
            f"{name:9} {run.plans:,} plans, {run.violations} over the limit"
            + (f"; tightest {run.tightest}, {run.left_ma / 1000:g} A left at {clock(run.at_s)}"
               if run.tightest else "")
            + (f"; no room at all for {clock(run.short_s)}" if run.short_s else "")
        )  # fmt: skip
        apart = {"start-up": run.starting_s, "emergency stop": run.stopped_s}
        told_apart = [f"{what} {clock(lasted)}" for what, lasted in apart.items() if lasted]
        if told_apart:
            lines.append(f"{'':9} not counted: {', '.join(told_apart)}")
    return "\n".join(lines)


def compare_with(limit: LimitPhases, recorded: LimitPhases) -> str:
    """How to tell what the limit does from what the assumptions do."""
    if limit == recorded:
        return "what differs here is what the assumptions do, not the limit"
    same = ",".join(f"{a / 1000:g}" for a in recorded.phases())
    return (
        "the assumptions alone move figures: compare with the same at the recorded limit, "
        f"--limit {same}"
    )


def in_amps(limit: LimitPhases) -> str:
    """`100, 100, 63 A`."""
    return ", ".join(f"{a / 1000:g}" for a in limit.phases()) + " A"


def _line(name: str, was: Row, new: Row) -> str:
    return (
        f"{name:24}{was.offered_wh / 1000:10.2f}{new.offered_wh / 1000:10.2f}"
        f"{was.drawn_wh / 1000:10.2f}{new.drawn_wh / 1000:10.2f}"
        f"{was.paused_s / 60:10.1f}{new.paused_s / 60:10.1f}"
    )


def total(run: Sum) -> Row:
    rows = run.rows.values()
    return Row(
        sum(row.session_s for row in rows), sum(row.offered_wh for row in rows),
        sum(row.drawn_wh for row in rows), sum(row.paused_s for row in rows),
    )  # fmt: skip


def _as_json(limit: LimitPhases, then: Sum, now: Sum) -> dict[str, object]:
    def run(of: Sum) -> dict[str, object]:
        found: dict[str, object] = msgspec.to_builtins(
            msgspec.structs.replace(of, rows={})
        )
        found["rows"] = [
            {"charger": key[0], "connector": key[1], **msgspec.to_builtins(of.rows[key])}
            for key in sorted(of.rows)
        ]
        return found

    return {"limit_ma": list(limit.phases()), "assumed": ASSUMED, "was": run(then),
            "would_be": run(now)}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
