"""The card of a bot names its data, measures and licences."""

from emojob.training.replies.bot_card import bot_card

ANSWERS_WAY = {
    "made_at": "2026-11-30T01:02:03+00:00",
    "base": None,
    "licence": "",
    "data": [{"name": "well|ness.xlsx", "kind": "wellness", "sha256": "ab12", "bytes": 1, "rows": 5231}],
    "counts": {"read": 5231, "pairs": 5000, "repeated": 231, "rejected": 0},
    "measures": {
        "nearest_questions": {
            "held_out": 12, "retrieval": {"questions": 10, "hit_1": 0.5, "hit_5": 0.75, "mrr": 0.625},
            "drafted": 0.75, "top_1": 0.75, "top_3": None,
        },
        "classifier": {"drafted": 1.0, "top_1": 0.5, "top_3": 0.75},
        "tone_agreement": {"prompts": 120, "share": 0.5},
    },
}  # fmt: skip
GPT2_WAY = {
    "made_at": "2026-12-01T01:02:03+00:00",
    "base": "skt/kogpt2-base-v2",
    "licence": "CC-BY-NC-SA 4.0",
    "data": "OUT",
    "counts": {"read": 10, "pairs": 10},
    "measures": {
        "epochs": 5,
        "before": {"perplexity": 4000.0},
        "after": {
            "pairs": 10, "perplexity": 136.5, "accuracy": 0.0,
            "drafts": {
                "drafts": 10, "ended": 0.25, "empty": 0.0, "distinct_2": 0.25, "repetition": 1.0, "copied": 0.0,
                "copied_long": 0.0, "score": 0.004,
            },
        },
        "tone_agreement": {"prompts": 120, "share": 0.5},
        "curves": {"loss": [1]},
    },
}  # fmt: skip


def test_the_card_names_data_counts_and_measures():
    card = bot_card({"answers": ANSWERS_WAY})
    assert "| well\\|ness.xlsx | 5,231 | ab12 |" in card
    assert "- Rows: read 5,231, pairs 5,000, repeated 231" in card
    assert "| held-out questions | 12 |" in card
    assert "| right category found, by the nearest questions | 75.0% |\n| score high enough" in card
    assert "| of these, reply in the tone that suits the emotion | 50.0% |" in card
    assert "the default model of emojob" in card
    assert "CC-BY" not in card


def test_the_card_of_both_ways_names_the_licence_of_kogpt2():
    card = bot_card({"answers": ANSWERS_WAY, "gpt2": GPT2_WAY})
    assert card.index("## The way `answers`") < card.index("## The way `gpt2`")
    assert (
        "The base model of the way `gpt2` has the licence CC-BY-NC-SA 4.0: name the source, no commercial use" in card
    )
    assert "| perplexity of the answers (lower is better) | 136.50 |" in card
    assert "| tokens of the answers ranked first | 0.0% |" in card
    assert "4,000" not in card


def test_each_measure_has_a_name_that_a_reader_understands():
    card = bot_card({"answers": ANSWERS_WAY, "gpt2": GPT2_WAY})
    measured = [line for line in card.splitlines() if line.startswith("| ") and line.count("|") == 3]
    names = {line.split(" | ")[0].removeprefix("| ") for line in measured} - {"measure", "---"}
    unclear = ("nearest questions: ", "drafts: ", "top 1", "hit 1", "accuracy", "held out", "copied long", "share")
    assert len(names) == 23
    assert not [name for name in names if any(word in name for word in unclear)]
