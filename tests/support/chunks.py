"""Cutting a stream into chunks, for tests that must not depend on where it is cut."""

from itertools import pairwise


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Return data in chunks, cut at the given places (any numbers do)."""
    edges = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[low:high] for low, high in pairwise(edges)]
