"""Measures trio_coreshift against its peers: ``python -m benchmarks --help``.

`figures` holds the values and the arithmetic, `harness` the rounds, `worker` the processes that are
measured; each other module is one family of figures. Nothing here is part of the package.
"""
