"""What happens after a request was answered."""
