"""An answer is written as its shape says, also where it is written by hand."""

from service.api.schemas.conversations import ConversationOut
from service.api.schemas.fields import Answer
from service.model.conversations import Conversation, Status

CONVERSATION = Conversation("cnv_1", "usr_1", None, Status.OPEN, 3, 7, 1_790_000_000_123, 1_790_000_001_000)


def test_a_conversation_is_written_as_its_shape_says():
    shape = ConversationOut()

    assert shape.dump(CONVERSATION) == Answer.written(shape, CONVERSATION)
    assert list(shape.dump(CONVERSATION)) == list(Answer.written(shape, CONVERSATION))
