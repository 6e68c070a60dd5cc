"""The HTTP room: parse, ask once, render. Flask and marshmallow live here only."""
