"""A Paste filter that is memcached within one Swift proxy: tempauth keeps its tokens there."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Cache:
    """Values by their keys, each for a time; with the methods of Swift's memcache client."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        value, until = self._entries.get(key, (None, 0.0))
        if until and until < time.time():
            del self._entries[key]
            return None
        return copy.deepcopy(value)

    def set(self, key: str, value: Any, *_: Any, **options: Any) -> None:
        seconds = options.get("time") or 0
        self._entries[key] = (copy.deepcopy(value), time.time() + seconds if seconds else 0.0)

    def incr(self, key: str, delta: int = 1, **options: Any) -> int:
        value = max(0, int(self.get(key) or 0) + delta)
        self.set(key, value, **options)
        return value

    def decr(self, key: str, delta: int = 1, **options: Any) -> int:
        return self.incr(key, -delta, **options)

    def delete(self, key: str, *_: Any, **__: Any) -> None:
        self._entries.pop(key, None)

    def get_multi(self, keys: Iterable[str], *_: Any, **__: Any) -> list[Any]:
        return [self.get(key) for key in keys]

    def set_multi(self, values: Mapping[str, Any], *_: Any, **options: Any) -> None:
        for key, value in values.items():
            self.set(key, value, **options)


def filter_factory(*_: Any, **__: Any) -> Callable[[Any], Any]:
    """What Paste asks for."""
    cache = Cache()

    def filtered(application: Any) -> Any:
        def answer(environ: dict[str, Any], start_response: Any) -> Any:
            environ["swift.cache"] = cache
            return application(environ, start_response)

        return answer

    return filtered
