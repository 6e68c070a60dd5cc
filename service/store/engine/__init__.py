"""What is peculiar to engines and their drivers."""
