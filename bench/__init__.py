"""How fast Usher is, and where the time goes: ``make bench``, ``make bench-profile``.

Rates alone say something about a machine, and these are shared. So what counts is the CPU that a call takes,
as a multiple of what a Flask endpoint that does nothing takes beside it, in the same round.

Each server has one process, and there is one for each core: of several processes with one port the kernel may
give one of them all connections that are kept alive, and what is measured then is luck.
"""
