"""How many uploads one process takes at once: their parts are what its memory goes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import Gauge

from app.errors import Overloaded

UPLOADS = Gauge("quire_uploads_open", "Uploads that are under way.")


@dataclass(slots=True)
class UploadSlots:
    """Places for uploads; more than there are answer 503, at once."""

    most: int
    taken: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """A place, for as long as an upload takes. Raises `Overloaded`."""
        if self.taken >= self.most:
            raise Overloaded("As many uploads are under way as this process takes at once; try again in a moment.")
        self.taken += 1
        UPLOADS.inc()
        try:
            yield
        finally:
            UPLOADS.dec()
            self.taken -= 1
