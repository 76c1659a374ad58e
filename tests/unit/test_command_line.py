"""The command line says what it expected, and the state folder is for nobody else."""

from __future__ import annotations

import io

import pytest

from linkray.__main__ import main, parser
from linkray.app import held
from linkray.hal.boards import load
from linkray.kit.tls import own_certificate

RUN = ["run", "--board", "board.toml", "--state", "box"]
WEB = ["web", "--state", "box"]
SEAL = ["seal", "--state", "box"]


@pytest.mark.parametrize(("words", "said"), [
    ([*RUN, "--bind", "localhost"], "expected an IP address, got 'localhost'"),
    ([*WEB, "--bind", "10.0.0"], "expected an IP address, got '10.0.0'"),
    ([*RUN, "--ocpp-port", "65536"], "expected a port from 0 to 65535, got '65536'"),
    ([*RUN, "--ocpps-port", "-1"], "expected a port from 0 to 65535, got '-1'"),
    ([*WEB, "--https-port", "https"], "expected a port from 0 to 65535, got 'https'"),
    ([*SEAL, "80", "80"], "expected amps for L1, L2 and L3, got 2 of them"),
    ([*SEAL, "80", "80", "80", "80"], "expected amps for L1, L2 and L3, got 4 of them"),
    ([*SEAL, "80", "-1", "80"], "expected amps from 0 to 6300, got '-1'"),
    ([*SEAL, "80", "NaN", "80"], "expected amps from 0 to 6300, got 'NaN'"),
    ([*SEAL, "80", "9000", "80"], "expected amps from 0 to 6300, got '9000'"),
    ([*SEAL, "80", "80.0005", "80"], "expected amps from 0 to 6300, got '80.0005'"),
    ([*SEAL, "80", "1e400", "80"], "expected amps from 0 to 6300, got '1e400'"),
])  # fmt: skip
def test_an_address_or_a_port_that_is_none_is_named(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_given_is_taken():
    options = parser().parse_args([*RUN, "--bind", "::1", "--ocpp-port", "0"])

    assert (options.bind, options.ocpp_port, options.ocpps_port) == ("::1", 0, 8886)


def test_amps_are_sealed_in_milliamps_and_none_only_show():
    assert parser().parse_args([*SEAL, "80", "62.5", "0"]).amps == [80_000, 62_500, 0]
    assert parser().parse_args(SEAL).amps == []


def seal(state, *amps: str) -> int:
    return main(["seal", "--state", str(state), *amps])


@pytest.mark.realtime
def test_the_command_line_seals_the_ceiling_and_no_import_passes_it(tmp_path, capsys):
    state, file = tmp_path / "box", tmp_path / "settings.json"
    state.mkdir()
    file.write_text('{"version": 1, "site": {"limit_ma": [100000, 100000, 100000]}}')

    assert seal(state) == 0
    assert "not sealed" in capsys.readouterr().out
    assert seal(state, "80", "80", "62.5") == 0
    assert "is 80 A, 80 A, 62.5 A, sealed by command line" in capsys.readouterr().out
    assert main(["settings", "--state", str(state), "import", str(file)]) == 1
    said = capsys.readouterr().err
    assert "at most the engineering ceiling of 80 A on L1, got 100 A" in said
    assert "$.site.limit_ma[0]" in said
    (state / "linkray.db").unlink()
    assert seal(state) == 0
    assert "is 80 A, 80 A, 62.5 A" in capsys.readouterr().out


@pytest.mark.realtime
def test_b13_the_command_line_seals_nothing_below_the_fail_safe_currents(tmp_path, capsys):
    state, file = tmp_path / "box", tmp_path / "settings.json"
    state.mkdir()
    file.write_text('{"version": 1, "chargers": [{"id": "A", "fallback_ma": 10000}]}')
    assert main(["settings", "--state", str(state), "import", str(file)]) == 0

    assert seal(state, "9", "9", "9") == 1
    assert "L1: 10 A of fail-safe currents (A 10 A)" in capsys.readouterr().err


NEW = '{"version": 1, "site": {"limit_ma": [63000, 63000, 63000]}}'
READS = [
    ["settings", "export", "-"], ["settings", "check", "{file}"], ["password", "Assembler"],
    ["key", "--scope", "read", "--expires", "1d"],
]  # fmt: skip


def on(state, words: list[str], monkeypatch) -> int:
    """One command on a state folder, with a settings file and a good password at hand."""
    file = state.parent / "settings.json"
    file.write_text(NEW)
    monkeypatch.setattr("sys.stdin", io.StringIO("otter copper lantern nine\n"))
    return main([*(word.format(file=file) for word in words), "--state", str(state)])


@pytest.mark.realtime
@pytest.mark.parametrize("words", [
    *READS, ["settings", "import", "{file}"], ["seal"], ["seal", "80", "80", "80"],
    ["bundle", "-"], ["board", "press", "--hold", "1"],
], ids=" ".join)  # fmt: skip
def test_a_mistyped_state_folder_is_said_and_never_made(words, tmp_path, monkeypatch, capsys):
    assert on(tmp_path / "typo", words, monkeypatch) == 1

    told = capsys.readouterr()
    assert f"no LinkRay state in {tmp_path / 'typo'}: there is no such folder" in told.err
    assert told.out == ""
    assert not (tmp_path / "typo").exists()


@pytest.mark.realtime
@pytest.mark.parametrize("words", READS, ids=" ".join)
def test_what_only_a_box_can_answer_is_refused_in_a_folder_of_none(
    words, tmp_path, monkeypatch, capsys
):
    (tmp_path / "other").mkdir()

    assert on(tmp_path / "other", words, monkeypatch) == 1
    told = capsys.readouterr()
    assert f"no LinkRay state in {tmp_path / 'other'}: expected linkray.db there" in told.err
    assert told.out == ""
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.realtime
@pytest.mark.parametrize("words", [["settings", "import", "{file}"], ["seal", "80", "80", "80"]],
                         ids=" ".join)  # fmt: skip
def test_a_box_is_begun_on_purpose_in_a_folder_that_was_made(words, tmp_path, monkeypatch, capsys):
    (tmp_path / "box").mkdir()

    assert on(tmp_path / "box", words, monkeypatch) == 0
    for reads in READS:
        assert on(tmp_path / "box", reads, monkeypatch) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", ["settings", "seal", "key", "password"])
def test_the_help_says_where_a_box_may_begin(command, capsys):
    with pytest.raises(SystemExit):
        parser().parse_args([command, "--help"])

    said = " ".join(capsys.readouterr().out.split())
    assert "it has to exist" in said
    assert ("begins a new box" in said) == (command in {"settings", "seal"})


@pytest.mark.realtime
@pytest.mark.parametrize(("text", "said"), [
    ("PK\x03\x04", "settings.json is not a settings file: expected JSON: invalid character"),
    ("", "settings.json is not a settings file: expected JSON: Input data was truncated"),
    ("[" * 5000, "settings.json is not a settings file: nested without end"),
    ("[]", "Expected an object, got a list"),
    ('{"site": {"limit_ma": ["x", 0, 0]}}',
     "Expected a whole number, got text - at $.site.limit_ma[0]"),
    ('{"site": {"imbalance_ma": "x"}}',
     "Expected a whole number or null, got text - at $.site.imbalance_ma"),
])  # fmt: skip
def test_a_settings_file_that_is_none_is_said_in_plain_words(text, said, tmp_path, capsys):
    (tmp_path / "box").mkdir()
    file = tmp_path / "settings.json"
    file.write_text(text)

    assert main(["settings", "import", str(file), "--state", str(tmp_path / "box")]) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "`" not in told


def make_by_command(state):
    with held(state):
        pass


def make_by_board(state):
    text = state.parent / "board.toml"
    text.write_text('name = "Simulated"\nbackend = "sim"\n')
    load(text, state)


def make_by_pages(state):
    own_certificate(state / "tls")


@pytest.mark.parametrize("make", [make_by_command, make_by_board, make_by_pages])
def test_a21_a_state_folder_is_made_for_our_user_alone(make, tmp_path):
    make(tmp_path / "box")

    assert (tmp_path / "box").stat().st_mode & 0o777 == 0o700
