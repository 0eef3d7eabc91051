"""Thin, synchronous access to the kernel. Nothing here knows trio, options or policies."""
