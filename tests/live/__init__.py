"""Streams, by the real process ``live`` where it can be."""
