"""What other desks call what we know: a table of each, and no code."""
