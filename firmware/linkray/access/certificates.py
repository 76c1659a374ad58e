"""The box's certificate: what may be put in, what is asked of an authority (access.md, TLS).

Pure: PEM in, PEM and what it says out. `cryptography` is imported when it is used; where the pair
is kept and when it is in force is `kit/tls.py`'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import msgspec

from linkray.kit.tls import expires_line

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate, GeneralName

PEM_BYTES_MAX = 64 * 1024
CHAIN_MAX = 8
#: Each connection of a charger is signed for in control's loop: 3 ms with 3072 bits, 100 with 8192.
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 3072
SOON = timedelta(days=30)  # access.md: a fault so long ahead
NAMES_MAX = 20
NAME = re.compile(r"^(?=.{1,253}$)(\*\.)?[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
                  r"(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$")  # fmt: skip
_CERTIFICATE = re.compile(
    r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----"
)
_KEY = re.compile(
    r"-----BEGIN ((?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----[^-]+-----END \1-----"
)


class BadCertificate(ValueError):
    """A certificate, key or request that is not taken: says why."""


class Facts(msgspec.Struct, frozen=True):
    """What a certificate says. Times are ISO 8601, UTC."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins: str
    expires: str
    key: str  # `EC 256 bits`
    fingerprint: str  # SHA-256, in pairs
    self_signed: bool


class Pair(msgspec.Struct, frozen=True):
    """A certificate with its key, ready to be served; `notes` are what is odd, but no reason."""

    pem: bytes  # the key, the certificate, those above it
    facts: Facts
    notes: tuple[str, ...] = ()


def pair(certificate: str, key: str, hosts: Sequence[str], utc: datetime) -> Pair:
    """A certificate and key that belong together and hold now. Raises `BadCertificate`.

    `hosts` are what this box is called: where it covers none of them a note says so.
    """
    from cryptography.hazmat.primitives import serialization

    chain = _chain(certificate)
    private = _private(key)
    leaf = next((one for one in chain if _belongs(one, private)), None)
    if leaf is None or not _signs(leaf, private):
        raise BadCertificate("the certificate and the key do not belong together")
    _check_times(leaf, utc)
    _check_use(leaf)
    above = [one for one in chain if one is not leaf]
    found = facts(leaf)
    pem = expires_line(leaf.not_valid_after_utc) + private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    for one in (leaf, *above):
        pem += one.public_bytes(serialization.Encoding.PEM)
    return Pair(pem, found, tuple(_notes(leaf, above, found, hosts, utc)))


def facts(certificate: Certificate) -> Facts:
    """What it says, for people."""
    from cryptography.hazmat.primitives import hashes

    digest = certificate.fingerprint(hashes.SHA256()).hex().upper()
    return Facts(
        subject=_called(certificate.subject.rfc4514_string()),
        issuer=_called(certificate.issuer.rfc4514_string()),
        names=tuple(_names(certificate)),
        begins=_stamp(certificate.not_valid_before_utc),
        expires=_stamp(certificate.not_valid_after_utc),
        key=_key_words(certificate),
        fingerprint=":".join(digest[i : i + 2] for i in range(0, len(digest), 2)),
        self_signed=certificate.issuer == certificate.subject,
    )


def facts_of(pem: str) -> Facts:
    """Of the first certificate in a PEM; raises `BadCertificate`."""
    return facts(_chain(pem)[0])


def belong(certificate: str, key: str) -> bool:
    """Whether the first certificate of a PEM is for this key; False for what cannot be read."""
    try:
        return _belongs(_chain(certificate)[0], _private(key))
    except BadCertificate:
        return False


def public_part(pem: str) -> str:
    """The certificates of a pair without its key: what may leave the box."""
    return "\n".join(_CERTIFICATE.findall(pem)) + "\n"


def request(common_name: str, also: Sequence[str], organisation: str = "") -> tuple[bytes, bytes]:
    """A fresh ECDSA P-256 key and the request for it, as PEM; raises `BadCertificate`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    names = list(dict.fromkeys((common_name, *also)))
    if len(names) > NAMES_MAX:
        raise BadCertificate(f"expected at most {NAMES_MAX} names, got {len(names)}")
    if len(common_name) > 64 or len(organisation) > 64 or not organisation.isprintable():
        raise BadCertificate("expected a name and an organisation of at most 64 characters")
    alternatives = [_alternative(name) for name in names]
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation:
        subject.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name(subject))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )  # fmt: skip
    return secret, made.public_bytes(serialization.Encoding.PEM)


def expiry_words(expires: str, utc: datetime) -> str | None:
    """The fault of a certificate that expires within 30 days; None: it has time."""
    at = datetime.fromisoformat(expires)
    if at - utc > SOON:
        return None
    day = at.date().isoformat()
    return f"expired on {day}" if at <= utc else f"expires on {day}"


# -- what is wrong with it -------------------------------------------------------------------------


def _chain(pem: str) -> list[Certificate]:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    if len(pem) > PEM_BYTES_MAX:
        raise BadCertificate(f"expected at most {PEM_BYTES_MAX} bytes, got {len(pem)}")
    blocks = _CERTIFICATE.findall(pem)
    if not blocks:
        raise BadCertificate("expected a certificate in PEM (-----BEGIN CERTIFICATE-----)")
    if len(blocks) > CHAIN_MAX:
        raise BadCertificate(f"expected at most {CHAIN_MAX} certificates, got {len(blocks)}")
    chain = []
    for place, block in enumerate(blocks, 1):
        try:
            one = x509.load_pem_x509_certificate(block.encode())
            facts(one)  # it is read when asked: what cannot be read shows here
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension,
                x509.UnsupportedGeneralNameType) as error:  # fmt: skip
            raise BadCertificate(f"certificate {place} cannot be read: {_short(error)}") from None
        chain.append(one)
    return chain


def _private(pem: str) -> EllipticCurvePrivateKey | RSAPrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    if len(pem) > PEM_BYTES_MAX:
        raise BadCertificate(f"expected at most {PEM_BYTES_MAX} bytes of key, got {len(pem)}")
    found = _KEY.findall(pem)
    block = _KEY.search(pem)
    if block is None:
        raise BadCertificate("expected a private key in PEM (-----BEGIN PRIVATE KEY-----)")
    if len(found) > 1:
        raise BadCertificate(f"expected one private key, got {len(found)}")
    if "ENCRYPTED" in block[0]:
        raise BadCertificate("the key has a passphrase: the box could not start with it; "
                             "take it off first (openssl pkey)")  # fmt: skip
    try:
        # to look whether its primes are some takes seconds in which nothing else runs; whether it
        # signs what the certificate proves is looked at in their place (`_signs`)
        key = serialization.load_pem_private_key(
            block[0].encode(), None, unsafe_skip_rsa_key_validation=True
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadCertificate(f"the key cannot be read: {_short(error)}") from None
    if isinstance(key, rsa.RSAPrivateKey):
        if not RSA_BITS_MIN <= key.key_size <= RSA_BITS_MAX:
            raise BadCertificate(f"expected an RSA key of {RSA_BITS_MIN} to {RSA_BITS_MAX} bits, "
                                 f"got {key.key_size}")  # fmt: skip
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in {"secp256r1", "secp384r1"}:
        return key
    raise BadCertificate("expected a key that browsers know: ECDSA P-256 or P-384, or RSA")


def _belongs(one: Certificate, private: EllipticCurvePrivateKey | RSAPrivateKey) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        held = one.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return held == private.public_key().public_bytes(*form)


def _signs(one: Certificate, private: EllipticCurvePrivateKey | RSAPrivateKey) -> bool:
    """Whether what the key signs is what the certificate proves: the secret half is right too."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    said, public = b"LinkRay", one.public_key()
    try:
        if isinstance(private, rsa.RSAPrivateKey) and isinstance(public, rsa.RSAPublicKey):
            way = padding.PKCS1v15(), hashes.SHA256()
            public.verify(private.sign(said, *way), said, *way)
        elif isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(
            public, ec.EllipticCurvePublicKey
        ):
            digest = ec.ECDSA(hashes.SHA256())
            public.verify(private.sign(said, digest), said, digest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _check_times(leaf: Certificate, utc: datetime) -> None:
    if leaf.not_valid_after_utc <= utc:
        raise BadCertificate(f"it expired on {leaf.not_valid_after_utc.date().isoformat()}")
    if leaf.not_valid_before_utc > utc + timedelta(days=1):
        raise BadCertificate(
            f"it is not valid before {leaf.not_valid_before_utc.date().isoformat()}"
        )


def _check_use(leaf: Certificate) -> None:
    """What browsers would refuse whatever else is right."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    if isinstance(leaf.signature_hash_algorithm, hashes.MD5 | hashes.SHA1):
        raise BadCertificate(f"it is signed with {leaf.signature_hash_algorithm.name.upper()}, "
                             "which browsers refuse")  # fmt: skip
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if not allowed & set(uses):
        raise BadCertificate("it may not be used by a server (its extended key usage)")


def _notes(
    leaf: Certificate, above: list[Certificate], found: Facts, hosts: Sequence[str], utc: datetime
) -> list[str]:
    notes = []
    if not found.names:
        notes.append("it names no host in its subjectAltName; browsers will warn")
    elif not any(_covers(name, host) for name in found.names for host in hosts):
        notes.append("none of its names is one of this box; browsers will warn")
    soon = expiry_words(found.expires, utc)
    if soon is not None:
        notes.append(f"it {soon}")
    if found.self_signed:
        notes.append("it is signed by itself; browsers trust it where it was installed")
    elif not above:
        notes.append("those above it (the chain) are not in the file; some browsers will warn")
    elif not _issued(leaf, above[0]):
        notes.append("the next certificate in the file is not the one that signed it")
    return notes


def _issued(leaf: Certificate, above: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        leaf.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _covers(name: str, host: str) -> bool:
    name, host = name.lower(), host.lower()
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:] != "")


# -- what it says ----------------------------------------------------------------------------------


def _names(certificate: Certificate) -> list[str]:
    from cryptography import x509

    try:
        also = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *also.get_values_for_type(x509.DNSName),
        *map(str, also.get_values_for_type(x509.IPAddress)),
    ]


def _key_words(certificate: Certificate) -> str:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key = certificate.public_key()
    except UnsupportedAlgorithm:
        return "unknown"
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"EC {key.key_size} bits"
    return type(key).__name__.removesuffix("PublicKey").strip("_")


def _alternative(name: str) -> GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if NAME.match(name) is None:
        raise BadCertificate(f"expected a host name or an address, got {name[:64]!r}")
    return x509.DNSName(name)


def _called(name: str) -> str:
    """A distinguished name, its common name first where there is one."""
    common = re.search(r"(?:^|,)CN=((?:\\.|[^,\\])*)", name)
    return common[1] if common else name


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _short(error: Exception) -> str:
    return str(error).partition("\n")[0][:120] or type(error).__name__
