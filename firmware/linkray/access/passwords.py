"""Which passwords are good enough (access.md, People; trust.md A4).

Judges text; what is kept of it (Argon2id) and where are others'.
"""

from __future__ import annotations

import hashlib
import re

CHARS_MIN = 12  # access.md, People
CHARS_MAX = 256  # what Argon2id is asked to chew at most
WORDS_MIN = 4

# The three logins that the LinkRay manual prints (7, Logins and user types): public, so never good.
PRINTED = ("r&`kxa6D=/7mAZy!", "]n%?4BUq{?WGEkNx", "2WW%[4%9nU`HWhGe")
# Documented defaults of other makes (trust.md A4), as SHA-256 of the lower-case text; shorter ones
# than CHARS_MIN are refused by their length.
FOREIGN_SHA256 = frozenset(
    {
        "fcc22bf7d261cd8b0cf643dabc8754d331a680857b079031f445c358e6e83582",
        "c98c990f5431cd16ed9bccbeac3a21f9164f692f95682feef8b5a390a12063c1",
    }
)

# The common list. Source: our own, made by rule from the stems below, since what leads every
# published list (a word, a name or a keyboard walk, padded with digits or doubled until it is long
# enough) is exactly that; each stem stands for all its paddings, spellings (0 for o, @ for a …) and
# repetitions, so these few hundred stems refuse more than a list of ten thousand lines.
STEMS = frozenset(
    """
    password passwort passwd passphrase motdepasse contrasena wachtwoord parola senha geheim secret
    welcome welkom willkommen bienvenue login logon signin letmein access admin administrator root
    superuser supervisor operator maintain maintenance service guest user username default changeme
    temp temporary test testing tester demo sample example master manager owner support system
    computer internet network router server windows linux android apple google samsung microsoft
    facebook hello hallo bonjour iloveyou iloveu loveyou love lovely baby babygirl sweet sweetheart
    princess prince angel sunshine flower summer winter spring autumn monday friday sunday january
    february march april may june july august september october november december dragon monkey
    tiger lion eagle falcon wolf bear shadow ghost ninja warrior killer hunter ranger soldier
    superman batman spiderman ironman starwars pokemon naruto matrix freedom football soccer
    baseball basketball hockey tennis golf cricket rugby arsenal chelsea liverpool barcelona
    juventus bayern ajax ferrari porsche mercedes toyota honda corvette mustang harley yamaha
    michael jordan jennifer jessica ashley daniel thomas andrew robert william charlie george
    matthew joshua anthony nicole amanda michelle samantha victoria alexander maria anna peter
    london paris berlin madrid amsterdam newyork america england germany france spain italy
    holland europe canada australia cheese cookie chocolate banana orange apple pepper ginger coffee
    whatever nothing something forever trustno trustnoone fuckyou fuckoff asshole biteme qwerty
    qwertz azerty qwertyuiop qwertzuiop azertyuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm qazwsx
    qazwsxedc qweasd qweasdzxc zaqwsx poiuytrewq lkjhgfdsa mnbvcxz abc abcd abcde abcdef abcdefg
    abcdefgh abcdefghijkl aaa xxx charger charging chargepoint chargingstation linkray versinetic
    electric electricity energy power solar battery meter tesla evse ocpp installer assembler ev
    loadbalancing balancing vehicle car manufacturer yellow zone
    """.split()  # noqa: SIM905
)
_SPELT = (str.maketrans("013457@$!|+", "oieastasiit"), str.maketrans("013457@$!|+", "oleastaslit"))
_WALKS = ("abcdefghijklmnopqrstuvwxyz", "01234567890123456789", "qwertyuiop", "qwertzuiop",
          "azertyuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")  # fmt: skip


def weakness(password: str, account: str, names: tuple[str, ...] = ()) -> str | None:
    """Why this password will not do for the account, in words; None when it will.

    `names` are what a stranger can read on the box: its serial, the site's name.
    """
    if len(password) > CHARS_MAX:
        return f"Expected at most {CHARS_MAX} characters, got {len(password)}"
    if not password.isprintable():
        return "Expected characters that can be typed, got a control character"
    if password in PRINTED or _sha256(password) in FOREIGN_SHA256:
        return "This is a default printed in a manual; anyone can read it"
    if len(password) < CHARS_MIN and not is_passphrase(password):
        return (
            f"Expected at least {CHARS_MIN} characters or {WORDS_MIN} words, "
            f"got {len(password)} characters"
        )
    cores = _cores(password)
    for name in (account, *names):
        for bare in _cores(name):
            if len(bare) >= 2 and any(core.replace(bare, "") == "" for core in cores):
                return f"This is only {name!r} with padding"
    if is_common(password):
        return "This is on the list of common passwords"
    return None


def is_passphrase(password: str) -> bool:
    """Four different words or more, each of two letters or more."""
    words = {word.lower() for word in re.split(r"[\s\-_.,]+", password) if len(word) >= 2}
    return len(words) >= WORDS_MIN


def is_common(password: str) -> bool:
    """Whether it is one stem, padded, respelt or repeated, or a walk along the keyboard."""
    lower = password.lower()
    if len(set(lower)) <= 3:
        return True
    if _is_walk(lower):
        return True
    for length in range(1, len(lower) // 2 + 1):
        if lower == (lower[:length] * len(lower))[: len(lower)]:
            return True
    return any(_is_walk(core) or _made_of_stems(core) for core in _cores(password))


def _made_of_stems(core: str) -> bool:
    """Whether at most two stems, each as often as one likes, make up the whole."""
    if not core:
        return True  # digits and signs alone, walks among them
    for stem in STEMS:
        if len(stem) >= 3 and core.startswith(stem):
            rest = core.replace(stem, "")
            if rest == "" or rest in STEMS:
                return True
    return False


def _cores(text: str) -> set[str]:
    """The letters that are left without padding: lower case, usual digits-for-letters undone.

    Digits in front may be padding or letters, and a 1 is an i or an l: each way is one core.
    """
    lower = re.sub(r"[^a-z]+$", "", text.lower())
    bare = re.sub(r"^[^a-z]+", "", lower)
    return {re.sub(r"[^a-z]", "", t.translate(spelt)) for t in (lower, bare) for spelt in _SPELT}


def _is_walk(text: str) -> bool:
    """Whether it only steps along rows of a keyboard or an alphabet, forwards or backwards."""
    if len(text) < 6:
        return False
    steps = sum(
        any(pair in row or pair in row[::-1] for row in _WALKS)
        for pair in (text[i : i + 2] for i in range(len(text) - 1))
    )
    return steps >= (len(text) - 1) * 0.8


def _sha256(password: str) -> str:
    return hashlib.sha256(password.lower().encode()).hexdigest()
