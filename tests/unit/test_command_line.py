"""The command line says what it expected, and the state folder is for nobody else."""

from __future__ import annotations

import pytest

from linkray.__main__ import parser
from linkray.app import held
from linkray.hal.boards import load
from linkray.kit.tls import own_certificate

RUN = ["run", "--board", "board.toml", "--state", "box"]
WEB = ["web", "--state", "box"]


@pytest.mark.parametrize(("words", "said"), [
    ([*RUN, "--bind", "localhost"], "expected an IP address, got 'localhost'"),
    ([*WEB, "--bind", "10.0.0"], "expected an IP address, got '10.0.0'"),
    ([*RUN, "--ocpp-port", "65536"], "expected a port from 0 to 65535, got '65536'"),
    ([*RUN, "--ocpps-port", "-1"], "expected a port from 0 to 65535, got '-1'"),
    ([*WEB, "--https-port", "https"], "expected a port from 0 to 65535, got 'https'"),
])  # fmt: skip
def test_an_address_or_a_port_that_is_none_is_named(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)

    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_given_is_taken():
    options = parser().parse_args([*RUN, "--bind", "::1", "--ocpp-port", "0"])

    assert (options.bind, options.ocpp_port, options.ocpps_port) == ("::1", 0, 8886)


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
