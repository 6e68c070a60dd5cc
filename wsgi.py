"""What gunicorn serves: ``gunicorn wsgi:app``."""

from service import logs
from service.app import create_app
from service.config import Config
from service.work.beside import work_beside

logs.configure()
config = Config.from_environment()
app = create_app(config)
work_beside(config)
