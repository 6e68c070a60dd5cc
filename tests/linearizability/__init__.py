"""What happens at once ends as some order one after the other would; with processes, on both engines."""
