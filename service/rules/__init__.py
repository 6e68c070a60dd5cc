"""The rulebook: decision tables as data. Start reading at ``login.py``.

Nothing here knows a database, a request or a clock: a table is given what is known, and answers
with the name of the rule that decides and a plan for somebody else to carry out.
"""
