"""What every backend promises, and what only one of them does."""
