"""Answers that are remembered until something of what they show changes: bytes by what was asked, as whom, and how.

An answer stands on places: the paths of the resources in it, and of the collections that it lists. Each commit makes
forget what stands on the places that it touched. An answer is kept only when no commit touched its places since its
request began, so what was read before a change is never kept after it.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_ENTRIES = 24_000
MOST_PACKED = 8 * 1024**2
"""Bytes of the packed answers together."""
MOST_PLAIN = 4 * 1024**2
"""Bytes of the answers together that are at hand as they are."""
LARGEST_PACKED = 8 * 1024
"""Bytes of an answer from which on packing costs more than making it again."""
LARGEST = 1024**2
"""Bytes of an answer from which on it is not remembered."""
COMMITS = 256
"""Commits whose places are known, for answers that are still being made."""
MOST_PATTERNS = 256
LATELY = 64
"""Packed answers within which one that is asked for again is put at hand."""
FEW = 4
"""Answers on one place up to which they are kept as a tuple."""


class Key(NamedTuple):
    """The question: what, by which rights, in which format and dialect, with which URIs, and the rest of the query."""

    target: str
    rights: tuple[str, str, bool]
    media: str
    base: str
    query: Any = ""


@dataclass(slots=True, eq=False)
class Remembered:
    """A remembered answer: its tag, the places that it stands on, and its bytes, plain or packed or both."""

    tag: str
    places: tuple[str, ...]
    cost: tuple[int, int]
    """The resources that it came to, and their bytes."""
    plain: bytes | None
    packed: bytes | None = None
    pattern: bytes = b""

    @property
    def body(self) -> bytes:
        """Return the bytes of the answer."""
        if self.plain is None:
            assert self.packed is not None
            return zlib.decompressobj(WINDOW, self.pattern).decompress(self.packed)
        return self.plain


WINDOW, LITTLE_MEMORY, LEVEL = -13, 4, 6
"""zlib's window of 8 KiB without a header, and as much memory as small bodies are worth."""


class Memory:
    """All remembered answers, within bounds of bytes. Those of which nobody asked for longest are forgotten first.

    Small ones that have not been asked for lately are packed, by the pattern of an answer of the same kind: so many
    thousands find room.
    """

    def __init__(self) -> None:
        self._answers: OrderedDict[Key, Remembered] = OrderedDict()
        self._at_hand: OrderedDict[Key, Remembered] = OrderedDict()
        """Those whose bytes are at hand as they are."""
        self._lately: OrderedDict[Key, bool] = OrderedDict()
        """Packed ones that were asked for lately."""
        self._plain = self._packed = 0
        self._standing: dict[str, tuple[Key, ...] | set[Key]] = {}
        """The answers by each place that they stand on."""
        self._patterns: dict[tuple[str, str], bytes] = {}
        self.commits = 0
        self._touched: deque[set[str]] = deque(maxlen=COMMITS)

    def get(self, key: Key) -> Remembered | None:
        """Return the answer to this question, None when it is not remembered."""
        answer = self._answers.get(key)
        if answer is None:
            return None
        self._answers.move_to_end(key)
        if answer.plain is not None:
            self._at_hand.move_to_end(key)
        elif self._lately.pop(key, False):
            answer.plain = answer.body
            self._at_hand[key] = answer
            self._plain += len(answer.plain)
            self._bound()
        else:
            # It is unpacked for this once: among thousands, most are not asked for twice in a short while.
            self._lately[key] = True
            if len(self._lately) > LATELY:
                self._lately.popitem(last=False)
        return answer

    def keep(self, key: Key, answer: Remembered, since: int) -> None:
        """Remember an answer to a request that began when there had been ``since`` commits.

        Nothing is kept of an answer that is too large, or whose places were touched meanwhile.
        """
        assert answer.plain is not None
        if len(answer.plain) > LARGEST or self._touched_since(since, answer.places):
            return
        self._forget(key)
        self._answers[key] = self._at_hand[key] = answer
        self._plain += len(answer.plain)
        for place in answer.places:
            self._stand(place, key)
        self._bound()

    def changed(self, changes: Mapping[str, object]) -> None:
        """Forget what stands on these resources, or on the collections that they are in: they were just committed."""
        if not changes:
            return
        touched = {place for path in changes for place in (path, path.rpartition("/")[0])}
        self.commits += 1
        self._touched.append(touched)
        for place in touched:
            for key in tuple(self._standing.get(place, ())):
                self._forget(key)

    def _touched_since(self, since: int, places: Iterable[str]) -> bool:
        behind = self.commits - since
        if behind > len(self._touched):
            return True
        return any(not self._touched[-number].isdisjoint(places) for number in range(1, behind + 1))

    def _stand(self, place: str, key: Key) -> None:
        """Note that an answer stands on a place: mostly few do, and a set takes 200 bytes."""
        standing = self._standing.get(place, ())
        if isinstance(standing, set):
            standing.add(key)
        else:
            self._standing[place] = (*standing, key) if len(standing) < FEW else {*standing, key}

    def _leave(self, place: str, key: Key) -> None:
        standing = self._standing[place]
        if isinstance(standing, set):
            standing.discard(key)
        else:
            standing = self._standing[place] = tuple(other for other in standing if other != key)
        if not standing:
            del self._standing[place]

    def _forget(self, key: Key) -> None:
        answer = self._answers.pop(key, None)
        if answer is None:
            return
        if self._at_hand.pop(key, None) is not None and answer.plain is not None:
            self._plain -= len(answer.plain)
        self._packed -= len(answer.packed or b"")
        for place in answer.places:
            self._leave(place, key)

    def _bound(self) -> None:
        while self._plain > MOST_PLAIN:
            self._put_away(*self._at_hand.popitem(last=False))
        while len(self._answers) > MOST_ENTRIES or self._packed > MOST_PACKED:
            self._forget(next(iter(self._answers)))

    def _put_away(self, key: Key, answer: Remembered) -> None:
        """Pack an answer; a large one is forgotten."""
        assert answer.plain is not None
        self._plain -= len(answer.plain)
        if len(answer.plain) > LARGEST_PACKED:
            self._forget(key)
            return
        if answer.packed is None:
            answer.pattern = self._pattern(key, answer.plain)
            answer.packed = _packed(answer.plain, answer.pattern)
            self._packed += len(answer.packed)
        answer.plain = None

    def _pattern(self, key: Key, body: bytes) -> bytes:
        """Return the first answer of this kind and format: most of the bytes of any other are in it, too."""
        kind = (key.target.partition("/")[0], key.media)
        if len(self._patterns) < MOST_PATTERNS:
            return self._patterns.setdefault(kind, body)
        return self._patterns.get(kind, b"")


def _packed(body: bytes, pattern: bytes) -> bytes:
    packing = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, LITTLE_MEMORY, zlib.Z_DEFAULT_STRATEGY, pattern)
    return packing.compress(body) + packing.flush()
