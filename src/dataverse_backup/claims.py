"""Which datafile a key belongs to."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from dataverse_backup.errors import KeyRefused
from dataverse_backup.layout import is_beside, key_for, keys_beside, original_key_for, original_object_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from dataverse_backup.datafile import Datafile
    from dataverse_backup.ledger.base import Ledger, Standing
    from dataverse_backup.stores.base import Store


def is_own_key(key: str, datafile: Datafile, store: Store) -> bool:
    """Whether *key* is one that *datafile* may hold: its own, the one beside it, or the original script's."""
    try:
        base = key_for(datafile, store)
        is_its_own = key == base or (key == original_key_for(datafile) and not datafile.is_companion)
        return is_its_own or is_beside(key, base, datafile)
    except KeyRefused:
        return False


class Claims:
    """Gives keys to datafiles so that each key belongs to one (design, rule 7).

    A key belongs to the datafile that holds it in the ledger, else to the lowest id; the other gets one of its own
    beside it. So do ``sub`` beside ``sub/x``, and names that a destination which folds case cannot tell apart.
    """

    def __init__(
        self, ledger: Ledger, destination: str, stores: Mapping[str, Store], folded: Callable[[str], str] | None
    ) -> None:
        self._ledger = ledger
        self._destination = destination
        self._stores = stores
        self._folded = folded
        self._taken: dict[str, tuple[int, str]] = {}
        self._folders: set[str] = set()

    def assign(self, wanted: Sequence[tuple[Datafile, Standing | None]]) -> list[str]:
        """The keys of these datafiles and companions, which come by ascending id."""
        if not wanted:
            return []
        candidates = self._candidates([datafile for datafile, _ in wanted])
        names = sorted({key for keys in candidates for key in keys})
        occupants = self._ledger.occupants(self._destination, names, folded=self._folded)
        for datafile, standing in wanted:
            if (own := self._held(datafile, standing)) is not None:
                self._take(own, datafile)
        return [
            self._held(datafile, standing) or self._first_free(datafile, keys, occupants.keys() - _known(standing))
            for (datafile, standing), keys in zip(wanted, candidates, strict=True)
        ]

    def _candidates(self, datafiles: Sequence[Datafile]) -> list[tuple[str, ...]]:
        """For each datafile the keys that it may have, best first: the original script's where it copied it."""
        known = self._ledger.match_original(
            (one, (self._stores[one.store_id].object_name(one), original_object_name(one)))
            for one in datafiles
            if not one.is_companion
        )
        return [
            self._keys(datafile, known=datafile.id in known and not datafile.is_companion) for datafile in datafiles
        ]

    def _keys(self, datafile: Datafile, *, known: bool) -> tuple[str, ...]:
        key = key_for(datafile, self._stores[datafile.store_id])
        return (original_key_for(datafile), key) if known else (key,)

    def _held(self, datafile: Datafile, standing: Standing | None) -> str | None:
        """The key that the ledger has for it, where that still is one of its own."""
        if standing is None or standing.key is None:
            return None
        store = self._stores[datafile.store_id]
        return standing.key if is_own_key(standing.key, datafile, store) else None

    def _first_free(self, datafile: Datafile, keys: Sequence[str], occupied: AbstractSet[str]) -> str:
        for key in keys:
            if key not in occupied and self._is_free(key, datafile):
                self._take(key, datafile)
                return key
        return self._first_free_beside(datafile, keys_beside(keys[-1], datafile))

    def _first_free_beside(self, datafile: Datafile, keys: Sequence[str]) -> str:
        occupants = self._ledger.occupants(self._destination, keys, folded=self._folded)
        free = (key for key in keys if key not in occupants and self._is_free(key, datafile))
        chosen = next(free, keys[-1])  # the last one has the datafile's id in its topmost part: nobody else's has
        self._take(chosen, datafile)
        return chosen

    def _is_free(self, key: str, datafile: Datafile) -> bool:
        """Whether no other datafile of this chunk has *key*, has it as a folder, or is a folder of it."""
        seen, place = self._seen(key), datafile.place
        if seen in self._folders or self._taken.get(seen, place) != place:
            return False
        return all(self._taken.get(folder, place) == place for folder in _folders_of(seen))

    def _take(self, key: str, datafile: Datafile) -> None:
        seen = self._seen(key)
        self._taken[seen] = datafile.place
        self._folders.update(_folders_of(seen))

    def _seen(self, key: str) -> str:
        return self._folded(key) if self._folded is not None else key


def _known(standing: Standing | None) -> set[str]:
    """The keys that the ledger has for this datafile, which are not in its own way.

    Any other occupied key is, whoever occupies it: a former copy of its own may be a folder of the new key, lie in it,
    or differ in nothing but case, and it stays until the new copy is proven.
    """
    if standing is None:
        return set()
    keys = {standing.key, standing.copy.key if standing.copy else None}
    return {key for key in keys if key is not None}


def _folders_of(key: str) -> tuple[str, ...]:
    end = key.rfind("/")
    return _upwards_from(key[:end]) if end > 0 else ()


@lru_cache(maxsize=1_000)
def _upwards_from(folder: str) -> tuple[str, ...]:
    """It and those that it lies in; the datafiles of one come one after the other."""
    found = [folder]
    while (end := found[-1].rfind("/")) > 0:
        found.append(folder[:end])
    return tuple(found)
