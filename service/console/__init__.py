"""The console: pages for an app's agents, on the same use cases as the API.

It holds no rule and no query of its own: a page reads a form, asks the desk once, and shows the answer.
"""
