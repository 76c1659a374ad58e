"""Certificates that are put in: what belongs together, and every kind that does not."""

from __future__ import annotations

import ssl
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.unit.access.papers import (
    EDWARDS,
    HOST,
    NOW,
    RSA_SMALL,
    answered,
    authority,
    certificate,
    ec_key,
    key_pem,
)

from linkray.access.certificates import (
    BadCertificate,
    expiry_words,
    facts_of,
    pair,
    public_part,
    request,
)
from linkray.kit.tls import expires, server_context

KEY = ec_key()


def test_a_certificate_and_its_key_are_served(tmp_path) -> None:
    made = pair(certificate(KEY), key_pem(KEY), (HOST,), NOW)
    path = tmp_path / "pair.pem"
    path.write_bytes(made.pem)

    assert isinstance(server_context(path), ssl.SSLContext)
    assert expires(path) == made.facts.expires == "2027-11-20T08:00:00Z"
    assert (made.facts.names, made.facts.key) == ((HOST,), "EC 256 bits")
    assert made.notes == ("it is signed by itself; browsers trust it where it was installed",)
    assert "PRIVATE" not in public_part(made.pem.decode())


def test_a_chain_comes_with_it_whatever_the_order_of_the_file() -> None:
    name, ca, above = authority()
    leaf = certificate(KEY, by=(name, ca))

    made = pair(above + leaf, key_pem(KEY), (HOST,), NOW)

    assert (made.facts.subject, made.facts.issuer) == ("Charging", "Site CA")
    assert made.notes == ()
    assert facts_of(made.pem.decode()) == made.facts


@pytest.mark.parametrize(
    ("change", "host", "note"),
    [
        ({"names": ()}, HOST, "names no host"),
        ({"names": ("other.example",)}, HOST, "none of its names is one of this box"),
        ({"days": 20}, HOST, "it expires on 2026-12-10"),
        ({}, HOST, "signed by itself"),
    ],
)  # fmt: skip
def test_what_is_odd_is_noted_and_taken(change: dict, host: str, note: str) -> None:
    made = pair(certificate(KEY, **change), key_pem(KEY), (host,), NOW)
    assert any(note in one for one in made.notes), made.notes


def test_a_star_covers_one_name_below_it() -> None:
    made = pair(certificate(KEY, names=("*.site.example",)), key_pem(KEY), ("box.site.example",),
                NOW)  # fmt: skip
    assert not any("none of its names" in one for one in made.notes)


def test_a_missing_chain_is_noted() -> None:
    name, ca, _above = authority()
    _name, _other, stranger = authority()
    leaf = certificate(KEY, by=(name, ca))

    assert "(the chain)" in pair(leaf, key_pem(KEY), (HOST,), NOW).notes[0]
    assert "not the one that signed it" in pair(
        leaf + stranger, key_pem(KEY), (HOST,), NOW
    ).notes[0]  # fmt: skip


LONG = NOW - timedelta(days=400)
REFUSED = {
    "another key": (certificate(KEY), key_pem(ec_key()), "do not belong together"),
    "expired": (certificate(KEY, begins=LONG), key_pem(KEY), "it expired on 2026-10-17"),
    "not yet": (certificate(KEY, begins=NOW + timedelta(days=3)), key_pem(KEY), "not valid before"),
    "for clients": (certificate(KEY, uses=(ExtendedKeyUsageOID.CLIENT_AUTH,)), key_pem(KEY),
                    "may not be used by a server"),
    "weak key": (certificate(RSA_SMALL), key_pem(RSA_SMALL), "RSA key of 2048 to 3072 bits"),
    "odd key": (certificate(EDWARDS), key_pem(EDWARDS), "a key that browsers know"),
    "passphrase": (certificate(KEY), key_pem(KEY, b"secret"), "has a passphrase"),
    "no certificate": ("nothing", key_pem(KEY), "expected a certificate in PEM"),
    "no key": (certificate(KEY), certificate(KEY), "expected a private key in PEM"),
    "two keys": (certificate(KEY), key_pem(KEY) * 2, "expected one private key, got 2"),
    "too many": (certificate(KEY) * 9, key_pem(KEY), "at most 8 certificates"),
    "too large": ("x" * 70_000, key_pem(KEY), "at most 65536 bytes"),
    "large key": (certificate(KEY), "x" * 70_000, "bytes of key"),
    "broken key": (certificate(KEY), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
                   "the key cannot be read"),
    "broken certificate": (
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", key_pem(KEY),
        "certificate 1 cannot be read",
    ),
}  # fmt: skip


def test_an_rsa_key_of_a_common_size_is_taken_and_one_that_signs_wrong_is_not() -> None:
    whole = rsa.generate_private_key(65537, 2048)
    leaf = certificate(whole)
    assert "RSA" in pair(leaf, key_pem(whole), (HOST,), NOW).facts.key
    n = whole.private_numbers()
    wrong = n.d ^ 2, n.dmp1 ^ 2, n.dmq1 ^ 2
    torn = rsa.RSAPrivateNumbers(n.p, n.q, *wrong, n.iqmp, n.public_numbers)
    with pytest.raises(BadCertificate, match="do not belong together"):
        pair(leaf, key_pem(torn.private_key(unsafe_skip_rsa_key_validation=True)), (HOST,), NOW)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_served_is_refused_with_the_reason(name: str) -> None:
    chain, key, words = REFUSED[name]
    with pytest.raises(BadCertificate, match=words):
        pair(chain, key, (HOST,), NOW)


def test_every_cut_of_a_certificate_is_refused_or_none() -> None:
    whole = certificate(KEY)
    for length in range(0, len(whole) - 2, 7):
        with pytest.raises(BadCertificate):
            pair(whole[:length], key_pem(KEY), (HOST,), NOW)


def test_another_curve_and_rsa_are_served_too() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        assert pair(certificate(key, digest=hashes.SHA384), key_pem(key), (HOST,), NOW).pem


def test_a_request_is_answered_by_an_authority_and_fits_its_key() -> None:
    key, asked = request("box.example", ("linkray-1.local", "192.0.2.7"), "Acme")
    name, ca, above = authority()

    made = pair(answered(asked.decode(), (name, ca)) + above, key.decode(), ("box.example",), NOW)

    assert made.facts.names == ("box.example", "linkray-1.local", "192.0.2.7")
    assert b"PRIVATE" not in asked


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 254, "<script>", "a..b", "*", "ex_ample"])
def test_a_request_for_what_is_no_host_is_refused(name: str) -> None:
    with pytest.raises(BadCertificate):
        request(name, ())
    with pytest.raises(BadCertificate):
        request("box.example", (name,))


def test_a_request_has_at_most_twenty_names() -> None:
    with pytest.raises(BadCertificate, match="at most 20 names"):
        request("box.example", [f"n{i}.example" for i in range(20)])


@pytest.mark.parametrize(
    ("days", "words"), [(31, None), (29, "expires on 2026-12-20"), (0, "expired on 2026-11-21")]
)
def test_the_fault_stands_thirty_days_ahead(days: int, words: str | None) -> None:
    at = (NOW + timedelta(days=days)).isoformat()
    assert expiry_words(at, NOW) == words
