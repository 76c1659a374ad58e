"""The support bundle: one zip with all one needs to see what a box has done (records.md, Logs).

Logs, settings without secrets, faults, the plan, the chargers and the meter as the page shows them,
versions, and the recording that `tools/replay` does again. No password, key or token is in it, and
of a tag at most its last four characters.
"""

from __future__ import annotations

import io
import platform
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from importlib import metadata

import msgspec

from linkray import __version__
from linkray.model.settings import Settings
from linkray.model.tags import last_four
from linkray.model.views import Snapshot

BUNDLE_BYTES_MAX = 5 * 1024 * 1024  # in base64 it goes through the desk in one frame
FRAMES_TO = BUNDLE_BYTES_MAX - 64 * 1024  # the list of what is in a zip comes after it all
LOG_BYTES_MAX = 1024 * 1024  # the oldest lines go first
RECORDING = "recording.msgpack.gz"
README = """A support bundle of LinkRay.

about.json      versions of LinkRay and of everything installed, when it was made
settings.json   the settings, without secrets
snapshot.json   what the page showed: plan with reasons, chargers, meter, faults
linkray.log     the newest lines of the log
OCPP, OCPP.1 …  the newest frames to and from chargers and CSMS, as many as there is room for
{name}
                the balancer's newest steps; `tools/replay` on this file does them again
"""
_USERINFO = re.compile(r"(?<=://)[^/@]*@")


class About(msgspec.Struct, frozen=True):
    """What was running when the bundle was made."""

    made: str  # UTC
    serial: str
    version: str
    python: str
    system: str
    packages: dict[str, str]


class BundleTooLarge(ValueError):
    """The bundle does not go through the desk, although its parts are limited."""


def about(made: str, serial: str) -> About:
    """Versions of everything installed."""
    packages = {d.metadata["Name"]: d.version for d in metadata.distributions()}
    return About(made, serial, __version__, sys.version, platform.platform(),
                 dict(sorted(packages.items())))  # fmt: skip


def without_secrets(settings: Settings) -> Settings:
    """Without name and password in the CSMS's address, without whole tags."""
    csms = msgspec.structs.replace(settings.csms, url=_USERINFO.sub("***@", settings.csms.url))
    vip = tuple(map(last_four, settings.access.vip))
    access = msgspec.structs.replace(settings.access, vip=vip)
    return msgspec.structs.replace(settings, csms=csms, access=access)


def without_tags(snapshot: Snapshot, lines: Iterable[str]) -> tuple[Snapshot, list[str]]:
    """The snapshot and the log with the tags that it shows cut to four characters.

    Those are the tags that can stand in the newest lines at all: of sessions that run.
    """
    tags: set[str] = set()
    chargers = []
    for charger in snapshot.chargers:
        connectors = []
        for connector in charger.connectors:
            tag = connector.tag
            if tag:
                tags.add(tag)
                connector = msgspec.structs.replace(connector, tag=last_four(tag))  # noqa: PLW2901
            connectors.append(connector)
        chargers.append(msgspec.structs.replace(charger, connectors=tuple(connectors)))
    pattern = "|".join(re.escape(tag) for tag in sorted(tags, key=len, reverse=True))
    shown = msgspec.structs.replace(snapshot, chargers=tuple(chargers))
    if not pattern:
        return shown, list(lines)
    found = re.compile(pattern)
    return shown, [found.sub(lambda match: last_four(match[0]), line) for line in lines]


def log_text(lines: Sequence[str]) -> bytes:
    """The newest lines, within the limit."""
    text = "".join(f"{line}\n" for line in lines).encode()
    if len(text) <= LOG_BYTES_MAX:
        return text
    cut = text[-LOG_BYTES_MAX:]
    return cut[cut.index(b"\n") + 1 :]


def bundle(
    of: About, settings: Settings, snapshot: Snapshot, lines: Sequence[str], recording: bytes,
    frames: Iterable[tuple[str, bytes]] = (),
) -> bytes:
    """The zip; raises `BundleTooLarge`."""
    shown, told = without_tags(snapshot, lines)
    parts: dict[str, bytes] = {
        "README.txt": README.format(name=RECORDING).encode(),
        "about.json": _json(of),
        "settings.json": _json(without_secrets(settings)),
        "snapshot.json": _json(shown),
        "linkray.log": log_text(told),
        RECORDING: recording,
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, date_time=_when(of.made))
            entry.external_attr = 0o600 << 16
            entry.compress_type = (
                zipfile.ZIP_STORED if name == RECORDING else zipfile.ZIP_DEFLATED
            )
            out.writestr(entry, content)
        for name, content in frames:  # the newest first
            if packed.tell() + len(zlib.compress(content)) > FRAMES_TO:
                break
            entry = zipfile.ZipInfo(name, date_time=_when(of.made))
            entry.external_attr = 0o600 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, content)
    whole = packed.getvalue()
    if len(whole) > BUNDLE_BYTES_MAX:
        raise BundleTooLarge(f"Expected at most {BUNDLE_BYTES_MAX} bytes, got {len(whole)}")
    return whole


def _json(value: msgspec.Struct) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def _when(stamp: str) -> tuple[int, int, int, int, int, int]:
    """A UTC stamp as a zip's entry has it; a zip knows no year before 1980."""
    year, month, day, hour, minute, second = (int(n) for n in re.findall(r"\d+", stamp)[:6])
    return max(1980, year), month, day, hour, minute, second
