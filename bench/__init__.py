"""How fast Usher is, measured against what the framework and the database allow: ``make bench``.

Rates alone say something about a machine, and these are shared; so the candidates take turns in short
rounds, and what counts is each one's ratio to a Flask endpoint that does nothing, in the same round.

Each server has one worker, so the ratio is that of a core. Of two workers one sometimes takes all the
connections that are kept alive, and what is measured then is luck; ``--workers 2`` is for whoever looks.
"""
