"""The HTTP layer: parse, ask once, render. Flask and marshmallow live here only."""
