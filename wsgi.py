"""What gunicorn serves: ``gunicorn wsgi:app``."""

from service import logs
from service.app import create_app
from service.config import Config

logs.configure()
config = Config.from_environment()
app = create_app(config)
if config.database_url.startswith("sqlite:"):
    # Elsewhere a process of its own works, and this one is smaller without what that takes.
    from service.work.beside import work_beside

    work_beside(config)
