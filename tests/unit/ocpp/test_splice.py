"""One field of a payload is changed, and all else stays as it was written."""

from __future__ import annotations

import msgspec
import pytest

from linkray.ocpp.splice import with_field, without_field

PAYLOAD = b'{ "connectorId": 1, "transactionId": 7, "meterValue": [ {"a":1.0e0 } ] }'


def test_a_field_is_put_in_and_what_is_so_already_is_untouched() -> None:
    assert with_field(PAYLOAD, "transactionId", 7) is PAYLOAD
    assert with_field(PAYLOAD, "transactionId", 99) == (
        b'{"connectorId":1,"transactionId":99,"meterValue":[ {"a":1.0e0 } ]}'
    )
    assert with_field(b'{"meterStop":3}', "reason", "Other") == b'{"meterStop":3,"reason":"Other"}'


def test_a_field_is_taken_out_and_what_has_none_is_untouched() -> None:
    assert without_field(PAYLOAD, "transactionId") == (
        b'{"connectorId":1,"meterValue":[ {"a":1.0e0 } ]}'
    )
    assert without_field(PAYLOAD, "reason") is PAYLOAD


@pytest.mark.parametrize("payload", [b"[]", b"{", b"null", b""])
def test_what_is_no_object_is_said_so(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        with_field(payload, "a", 1)
    with pytest.raises(msgspec.DecodeError):
        without_field(payload, "a")
