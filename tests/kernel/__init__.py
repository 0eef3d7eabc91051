"""The synchronous layer below trio."""
