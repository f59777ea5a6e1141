"""The card of a bot names its data, measures and licences."""

from emojob.training.replies.bot_card import bot_card

ANSWERS_WAY = {
    "made_at": "2026-11-30T01:02:03+00:00",
    "base": None,
    "licence": "",
    "data": [{"name": "well|ness.xlsx", "kind": "wellness", "sha256": "ab12", "bytes": 1, "rows": 5231}],
    "counts": {"read": 5231, "pairs": 5000, "repeated": 231, "rejected": 0},
    "measures": {"nearest_questions": {"top_1": 0.75, "top_3": None}, "tone_agreement": {"prompts": 120}},
}
GPT2_WAY = {
    "made_at": "2026-12-01T01:02:03+00:00",
    "base": "skt/kogpt2-base-v2",
    "licence": "CC-BY-NC-SA 4.0",
    "data": "OUT",
    "counts": {"read": 10, "pairs": 10},
    "measures": {
        "epochs": 5,
        "before": {"perplexity": 4000.0},
        "after": {"perplexity": 136.5},
        "curves": {"loss": [1]},
    },
}


def test_the_card_names_data_counts_and_measures():
    card = bot_card({"answers": ANSWERS_WAY})
    assert "| well\\|ness.xlsx | 5,231 | ab12 |" in card
    assert "- Rows: read 5,231, pairs 5,000, repeated 231" in card
    assert "| nearest questions: top 1 | 0.750 |\n| tone agreement: prompts | 120 |" in card
    assert "the default model of emojob" in card
    assert "CC-BY" not in card


def test_the_card_of_both_ways_names_the_licence_of_kogpt2():
    card = bot_card({"answers": ANSWERS_WAY, "gpt2": GPT2_WAY})
    assert card.index("## The way `answers`") < card.index("## The way `gpt2`")
    assert (
        "The base model of the way `gpt2` has the licence CC-BY-NC-SA 4.0: name the source, no commercial use" in card
    )
    assert "| perplexity | 136.500 |" in card
    assert "4,000" not in card
