"""Long races: what no one test can provoke at will, CORESHIFT_STRESS_SECONDS of it."""
