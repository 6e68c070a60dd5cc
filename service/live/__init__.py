"""Tell whoever follows that something is new: streams of server-sent events, for thousands at once."""
