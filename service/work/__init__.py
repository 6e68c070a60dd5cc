"""What happens after a request was answered, and by itself: deliveries of events, the index of searches, who
may be one person, tidying."""
