"""What gunicorn serves where a machine may be so slow that many who call at once wait for long: nobody is
turned away because of that."""

from service.admission import MAX_WAIT
from tests.support.patient import app

MAX_WAIT.update(dict.fromkeys(MAX_WAIT, float("inf")))

__all__ = ["app"]
