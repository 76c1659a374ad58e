"""A process of its own for each file of charge data records: reads the sessions, takes them there.

Control tells it on standard input what to do (`model.delivery.Job`) and hears on standard output
what came of it (`Outcome`). To read 10,000 sessions takes control no time, and a server that never
answers is left by ending this process, which holds nothing else. It is run as
`python -m linkray.courier`.
"""

from __future__ import annotations

import os
import resource
import sys
from datetime import UTC
from pathlib import Path

import msgspec

from linkray.kit.carry import NotTaken, Parcel, Target, carry
from linkray.kit.clock import zone_named
from linkray.model.delivery import Job, Outcome
from linkray.model.sessions import Choices
from linkray.records.cdr import Records
from linkray.store.disk import StoreError
from linkray.store.reader import Reader

PART = 1_000  # sessions that are read at once
MEMORY_BYTES = 600 * 1024 * 1024  # of addresses, which the interpreter takes most of
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
DECIMALS = {"point": ".", "comma": ","}


def content(job: Job) -> bytes:
    """The file: the same each time it is made. Raises `StoreError`."""
    choices = Choices(SEPARATORS[job.to.separator], DECIMALS[job.to.decimal])
    writer = Records(choices, zone_named(job.zone) or UTC, job.phases)
    parts = [writer.begin()]
    if job.number:
        with Reader(Path(job.database)) as reader:
            wanted = reader.delivered(job.number)
            for at in range(0, len(wanted), PART):
                found = reader.measured(wanted[at : at + PART], job.made, samples=False)
                parts.append(writer.add(found))
    return "".join([*parts, writer.end()]).encode("utf-8", "replace")


def deliver(job: Job) -> Outcome:
    """Make the file and take it there."""
    to = job.to
    target = Target(
        to.protocol, to.security, to.server, to.at_port, to.username, job.password,
        to.password_in_clear, to.ca, to.sender, to.to(), to.path, to.field, job.within_s,
        job.loopback,
    )  # fmt: skip
    try:
        parcel = Parcel(job.name, content(job), job.message_id, job.made, job.subject, job.text)
        return Outcome(taken=True, text=carry(target, parcel))
    except NotTaken as error:
        return Outcome(taken=False, text=str(error))
    except StoreError as error:
        return Outcome(taken=False, text=f"the records cannot be read: {error}")


def main() -> int:
    """One job from standard input, its outcome to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would have the password in it
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    sys.stdout.buffer.write(msgspec.json.encode(deliver(job)))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    os.nice(10)
    sys.exit(main())
