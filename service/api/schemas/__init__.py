"""Wire shapes and nouns: what a body may hold, and how a noun is written."""
