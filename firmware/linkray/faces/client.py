"""The desk's client: asks with a deadline and pushed snapshots, over the state folder's socket.

Used by every face and by the command line. Control may come and go: the client dials again.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog
import trio

from linkray.kit.cell import Cell
from linkray.kit.line import Framed, FrameTooLong, dial_unix
from linkray.model.asks import LOCAL, Answer, AnyAsk, Envelope, Reply, Watch, Who

SOCKET = "desk.sock"  # its name in the state folder
PAUSE_S = 0.2
PAUSE_S_MAX = 2.0
DIAL_S = 2.0
SILENT_S = 5.0  # a snapshot comes every second: after so long control hangs
SLACK_S = 1.0  # what the way there and back may take beyond the ask's own limit
FACES = Who("faces", LOCAL, "desk")  # faces' own errands: accounts, keys, snapshots

log = structlog.get_logger(source="FACES")


class ControlAway(Exception):
    """Control does not run, or has gone before it answered."""


class DeskClient:
    """One connection to the desk, kept up by `run`.

    `snapshot` holds the newest snapshot's JSON as it came, None while control is away or silent.
    """

    def __init__(self, path: Path, *, watch: bool = True) -> None:
        self.snapshot: Cell[bytes | None] = Cell(None)
        self._path = path
        self._watch = watch
        self._framed: Framed | None = None
        self._waiting: dict[int, trio.MemorySendChannel[Answer]] = {}
        self._last_id = 0
        self._said_away = False

    @property
    def connected(self) -> bool:
        return self._framed is not None

    async def run(
        self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Stay connected until cancelled; `started` after the first try, good or not."""
        pause_s, told = PAUSE_S, False
        while True:
            framed = await self._dial()
            if framed is not None:
                pause_s = PAUSE_S
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._serve, framed, nursery.cancel_scope)
                    if self._watch:
                        nursery.start_soon(self._ask_to_watch)
                        nursery.start_soon(self._notice_silence)
                    if not told:
                        told = True
                        task_status.started()
            elif not told:
                told = True
                task_status.started()
            await trio.sleep(pause_s)
            pause_s = min(pause_s * 2, PAUSE_S_MAX)

    async def ask(self, ask: AnyAsk, who: Who, within_s: float = 10.0) -> Answer:
        """The desk's answer; raises `ControlAway` where none can come."""
        framed = self._framed
        if framed is None:
            raise ControlAway("LinkRay's control does not run")
        self._last_id += 1
        number = self._last_id
        send, receive = trio.open_memory_channel[Answer](1)
        self._waiting[number] = send
        envelope = Envelope(number, who, within_s, ask)
        written = False
        try:
            with trio.move_on_after(within_s + SLACK_S):
                await framed.write(msgspec.json.encode(envelope))
                written = True
                return await receive.receive()
        except (trio.EndOfChannel, trio.BrokenResourceError, trio.ClosedResourceError):
            raise ControlAway("LinkRay's control has gone before it answered") from None
        finally:
            self._waiting.pop(number, None)
            if not written:  # half a frame may be under way: nothing after it could be read
                await framed.abort()
        return Answer(ok=False, code="timeout", text=f"No answer within {within_s:g} s")

    async def _dial(self) -> Framed | None:
        try:
            with trio.fail_after(DIAL_S):
                stream = await dial_unix(self._path)
        except (OSError, trio.TooSlowError) as error:
            if not self._said_away:
                log.warning("control is away", peer=str(self._path), cause=str(error),
                            action="dialled again every 2 s")  # fmt: skip
                self._said_away = True
            return None
        self._said_away = False
        self._framed = Framed(stream)
        return self._framed

    async def _ask_to_watch(self) -> None:
        try:
            answer = await self.ask(Watch(), FACES)
        except ControlAway:
            return
        if not answer.ok:
            log.warning("snapshots refused", cause=answer.text)

    async def _notice_silence(self) -> None:
        """Control that hangs keeps its line: what it said last is then no news of now."""
        seq = self.snapshot.seq
        while True:
            with trio.move_on_after(SILENT_S) as limit:
                seq, _raw = await self.snapshot.wait_newer(seq)
            if limit.cancelled_caught and self.snapshot.value is not None:
                log.warning("control is silent", peer=str(self._path), for_s=SILENT_S,
                            action="its figures are shown as old")  # fmt: skip
                self.snapshot.set(None)

    async def _serve(self, framed: Framed, scope: trio.CancelScope) -> None:
        try:
            while (frame := await framed.read()) is not None:
                self._take(msgspec.json.decode(frame, type=Reply))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except (FrameTooLong, msgspec.DecodeError) as error:
            log.warning("desk unreadable", cause=str(error), action="dialled again")
        finally:
            self._framed = None
            self.snapshot.set(None)
            for waiting in self._waiting.values():
                waiting.close()
            self._waiting.clear()
            await framed.abort()
        scope.cancel()

    def _take(self, reply: Reply) -> None:
        if reply.id == 0:
            self.snapshot.set(bytes(reply.answer.data))
        elif (waiting := self._waiting.pop(reply.id, None)) is not None:
            waiting.send_nowait(reply.answer)


async def ask_once(state: Path, ask: AnyAsk, who: Who, within_s: float = 30.0) -> Answer:
    """Dial, ask, hang up; raises `ControlAway` at once where control does not run."""
    client = DeskClient(state / SOCKET, watch=False)
    answer: Answer | None = None
    away = ""
    async with trio.open_nursery() as nursery:
        await nursery.start(client.run)
        try:
            answer = await client.ask(ask, who, within_s)
        except ControlAway as error:
            away = str(error)
        nursery.cancel_scope.cancel()
    if answer is None:
        raise ControlAway(away)
    return answer
