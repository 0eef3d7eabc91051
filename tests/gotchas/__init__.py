"""Tests of gotchas that no other test guards; see tests/test_gotchas.py."""
