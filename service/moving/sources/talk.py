"""How a desk writes conversations down."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Names of members, those within others with dots between, the better one first.
Path = tuple[str, ...]


@dataclass(frozen=True)
class Talk:
    """Where a conversation's members stand: whose it is (``owner``, as of a person, or ``owner_id``, the
    desk's own ID of them), what it is called, and the lists of its messages.

    ``resolved`` are the words for a status that is over. Of a message ``side`` tells by its ``words`` who
    wrote it, True for its user; by any other word the user did if that is the ID of the owner. It is hidden
    from its user where a member of ``hidden`` has one of the values. Where the member ``proven`` is false the
    desk asked for no proof of whose it is.

    Where a message tells of its ``author``, as of a person, a conversation that says nothing else is that of
    the first who is its user.
    """

    id: str
    owner: str
    owner_id: Path
    subject: Path
    status: str
    resolved: frozenset[str]
    created: Path
    lists: tuple[str, ...]
    body: Path
    is_html: bool
    side: Path
    words: Mapping[str, bool] = field(default_factory=dict)
    agent: Path = ()
    author: str = ""
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    proven: str = ""
