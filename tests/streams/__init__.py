"""Sinks, lines, readiness and conversations: what people do with a child's streams."""
