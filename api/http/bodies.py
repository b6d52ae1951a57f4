"""Bodies of requests that append: each within a bound, and all that are under way together within another."""

from __future__ import annotations

from starlette.types import Receive

from api.http.problems import bad_request, overloaded, too_large


class Bodies:
    """The bodies under way in one process: at most `largest` bytes each, and `together` bytes of all.

    Events take several times the memory of their JSON until they are answered, and a batch is as large as its sender
    makes it: a bound on the number of waiting events bounds no memory.
    """

    def __init__(self, *, largest: int, together: int) -> None:
        self._largest = largest
        self._together = together
        self._held = 0

    async def read(self, headers: dict[bytes, bytes], messages: Receive) -> bytes:
        """The body of a request; give it to `done` afterwards. Raises a `Problem`: 400, 413, 503 for want of room."""
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._largest:
            raise too_large(f"The body has {int(announced)} bytes: send at most {self._largest}, in several requests")
        size = 0
        parts: list[bytes] = []
        try:
            # room for what is announced, before any of it is taken
            size = self._take(int(announced) if announced.isdigit() else 0)
            read = 0
            while True:
                message = await messages()
                if message["type"] == "http.disconnect":
                    raise bad_request("The connection ended before the body did")
                part: bytes = message.get("body", b"")
                read += len(part)
                if read > self._largest:
                    raise too_large(f"The body has more than {self._largest} bytes: send it in several requests")
                if read > size:
                    size += self._take(read - size)
                parts.append(part)
                if not message.get("more_body"):
                    self._held += read - size
                    size = read
                    return parts[0] if len(parts) == 1 else b"".join(parts)
        except BaseException:
            self._held -= size
            raise

    def done(self, body: bytes) -> None:
        """A request with this body is answered."""
        self._held -= len(body)

    def _take(self, size: int) -> int:
        # a body on its own is always taken: there is nothing to wait for
        if self._held and self._held + size > self._together:
            raise overloaded(
                f"{self._held} bytes of events are being appended already: send again in a moment with the same ids"
            )
        self._held += size
        return size
