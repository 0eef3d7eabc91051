"""The shutdown contract: nothing outlives its scope, and nothing is lost on the way."""
