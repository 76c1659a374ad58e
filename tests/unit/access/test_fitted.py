"""What is fitted is checked, audited, on disk and in force, in this order; or nothing is."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from tests.unit.access.papers import HOST, NOW, answered, authority, certificate, ec_key, key_pem
from tools.licence import issue, known_key

from linkray.access.fitted import Fitted, NotFitted
from linkray.access.licence import Licence
from linkray.app import Meters
from linkray.hal.sim import TEST_KEY
from linkray.kit import tls
from linkray.kit.clock import WallClock
from linkray.meter import meterfile
from linkray.model import asks
from linkray.model.branding import Branding
from linkray.store.runner import Inline

WHO = asks.Who("Assembler", 3)
METER = ('// Where it is from\n{"name": "Mine", "tcp": true, "IP": "192.0.2.9", "Address": 1, '
         '"ARegisterL1": 1, "ARegisterL2": 2, "ARegisterL3": 3, "DataType": "Short", '
         '"Multiply": 0.01}')  # fmt: skip


class Bench:
    """A box's fitted things in a folder, its audit log a list."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.lines: list[tuple[str, str, str]] = []
        self.places: list[int] = []
        self.ahead = timedelta()
        self.meters_read = 0
        self.broken = False

    async def audit(self, who, what, old="", new="") -> None:
        if self.broken:
            raise OSError("the disk takes nothing")
        self.lines.append((what, old, new))

    async def open(self) -> Fitted:
        async def changed(total: int) -> None:
            self.places.append(total)

        meters = Meters()

        def read_meter(text: str):
            self.meters_read += 1
            return meters.read(text)

        made = Fitted(
            self, self.folder, Inline(), WallClock(lambda: NOW + self.ahead), serial="LR-1",
            public_key=bytes.fromhex(TEST_KEY), shipped=8, in_use=lambda: 9, changed=changed,
            read_meter=read_meter, shipped_meters=meters.shipped, note_of=meterfile.notes,
        )  # fmt: skip
        await made.begin()
        return made

    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)) for path in found} - {"tls/lock"}


@pytest.fixture
def bench(tmp_path) -> Bench:
    return Bench(tmp_path)


async def refused(fitted: Fitted, ask: asks.Ask) -> str:
    with pytest.raises(NotFitted) as told:
        await fitted.do(ask, WHO)
    return str(told.value)


def licence(serial="LR-1", connectors=40, expires="2026-12-31") -> str:
    return issue(Licence(serial, connectors, "2026-11-21", expires, "Acme"), known_key()).decode()


# -- the licence -----------------------------------------------------------------------------------


async def test_a_licence_is_looked_at_first_and_then_in_force_at_once(bench: Bench) -> None:
    fitted = await bench.open()
    looked = await fitted.do(asks.ImportLicence(licence(), check_only=True), WHO)
    assert (looked.data.connectors, looked.data.in_use, looked.data.customer) == (40, 9, "Acme")
    assert (fitted.connectors, bench.lines, bench.files()) == (8, [], set())

    await fitted.do(asks.ImportLicence(licence()), WHO)

    assert (fitted.connectors, bench.places) == (40, [40])
    assert bench.lines == [
        ("licence imported", "8 connectors, as shipped", "40 connectors, no number, 2026-12-31")
    ]
    assert (await bench.open()).connectors == 40  # the next start


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (licence(serial="LR-2"), "for the box 'LR-2'"),
        (licence(expires="2026-11-20"), "it expired on 2026-11-20"),
        (licence().replace("40", "99"), "signature is not right"),
        ("\ud800", "not a licence file"), ("", "not a licence file"),
    ],
)  # fmt: skip
async def test_a_licence_that_is_refused_leaves_the_old_one(
    bench: Bench, text: str, words: str
) -> None:
    fitted = await bench.open()
    await fitted.do(asks.ImportLicence(licence(connectors=12)), WHO)
    kept = bench.folder.joinpath("licence").read_bytes()

    assert words in await refused(fitted, asks.ImportLicence(text))

    assert (fitted.connectors, bench.places) == (12, [12])
    assert bench.folder.joinpath("licence").read_bytes() == kept
    assert len(bench.lines) == 1


async def test_a_licence_ends_with_its_last_day_and_the_shipped_number_holds(bench: Bench) -> None:
    fitted = await bench.open()
    await fitted.do(asks.ImportLicence(licence()), WHO)
    bench.ahead = timedelta(days=41)
    await fitted.look()
    await fitted.look()

    assert (fitted.connectors, bench.places) == (8, [40, 8])
    view = (await fitted.do(asks.ReadLicence(), WHO)).data
    assert (view.state, view.licensed, view.connectors) == ("expired", 40, 8)


async def test_what_lies_on_the_disk_unsigned_is_no_licence(bench: Bench) -> None:
    bench.folder.joinpath("licence").write_text(licence().replace("40", "99"))
    assert (await bench.open()).connectors == 8
    bench.folder.joinpath("licence").write_text(licence(serial="LR-2"))
    assert (await bench.open()).connectors == 8


async def test_without_an_audit_line_nothing_changes(bench: Bench) -> None:
    fitted = await bench.open()
    bench.broken = True
    key = ec_key()
    for ask in (
        asks.ImportLicence(licence()), asks.SetBranding(Branding("Acme")),
        asks.AddMeterFile(METER), asks.InstallCertificate(certificate(key), key_pem(key)),
    ):  # fmt: skip
        with pytest.raises(OSError, match="takes nothing"):
            await fitted.do(ask, WHO)
    assert (bench.files(), fitted.connectors, fitted.meters) == (set(), 8, ())


# -- the certificate -------------------------------------------------------------------------------


async def test_a_certificate_is_put_in_served_and_taken_out_again(bench: Bench) -> None:
    served = tls.Certificate(bench.folder / "tls")
    fitted = await bench.open()
    before, key = served.context(), ec_key()
    first = (await fitted.do(asks.ReadCertificate(), WHO)).data
    assert first.self_made
    ask = asks.InstallCertificate(certificate(key), key_pem(key), check_only=True)
    assert (await fitted.do(ask, WHO)).data.names == (HOST,)
    assert served.context() is before

    shown = await fitted.do(asks.InstallCertificate(certificate(key), key_pem(key)), WHO)

    assert served.context() is not before
    assert served.covers(HOST)
    assert not served.covers("other.example")
    now = (await fitted.do(asks.ReadCertificate(), WHO)).data
    assert (now.self_made, now.fingerprint) == (False, shown.data.fingerprint)
    assert "PRIVATE" not in now.pem
    path = bench.folder / "tls" / "uploaded.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_pem(key).splitlines()[1] not in str(bench.lines)

    back = (await fitted.do(asks.DropCertificate(), WHO)).data
    assert back.fingerprint == first.fingerprint
    assert not served.covers(HOST)
    assert not path.exists()


async def test_a_request_waits_for_its_certificate_and_its_key_never_leaves(bench: Bench) -> None:
    tls.own_certificate(bench.folder / "tls")
    fitted = await bench.open()
    name, ca, above = authority()
    lonely = await refused(fitted, asks.InstallCertificate(certificate(ec_key())))
    assert "no request was made on this box" in lonely

    view = (await fitted.do(asks.RequestCertificate(HOST, ("192.0.2.7",)), WHO)).data
    again = (await (await bench.open()).do(asks.ReadCertificate(), WHO)).data
    assert again.request == view.request
    assert "PRIVATE" not in msgspec.json.encode(view).decode()
    stranger = await refused(fitted, asks.InstallCertificate(certificate(ec_key())))
    assert "do not belong together" in stranger
    signed = answered(view.request, (name, ca)) + above
    await fitted.do(asks.InstallCertificate(signed), WHO)

    now = (await fitted.do(asks.ReadCertificate(), WHO)).data
    assert (now.issuer, now.request) == ("Site CA", None)
    assert bench.files() == {"tls/self-made.pem", "tls/uploaded.pem"}


async def test_another_pair_in_the_meantime_leaves_a_request_its_key(bench: Bench) -> None:
    tls.own_certificate(bench.folder / "tls")
    fitted, key = await bench.open(), ec_key()
    name, ca, above = authority()
    view = (await fitted.do(asks.RequestCertificate(HOST, ()), WHO)).data
    kept = (bench.folder / "tls" / tls.REQUEST_KEY).read_text()

    await fitted.do(asks.InstallCertificate(certificate(key), key_pem(key)), WHO)
    assert (await fitted.do(asks.ReadCertificate(), WHO)).data.request == view.request
    signed = answered(view.request, (name, ca)) + above
    await fitted.do(asks.InstallCertificate(signed, kept), WHO)  # its own key, given by hand

    now = (await fitted.do(asks.ReadCertificate(), WHO)).data
    assert (now.issuer, now.request) == ("Site CA", None)
    assert bench.files() == {"tls/self-made.pem", "tls/uploaded.pem"}


async def test_its_fault_stands_thirty_days_ahead_also_after_a_start(bench: Bench) -> None:
    tls.own_certificate(bench.folder / "tls")
    fitted, key = await bench.open(), ec_key()
    assert await fitted.look() is None
    await fitted.do(asks.InstallCertificate(certificate(key, days=60), key_pem(key)), WHO)
    assert await fitted.look() is None
    bench.ahead = timedelta(days=30)
    assert await fitted.look() == "expires on 2027-01-19"
    assert await (await bench.open()).look() == "expires on 2027-01-19"
    bench.ahead = timedelta(days=60)
    assert await fitted.look() == "expired on 2027-01-19"


async def test_a_damaged_uploaded_pair_leaves_the_self_made_one_in_force(bench: Bench) -> None:
    served = tls.Certificate(bench.folder / "tls")
    bench.folder.joinpath("tls/uploaded.pem").write_text("damaged")
    assert served.context()
    assert (await (await bench.open()).do(asks.ReadCertificate(), WHO)).data.self_made


# -- the brand and the meters ----------------------------------------------------------------------


async def test_a_brand_is_kept_and_an_empty_one_clears_it(bench: Bench) -> None:
    fitted = await bench.open()
    await fitted.do(asks.SetBranding(Branding("Acme", image=b"png")), WHO)
    assert bench.files() == {"branding"}
    await fitted.do(asks.SetBranding(Branding()), WHO)
    assert bench.files() == set()
    assert [new.split(",")[0] for _what, _old, new in bench.lines] == ["'Acme'", "none"]


async def test_a_meter_file_is_offered_downloaded_replaced_and_deleted(bench: Bench) -> None:
    fitted = await bench.open()
    assert "is new" in (await fitted.do(asks.AddMeterFile(METER, check_only=True), WHO)).text
    assert bench.files() == set()
    await fitted.do(asks.AddMeterFile(METER), WHO)
    fitted = await bench.open()
    assert [(one.name, one.own, one.note) for one in fitted.meters] == [
        ("Mine", True, "Where it is from")
    ]
    assert (await fitted.do(asks.ReadMeterFile("Mine"), WHO)).data.text == METER
    other = METER.replace("0.01", "0.1")
    assert "replaced" in (await fitted.do(asks.AddMeterFile(other, check_only=True), WHO)).text
    await fitted.do(asks.AddMeterFile(other), WHO)
    assert len(bench.files()) == 1
    await fitted.do(asks.DeleteMeterFile("Mine"), WHO)
    assert (bench.files(), fitted.meters) == (set(), ())
    assert "Expected the name" in await refused(fitted, asks.DeleteMeterFile("Mine"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "ARegisterL1"), ("no", "JSON"), (METER.replace("Mine", "em340"), "is shipped"),
        (METER.replace("Mine", "x" * 61), "at most 50"),
        (METER.replace('"Short"', '"short"'), "Data"),
        (METER + " " * 70_000, "at most"), (METER.replace("Mine", "a\\u0000b"), "name"),
        (METER.replace("}", ', "Magic": 1}'), "Magic"),
    ],
)  # fmt: skip
async def test_a_meter_file_that_is_none_is_refused_with_the_reason(
    bench: Bench, text: str, words: str
) -> None:
    fitted = await bench.open()
    assert words in await refused(fitted, asks.AddMeterFile(text))
    assert (bench.files(), bench.lines) == (set(), [])


async def test_a_name_is_no_path(bench: Bench) -> None:
    fitted = await bench.open()
    for name in ("../../evil", "/etc/passwd", "..", "<script>alert(1)</script>", "=1+1"):
        await fitted.do(asks.AddMeterFile(METER.replace("Mine", name)), WHO)
        assert (await fitted.do(asks.ReadMeterFile(name), WHO)).data.name == name
    assert all(path.startswith("meters/") and path.count("/") == 1 for path in bench.files())


async def test_there_are_fifty_meter_files_at_most(bench: Bench) -> None:
    fitted = await bench.open()
    for number in range(50):
        await fitted.do(asks.AddMeterFile(METER.replace("Mine", f"M{number}")), WHO)
    assert "at most 50" in await refused(fitted, asks.AddMeterFile(METER))
    await fitted.do(asks.AddMeterFile(METER.replace("Mine", "M7")), WHO)


async def test_of_many_meter_files_only_the_new_one_is_read(bench: Bench) -> None:
    fitted = await bench.open()
    for number in range(9):
        await fitted.do(asks.AddMeterFile(METER.replace("Mine", f"M{number}")), WHO)
    assert bench.meters_read == 9
    fitted = await bench.open()
    assert bench.meters_read == 18
    await fitted.do(asks.AddMeterFile(METER.replace("0.01", "0.1")), WHO)
    await fitted.do(asks.DeleteMeterFile("M3"), WHO)
    assert bench.meters_read == 19
    assert [one.name for one in fitted.meters] == ["M0", "M1", "M2", "M4", "M5", "M6", "M7", "M8",
                                                   "Mine"]  # fmt: skip
