"""Helper programs, one act each; run by path with `python -I -S`, never imported."""
