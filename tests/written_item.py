"""A written item as stage 1 leaves it, for all that reads or speaks one."""

from __future__ import annotations

ITEM = {
    "split": "test",
    "transcript": [
        {"speaker": "spk_1", "text": ["We meet at noon.", "The key is under the mat."]},
        {"speaker": "spk_2", "text": ["Thank you, näive friend."]},
        {"speaker": "spk_1", "text": ["Goodbye."]},
    ],
    "original_key_sentence": "The key is under the mat.",
    "test_question": {
        "question": "Where is the key?",
        "choices": ["A. In the pot", "B. Under the mat", "C. On the shelf", "D. By the door"],
        "correct_answer": "B. Under the mat",
    },
    "metadata": {"main_topic": "Home", "subtopic": "Keys", "transcript_type": "meeting", "id": "meeting_test_00"},
}


def item(identity: str, **changes: object) -> dict:
    """The item under another id."""
    return ITEM | {"metadata": ITEM["metadata"] | {"id": identity}} | changes
