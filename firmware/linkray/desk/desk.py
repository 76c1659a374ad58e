"""What may be asked, by whom, and what it would change: the table enforced, without a socket.

Every ask passes `refusal` before anything is done; a change of settings passes `patched` or
`imported`, which give the whole new tree or say why not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

import msgspec

from linkray.kit.clock import zone_named
from linkray.model.asks import (
    INSTALLER,
    LEAST_LEVEL,
    LOCAL,
    Account,
    Answer,
    Ask,
    CheckCommissioning,
    FactoryReset,
    Key,
    OpenDiagnostics,
    OpenHanded,
    ReadAccounts,
    ReadAlerts,
    ReadCeiling,
    ReadCertificate,
    ReadChargerLinks,
    ReadClients,
    ReadConfiguration,
    ReadDelivery,
    ReadDiagnostics,
    ReadFirmware,
    ReadFrameFile,
    ReadFrames,
    ReadHistory,
    ReadKeys,
    ReadLearning,
    ReadLicence,
    ReadLog,
    ReadLogFile,
    ReadMeterFile,
    ReadMeters,
    ReadNeighbours,
    ReadNetwork,
    ReadPassport,
    ReadPassports,
    ReadQueue,
    ReadQueues,
    ReadRejected,
    ReadReport,
    ReadRestarts,
    ReadSetAside,
    ReadSettings,
    ReadSnapshot,
    ReadTags,
    ReadWalk,
    SealCeiling,
    SetEmergencyStop,
    SetPassword,
    SetSecondFactor,
    SettingChange,
    Watch,
    Who,
)
from linkray.model.plain import path_of
from linkray.model.settings import (
    BadSettings,
    Settings,
    check_sense,
    least_levels,
    read_settings,
)

KEY_MARK = "key:"  # how an API key is called in `Who.name`
SECRET = re.compile(r"^[A-Z2-7]{32}$")  # 160 bit in base32
KEYS_MAX = 50  # of an API; nobody keeps track of more
KEY_NAME_MAX = 64
ARGON2ID = re.compile(r"^\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+$")
READS = (
    ReadSnapshot, ReadHistory, ReadSettings, ReadAccounts, ReadKeys, ReadLog, ReadMeters, Watch,
    ReadCeiling, CheckCommissioning, ReadPassports, ReadPassport, ReadSetAside,
    ReadFrames, ReadFrameFile, ReadQueues, ReadQueue, ReadTags, ReadRejected, ReadLearning,
    ReadWalk, ReadAlerts, ReadLogFile, ReadReport, ReadRestarts,
    ReadLicence, ReadCertificate, ReadMeterFile,
    ReadFrames, ReadFrameFile, ReadQueues, ReadQueue,
    ReadConfiguration, ReadFirmware, ReadDiagnostics, OpenHanded, OpenDiagnostics,
    ReadClients, ReadChargerLinks, ReadNetwork, ReadNeighbours,
    ReadDelivery,
)  # fmt: skip
BEFORE_PASSWORDS = (ReadSnapshot, SetPassword)  # trust.md 4, rule 3
LEVEL_NAMES = {0: "nobody", 1: "EV", 2: "Installer", 3: "Assembler", 4: "the command line"}

JudgeMeter = Callable[[Mapping[str, object]], None]  # raises ValueError, in words


class Lock(msgspec.Struct, frozen=True):
    """What the first-login rules hold back at this moment (trust.md 4)."""

    passwords_set: bool  # the Assembler's printed password is gone
    released: bool  # that, or settings were imported on site (rule 8): charging, CSMS and keys go


def no(code: str, text: str, path: str | None = None) -> Answer:
    """A refusal; `path` names the field that is wrong or not the asker's to change."""
    data = msgspec.Raw(msgspec.json.encode({"path": path})) if path else msgspec.Raw(b"null")
    return Answer(ok=False, code=code, text=text, data=data)


def yes(text: str = "", data: object = None) -> Answer:
    return Answer(ok=True, text=text, data=msgspec.Raw(msgspec.json.encode(data)))


def refusal(ask: Ask, who: Who, lock: Lock, accounts: tuple[Account, ...]) -> Answer | None:
    """Why this asker may not; None when the ask may be carried out."""
    least = LEAST_LEVEL.get(type(ask))
    if least is None:
        return no("unknown", f"Expected an ask that is in the table, got {type(ask).__name__}")
    if isinstance(ask, SetEmergencyStop) and not ask.on:
        least = INSTALLER  # whoever sees danger may stop; allowing again is another matter
    if who.level < least:
        return no("forbidden", f"Expected {LEVEL_NAMES[least]} or higher, got "
                               f"{LEVEL_NAMES.get(who.level, 'nobody')} ({who.name})")  # fmt: skip
    is_key = who.name.startswith(KEY_MARK)
    if is_key and who.level < INSTALLER and not isinstance(ask, READS):
        return no("forbidden", "A key with scope read changes nothing")  # trust.md A9
    if who.level < LOCAL:
        if is_key and not lock.released:
            return no("forbidden", "Keys are off until the printed password is replaced")
        if not is_key and not lock.passwords_set and not isinstance(ask, BEFORE_PASSWORDS):
            return no("forbidden", "Only a new password may be set until the printed one is gone")
    if isinstance(ask, SealCeiling) and (is_key or not (who.on_site or who.level >= LOCAL)):
        return no("forbidden", "The engineering ceiling is sealed on site: by a person on a "
                               "network of this box, or at its command line")  # fmt: skip
    if isinstance(ask, SetPassword | SetSecondFactor):
        return _password_refusal(ask, who, is_key=is_key, accounts=accounts)
    return None


def _password_refusal(
    ask: SetPassword | SetSecondFactor, who: Who, *, is_key: bool, accounts: tuple[Account, ...]
) -> Answer | None:
    """EV and Installer set their own, the Assembler and the command line all; a key none."""
    if is_key:
        return no("forbidden", "A key sets no password")
    if who.level < LOCAL:
        mine = next((a for a in accounts if a.name == who.name), None)
        if mine is None or mine.level != who.level:
            return no("forbidden", f"Expected an account, got {who.name!r}")
        if who.name not in {ask.account, "Assembler"}:
            return no("forbidden", f"{who.name} sets only the own password, not {ask.account}'s")
    if isinstance(ask, SetSecondFactor):
        if ask.secret and who.name != ask.account:  # it is on a phone that nobody else has
            return no("forbidden", f"Only {ask.account} sets up a second factor there")
        good = not ask.secret or SECRET.match(ask.secret)
        return None if good else no("invalid", "Expected a secret in base32", "$.secret")
    if ARGON2ID.match(ask.hash) is None:
        return no("invalid", "Expected an Argon2id hash", "$.hash")
    return None


def key_refusal(name: str, keys: Collection[Key]) -> Answer | None:
    """Why another key may not be made: there are enough, or nobody could tell which is which."""
    if len(keys) >= KEYS_MAX:
        return no("refused", f"There are {len(keys)} keys already: remove one first")
    if len(name) > KEY_NAME_MAX or not name.isprintable() or name != name.strip():
        return no("invalid", f"Expected a name of at most {KEY_NAME_MAX} characters that can be "
                             "read", "$.name")  # fmt: skip
    if name and name in {key.name for key in keys}:
        return no("refused", f"There is a key named {name!r} already", "$.name")
    return None


def lock_of(accounts: tuple[Account, ...], released_since: str | None) -> Lock:
    """What is held back, from the accounts and from whether settings were imported on site."""
    assembler = next((a for a in accounts if a.name == "Assembler"), None)
    passwords_set = assembler is not None and bool(assembler.hash) and not assembler.first
    return Lock(passwords_set, passwords_set or released_since is not None)


def reset_refusal(ask: FactoryReset, site: str, serial: str) -> Answer | None:
    """A factory reset names the site, or the serial where the site has no name."""
    expected = site or serial
    if ask.confirm == expected:
        return None
    return no("invalid", f"Expected {expected!r}, got {ask.confirm!r}", "$.confirm")


# -- settings --------------------------------------------------------------------------------------


def merge(target: object, patch: object) -> object:
    """RFC 7396: objects are merged, null deletes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def as_file(settings: Settings) -> object:
    """The settings as their file has them: plain JSON, whose lists are lists."""
    return msgspec.json.decode(msgspec.json.encode(settings))


def differences(old: object, new: object) -> Iterator[str]:
    """The paths of the leaves in which two trees of plain JSON differ."""
    for path, held, come in _unlike(old, new, "$"):
        item = held if come is None else come
        if path.endswith("[]"):
            continue  # in another order: whoever may change an item may move it
        if path.endswith("]") and isinstance(item, dict) and None in (held, come):
            yield from (f"{path}.{name}" for name, value in item.items() if value is not None)
        else:
            yield path


def changes(old: object, new: object) -> Iterator[SettingChange]:
    """The same with the values, by the names of the settings file."""
    for path, held, come in _unlike(old, new, "$"):
        yield SettingChange(path.removeprefix("$."), held, come)


def _unlike(old: object, new: object, path: str) -> Iterator[tuple[str, object, object]]:
    """Where two trees differ; an item of a list that came or went is one, with None beside it.

    Items of a list are paired by `id` or `name`, so that one put in front moves nobody; whether
    those that stay stand in another order is told last, as `…[]`.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(name for name in new if name not in old)]:
            yield from _unlike(old.get(name), new.get(name), f"{path}.{name}")
    elif _are_objects(old) and _are_objects(new):
        held, come = _by_name(old), _by_name(new)
        for name in [*held, *(name for name in come if name not in held)]:
            yield from _unlike(held.get(name), come.get(name), f"{path}[{name}]")
        was, then = [n for n in held if n in come], [n for n in come if n in held]
        if was != then:
            yield f"{path}[]", was, then
    elif old != new:
        yield path, old, new


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _by_name(items: object) -> dict[str, object]:
    assert isinstance(items, list)
    return {
        str(item.get("id", item.get("name", place))): item for place, item in enumerate(items)
    }


def too_high(old: object, new: object, level: int) -> str | None:
    """The path of the first change that needs a higher level; None: the asker may do all of it."""
    levels = least_levels()
    for path in differences(old, new):
        if level < _level_of(path, levels):
            return path
    return None


def _level_of(path: str, levels: dict[str, int]) -> int:
    """The level of a leaf, of what it lies in, or the highest of what lies in it."""
    plain = re.sub(r"\[.*?\]", "", path).removeprefix("$").lstrip(".")
    within = [level for name, level in levels.items() if f"{name}.".startswith(f"{plain}.")]
    if plain == "" or within:
        return max(within or levels.values())
    above = [level for name, level in levels.items() if plain.startswith(f"{name}.")]
    return max(above, default=2)


def conflict(revision: int, asked: int | None) -> Answer | None:
    """Whether somebody has changed the settings since `asked` was read; None asks for no care."""
    if asked is None or asked == revision:
        return None
    return no("conflict", f"The settings were changed meanwhile: {revision}, not {asked}")


def patched(current: Settings, patch: bytes, level: int, judge: JudgeMeter) -> Settings | Answer:
    """The whole tree after a merge patch, or why not."""
    try:
        change = msgspec.json.decode(patch)
    except (msgspec.DecodeError, RecursionError) as error:
        return no("invalid", f"Expected JSON: {error}", "$")
    if not isinstance(change, dict):
        return no("invalid", f"Expected an object, got {type(change).__name__}", "$")
    old = as_file(current)
    new = merge(old, change)
    high = too_high(old, new, level)
    if high is not None:
        return no("forbidden", "Only the Assembler may change this", high)
    try:
        text = msgspec.json.encode(new)
    except (OverflowError, RecursionError) as error:
        return no("invalid", f"Expected numbers of at most 64 bits: {error}", "$")
    return _read(text, current, judge)


def imported(current: Settings, text: bytes, level: int, judge: JudgeMeter) -> Settings | Answer:
    """The whole tree of a settings file, or why not; all or nothing."""
    fresh = _read(text, current, judge)
    if isinstance(fresh, Answer):
        return fresh
    high = too_high(as_file(current), as_file(fresh), level)
    if high is not None:
        return no("forbidden", "Only the Assembler may change this", high)
    return fresh


def _read(text: bytes, current: Settings, judge: JudgeMeter) -> Settings | Answer:
    try:
        fresh = read_settings(text)
        check_sense(fresh, current)
    except BadSettings as error:
        return no("invalid", *path_of(str(error)))
    except RecursionError:
        return no("invalid", "Expected settings, got lists or objects nested without end", "$")
    zone = fresh.site.time_zone
    if zone != current.site.time_zone and zone_named(zone) is None:
        return no("invalid", f"Expected a time zone such as Europe/Berlin, got {zone!r}",
                  "$.site.time_zone")  # fmt: skip
    file = fresh.site.meter.file
    if file is not None and file != current.site.meter.file:
        try:
            judge(file)
        except ValueError as error:
            return no("invalid", str(error), "$.site.meter.file")
    return fresh


def in_words(old: Settings, new: Settings) -> str:
    """Which fields a change touches, for the audit line; at most what fits a line."""
    paths = list(differences(as_file(old), as_file(new)))
    shown = ", ".join(paths[:20]) or "the order of a list"
    return shown if len(paths) <= 20 else f"{shown} and {len(paths) - 20} more"
