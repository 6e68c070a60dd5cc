"""Wire shapes: what a body may hold, and how values of the model are written."""
