"""What gunicorn needs beside its settings. Nothing here counts: prometheus_client is left to the workers."""
