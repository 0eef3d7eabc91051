"""The test suite; a package, so that every test module can import `tests.support`."""
